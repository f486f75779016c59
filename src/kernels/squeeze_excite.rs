//! Squeeze-and-excitation: gating by channel with its two gradients, and the two dense layers that make the
//! gate.
//!
//! The squeeze is `pool::global_average`. The dense layers have two forms: dense kernels with
//! [`super::activation`]'s launches between them, and here one launch a direction ([`excite`],
//! [`excite_backward`]) for adapters where a launch costs more than the layers do. There one workgroup
//! computes one image, so every image reads the weights again: a software adapter is better served by the
//! dense kernels.

use super::activation::Activation;
use super::fusion::Fusion;
use super::pool::{ScaleForm, image_scale, image_sum};
use super::{ImageShape, Permutation, permuted, quads};
use crate::gpu::{Cost, Kernel, Launch, View, params};

/// `y[image, row, c] = a[image, row, c] * g[image, c]`. a may have a prologue.
pub fn channel_scale(shape: &ImageShape, a: View, g: View, y: View, fusion: &Fusion<'_>) -> Launch {
    image_scale(shape, ScaleForm::Product, vec![y, g, a], false, fusion)
}

/// `dg[image, c] = Σ_row dy * a`. Zero in padded channels, because `a` is. a may have a prologue.
pub fn gate_gradient(shape: &ImageShape, dy: View, a: View, dg: View, fusion: &Fusion<'_>) -> Launch {
    image_sum(shape, a, Some(dy), dg, 1.0, false, fusion)
}

/// Gradient of the gated tensor through both of its uses, the product and the squeeze:
/// `da = dy * g + d_pooled / rows`. da may have an epilogue.
pub fn data_gradient(
    shape: &ImageShape,
    dy: View,
    g: View,
    d_pooled: View,
    da: View,
    fusion: &Fusion<'_>,
) -> Launch {
    image_scale(shape, ScaleForm::ProductPlusPooled, vec![da, g, dy, d_pooled], false, fusion)
}

/// `gate = expand's activation of (expand · reduce's activation of (reduce · pooled))`: the sizes and
/// activations of the two dense layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExciteShape {
    /// Images of the batch.
    pub images: usize,
    /// Channels of the gated map, padded to a multiple of 4.
    pub channels: usize,
    /// Channels between the layers, padded to a multiple of 4.
    pub inner: usize,
    /// The activation behind the first layer.
    pub hidden: Activation,
    /// The activation behind the second layer; its slope is computed from its output.
    pub gate: Activation,
}

/// The weights and biases of the two dense layers.
#[derive(Clone, Copy, Debug)]
pub struct ExciteWeights {
    /// `[channels][inner]`
    pub reduce: View,
    /// `[inner]`
    pub reduce_bias: View,
    /// `[inner][channels]`
    pub expand: View,
    /// `[channels]`
    pub expand_bias: View,
}

/// What the forward pass leaves for the backward pass.
#[derive(Clone, Copy, Debug)]
pub struct Excitation {
    /// `[images, channels]`, the mean of each image's channels.
    pub pooled: View,
    /// `[images, inner]`, before the first layer's activation.
    pub hidden_raw: View,
    /// `[images, inner]`, behind the first layer's activation.
    pub hidden: View,
    /// `[images, channels]`; 1/2 in padded channels.
    pub gate: View,
}

params! {
    /// The numbers of `shaders/squeeze_excite_forward.wgsl` and `squeeze_excite_backward.wgsl`.
    struct ExciteParams {
        /// vec4s of the gated map's channels.
        quads: u32,
        /// vec4s between the layers.
        inner: u32,
    }
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
        let params = ExciteParams { quads: quads(self.channels), inner: quads(self.inner) };
        let cost = Cost { flops: 4 * self.images as u64 * weights, bytes: 8 * (weights + vectors) };
        let kernel = kernel(shader, self.hidden, self.gate);
        Launch::new(kernel, views, params, [self.images as u32, 1, 1], cost)
    }
}

fn kernel(shader: &'static str, hidden: Activation, gate: Activation) -> Kernel {
    let constants = [
        ("LANES", 16),
        ("WORKGROUP", 256),
        ("INNER_MAX", INNER_MAX as u32),
        ("HIDDEN_ACTIVATION", hidden.number()),
        ("GATE_ACTIVATION", gate.number()),
    ];
    Kernel::new(shader, &constants)
}

/// The gate from what the squeeze left in `e.pooled`, and what lies between.
pub fn excite(shape: &ExciteShape, weights: &ExciteWeights, e: &Excitation) -> Launch {
    let ExciteWeights { reduce, reduce_bias, expand, expand_bias } = *weights;
    let views = vec![e.pooled, reduce, reduce_bias, expand, expand_bias, e.hidden_raw, e.hidden, e.gate];
    shape.launch("squeeze_excite_forward", views)
}

/// `d_pooled` `[images, channels]` and `d_hidden_raw` `[images, inner]` from the gradient of the gate
/// `[images, channels]`, which is replaced by the gradient before the gate's activation.
pub fn excite_backward(
    shape: &ExciteShape,
    weights: &ExciteWeights,
    e: &Excitation,
    d_gate: View,
    d_hidden_raw: View,
    d_pooled: View,
) -> Launch {
    let views = vec![d_gate, e.gate, e.hidden_raw, weights.reduce, weights.expand, d_hidden_raw, d_pooled];
    shape.launch("squeeze_excite_backward", views)
}

/// Every kernel that only this file launches, with the activations of every family.
pub fn permutations() -> Vec<Permutation> {
    let with = |shader| Activation::EXCITING.map(|(hidden, gate)| kernel(shader, hidden, gate)).to_vec();
    let forward = permuted::<ExciteParams>(with("squeeze_excite_forward"), |_| 8);
    [forward, permuted::<ExciteParams>(with("squeeze_excite_backward"), |_| 7)].concat()
}
