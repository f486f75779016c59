//! Dynamic loss scaling, for plans whose gradients are stored in f16 (Micikevicius et al. 2018, "Mixed
//! Precision Training", section 3.2): the loss is multiplied by a scale that lifts small gradients out of
//! f16's underflow, the gradients of the parameters are divided by it, and a step in which one of them is not
//! finite is left out. The scale lives on the device and decides there, so that no step waits for the host.
//! What the host counts (schedule, AdamW's bias corrections, the EMA's warm-up) therefore counts steps that
//! were left out as well.

use super::{Count, Permutation, combinations, elementwise, permuted, quads};
use crate::gpu::{Cost, Kernel, Launch, View, params};
use bytemuck::{Pod, Zeroable};

/// The state as the host knows it. Keep in step with `shaders/lib/loss_scale.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub struct LossScale {
    /// A power of two.
    pub scale: f32,
    /// Updates in a row without an overflow, below [`GROWTH_STEPS`].
    pub good_steps: u32,
    /// 1 when the last step overflowed and its update was left out.
    pub overflow: u32,
    /// Updates left out so far.
    pub skipped: u32,
}

/// Updates without an overflow after which the scale doubles, as in PyTorch's GradScaler.
pub const GROWTH_STEPS: u32 = 2000;

/// An overflow at the smallest scale is one of the forward pass: no scale mends it.
pub const SMALLEST: f32 = 1.0;

/// Beyond this a gradient too small for f16 no longer matters in f32's sums either.
const LARGEST: f32 = 16_777_216.0;

impl LossScale {
    /// State of a fresh run: even gradients of a few small images rarely overflow, and those of large batches
    /// grow into a larger scale.
    pub const START: Self = Self { scale: 8192.0, good_steps: 0, overflow: 0, skipped: 0 };

    /// The state's words, floats by their bits.
    pub fn words(self) -> [u32; 4] {
        bytemuck::cast(self)
    }

    /// The state from its words.
    pub fn from_words(words: [u32; 4]) -> Self {
        bytemuck::cast(words)
    }
}

/// Words of the state on the device: a [`LossScale`], a flag that is zero between steps, padding.
pub const STATE_WORDS: usize = 8;

params! {
    /// The numbers of `shaders/loss_scale_update.wgsl`.
    struct UpdateParams {
        /// Updates without an overflow after which the scale doubles.
        growth_steps: u32,
        /// Smallest scale.
        smallest: f32,
        /// Largest scale.
        largest: f32,
    }
}

/// First pass over a part of the gradients: divides them by the scale of `state`, and notes one that is not
/// finite.
pub fn check(elements: usize, gradient: View, state: View) -> Launch {
    let kernel = Kernel::new("loss_scale_check", &[]);
    elementwise(kernel, &[gradient, state], Count { count: quads(elements) }, elements, 2)
}

/// Second pass: `state` moves on by what [`check`] of all parts found.
pub fn update(state: View) -> Launch {
    let params = UpdateParams { growth_steps: GROWTH_STEPS, smallest: SMALLEST, largest: LARGEST };
    Launch::new(Kernel::new("loss_scale_update", &[]), vec![state], params, [1, 1, 1], Cost::default())
}

/// Name of the constant that lets a launch of the optimizer look at the loss scale.
pub(super) const GUARDED: &str = "GUARDED";

/// A launch of `optimizer::update` or `optimizer::ema` that does nothing in a step that overflowed.
///
/// # Panics
/// For a kernel that cannot be guarded.
pub fn guard(mut launch: Launch, state: View) -> Launch {
    assert_eq!(launch.kernel.constants.get(GUARDED), Some(0), "{} cannot be guarded", launch.kernel.shader);
    launch.kernel.constants.set((GUARDED, 1));
    launch.views.push(state);
    launch
}

/// Every kernel of this file.
pub fn permutations() -> Vec<Permutation> {
    let check = permuted::<Count>(combinations("loss_scale_check", &[]), |_| 2);
    [check, permuted::<UpdateParams>(combinations("loss_scale_update", &[]), |_| 1)].concat()
}
