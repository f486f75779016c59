//! The activation functions: their numbers in the shaders, what their slopes are computed from, what
//! repeating one costs, and the launches of an activation by itself.
//!
//! The formulas are in `shaders/lib/activation.wgsl`, in f64 in [`super::reference::activation`].

use super::{Count, GROUP, Permutation, STORED, combinations, elementwise, permuted, quads, stored};
use crate::gpu::{Cost, Form, Kernel, Launch, View, linear_grid};

/// What follows an affine map: that of a batch norm, of a dense layer, or the sum of a residual block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Activation {
    /// The identity.
    None = 0,
    /// `max(u, 0)`
    Relu = 1,
    /// `u · sigmoid(u)`
    Silu = 2,
    /// `1 / (1 + exp(-u))`, a gate.
    Sigmoid = 3,
    /// `clamp(u, 0, 6)`
    Relu6 = 4,
    /// `u · clamp(u + 3, 0, 6) / 6` (MobileNetV3, section 5.2)
    HardSwish = 5,
    /// `clamp(u + 3, 0, 6) / 6`, a gate.
    HardSigmoid = 6,
}

/// What an activation's slope is computed from in the backward pass, and therefore what the forward pass must
/// keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlopeFrom {
    /// What goes into the activation.
    Input,
    /// What comes out of it.
    Output,
}

impl Activation {
    /// The activations that kernels apply as they read or store a map, in sets that occur in one network. The
    /// slope of each may be computed from its input.
    pub(super) const FUSED: [&[Self]; 3] =
        [&[Self::None, Self::Silu], &[Self::None, Self::Relu, Self::HardSwish], &[Self::None, Self::Relu6]];

    /// The numbers of all in [`Self::FUSED`].
    pub(super) const FUSED_NUMBERS: [u32; 5] =
        [Self::None as u32, Self::Relu as u32, Self::Silu as u32, Self::Relu6 as u32, Self::HardSwish as u32];

    /// The activations behind squeeze-and-excitation's first layer, each with the gate behind the second.
    pub(super) const EXCITING: [(Self, Self); 2] =
        [(Self::Silu, Self::Sigmoid), (Self::Relu, Self::HardSigmoid)];

    /// The activation's number in `shaders/lib/activation.wgsl`.
    pub(super) fn number(self) -> u32 {
        self as u32
    }

    /// The constant by which a shader with one activation is told which.
    pub(super) fn constant(self) -> (&'static str, u32) {
        ("ACTIVATION", self.number())
    }

    /// What the slope is computed from. Where that is the output, the input need not be kept.
    pub fn slope_from(self) -> SlopeFrom {
        match self {
            Self::None | Self::Relu | Self::Relu6 | Self::Sigmoid | Self::HardSigmoid => SlopeFrom::Output,
            Self::Silu | Self::HardSwish => SlopeFrom::Input,
        }
    }

    /// What it costs to repeat a batch norm and this activation on one read of a map, in passes over the map.
    /// A GPU does that beside its memory traffic; on a software adapter a load takes as long as 18
    /// multiply-adds and a SiLU 11 (measured on llvmpipe), and hard swish is four operations.
    pub fn cost(self, form: Form) -> f64 {
        match (form, self) {
            (Form::Tiles, Self::Silu | Self::Sigmoid) => 0.2,
            (Form::Tiles, _) => 0.05,
            (Form::Subgroups, Self::Silu | Self::Sigmoid) => 0.65,
            (Form::Subgroups, Self::HardSwish | Self::HardSigmoid) => 0.25,
            (Form::Subgroups, _) => 0.1,
        }
    }
}

/// `y = act(x)` over `elements` floats, a multiple of 4. A gate's activation makes padded channels 1/2 of
/// what was 0; harmless, because what the gate multiplies is zero there.
pub fn forward(activation: Activation, elements: usize, x: View, y: View) -> Launch {
    let kernel = Kernel::new("activation_forward", &[activation.constant()]);
    elementwise(kernel, &[x, y], Count { count: quads(elements) }, elements, 2)
}

/// `dx = dy * act'` over `elements` numbers, a multiple of 4, all three stored alike. `kept` is the
/// activation's input or output, as [`Activation::slope_from`] says.
pub fn backward(activation: Activation, elements: usize, kept: View, dy: View, dx: View) -> Launch {
    let element = stored(&[kept, dy, dx]);
    let count = quads(elements);
    let kernel = Kernel::new("activation_backward", &[activation.constant(), element.constant()]);
    let cost = Cost { flops: elements as u64 * 8, bytes: elements as u64 * element.bytes() * 3 };
    let grid = linear_grid(u64::from(count), GROUP);
    Launch::new(kernel, vec![kept, dy, dx], Count { count }, grid, cost)
}

/// Every kernel of this file with every combination of its constants.
pub fn permutations() -> Vec<Permutation> {
    const FIRST: u32 = Activation::Relu as u32;
    const ALL: (&str, &[u32]) = ("ACTIVATION", &[FIRST, 2, 3, 4, 5, Activation::HardSigmoid as u32]);
    let forward = permuted::<Count>(combinations("activation_forward", &[ALL]), |_| 2);
    let backward = permuted::<Count>(combinations("activation_backward", &[ALL, STORED]), |_| 3);
    [forward, backward].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::shaders;

    #[test]
    fn every_activation_has_its_number_in_the_shaders() {
        let text =
            shaders::expand(&Kernel::new("activation_forward", &[Activation::Relu.constant()])).unwrap();
        for (activation, name) in [
            (Activation::None, "NO_ACTIVATION"),
            (Activation::Relu, "RELU"),
            (Activation::Silu, "SILU"),
            (Activation::Sigmoid, "SIGMOID"),
            (Activation::Relu6, "RELU6"),
            (Activation::HardSwish, "HARD_SWISH"),
            (Activation::HardSigmoid, "HARD_SIGMOID"),
        ] {
            let number = activation.number();
            assert!(text.contains(&format!("const {name}: u32 = {number}u;")), "{name} is not {number}");
        }
    }
}
