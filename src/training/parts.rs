//! What a training run has on the GPU: buffers, programs and the ring for its metrics, planned and made once.

use super::buffers::{self, ARENA, Buffers};
use super::engine::Cut;
use super::method::{Method, Source};
use super::optimizer::{self, OptimizerPlan};
use super::plans::{PlanContext, RowLayout, attack_statistics};
use crate::config::{AttackConfig, AttackTarget, Config};
use crate::gpu::{Device, GpuError, Kernel, Launch, Program, ReadbackRing, StepUniform, step_buffer};
use crate::graph::{Network, Plan};
use std::ops::Range;

/// Results that may be on their way back at once: more than the submits in flight, so a step never waits for one.
const RING_SLOTS: usize = 8;

/// Which micro-batch a result belongs to.
#[derive(Clone, Copy)]
pub(super) struct Tag {
    pub(super) step: u64,
    pub(super) lr: f64,
    pub(super) micro: usize,
}

/// One attacked branch's programs.
pub(super) struct AttackPrograms {
    pub(super) start: Program,
    pub(super) iteration: Program,
    pub(super) iterations: u32,
    pub(super) targeted: bool,
}

/// What a run has on the GPU.
pub(super) struct Parts {
    pub(super) buffers: Buffers,
    pub(super) step_uniform: wgpu::Buffer,
    pub(super) rows_at: RowLayout,
    pub(super) prepare: Program,
    pub(super) attacks: Vec<AttackPrograms>,
    pub(super) passes: Vec<Program>,
    pub(super) zero: Program,
    pub(super) update: Program,
    pub(super) metrics: Program,
    pub(super) ring: ReadbackRing<Tag>,
}

impl Parts {
    pub(super) fn new(
        device: &Device,
        config: &Config,
        network: &Network,
        method: &Method,
        cut: Cut,
        progress: &mut impl FnMut(usize, usize),
    ) -> Result<Self, GpuError> {
        let images = config.run.batch_size / config.run.accumulate;
        let chunk_limit = device.largest_buffer();
        let context = PlanContext { config, network, caps: device.caps(), images, chunk_limit };
        let ranges: Vec<Range<usize>> = match cut {
            Cut::Joint => std::iter::once(0..method.branches.len()).collect(),
            Cut::Sequential => method.by_domain(),
        };
        let rows_at = RowLayout::new(&ranges, images);
        let prepare = context.prepare(method);
        let passes: Vec<Plan> = ranges.iter().map(|r| context.train(method, r.clone(), &rows_at)).collect();
        let attacks: Vec<(Plan, Plan, &AttackConfig)> = method
            .branches
            .iter()
            .enumerate()
            .filter_map(|(index, branch)| {
                let Source::Attack(attack) = &branch.source else { return None };
                let pixels = buffers::branch_pixels(index);
                let start = context.attack_start(attack, pixels);
                let statistics = attack_statistics(attack);
                let iteration = context.attack_iteration(attack, branch.domain, statistics, pixels);
                Some((start, iteration, attack))
            })
            .collect();
        let metrics = [context.metrics(&rows_at)];
        let OptimizerPlan { zero, update } =
            optimizer::plan(config, &network.layout, device.largest_binding());

        let mut kernels: Vec<(Kernel, usize)> = Vec::new();
        let lists: Vec<&[Launch]> = std::iter::once(prepare.launches.as_slice())
            .chain(passes.iter().map(|p| p.launches.as_slice()))
            .chain(attacks.iter().flat_map(|a| [a.0.launches.as_slice(), a.1.launches.as_slice()]))
            .chain([metrics.as_slice(), &zero, &update])
            .collect();
        for launch in lists.into_iter().flatten() {
            if !kernels.iter().any(|(kernel, _)| *kernel == launch.kernel) {
                kernels.push((launch.kernel.clone(), launch.views.len()));
            }
        }
        device.prepare(&kernels, progress)?;

        let mut made = Buffers::new(device)?;
        Self::allocate(device, &mut made, &context, method, &rows_at)?;
        optimizer::allocate(device, &mut made, config, &network.layout)?;
        let arenas: Vec<&[u64]> = passes
            .iter()
            .map(|p| p.arena.as_slice())
            .chain(attacks.iter().flat_map(|a| [a.0.arena.as_slice(), a.1.arena.as_slice()]))
            .collect();
        made.allocate_arena(device, &arenas)?;
        let step_uniform = step_buffer(device, &StepUniform::default())?;
        let program = |launches: &[Launch]| Program::new(device, launches, made.all(), &step_uniform);
        let attacks = attacks
            .into_iter()
            .map(|(start, iteration, config)| {
                Ok(AttackPrograms {
                    start: program(&start.launches)?,
                    iteration: program(&iteration.launches)?,
                    iterations: config.iterations(),
                    targeted: config.target == AttackTarget::RandomWrong,
                })
            })
            .collect::<Result<Vec<_>, GpuError>>()?;
        let prepare = program(&prepare.launches)?;
        let passes =
            passes.iter().map(|plan| program(&plan.launches)).collect::<Result<Vec<_>, GpuError>>()?;
        let (zero, update, metrics) = (program(&zero)?, program(&update)?, program(&metrics)?);
        let ring = ReadbackRing::new(device, method.branches.len() as u64 * 16, RING_SLOTS)?;
        Ok(Self {
            buffers: made,
            step_uniform,
            rows_at,
            prepare,
            attacks,
            passes,
            zero,
            update,
            metrics,
            ring,
        })
    }

    /// Image and label buffers of one micro-batch.
    fn allocate(
        device: &Device,
        made: &mut Buffers,
        context: &PlanContext<'_>,
        method: &Method,
        rows_at: &RowLayout,
    ) -> Result<(), GpuError> {
        let (images, area) = (context.images as u64, context.network.image_size.pow(2) as u64);
        let pixels = images * area * 16;
        made.allocate(device, buffers::BYTES, "uploaded images", (images * area * 3).next_multiple_of(4))?;
        made.allocate(device, buffers::PLACEMENTS, "crop and flip", images * 16)?;
        made.allocate(device, buffers::CLEAN, "clean images", pixels)?;
        made.allocate(device, buffers::IMAGE_IDS, "image numbers", images.next_multiple_of(4) * 4)?;
        made.allocate(device, buffers::ROWS, "labels", rows_at.total as u64 * 16)?;
        made.allocate(device, buffers::ATTACK_ROWS, "attack labels", images * 16)?;
        made.allocate(device, buffers::RESULTS, "results", rows_at.total as u64 * 16)?;
        made.allocate(device, buffers::METRICS, "metrics", method.branches.len() as u64 * 16)?;
        for (index, branch) in method.branches.iter().enumerate() {
            if branch.source != Source::Clean {
                made.allocate(device, buffers::branch_pixels(index), "branch images", pixels)?;
            }
            if let Source::Mixup { .. } = branch.source {
                made.allocate(device, buffers::mix_table(index), "mixing table", images * 16)?;
            }
        }
        debug_assert!(made.all().len() >= ARENA.0 as usize);
        Ok(())
    }
}
