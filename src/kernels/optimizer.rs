//! Optimizers, EMA and gradient clipping over flat arenas. Learning rate, gradient scale, EMA decay and AdamW's bias
//! corrections come from the step uniform; what differs between parameters comes from groups, one a 64-float block.
//! `loss_scale::guard` makes updates and EMA depend on the step's success.
//!
//! Arenas beyond the binding limit are cut by the caller into ranges that start at multiples of 64 floats.

use super::loss_scale::GUARDED;
use super::{combinations, elementwise, quads};
use crate::gpu::{Cost, Kernel, Launch, View};

/// Most parameter groups.
pub const MAX_GROUPS: usize = 8;

/// Floats that share an entry of the group table.
pub const BLOCK: usize = 64;

/// What differs between kinds of parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Group {
    pub weight_decay: f32,
    /// Multiplies the gradients, besides the step uniform's own factor.
    pub grad_scale: f32,
    pub lr_scale: f32,
}

impl Default for Group {
    fn default() -> Self {
        Self { weight_decay: 0.0, grad_scale: 1.0, lr_scale: 1.0 }
    }
}

/// A part of the arenas. All views of a launch over it cover the same floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArenaRange {
    /// Floats, a multiple of 4.
    pub elements: usize,
    /// Entry of the group table that belongs to the first float.
    pub first_block: u32,
}

/// Update rules with their constants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// State: one arena, the momentum buffer (its start values do not matter).
    Sgd { momentum: f64, nesterov: bool },
    /// TensorFlow's form. State: mean square (starts at one), momentum (starts at zero).
    RmsProp { momentum: f64, decay: f64, eps: f64 },
    /// State: first and second moment, both from zero.
    AdamW { beta1: f64, beta2: f64, eps: f64 },
}

impl Rule {
    /// Arenas of state, each as large as the parameters.
    pub fn states(&self) -> usize {
        if matches!(self, Self::Sgd { .. }) { 1 } else { 2 }
    }

    /// What the host fills the arenas of state with before the first update.
    pub fn initial_state(&self) -> &'static [f32] {
        match self {
            Self::Sgd { .. } => &[0.0],
            Self::RmsProp { .. } => &[1.0, 0.0],
            Self::AdamW { .. } => &[0.0, 0.0],
        }
    }
}

fn group_words(groups: &[Group]) -> Vec<u32> {
    assert!(groups.len() <= MAX_GROUPS, "{} parameter groups", groups.len());
    let words = |g: &Group| [g.weight_decay.to_bits(), g.grad_scale.to_bits(), g.lr_scale.to_bits(), 0];
    let mut params: Vec<u32> = groups.iter().flat_map(words).collect();
    params.resize(4 * MAX_GROUPS, 0);
    params
}

/// One update of `weights`. `table` holds the group number (u32) of every 64-float block; `state` has
/// [`Rule::states`] views.
pub fn update(
    rule: &Rule,
    range: &ArenaRange,
    groups: &[Group],
    weights: View,
    gradient: View,
    state: &[View],
    table: View,
) -> Launch {
    assert_eq!(state.len(), rule.states(), "arenas of state of {rule:?}");
    let (kernel, momentum, decay, eps) = match *rule {
        Rule::Sgd { momentum, nesterov } => {
            let constants = [("NESTEROV", u32::from(nesterov)), (GUARDED, 0)];
            (Kernel::new("optimizer_sgd", &constants), momentum, 0.0, 0.0)
        }
        Rule::RmsProp { momentum, decay, eps } => {
            (Kernel::new("optimizer_rmsprop", &[(GUARDED, 0)]), momentum, decay, eps)
        }
        Rule::AdamW { beta1, beta2, eps } => {
            (Kernel::new("optimizer_adamw", &[(GUARDED, 0)]), beta1, beta2, eps)
        }
    };
    let mut params = group_words(groups);
    params.extend([quads(range.elements), range.first_block]);
    params.extend([momentum, decay, eps, 1.0 - momentum, 1.0 - decay].map(|n| (n as f32).to_bits()));
    let views: Vec<View> =
        [weights, gradient].into_iter().chain(state.iter().copied()).chain([table]).collect();
    // Weights and state are read and written, the gradient is read.
    elementwise(kernel, &views, params, range.elements, 3 + 2 * state.len() as u64)
}

/// `average += (1 - d) · (value - average)` with 1 - d = `StepUniform::ema_rate`.
pub fn ema(elements: usize, average: View, value: View) -> Launch {
    elementwise(Kernel::new("ema", &[(GUARDED, 0)]), &[average, value], vec![quads(elements)], elements, 3)
}

/// Fills `elements` floats, a multiple of 4, with zeros.
pub fn zero(elements: usize, target: View) -> Launch {
    elementwise(Kernel::new("zero", &[]), &[target], vec![quads(elements)], elements, 1)
}

/// Floats that [`sum_of_squares`] of a range writes; a multiple of 64.
pub fn partials_elements(range: &ArenaRange) -> usize {
    // At least 16 vec4s a thread, and enough threads for a GPU.
    range.elements.div_ceil(64).next_multiple_of(64).min(16_384)
}

/// First pass of the gradient norm: sums of squares of the gradients as the optimizer will see them (group and step
/// scales applied), written from float `partial_offset` of `partials` on. One launch a range.
pub fn sum_of_squares(
    range: &ArenaRange,
    groups: &[Group],
    gradient: View,
    table: View,
    partials: View,
    partial_offset: usize,
) -> Launch {
    let threads = partials_elements(range) as u32;
    let mut params = group_words(groups);
    params.extend([quads(range.elements), range.first_block, threads, partial_offset as u32]);
    Launch {
        kernel: Kernel::new("gradient_norm_partials", &[]),
        views: vec![gradient, table, partials],
        params,
        grid: [threads / 64, 1, 1],
        cost: Cost { flops: range.elements as u64 * 3, bytes: range.elements as u64 * 4 },
    }
}

/// Second pass: `norm` gets (factor, norm, 0, 0) from all `partial_count` partials, where the factor
/// min(1, clip / (norm + 1e-6)) brings the norm down to `clip`.
pub fn clip_factor(partial_count: usize, clip: f32, partials: View, norm: View) -> Launch {
    Launch {
        kernel: Kernel::new("gradient_norm", &[("LANES", 256), ("WORKGROUP", 256)]),
        views: vec![partials, norm],
        params: vec![quads(partial_count), clip.to_bits()],
        grid: [1, 1, 1],
        cost: Cost { flops: partial_count as u64, bytes: partial_count as u64 * 4 },
    }
}

/// Multiplies gradients in place by the factor of [`clip_factor`].
pub fn clip_scale(elements: usize, gradient: View, norm: View) -> Launch {
    elementwise(Kernel::new("clip_gradient", &[]), &[gradient, norm], vec![quads(elements)], elements, 2)
}

/// Every kernel of this file with every combination of its constants.
pub fn permutations() -> Vec<Kernel> {
    const GUARD: (&str, &[u32]) = (GUARDED, &[0, 1]);
    let guarded = ["optimizer_rmsprop", "optimizer_adamw", "ema"];
    let plain = ["zero", "gradient_norm_partials", "clip_gradient"];
    [
        combinations("optimizer_sgd", &[("NESTEROV", &[0, 1]), GUARD]),
        guarded.into_iter().flat_map(|name| combinations(name, &[GUARD])).collect(),
        plain.into_iter().flat_map(|name| combinations(name, &[])).collect(),
        combinations("gradient_norm", &[("LANES", &[256]), ("WORKGROUP", &[256])]),
    ]
    .concat()
}
