//! Dropout with a counter-based mask: the backward pass draws the same mask again instead of storing it.

use super::{Permutation, combinations, image_grid, permuted, quads};
use crate::gpu::{Cost, Kernel, Launch, View, params};

/// A tensor [images, features].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DropoutShape {
    /// Images of the batch.
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

params! {
    /// The numbers of `shaders/dropout.wgsl`.
    struct DropoutParams {
        /// vec4s of one image.
        quads_per_image: u32,
        /// Number of the first image within the micro-batch.
        image_offset: u32,
        /// Names this draw among all of a step.
        stream: u32,
        /// Chance that an element becomes zero.
        rate: f32,
        /// 1 / (1 - rate).
        scale: f32,
    }
}

/// `output = input * mask / (1 - rate)`.
pub fn forward(shape: &DropoutShape, input: View, output: View) -> Launch {
    assert!((0.0..1.0).contains(&shape.rate), "dropout rate {}", shape.rate);
    let elements = (shape.images * shape.features) as u64;
    let params = DropoutParams {
        quads_per_image: quads(shape.features),
        image_offset: shape.image_offset,
        stream: shape.stream,
        rate: shape.rate,
        scale: 1.0 / (1.0 - shape.rate),
    };
    let grid = image_grid(u64::from(params.quads_per_image), shape.images);
    let cost = Cost { flops: elements * 8, bytes: elements * 8 };
    Launch::new(Kernel::new("dropout", &[]), vec![input, output], params, grid, cost)
}

/// `dx = dy * mask / (1 - rate)` with the mask of the forward pass: it is the same map.
pub fn backward(shape: &DropoutShape, dy: View, dx: View) -> Launch {
    forward(shape, dy, dx)
}

/// Every kernel of this file.
pub fn permutations() -> Vec<Permutation> {
    permuted::<DropoutParams>(combinations("dropout", &[]), |_| 2)
}
