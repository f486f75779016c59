//! The two dense layers of squeeze-and-excitation in one launch a direction, for adapters where a launch costs more
//! than they do. One workgroup an image, so every image reads the weights again: a software adapter is better served
//! by the dense kernels.

use super::quads;
use crate::gpu::{Cost, Kernel, Launch, View};

/// `pooled` and `gate` are `[images, channels]`, what lies between `[images, inner]`; both padded to multiples of 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExciteShape {
    pub images: usize,
    pub channels: usize,
    pub inner: usize,
}

/// `[channels][inner]` and `[inner][channels]` with their biases.
#[derive(Clone, Copy, Debug)]
pub struct ExciteWeights {
    pub reduce: View,
    pub reduce_bias: View,
    pub expand: View,
    pub expand_bias: View,
}

/// What the forward pass leaves for the backward pass.
#[derive(Clone, Copy, Debug)]
pub struct Excitation {
    /// `[images, channels]`, the mean of each image's channels.
    pub pooled: View,
    /// `[images, inner]`, before and behind the SiLU.
    pub hidden_raw: View,
    pub hidden: View,
    /// `[images, channels]`; 1/2 or a bias's sigmoid in padded channels.
    pub gate: View,
}

/// `vec4`s of the widest squeezed layer that the shaders have room for.
const INNER_MAX: usize = 64;

impl ExciteShape {
    /// Whether the kernels have room for the squeezed layer.
    pub fn fits(&self) -> bool {
        self.inner <= 4 * INNER_MAX
    }

    fn launch(&self, shader: &'static str, views: Vec<View>) -> Launch {
        assert!(self.fits(), "{} squeezed channels", self.inner);
        let weights = (self.channels * self.inner) as u64;
        let vectors = (self.images * (self.channels + self.inner)) as u64;
        Launch {
            kernel: kernel(shader),
            views,
            params: vec![quads(self.channels), quads(self.inner)],
            grid: [self.images as u32, 1, 1],
            cost: Cost { flops: 4 * self.images as u64 * weights, bytes: 8 * (weights + vectors) },
        }
    }
}

fn kernel(shader: &'static str) -> Kernel {
    Kernel::new(shader, &[("LANES", 16), ("WORKGROUP", 256), ("INNER_MAX", INNER_MAX as u32)])
}

/// `gate = sigmoid(expand(silu(reduce(pooled))))`, and what lies between.
pub fn forward(shape: &ExciteShape, weights: &ExciteWeights, e: &Excitation) -> Launch {
    let ExciteWeights { reduce, reduce_bias, expand, expand_bias } = *weights;
    let views = vec![e.pooled, reduce, reduce_bias, expand, expand_bias, e.hidden_raw, e.hidden, e.gate];
    shape.launch("excite_forward", views)
}

/// `d_pooled` and `d_hidden_raw` from the gradient of the gate, which becomes that before the sigmoid.
pub fn backward(
    shape: &ExciteShape,
    weights: &ExciteWeights,
    e: &Excitation,
    d_gate: View,
    d_hidden_raw: View,
    d_pooled: View,
) -> Launch {
    let views = vec![d_gate, e.gate, e.hidden_raw, weights.reduce, weights.expand, d_hidden_raw, d_pooled];
    shape.launch("excite_backward", views)
}

/// Every kernel of this file.
pub fn permutations() -> Vec<Kernel> {
    ["excite_forward", "excite_backward"].map(kernel).to_vec()
}
