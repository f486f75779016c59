//! The element-wise parts of squeeze-and-excitation: gating by channel, its two gradients, and the activations of
//! the two small dense layers. The layers themselves are dense kernels, the squeeze is `pool::global_average`.

use super::fusion::Fusion;
use super::pool::{ScaleForm, image_scale, image_sum};
use super::{ImageShape, combinations, elementwise, quads};
use crate::gpu::{Element, Kernel, Launch, View};

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

/// Activations of the two dense layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Nonlinearity {
    Silu,
    /// Padded channels become 1/2; harmless as a gate, because the gated tensor's padded channels are zero.
    Sigmoid,
}

impl Nonlinearity {
    /// The constant of `shaders/lib/activation.wgsl`.
    fn constant(self) -> (&'static str, u32) {
        ("ACTIVATION", if self == Self::Silu { 2 } else { 3 })
    }
}

/// `y = act(x)` over `elements` floats, a multiple of 4.
pub fn activation_forward(kind: Nonlinearity, elements: usize, x: View, y: View) -> Launch {
    let kernel = Kernel::new("activation_forward", &[kind.constant()]);
    elementwise(kernel, &[x, y], vec![quads(elements)], elements, 2)
}

/// `dx` (written, or added to) `= dy * act'`. `stored` is the input of SiLU, the output of the sigmoid.
pub fn activation_backward(
    kind: Nonlinearity,
    elements: usize,
    stored: View,
    dy: View,
    dx: View,
    accumulate: bool,
) -> Launch {
    let constants = [kind.constant(), ("ACCUMULATE", u32::from(accumulate)), Element::F32.constant()];
    let kernel = Kernel::new("activation_backward", &constants);
    let passes = 3 + u64::from(accumulate);
    elementwise(kernel, &[stored, dy, dx], vec![quads(elements)], elements, passes)
}

/// Every kernel that only this file launches, with every combination of its constants.
pub fn permutations() -> Vec<Kernel> {
    const KINDS: (&str, &[u32]) = ("ACTIVATION", &[2, 3]);
    [
        combinations("activation_forward", &[KINDS]),
        combinations("activation_backward", &[KINDS, ("ACCUMULATE", &[0, 1]), (Element::CONSTANT, &[0])]),
    ]
    .concat()
}
