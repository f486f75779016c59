//! The training step on the GPU: owns the buffers and programs of a run, takes batches, moves the weights, and gives
//! metrics back through a readback ring. It knows neither files nor threads nor front ends.

use super::buffers::{self, ARENA, Buffers};
use super::draws::{self, Mixing, Stream};
use super::method::{Method, Source};
use super::optimizer::{self, OptimizerPlan};
use super::plans::{PlanContext, RowLayout, attack_statistics};
use super::schedule;
use crate::config::{AttackConfig, AttackTarget, Config, MixupConfig};
use crate::data::Batch;
use crate::gpu::{Device, GpuError, Launch, Player, Program, ReadbackRing, StepUniform, step_buffer};
use crate::graph::{Network, Plan};
use crate::models::init::Arenas;
use std::ops::Range;

/// Results that may be on their way back at once: more than the submits in flight, so a step never waits for one.
const RING_SLOTS: usize = 8;

/// How a step's branches go through the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// All branches in one concatenated batch.
    Joint,
    /// One domain after another; gradients add up. Less memory, same numbers.
    Sequential,
}

/// Sums over one branch's images in one optimizer step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BranchSums {
    pub loss: f64,
    pub top1: f64,
    pub top5: f64,
    pub images: f64,
}

/// Metrics of one finished optimizer step, measured before its update.
#[derive(Clone, Debug, PartialEq)]
pub struct StepSums {
    /// Updates before this one.
    pub step: u64,
    pub lr: f64,
    pub branches: Vec<BranchSums>,
}

#[derive(Clone, Copy)]
struct Tag {
    step: u64,
    lr: f64,
    micro: usize,
}

struct AttackPrograms {
    start: Program,
    iteration: Program,
    iterations: u32,
    targeted: bool,
}

/// Everything on the GPU that one run needs.
pub struct Engine {
    device: Device,
    player: Player,
    config: Config,
    network: Network,
    method: Method,
    cut: Cut,
    buffers: Buffers,
    step_uniform: wgpu::Buffer,
    rows_at: RowLayout,
    prepare: Program,
    attacks: Vec<AttackPrograms>,
    passes: Vec<Program>,
    zero: Program,
    update: Program,
    metrics: Program,
    ring: ReadbackRing<Tag>,
    /// Micro-batches of the step that is being gathered.
    gathering: Vec<BranchSums>,
    finished: std::collections::VecDeque<StepSums>,
    steps_per_epoch: u64,
    total_steps: u64,
}

/// Lengths that the schedule needs.
#[derive(Clone, Copy, Debug)]
pub struct RunLength {
    pub steps_per_epoch: u64,
    pub total_steps: u64,
}

impl Engine {
    /// Plans, allocates and compiles a run. `progress` hears (pipelines done, of all). Falls back from joint to
    /// sequential branches when memory is short, and says so through `notice`.
    pub fn new(
        device: Device,
        config: &Config,
        network: Network,
        length: RunLength,
        mut progress: impl FnMut(usize, usize),
        mut notice: impl FnMut(String),
    ) -> anyhow::Result<Self> {
        let method = Method::from_config(&config.method)?;
        anyhow::ensure!(
            network.layout.domains >= method.domains,
            "the network has {} BN domains, the method needs {}",
            network.layout.domains,
            method.domains
        );
        let mut device = Some(device);
        let mut cut = Cut::Joint;
        loop {
            let opened = device.take().expect("put back before each retry");
            match Self::with_cut(opened, config, &network, &method, length, cut, &mut progress) {
                Ok(engine) => return Ok(engine),
                Err((back, error)) => {
                    let short = matches!(error, GpuError::OutOfMemory { .. } | GpuError::TooLarge { .. });
                    if !short || cut == Cut::Sequential || method.by_domain().len() < 2 {
                        return Err(error.into());
                    }
                    notice(format!("{error}. Trying again with the branches one after another."));
                    cut = Cut::Sequential;
                    device = Some(back);
                }
            }
        }
    }

    /// As [`Self::new`] with a given cut; hands the device back with an error.
    fn with_cut(
        device: Device,
        config: &Config,
        network: &Network,
        method: &Method,
        length: RunLength,
        cut: Cut,
        progress: &mut impl FnMut(usize, usize),
    ) -> Result<Self, (Device, GpuError)> {
        match Parts::new(&device, config, network, method, cut, progress) {
            Ok(parts) => Ok(Self {
                player: Player::new(&device),
                device,
                config: config.clone(),
                network: network.clone(),
                method: method.clone(),
                cut,
                buffers: parts.buffers,
                step_uniform: parts.step_uniform,
                rows_at: parts.rows_at,
                prepare: parts.prepare,
                attacks: parts.attacks,
                passes: parts.passes,
                zero: parts.zero,
                update: parts.update,
                metrics: parts.metrics,
                ring: parts.ring,
                gathering: Vec::new(),
                finished: std::collections::VecDeque::new(),
                steps_per_epoch: length.steps_per_epoch,
                total_steps: length.total_steps,
            }),
            Err(error) => Err((device, error)),
        }
    }

    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Device and player, for validation between steps.
    pub fn device_and_player(&mut self) -> (&Device, &mut Player) {
        (&self.device, &mut self.player)
    }

    pub fn network(&self) -> &Network {
        &self.network
    }

    pub fn method(&self) -> &Method {
        &self.method
    }

    pub fn cut(&self) -> Cut {
        self.cut
    }

    pub fn buffers(&self) -> &Buffers {
        &self.buffers
    }

    /// Bytes of GPU memory that this engine holds.
    pub fn planned_bytes(&self) -> u64 {
        self.buffers.bytes
    }

    /// Sets weights, running statistics and, as if freshly started, optimizer state and EMA.
    pub fn load_fresh(&mut self, arenas: &Arenas) {
        optimizer::write_fresh(&self.device, &self.buffers, &self.config, arenas);
    }

    /// Enqueues one optimizer step: update number `step` (from 0) on `batch`, all micro-batches of it.
    pub fn step(&mut self, step: u64, batch: &Batch) -> anyhow::Result<()> {
        let accumulate = self.config.run.accumulate;
        let images = self.config.run.batch_size / accumulate;
        let schedule = &self.config.schedule;
        let lr = schedule::learning_rate(
            schedule,
            self.config.optimizer.lr,
            step,
            self.steps_per_epoch,
            self.total_steps,
        );
        for micro in 0..accumulate {
            let uniform = self.step_numbers(step, micro, lr);
            self.device.write(&self.step_uniform, 0, std::slice::from_ref(&uniform));
            self.upload(step, micro, images, batch)?;
            if micro == 0 {
                self.player.play(&self.device, &self.zero)?;
            }
            self.player.play(&self.device, &self.prepare)?;
            for attack in &self.attacks {
                self.player.play(&self.device, &attack.start)?;
                for _ in 0..attack.iterations {
                    self.player.play(&self.device, &attack.iteration)?;
                }
            }
            for pass in &self.passes {
                self.player.play(&self.device, pass)?;
            }
            self.player.play(&self.device, &self.metrics)?;
            if micro + 1 == accumulate {
                self.player.play(&self.device, &self.update)?;
            }
            while !self.ring.has_room() {
                self.collect(true)?;
            }
            let metrics = self.buffers.get(buffers::METRICS);
            let tag = Tag { step, lr, micro };
            self.ring.push(&self.device, &mut self.player, metrics, 0, tag)?;
        }
        Ok(())
    }

    fn step_numbers(&self, step: u64, micro: usize, lr: f64) -> StepUniform {
        let optimizer = &self.config.optimizer;
        let updates = (step + 1) as f64;
        let seed = self.config.run.seed;
        StepUniform {
            seed: (seed ^ (seed >> 32)) as u32,
            step: step as u32,
            micro: micro as u32,
            first_step: u32::from(step == 0),
            lr: lr as f32,
            grad_scale: 1.0 / self.config.run.accumulate as f32,
            mix_lambda: 0.0,
            ema_decay: schedule::ema_decay(&self.config.ema, step) as f32,
            bias_correction1: (1.0 - optimizer.momentum.powf(updates)) as f32,
            bias_correction2: (1.0 - optimizer.decay.powf(updates)) as f32,
            reserved0: 0,
            reserved1: 0,
        }
    }

    /// Writes one micro-batch's images, labels, mixing and attack targets.
    fn upload(&self, step: u64, micro: usize, images: usize, batch: &Batch) -> anyhow::Result<()> {
        let (device, buffers) = (&self.device, &self.buffers);
        let range = micro * images..(micro + 1) * images;
        let bytes_each = self.network.image_size.pow(2) * 3;
        let bytes = &batch.images[range.start * bytes_each..range.end * bytes_each];
        let mut padded = bytes.to_vec();
        padded.resize(bytes.len().next_multiple_of(4), 0);
        device.write(buffers.get(buffers::BYTES), 0, &padded);
        let placements: Vec<[i32; 4]> =
            batch.placements[range.clone()].iter().map(|p| [p.dx, p.dy, i32::from(p.flip), 0]).collect();
        device.write(buffers.get(buffers::PLACEMENTS), 0, &placements);
        let labels = &batch.labels[range.clone()];
        // Distinct within a step, so that every image starts its attack from noise of its own.
        let ids: Vec<u32> = range.clone().map(|i| i as u32).collect();
        device.write(buffers.get(buffers::IMAGE_IDS), 0, &ids);

        let seed = self.config.run.seed;
        let mut mixing: Option<Mixing> = None;
        let mut rows = vec![[0_u32; 4]; self.rows_at.total];
        for (index, branch) in self.method.branches.iter().enumerate() {
            let weight = (branch.weight / images as f32).to_bits();
            let first = self.rows_at.branch_first[index];
            for (row, label) in rows[first..first + images].iter_mut().zip(labels) {
                *row = [*label, *label, 1.0_f32.to_bits(), weight];
            }
            if let Source::Mixup { mixed } = branch.source {
                let config: &MixupConfig = &self.config.method.mixup;
                let mixing = match &mixing {
                    Some(drawn) => drawn,
                    None => {
                        let mut rng = draws::generator(seed, Stream::Mixup, step, micro as u64);
                        mixing.insert(Mixing::draw(config, images, &mut rng)?)
                    }
                };
                let mut table: Vec<[u32; 4]> =
                    (0..images as u32).map(|i| [i, i, 1.0_f32.to_bits(), 0]).collect();
                for i in 0..mixed.of(images) {
                    let partner = mixing.partners[i];
                    table[i] = [i as u32, partner, mixing.lambda.to_bits(), 0];
                    rows[first + i] =
                        [labels[i], labels[partner as usize], mixing.lambda.to_bits(), weight];
                }
                device.write(buffers.get(buffers::mix_table(index)), 0, &table);
            }
        }
        device.write(buffers.get(buffers::ROWS), 0, &rows);
        if let Some(attack) = self.attacks.first() {
            let classes = self.network.classes as u32;
            let mut rng = draws::generator(seed, Stream::Target, step, micro as u64);
            let rows: Vec<[u32; 4]> = labels
                .iter()
                .map(|label| {
                    let aim =
                        if attack.targeted { draws::wrong_class(*label, classes, &mut rng) } else { *label };
                    // Only the sign of the gradient counts; weight 1 keeps it far from underflow.
                    [aim, aim, 1.0_f32.to_bits(), 1.0_f32.to_bits()]
                })
                .collect();
            device.write(buffers.get(buffers::ATTACK_ROWS), 0, &rows);
        }
        Ok(())
    }

    /// Takes results that have arrived; with `wait`, at least the oldest one on its way.
    fn collect(&mut self, wait: bool) -> Result<(), GpuError> {
        let mut wait = wait;
        while let Some((tag, sums)) = self.ring.take(&self.device, wait)? {
            wait = false;
            if tag.micro == 0 {
                self.gathering = vec![BranchSums::default(); self.method.branches.len()];
            }
            for (total, sums) in self.gathering.iter_mut().zip(sums.chunks_exact(4)) {
                total.loss += f64::from(sums[0]);
                total.top1 += f64::from(sums[1]);
                total.top5 += f64::from(sums[2]);
                total.images += f64::from(sums[3]);
            }
            if tag.micro + 1 == self.config.run.accumulate {
                let branches = std::mem::take(&mut self.gathering);
                self.finished.push_back(StepSums { step: tag.step, lr: tag.lr, branches });
            }
        }
        Ok(())
    }

    /// Metrics of steps whose results have arrived, in order. Never waits.
    pub fn poll(&mut self) -> Result<Option<StepSums>, GpuError> {
        self.collect(false)?;
        Ok(self.finished.pop_front())
    }

    /// Waits for all enqueued steps; their metrics follow from [`Self::poll`].
    pub fn drain(&mut self) -> Result<(), GpuError> {
        self.player.finish(&self.device)?;
        self.collect(false)
    }

    /// Pixels of the last step's branch `index`, `[B, S, S, 4]`: what it trained on.
    pub fn branch_pixels(&self, index: usize) -> Result<Vec<f32>, GpuError> {
        let id = match self.method.branches[index].source {
            Source::Clean => buffers::CLEAN,
            _ => buffers::branch_pixels(index),
        };
        let images = self.config.run.batch_size / self.config.run.accumulate;
        self.device.read_f32(self.buffers.get(id), 0, images * self.network.image_size.pow(2) * 4)
    }
}

/// What [`Engine::with_cut`] makes before it owns the device.
struct Parts {
    buffers: Buffers,
    step_uniform: wgpu::Buffer,
    rows_at: RowLayout,
    prepare: Program,
    attacks: Vec<AttackPrograms>,
    passes: Vec<Program>,
    zero: Program,
    update: Program,
    metrics: Program,
    ring: ReadbackRing<Tag>,
}

impl Parts {
    fn new(
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
        let OptimizerPlan { zero, update } = optimizer::plan(config, &network.layout, device.largest_binding());

        let mut kernels: Vec<(crate::gpu::Kernel, usize)> = Vec::new();
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
        Ok(Self { buffers: made, step_uniform, rows_at, prepare, attacks, passes, zero, update, metrics, ring })
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
