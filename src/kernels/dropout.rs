//! Dropout with a counter-based mask: the backward pass draws the same mask again instead of storing it.

use super::{combinations, image_grid, quads};
use crate::gpu::{Cost, Kernel, Launch, View};

/// A tensor [images, features].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DropoutShape {
    pub images: usize,
    /// Floats of one image, padded to a multiple of 4.
    pub features: usize,
    /// Chance that an element becomes zero, in [0, 1).
    pub rate: f32,
    /// Names this draw among all of a step.
    pub stream: u32,
    /// Number of the first image within the micro-batch, for a batch that is run in parts.
    pub image_offset: u32,
}

/// `output = input * mask / (1 - rate)`.
pub fn forward(shape: &DropoutShape, input: View, output: View) -> Launch {
    assert!((0.0..1.0).contains(&shape.rate), "dropout rate {}", shape.rate);
    let elements = (shape.images * shape.features) as u64;
    let per_image = quads(shape.features);
    let scale = 1.0 / (1.0 - shape.rate);
    Launch {
        kernel: Kernel::new("dropout", &[]),
        views: vec![input, output],
        params: vec![per_image, shape.image_offset, shape.stream, shape.rate.to_bits(), scale.to_bits()],
        grid: image_grid(u64::from(per_image), shape.images),
        cost: Cost { flops: elements * 8, bytes: elements * 8 },
    }
}

/// `dx = dy * mask / (1 - rate)` with the mask of the forward pass: it is the same map.
pub fn backward(shape: &DropoutShape, dy: View, dx: View) -> Launch {
    forward(shape, dy, dx)
}

/// Every kernel of this file.
pub fn permutations() -> Vec<Kernel> {
    combinations("dropout", &[])
}
