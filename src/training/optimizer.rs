//! The optimizer, EMA and gradient clipping of a run as launches over the flat arenas, and the arenas' start
//! values.

use super::buffers::{self, Buffers};
use super::method::Method;
use super::precision;
use crate::config::{Config, OptimizerKind, Precision};
use crate::gpu::{BufferId, Device, GpuError, Launch, View};
use crate::graph::params::{
    ALIGN, GROUP_BIAS, GROUP_BN_AUX, GROUP_BN_MAIN, GROUP_WEIGHT, GROUPS, ParamLayout,
};
use crate::kernels::loss_scale::{self, LossScale};
use crate::kernels::optimizer::{self, ArenaRange, Group, Rule};
use crate::models::init::Arenas;
use std::ops::Range;

/// Launches of one update.
pub struct OptimizerPlan {
    /// Clears the gradients, at the start of a step.
    pub zero: Vec<Launch>,
    /// Clips, updates the weights, moves the EMA. In half precision it first takes the loss scale off the
    /// gradients and looks for an overflow, which leaves weights, optimizer state and EMA as they are.
    pub update: Vec<Launch>,
}

/// The configured update rule.
pub fn rule(config: &Config) -> Rule {
    let optimizer = &config.optimizer;
    let (momentum, decay, eps) = (optimizer.momentum, optimizer.decay, optimizer.eps);
    match optimizer.kind {
        OptimizerKind::Sgd => Rule::Sgd { momentum, nesterov: optimizer.nesterov },
        OptimizerKind::Rmsprop => Rule::RmsProp { momentum, decay, eps },
        OptimizerKind::Adamw => Rule::AdamW { beta1: momentum, beta2: decay, eps },
    }
}

/// Arenas of optimizer state, in the order of [`Rule::initial_state`], with the names they have in
/// checkpoints.
pub fn state_buffers(rule: &Rule) -> &'static [(&'static str, BufferId)] {
    match rule {
        Rule::Sgd { .. } => &[("momentum", buffers::MOMENTUM)],
        Rule::RmsProp { .. } => &[("mean_square", buffers::SQUARE), ("momentum", buffers::MOMENTUM)],
        Rule::AdamW { .. } => &[("first_moment", buffers::MOMENTUM), ("second_moment", buffers::SQUARE)],
    }
}

/// What multiplies the gradients of each kind of parameter: 1, or one over the number of images that they
/// saw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GradientScales {
    /// Of weights, biases and the classifier, which all branches share.
    pub shared: f32,
    /// Of the scales and shifts of the main BN domain.
    pub bn_main: f32,
    /// Of the scales and shifts of all other BN domains.
    pub bn_aux: f32,
}

impl GradientScales {
    /// Of losses that are means already.
    const MEANS: Self = Self { shared: 1.0, bn_main: 1.0, bn_aux: 1.0 };

    /// Fast AdvProp's synchronised speed: losses are sums, and each parameter's gradient is divided by its
    /// own weighted number of images. A noisy image and the adversarial one made of it count half each.
    fn of(method: &Method) -> Self {
        if !method.recycle {
            return Self::MEANS;
        }
        let seen = |aux: bool| -> usize {
            let branches = method.branches.iter().filter(|b| (b.domain > 0) == aux);
            branches.map(|b| b.images.len()).sum()
        };
        let share = |images: usize| 1.0 / images.max(1) as f32;
        let (main, aux) = (seen(false), seen(true));
        Self { shared: share(main + aux), bn_main: share(main), bn_aux: share(aux) }
    }
}

/// The groups of parameters whose learning rate is `lr_scale` times the step's.
fn groups(config: &Config, scales: GradientScales, lr_scale: f32) -> Vec<Group> {
    let optimizer = &config.optimizer;
    let group = |decayed: bool, grad_scale| Group {
        weight_decay: if decayed { optimizer.weight_decay as f32 } else { 0.0 },
        grad_scale,
        lr_scale,
    };
    let mut groups = vec![Group::default(); GROUPS];
    groups[GROUP_WEIGHT as usize] = group(true, scales.shared);
    groups[GROUP_BIAS as usize] = group(optimizer.decay_bias, scales.shared);
    groups[GROUP_BN_MAIN as usize] = group(optimizer.decay_bn, scales.bn_main);
    groups[GROUP_BN_AUX as usize] = group(optimizer.decay_bn, scales.bn_aux);
    groups
}

/// The parts of the trained floats with a learning rate of their own, in order, and what the step's is
/// multiplied by there: one part for each stage, or one in all where the stages do not differ.
fn rates(config: &Config, layout: &ParamLayout) -> Vec<(Range<usize>, f32)> {
    let decay = config.model.lr_decay;
    if decay == 1.0 {
        return vec![(trained(config, layout), 1.0)];
    }
    let last = layout.stages - 1;
    let of_stage = |stage: usize| {
        let floats = layout.before_stage(stage).0..layout.before_stage(stage + 1).0;
        (floats, decay.powi((last - stage) as i32) as f32)
    };
    (config.model.freeze..layout.stages).map(of_stage).collect()
}

/// Cuts these floats of an arena into ranges that one binding can hold: (first float, floats).
fn ranges(floats: Range<usize>, largest_binding: u64) -> Vec<(usize, usize)> {
    let most = (largest_binding / 4) as usize / ALIGN * ALIGN;
    let end = floats.end;
    floats.step_by(most.max(ALIGN)).map(|first| (first, most.min(end - first))).collect()
}

/// The floats of the parameter arena that training changes: those behind the frozen stages.
fn trained(config: &Config, layout: &ParamLayout) -> Range<usize> {
    layout.before_stage(config.model.freeze).0..layout.param_len
}

/// The floats of the running statistics that training moves.
fn moved(config: &Config, layout: &ParamLayout) -> Range<usize> {
    layout.before_stage(config.model.fixed_statistics()).1..layout.running_len
}

fn part(buffer: BufferId, (first, floats): (usize, usize)) -> View {
    View::words(buffer, first as u64 * 4, floats)
}

/// The launches of a step's beginning and end.
pub fn plan(config: &Config, method: &Method, layout: &ParamLayout, largest_binding: u64) -> OptimizerPlan {
    let rule = rule(config);
    let scales = GradientScales::of(method);
    // The learning rate does not enter the norm of the gradients.
    let of_norm = groups(config, scales, 1.0);
    let params = ranges(trained(config, layout), largest_binding);
    let zero =
        params.iter().map(|range| optimizer::zero(range.1, part(buffers::GRADIENTS, *range))).collect();
    let mut update = Vec::new();
    let half = config.run.precision == Precision::F16;
    if half {
        for range in &params {
            let gradient = part(buffers::GRADIENTS, *range);
            update.push(loss_scale::check(range.1, gradient, precision::loss_scale()));
        }
        update.push(loss_scale::update(precision::loss_scale()));
    }
    let guarded = |launch: Launch| {
        if half { loss_scale::guard(launch, precision::loss_scale()) } else { launch }
    };
    let table = View::whole(buffers::GROUPS, layout.param_len / ALIGN);
    if config.optimizer.clip_norm > 0.0 {
        let (partials, norm) = norm_views(config, layout, largest_binding);
        let mut offset = 0;
        for range in &params {
            let arena = arena_range(range);
            let gradient = part(buffers::GRADIENTS, *range);
            update.push(optimizer::sum_of_squares(&arena, &of_norm, gradient, table, partials, offset));
            offset += optimizer::partials_elements(&arena);
        }
        let clip = config.optimizer.clip_norm as f32;
        update.push(optimizer::clip_factor(offset, clip, partials, norm));
        for range in &params {
            update.push(optimizer::clip_scale(range.1, part(buffers::GRADIENTS, *range), norm));
        }
    }
    for (floats, lr_scale) in rates(config, layout) {
        let groups = groups(config, scales, lr_scale);
        for range in &ranges(floats, largest_binding) {
            let state: Vec<View> = state_buffers(&rule).iter().map(|(_, id)| part(*id, *range)).collect();
            let (weights, gradient) = (part(buffers::PARAMS, *range), part(buffers::GRADIENTS, *range));
            let launch =
                optimizer::update(&rule, &arena_range(range), &groups, weights, gradient, &state, table);
            update.push(guarded(launch));
        }
    }
    if config.ema.decay > 0.0 {
        for range in &params {
            let (average, value) = (part(buffers::EMA_PARAMS, *range), part(buffers::PARAMS, *range));
            update.push(guarded(optimizer::ema(range.1, average, value)));
        }
        for range in &ranges(moved(config, layout), largest_binding) {
            let (average, value) = (part(buffers::EMA_RUNNING, *range), part(buffers::RUNNING, *range));
            update.push(guarded(optimizer::ema(range.1, average, value)));
        }
    }
    OptimizerPlan { zero, update }
}

fn arena_range(range: &(usize, usize)) -> ArenaRange {
    ArenaRange { elements: range.1, first_block: (range.0 / ALIGN) as u32 }
}

/// The partial sums of the gradient's norm, and the norm with its factor behind them.
fn norm_views(config: &Config, layout: &ParamLayout, largest_binding: u64) -> (View, View) {
    let floats: usize = ranges(trained(config, layout), largest_binding)
        .iter()
        .map(|range| optimizer::partials_elements(&arena_range(range)))
        .sum();
    let partials = View::whole(buffers::NORM_PARTIALS, floats);
    let norm = View::words(buffers::NORM_PARTIALS, partials.size, 4);
    (partials, norm)
}

/// Makes the arenas that the plan of this configuration uses.
pub fn allocate(
    device: &Device,
    made: &mut Buffers,
    config: &Config,
    layout: &ParamLayout,
) -> Result<(), GpuError> {
    let (params, running) = (layout.param_len as u64 * 4, layout.running_len as u64 * 4);
    made.allocate(device, buffers::PARAMS, "weights", params)?;
    made.allocate(device, buffers::GRADIENTS, "gradients", params)?;
    made.allocate(device, buffers::RUNNING, "running statistics", running)?;
    for (name, id) in state_buffers(&rule(config)) {
        made.allocate(device, *id, name, params)?;
    }
    if config.ema.decay > 0.0 {
        made.allocate(device, buffers::EMA_PARAMS, "EMA of the weights", params)?;
        made.allocate(device, buffers::EMA_RUNNING, "EMA of the running statistics", running)?;
    }
    if config.optimizer.clip_norm > 0.0 {
        let (partials, norm) = norm_views(config, layout, device.largest_binding());
        made.allocate(device, buffers::NORM_PARTIALS, "gradient norm", partials.size + norm.size)?;
    }
    let table = layout.groups();
    made.allocate(device, buffers::GROUPS, "parameter groups", table.len() as u64 * 4)?;
    device.write(made.get(buffers::GROUPS), 0, &table);
    Ok(())
}

/// Writes weights and running statistics, and everything that follows from them at the first step: EMA equal
/// to them, optimizer state and loss scale at their start values.
pub fn write_fresh(device: &Device, made: &Buffers, config: &Config, arenas: &Arenas) {
    device.write(made.get(buffers::PARAMS), 0, &arenas.params);
    device.write(made.get(buffers::RUNNING), 0, &arenas.running);
    if config.ema.decay > 0.0 {
        device.write(made.get(buffers::EMA_PARAMS), 0, &arenas.params);
        device.write(made.get(buffers::EMA_RUNNING), 0, &arenas.running);
    }
    let rule = rule(config);
    for ((_, id), start) in state_buffers(&rule).iter().zip(rule.initial_state()) {
        device.write(made.get(*id), 0, &vec![*start; arenas.params.len()]);
    }
    if config.run.precision == Precision::F16 {
        write_loss_scale(device, made, LossScale::START);
    }
}

/// Sets the state of loss scaling of a run in half precision.
pub fn write_loss_scale(device: &Device, made: &Buffers, state: LossScale) {
    device.write(made.get(buffers::METRICS), precision::LOSS_SCALE_OFFSET, &[state]);
}
