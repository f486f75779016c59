//! Optimizers, EMA and gradient clipping over flat arenas. Learning rate, gradient scale, EMA decay and
//! AdamW's bias corrections come from the step uniform; what differs between parameters comes from groups,
//! one a 64-float block. `loss_scale::guard` makes updates and EMA depend on the step's success.
//!
//! Arenas beyond the binding limit are cut by the caller into ranges that start at multiples of 64 floats.

use super::loss_scale::GUARDED;
use super::{Count, Permutation, combinations, elementwise, permuted, quads};
use crate::gpu::{Constants, Cost, Kernel, Launch, View, params};

/// Most parameter groups.
pub const MAX_GROUPS: usize = 8;

/// Floats that share an entry of the group table.
pub const BLOCK: usize = 64;

/// What differs between kinds of parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Group {
    /// Weight decay: added to the gradient (SGD, RMSProp) or taken from the weight (AdamW).
    pub weight_decay: f32,
    /// Multiplies the gradients, besides the step uniform's own factor.
    pub grad_scale: f32,
    /// Multiplies the learning rate.
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
    Sgd {
        /// Share of the momentum buffer that stays.
        momentum: f64,
        /// Whether the step looks ahead along the buffer.
        nesterov: bool,
    },
    /// TensorFlow's form. State: mean square (starts at one), momentum (starts at zero).
    RmsProp {
        /// Share of the momentum buffer that stays.
        momentum: f64,
        /// Share of the mean square that stays.
        decay: f64,
        /// Added to the mean square, inside of the root.
        eps: f64,
    },
    /// State: first and second moment, both from zero.
    AdamW {
        /// Share of the first moment that stays.
        beta1: f64,
        /// Share of the second moment that stays.
        beta2: f64,
        /// Added to the root of the second moment.
        eps: f64,
    },
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

params! {
    /// A group as `shaders/lib/parameter_groups.wgsl` knows it.
    struct GroupParams {
        /// Weight decay.
        weight_decay: f32,
        /// Multiplies the gradients.
        grad_scale: f32,
        /// Multiplies the learning rate.
        lr_scale: f32,
        ; padding: u32,
    }
}

params! {
    /// The numbers of `shaders/lib/optimizer.wgsl`.
    struct OptimizerParams {
        /// The parameter groups; those beyond the last are zero.
        groups: [GroupParams; MAX_GROUPS],
        /// vec4s of the range.
        count: u32,
        /// Entry of the group table that belongs to the first float.
        first_block: u32,
        /// SGD's and RMSProp's momentum, AdamW's beta1.
        momentum: f32,
        /// RMSProp's decay of the mean square, AdamW's beta2.
        decay: f32,
        /// Added to the root, or inside of it.
        eps: f32,
        /// 1 - momentum, subtracted in f64.
        new_momentum: f32,
        /// 1 - decay, subtracted in f64: 1 - 0.999 in f32 is off by 5e-5.
        new_decay: f32,
    }
}

params! {
    /// The numbers of `shaders/gradient_norm_partials.wgsl`.
    struct PartialsParams {
        /// The parameter groups; those beyond the last are zero.
        groups: [GroupParams; MAX_GROUPS],
        /// vec4s of the range.
        count: u32,
        /// Entry of the group table that belongs to the first float.
        first_block: u32,
        /// Threads of the launch, a multiple of 64.
        threads: u32,
        /// Float of the partial sums where this range begins.
        partial_offset: u32,
    }
}

params! {
    /// The numbers of `shaders/gradient_norm.wgsl`.
    struct NormParams {
        /// vec4s of the partial sums.
        count: u32,
        /// Largest norm.
        clip: f32,
    }
}

fn group_params(groups: &[Group]) -> [GroupParams; MAX_GROUPS] {
    assert!(groups.len() <= MAX_GROUPS, "{} parameter groups", groups.len());
    let mut params = [GroupParams::default(); MAX_GROUPS];
    for (place, group) in params.iter_mut().zip(groups) {
        let Group { weight_decay, grad_scale, lr_scale } = *group;
        *place = GroupParams { weight_decay, grad_scale, lr_scale, padding: 0 };
    }
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
    let params = OptimizerParams {
        groups: group_params(groups),
        count: quads(range.elements),
        first_block: range.first_block,
        momentum: momentum as f32,
        decay: decay as f32,
        eps: eps as f32,
        new_momentum: (1.0 - momentum) as f32,
        new_decay: (1.0 - decay) as f32,
    };
    let views: Vec<View> =
        [weights, gradient].into_iter().chain(state.iter().copied()).chain([table]).collect();
    // Weights and state are read and written, the gradient is read.
    elementwise(kernel, &views, params, range.elements, 3 + 2 * state.len() as u64)
}

/// `average += (1 - d) · (value - average)` with 1 - d = `StepUniform::ema_rate`.
pub fn ema(elements: usize, average: View, value: View) -> Launch {
    let params = Count { count: quads(elements) };
    elementwise(Kernel::new("ema", &[(GUARDED, 0)]), &[average, value], params, elements, 3)
}

/// Fills `elements` floats, a multiple of 4, with zeros.
pub fn zero(elements: usize, target: View) -> Launch {
    elementwise(Kernel::new("zero", &[]), &[target], Count { count: quads(elements) }, elements, 1)
}

/// Floats that [`sum_of_squares`] of a range writes; a multiple of 64.
pub fn partials_elements(range: &ArenaRange) -> usize {
    // At least 16 vec4s a thread, and enough threads for a GPU.
    range.elements.div_ceil(64).next_multiple_of(64).min(16_384)
}

/// First pass of the gradient norm: sums of squares of the gradients as the optimizer will see them (group
/// and step scales applied), written from float `partial_offset` of `partials` on. One launch a range.
pub fn sum_of_squares(
    range: &ArenaRange,
    groups: &[Group],
    gradient: View,
    table: View,
    partials: View,
    partial_offset: usize,
) -> Launch {
    let threads = partials_elements(range) as u32;
    let params = PartialsParams {
        groups: group_params(groups),
        count: quads(range.elements),
        first_block: range.first_block,
        threads,
        partial_offset: partial_offset as u32,
    };
    let kernel = Kernel::new("gradient_norm_partials", &[]);
    let cost = Cost { flops: range.elements as u64 * 3, bytes: range.elements as u64 * 4 };
    Launch::new(kernel, vec![gradient, table, partials], params, [threads / 64, 1, 1], cost)
}

/// Second pass: `norm` gets (factor, norm, 0, 0) from all `partial_count` partials, where the factor
/// min(1, clip / (norm + 1e-6)) brings the norm down to `clip`.
pub fn clip_factor(partial_count: usize, clip: f32, partials: View, norm: View) -> Launch {
    let kernel = Kernel::new("gradient_norm", &[("LANES", 256), ("WORKGROUP", 256)]);
    let params = NormParams { count: quads(partial_count), clip };
    let cost = Cost { flops: partial_count as u64, bytes: partial_count as u64 * 4 };
    Launch::new(kernel, vec![partials, norm], params, [1, 1, 1], cost)
}

/// Multiplies gradients in place by the factor of [`clip_factor`].
pub fn clip_scale(elements: usize, gradient: View, norm: View) -> Launch {
    let params = Count { count: quads(elements) };
    elementwise(Kernel::new("clip_gradient", &[]), &[gradient, norm], params, elements, 2)
}

/// Every kernel of this file with every combination of its constants.
pub fn permutations() -> Vec<Permutation> {
    const GUARD: (&str, &[u32]) = (GUARDED, &[0, 1]);
    let guard = |c: &Constants| u32::from(c.is_set(GUARDED));
    let norm = combinations("gradient_norm", &[("LANES", &[256]), ("WORKGROUP", &[256])]);
    [
        permuted::<OptimizerParams>(combinations("optimizer_sgd", &[("NESTEROV", &[0, 1]), GUARD]), |c| {
            4 + guard(c)
        }),
        permuted::<OptimizerParams>(combinations("optimizer_rmsprop", &[GUARD]), |c| 5 + guard(c)),
        permuted::<OptimizerParams>(combinations("optimizer_adamw", &[GUARD]), |c| 5 + guard(c)),
        permuted::<Count>(combinations("ema", &[GUARD]), |c| 2 + guard(c)),
        permuted::<Count>(combinations("zero", &[]), |_| 1),
        permuted::<Count>(combinations("clip_gradient", &[]), |_| 2),
        permuted::<PartialsParams>(combinations("gradient_norm_partials", &[]), |_| 3),
        permuted::<NormParams>(norm, |_| 2),
    ]
    .concat()
}
