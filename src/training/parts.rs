//! What a training run has on the GPU: buffers, programs and the ring for its metrics, planned and made once.

use super::attack_plans::{AttackPass, attack_statistics};
use super::branch_buffers::{BranchBuffers, ExtraView};
use super::buffers::{self, ARENA, Buffers};
use super::method::{Method, Phase, Source};
use super::optimizer::{self, OptimizerPlan};
use super::plans::{PlanContext, RowLayout};
use super::precision;
use super::step_layout::{Cut, StepLayout};
use crate::config::{AttackConfig, AttackTarget, Config};
use crate::gpu::{
    Caps, Device, GpuError, Launch, Program, ReadbackRing, StepUniform, UploadRing, View, step_buffer,
};
use crate::graph::{Network, Plan, PlanBuilder, Statistics};
use crate::kernels::conv_case::ConvCase;
use crate::kernels::images;
use std::collections::BTreeMap;
use std::ops::Range;

/// Results that may be on their way back at once: more than the submits in flight, so a step never waits for
/// one.
const RING_SLOTS: usize = 8;

/// The micro-batch that a result belongs to.
#[derive(Clone, Copy)]
pub(super) struct Tag {
    pub(super) step: u64,
    pub(super) lr: f64,
    pub(super) micro: usize,
}

/// One attacked branch's programs.
pub(super) struct AttackPrograms {
    pub(super) branch: usize,
    pub(super) start: Program,
    pub(super) iteration: Program,
    pub(super) iterations: u32,
    pub(super) targeted: bool,
    /// Takes the branch's images out of the pool of all micro-batches' adversarial images; with recycling
    /// only.
    pub(super) deal: Option<Program>,
}

/// One pass over some branches; in two programs to time them apart.
pub(super) struct TrainPass {
    pub(super) forward: Program,
    pub(super) backward: Program,
}

impl TrainPass {
    fn new(plan: &Plan, program: &impl Fn(&[Launch]) -> Result<Program, GpuError>) -> Result<Self, GpuError> {
        let (forward, backward) = plan.launches.split_at(plan.backward_from);
        Ok(Self { forward: program(forward)?, backward: program(backward)? })
    }
}

/// The programs of one phase of a run.
pub(super) struct PhaseParts {
    pub(super) phase: Phase,
    pub(super) rows_at: RowLayout,
    pub(super) prepare: Program,
    pub(super) attacks: Vec<AttackPrograms>,
    pub(super) passes: Vec<TrainPass>,
    pub(super) metrics: Program,
    /// Passes that leave a domain's statistics of the batch in place of its running ones; with
    /// `eval.precise_bn` only.
    pub(super) statistics: Vec<(usize, Program)>,
}

/// What a run has on the GPU.
pub(super) struct Parts {
    pub(super) buffers: Buffers,
    pub(super) step_uniform: wgpu::Buffer,
    pub(super) phases: Vec<PhaseParts>,
    pub(super) zero: Program,
    pub(super) update: Program,
    pub(super) ring: ReadbackRing<Tag>,
    /// What a micro-batch brings.
    pub(super) uploads: UploadRing,
    /// One convolution of each class in the plans.
    pub(super) convolutions: Vec<ConvCase>,
    /// By which the plans chose kernels.
    pub(super) caps: Caps,
}

/// A phase as plans, before anything is on the GPU.
struct PhasePlans {
    phase: Phase,
    rows_at: RowLayout,
    prepare: Plan,
    attacks: Vec<AttackPlans>,
    passes: Vec<Plan>,
    metrics: [Launch; 1],
    statistics: Vec<(usize, Plan)>,
}

struct AttackPlans {
    branch: usize,
    config: AttackConfig,
    start: Plan,
    iteration: Plan,
    deal: Option<Plan>,
}

impl PhasePlans {
    fn new(context: &PlanContext<'_>, phase: Phase, cut: Cut) -> Self {
        let method = &phase.method;
        let ranges: Vec<Range<usize>> = match cut {
            Cut::Joint => std::iter::once(0..method.branches.len()).collect(),
            Cut::Sequential => method.by_domain(),
        };
        let rows_at = RowLayout::new(method, &ranges);
        let statistics: Vec<(usize, Plan)> = if context.config.eval.precise_bn > 0 {
            ranges.iter().flat_map(|r| context.statistics(method, r.clone())).collect()
        } else {
            Vec::new()
        };
        Self {
            prepare: context.prepare(method, context.images),
            attacks: attacks(context, method),
            passes: ranges.iter().map(|r| context.train(method, r.clone(), &rows_at)).collect(),
            metrics: [context.metrics(method, &rows_at)],
            statistics,
            rows_at,
            phase,
        }
    }

    fn plans(&self) -> impl Iterator<Item = &Plan> {
        let attacks = self.attacks.iter().flat_map(|a| [&a.start, &a.iteration].into_iter().chain(&a.deal));
        let statistics = self.statistics.iter().map(|(_, plan)| plan);
        std::iter::once(&self.prepare).chain(&self.passes).chain(attacks).chain(statistics)
    }

    fn launches(&self) -> impl Iterator<Item = &Launch> {
        self.plans().flat_map(|plan| &plan.launches).chain(&self.metrics)
    }

    fn into_parts(
        self,
        program: &impl Fn(&[Launch]) -> Result<Program, GpuError>,
    ) -> Result<PhaseParts, GpuError> {
        let attacks = self.attacks.into_iter().map(|a| {
            Ok(AttackPrograms {
                branch: a.branch,
                start: program(&a.start.launches)?,
                iteration: program(&a.iteration.launches)?,
                iterations: a.config.iterations(),
                targeted: a.config.target == AttackTarget::RandomWrong,
                deal: a.deal.map(|plan| program(&plan.launches)).transpose()?,
            })
        });
        Ok(PhaseParts {
            attacks: attacks.collect::<Result<_, GpuError>>()?,
            prepare: program(&self.prepare.launches)?,
            passes: self
                .passes
                .iter()
                .map(|p| TrainPass::new(p, program))
                .collect::<Result<_, GpuError>>()?,
            metrics: program(&self.metrics)?,
            statistics: self
                .statistics
                .iter()
                .map(|(domain, plan)| Ok((*domain, program(&plan.launches)?)))
                .collect::<Result<_, GpuError>>()?,
            rows_at: self.rows_at,
            phase: self.phase,
        })
    }
}

fn attacks(context: &PlanContext<'_>, method: &Method) -> Vec<AttackPlans> {
    let attacked = method.branches.iter().enumerate().filter_map(|(index, branch)| {
        let Source::Attack { config, through } = &branch.source else { return None };
        let place = BranchBuffers::new(index, branch, context.images).attack()?;
        let images = place.images;
        let pass = if method.recycle {
            // The noisy images train too, and their pass moves the running statistics as any training pass
            // does.
            AttackPass { through: *through, statistics: Statistics::BatchUpdating, weight_gradients: true }
        } else {
            let statistics = attack_statistics(config);
            AttackPass { through: *through, statistics, weight_gradients: false }
        };
        let deal = method.recycle.then(|| {
            let pool = context.pixels(buffers::POOL, images * context.config.run.accumulate);
            let table = View::whole(buffers::POOL_TABLE, images * 4);
            let to = context.pixels(place.adversarial, images);
            let mut builder = PlanBuilder::new();
            builder.push(images::mixup(images, context.area(), pool, table, to));
            builder.finish(ARENA, context.chunk_limit)
        });
        Some(AttackPlans {
            branch: index,
            start: context.attack_start(config, pass, &place),
            iteration: context.attack_iteration(config, pass, &place),
            deal,
            config: config.clone(),
        })
    });
    attacked.collect()
}

fn context<'a>(
    device: &Device,
    config: &'a Config,
    network: &'a Network,
    layout: StepLayout,
) -> Result<PlanContext<'a>, GpuError> {
    let storage = precision::storage(config.run.precision, device.report())?;
    Ok(PlanContext {
        config,
        network,
        caps: device.caps_for(storage),
        images: config.run.batch_size / config.run.accumulate,
        chunk_limit: device.largest_buffer(),
        recompute: layout.recompute,
        storage,
    })
}

impl Parts {
    pub(super) fn new(
        device: &Device,
        config: &Config,
        network: &Network,
        phases: &[Phase],
        layout: StepLayout,
        progress: &mut impl FnMut(usize, usize),
    ) -> Result<Self, GpuError> {
        let context = context(device, config, network, layout)?;
        let plans: Vec<PhasePlans> =
            phases.iter().map(|phase| PhasePlans::new(&context, phase.clone(), layout.cut)).collect();
        // Phases share the optimizer; only recycling scales its gradients, and that is a phase of its own.
        let OptimizerPlan { zero, update } =
            optimizer::plan(config, &phases[0].method, &network.layout, device.largest_binding());

        let launches = || plans.iter().flat_map(PhasePlans::launches).chain(&zero).chain(&update);
        device.prepare(launches(), progress)?;
        let classes: BTreeMap<String, ConvCase> = launches()
            .filter_map(|launch| launch.convolution)
            .map(|case| (case.class(&context.caps), case))
            .collect();
        let convolutions = classes.into_values().collect();

        let mut made = Buffers::new(device)?;
        Self::allocate(device, &mut made, &context, &plans)?;
        optimizer::allocate(device, &mut made, config, &network.layout)?;
        let arenas: Vec<&[u64]> =
            plans.iter().flat_map(PhasePlans::plans).map(|p| p.arena.as_slice()).collect();
        made.allocate_arena(device, &arenas)?;
        let step_uniform = step_buffer(device, &StepUniform::default())?;
        let program = |launches: &[Launch]| Program::new(device, launches, made.all(), &step_uniform);
        let branches = phases.iter().map(|p| p.method.branches.len()).max().unwrap_or(0);
        let phases = plans.into_iter().map(|p| p.into_parts(&program)).collect::<Result<_, _>>()?;
        let (zero, update) = (program(&zero)?, program(&update)?);
        let metrics = precision::metrics_bytes(config.run.precision, branches);
        let ring = ReadbackRing::new(device, metrics, RING_SLOTS)?;
        let uploads = upload_ring(device, &made, &step_uniform, true)?;
        made.bytes += uploads.held_bytes();
        let caps = context.caps.clone();
        Ok(Self { buffers: made, step_uniform, phases, zero, update, ring, uploads, convolutions, caps })
    }

    /// Puts `images` `[n, size, size, 3]` on the GPU for good, in place of those of each step; `false` where
    /// they do not fit.
    pub(super) fn hold(
        &mut self,
        device: &Device,
        config: &Config,
        network: &Network,
        layout: StepLayout,
        images: &[u8],
    ) -> Result<bool, GpuError> {
        /// Bytes that are on their way at once.
        const CHUNK: usize = 16 << 20;
        let bytes = images.len().next_multiple_of(4) as u64;
        if bytes > device.largest_binding() {
            return Ok(false);
        }
        let before = self.buffers.get(buffers::BYTES).size();
        match self.buffers.allocate(device, buffers::BYTES, "training images", bytes) {
            Err(GpuError::OutOfMemory { .. } | GpuError::TooLarge { .. }) => return Ok(false),
            made => made?,
        }
        self.buffers.bytes -= before;
        let buffer = self.buffers.get(buffers::BYTES);
        for (chunk, at) in images.chunks(CHUNK).zip((0..).step_by(CHUNK)) {
            let whole = chunk.len() / 4 * 4;
            device.write(buffer, at, &chunk[..whole]);
            if whole < chunk.len() {
                let mut last = [0; 4];
                last[..chunk.len() - whole].copy_from_slice(&chunk[whole..]);
                device.write(buffer, at + whole as u64, &last);
            }
            device.flush()?;
        }
        // The images no longer come with each step.
        self.buffers.bytes -= self.uploads.held_bytes();
        self.uploads = upload_ring(device, &self.buffers, &self.step_uniform, false)?;
        self.buffers.bytes += self.uploads.held_bytes();
        let context = context(device, config, network, layout)?;
        let stored = images.len() / (context.area() * 3);
        for phase in &mut self.phases {
            let plan = context.prepare(&phase.phase.method, stored);
            phase.prepare = Program::new(device, &plan.launches, self.buffers.all(), &self.step_uniform)?;
        }
        Ok(true)
    }

    /// The phase of an optimizer step.
    pub(super) fn phase_at(&self, step: u64) -> &PhaseParts {
        phase_at(&self.phases, step)
    }

    /// Image and label buffers of one micro-batch, large enough for every phase.
    fn allocate(
        device: &Device,
        made: &mut Buffers,
        context: &PlanContext<'_>,
        phases: &[PhasePlans],
    ) -> Result<(), GpuError> {
        let area = context.area() as u64;
        let bytes = |images: usize| (images as u64 * area * 3).next_multiple_of(4);
        let pixels = |images: usize| images as u64 * area * 16;
        let rows = |images: usize| images as u64 * 16;
        let all = context.images;
        let most_rows = phases.iter().map(|p| p.rows_at.total).max().unwrap_or(0);
        let most_branches = phases.iter().map(|p| p.phase.method.branches.len()).max().unwrap_or(0);
        made.allocate(device, buffers::BYTES, "uploaded images", bytes(all))?;
        made.allocate(device, buffers::PLACEMENTS, "crop and flip", rows(all))?;
        made.allocate(device, buffers::CLEAN, "clean images", pixels(all))?;
        made.allocate(device, buffers::ROWS, "labels", rows(most_rows))?;
        made.allocate(device, buffers::RESULTS, "results", rows(most_rows))?;
        let metrics = precision::metrics_bytes(context.config.run.precision, most_branches);
        made.allocate(device, buffers::METRICS, "metrics", metrics)?;
        let folds = |launch: &Launch| launch.views.iter().any(|view| view.buffer == buffers::FOLDED);
        if phases.iter().flat_map(PhasePlans::launches).any(folds) {
            let weights = context.network.layout.param_len as u64 * 4;
            made.allocate(device, buffers::FOLDED, "folded weights", weights)?;
        }
        let state = phases
            .iter()
            .flat_map(PhasePlans::launches)
            .flat_map(|launch| &launch.views)
            .filter(|view| view.buffer == buffers::ATTACK_STATE)
            .map(|view| view.offset + view.size);
        if let Some(bytes) = state.max() {
            made.allocate(device, buffers::ATTACK_STATE, "state of an attack", bytes)?;
        }
        for view in ExtraView::wanted(phases.iter().flat_map(|p| &p.phase.method.branches)) {
            made.allocate(device, view.bytes, "uploaded images", bytes(all))?;
            made.allocate(device, view.placements, "crop and flip", rows(all))?;
            made.allocate(device, view.pixels, "second view of the images", pixels(all))?;
        }
        for branch in phases.iter().flat_map(|p| BranchBuffers::of(&p.phase.method, all)) {
            let count = branch.images();
            if let Some(own) = branch.own_pixels() {
                made.allocate(device, own.to, "branch images", pixels(count))?;
                made.allocate(device, own.table, "branch table", rows(count * own.table_rows()))?;
            }
            if let Some(attack) = branch.attack() {
                let ids = count.next_multiple_of(4) as u64 * 4;
                made.allocate(device, attack.adversarial, "adversarial images", pixels(count))?;
                made.allocate(device, attack.rows, "attack labels", rows(count))?;
                made.allocate(device, attack.ids, "image numbers", ids)?;
            }
        }
        for attack in phases.iter().flat_map(|p| &p.attacks).filter(|a| a.deal.is_some()) {
            let count = phases[0].phase.method.branches[attack.branch].images.len();
            let pool = pixels(count * context.config.run.accumulate);
            made.allocate(device, buffers::POOL, "pool of adversarial images", pool)?;
            made.allocate(device, buffers::POOL_TABLE, "adversarial order", rows(count))?;
        }
        Ok(())
    }
}

/// The phase of an optimizer step.
pub(super) fn phase_at(phases: &[PhaseParts], step: u64) -> &PhaseParts {
    let begun = phases.iter().rev().find(|p| p.phase.first_step <= step);
    begun.unwrap_or(&phases[0])
}

/// Room for all that a micro-batch uploads; with `images` where its images are among that.
fn upload_ring(
    device: &Device,
    made: &Buffers,
    step_uniform: &wgpu::Buffer,
    images: bool,
) -> Result<UploadRing, GpuError> {
    let sizes = buffers::of_each_micro_batch(images).map(|id| made.get(id).size());
    UploadRing::new(device, sizes.chain([step_uniform.size()]))
}
