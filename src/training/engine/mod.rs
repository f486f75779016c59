//! The training step on the GPU: owns the buffers and programs of a run, takes batches, moves the weights,
//! and gives metrics back through a readback ring. It knows neither files nor threads nor front ends.

mod measure;
mod precise_bn;
mod trained_on;
mod upload;

pub use trained_on::MixedPairs;

use super::bn_values;
use super::buffers::{self, Buffers};
use super::method::{self, Method, Source};
use super::optimizer;
use super::parts::{self, Parts, Tag};
use super::precision;
use super::schedule;
use super::step_layout::StepLayout;
use crate::config::{AttackStatistics, Config, Precision, RunConfig};
use crate::data::Batch;
use crate::gpu::{Device, Gpu, GpuError, StepUniform};
use crate::graph::Network;
use crate::kernels::conv_case::ConvCase;
use crate::kernels::loss_scale::LossScale;
use crate::models::init::Arenas;
use std::collections::VecDeque;
use std::sync::Arc;
use upload::{MicroBatch, Scratch};

/// Sums over one branch's images in one optimizer step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BranchSums {
    /// Cross-entropy, nats.
    pub loss: f64,
    /// Images whose label is the most probable class.
    pub top1: f64,
    /// Images whose label is among the five most probable classes.
    pub top5: f64,
    /// Images that were counted.
    pub images: f64,
}

/// Metrics of one finished optimizer step, measured before its update.
#[derive(Clone, Debug, PartialEq)]
pub struct StepSums {
    /// Updates before this one.
    pub step: u64,
    /// Learning rate of the update.
    pub lr: f64,
    /// Sums by branch, in the order of the method.
    pub branches: Vec<BranchSums>,
    /// State of loss scaling after this step, in half precision.
    pub loss_scale: Option<LossScale>,
}

/// Everything on the GPU that one run needs.
pub struct Engine {
    gpu: Gpu,
    /// As given, but for `run.accumulate`, which grows where memory is short.
    config: Config,
    network: Network,
    layout: StepLayout,
    parts: Parts,
    /// Whether the training images stay on the GPU.
    holds_images: bool,
    /// Micro-batches of the step that is being gathered.
    gathering: Vec<BranchSums>,
    finished: VecDeque<StepSums>,
    length: RunLength,
    /// What the schedule's learning rate is multiplied by.
    lr_factor: f64,
    scratch: Scratch,
}

/// Lengths that the schedule needs.
#[derive(Clone, Copy, Debug)]
pub struct RunLength {
    /// Optimizer steps of an epoch.
    pub steps_per_epoch: u64,
    /// Optimizer steps of the whole run.
    pub total_steps: u64,
}

impl Engine {
    /// Plans, allocates and compiles a run. `progress` hears (pipelines done, of all). Where memory is short
    /// it tries the next smaller layout, and smaller micro-batches in the end, and says so through `notice`.
    pub fn new(
        device: Arc<Device>,
        config: &Config,
        network: Network,
        length: RunLength,
        mut progress: impl FnMut(usize, usize),
        mut notice: impl FnMut(String),
    ) -> anyhow::Result<Self> {
        let domains = method::domains(&config.method);
        anyhow::ensure!(
            network.layout.domains >= domains,
            "the network has {} BN domains, the method needs {domains}",
            network.layout.domains
        );
        let mut config = config.clone();
        loop {
            let mut shortage = None;
            for layout in StepLayout::choices(config.model.checkpointing) {
                if let Some(error) = &shortage {
                    notice(format!("{error}. Trying again with {layout}."));
                }
                let device = Arc::clone(&device);
                match Self::with_layout(device, &config, &network, length, layout, &mut progress) {
                    Err(error @ (GpuError::OutOfMemory { .. } | GpuError::TooLarge { .. })) => {
                        shortage = Some(error);
                    }
                    result => return Ok(result?),
                }
            }
            let Some(error) = shortage else { anyhow::bail!("no layout was tried") };
            let Some(more) = next_divisor(config.run.batch_size, config.run.accumulate) else {
                return Err(error.into());
            };
            let smaller = RunConfig { accumulate: more, ..config.run.clone() };
            let smaller = Config { run: smaller, ..config.clone() };
            let phases = method::phases(
                &smaller.method,
                smaller.run.batch_size / more,
                length.steps_per_epoch,
                length.total_steps,
            );
            if smaller.validate().is_err() || bn_values::check(&network, &phases).is_err() {
                return Err(error.into());
            }
            notice(format!(
                "{error}. Trying again with {more} micro-batches a step; each has batch statistics of its own, as \
                 with run.accumulate = {more}."
            ));
            config = smaller;
        }
    }

    /// As [`Self::new`] with a given layout.
    pub fn with_layout(
        device: Arc<Device>,
        config: &Config,
        network: &Network,
        length: RunLength,
        layout: StepLayout,
        progress: &mut impl FnMut(usize, usize),
    ) -> Result<Self, GpuError> {
        let images = config.run.batch_size / config.run.accumulate;
        let phases = method::phases(&config.method, images, length.steps_per_epoch, length.total_steps);
        let parts = Parts::new(&device, config, network, &phases, layout, progress)?;
        let mut gpu = Gpu::new(device);
        gpu.player.time_stages(&gpu.device)?;
        Ok(Self {
            gpu,
            config: config.clone(),
            network: network.clone(),
            layout,
            parts,
            holds_images: false,
            gathering: Vec::new(),
            finished: VecDeque::new(),
            length,
            lr_factor: 1.0,
            scratch: Scratch::default(),
        })
    }

    /// Multiplies the schedule's learning rate from the next step on.
    pub fn set_lr_factor(&mut self, factor: f64) {
        self.lr_factor = factor;
    }

    /// The device that the run trains on.
    pub fn device(&self) -> &Device {
        &self.gpu.device
    }

    /// The device with its player, for validation between steps.
    pub fn gpu(&mut self) -> &mut Gpu {
        &mut self.gpu
    }

    /// The network that is trained.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The method of update number `step` (from 0).
    pub fn method_at(&self, step: u64) -> &Method {
        &self.parts.phase_at(step).phase.method
    }

    /// The memory layout that the engine settled on.
    pub fn layout(&self) -> StepLayout {
        self.layout
    }

    /// Whether an attack of the first phase normalises by running statistics.
    pub fn attacks_with_running_statistics(&self) -> bool {
        let branches = &self.parts.phases[0].phase.method.branches;
        branches.iter().any(|branch| match &branch.source {
            Source::Attack { config, .. } => config.bn_stats == AttackStatistics::Running,
            _ => false,
        })
    }

    /// One convolution of each class in the plans of a step.
    pub fn convolutions(&self) -> &[ConvCase] {
        &self.parts.convolutions
    }

    /// The convolutions that run as a timed trial chose, each with its variant.
    pub fn kept_choices(&self) -> Vec<(String, String)> {
        let caps = &self.parts.caps;
        let choice = |case: &ConvCase| Some((case.class(caps), case.kept_choice(caps)?));
        self.parts.convolutions.iter().filter_map(choice).collect()
    }

    /// Puts the training images on the GPU for good: `[n, image_size, image_size, 3]` RGB bytes in the order
    /// that [`Batch::samples`] counts. Steps then take batches without images. `false` where they do not fit,
    /// and nothing changes.
    pub fn hold_images(&mut self, images: &[u8]) -> Result<bool, GpuError> {
        let (device, config, network) = (&self.gpu.device, &self.config, &self.network);
        self.holds_images = self.parts.hold(device, config, network, self.layout, images)?;
        Ok(self.holds_images)
    }

    /// Whether the training images stay on the GPU: see [`Self::hold_images`].
    pub fn holds_images(&self) -> bool {
        self.holds_images
    }

    /// Names of the BN domains.
    pub fn domain_names(&self) -> Vec<String> {
        self.parts.phases[0].phase.method.domain_names()
    }

    /// Images of a micro-batch.
    fn micro_images(&self) -> usize {
        self.config.run.batch_size / self.config.run.accumulate
    }

    /// The buffers of the run, by number.
    pub fn buffers(&self) -> &Buffers {
        &self.parts.buffers
    }

    /// Mean GPU seconds a step by stage; empty where the adapter has no timestamps.
    pub fn stage_seconds(&self) -> Vec<(&'static str, f64)> {
        self.gpu.player.stage_seconds()
    }

    /// Bytes of GPU memory that this engine holds.
    pub fn planned_bytes(&self) -> u64 {
        self.parts.buffers.bytes
    }

    /// Sets weights, running statistics and, as if freshly started, optimizer state and EMA.
    pub fn load_fresh(&mut self, arenas: &Arenas) {
        optimizer::write_fresh(&self.gpu.device, &self.parts.buffers, &self.config, arenas);
    }

    /// The state of loss scaling after the steps enqueued so far; `None` in single precision.
    pub fn loss_scale(&self) -> Result<Option<LossScale>, GpuError> {
        let floats = precision::metrics_bytes(self.config.run.precision, 0) / 4;
        let metrics = self.parts.buffers.get(buffers::METRICS);
        Ok(loss_scale_in(&self.gpu.device.read_f32(metrics, 0, floats as usize)?))
    }

    /// Goes on from this state of loss scaling; nothing in single precision.
    pub fn set_loss_scale(&mut self, state: LossScale) {
        if self.config.run.precision == Precision::F16 {
            optimizer::write_loss_scale(&self.gpu.device, &self.parts.buffers, state);
        }
    }

    /// Enqueues one optimizer step: update number `step` (from 0) on `batch`, all micro-batches of it.
    pub fn step(&mut self, step: u64, batch: &Batch) -> anyhow::Result<()> {
        let accumulate = self.config.run.accumulate;
        let schedule = &self.config.schedule;
        let RunLength { steps_per_epoch, total_steps } = self.length;
        let base = self.lr_factor * self.config.optimizer.lr;
        let lr = schedule::learning_rate(schedule, base, step, steps_per_epoch, total_steps);
        if self.method_at(step).recycle {
            self.recycle(step, lr, batch)?;
        }
        for micro in 0..accumulate {
            self.begin_micro(step, micro, lr, batch)?;
            let parts = &self.parts;
            let phase = parts.phase_at(step);
            self.gpu.player.stage(Some("prepare"));
            if micro == 0 && !phase.phase.method.recycle {
                self.gpu.play(&parts.zero)?;
            }
            self.gpu.play(&phase.prepare)?;
            self.gpu.player.stage(Some("attack"));
            for attack in &phase.attacks {
                if let Some(deal) = &attack.deal {
                    self.gpu.play(deal)?;
                    continue;
                }
                self.gpu.play(&attack.start)?;
                for _ in 0..attack.iterations {
                    self.gpu.play(&attack.iteration)?;
                }
            }
            for pass in &phase.passes {
                self.gpu.player.stage(Some("forward"));
                self.gpu.play(&pass.forward)?;
                self.gpu.player.stage(Some("backward"));
                self.gpu.play(&pass.backward)?;
            }
            self.gpu.play(&phase.metrics)?;
            if micro + 1 == accumulate {
                self.gpu.player.stage(Some("optimizer"));
                self.gpu.play(&parts.update)?;
            }
            while !self.parts.ring.has_room() {
                self.collect(true)?;
            }
            let metrics = self.parts.buffers.get(buffers::METRICS);
            let tag = Tag { step, lr, micro };
            self.parts.ring.push(&self.gpu.device, &mut self.gpu.player, metrics, 0, tag)?;
        }
        // What validation plays between steps is not part of them.
        self.gpu.player.end_step(&self.gpu.device)?;
        self.gpu.player.stage(None);
        Ok(())
    }

    /// Fast AdvProp's first half of a step: in every micro-batch the noisy images train the weights and
    /// become adversarial by the same pass, and go into a pool that the second half deals out in another
    /// order. (An image that was attacked under batch statistics tells of its batch mates; the paper re-deals
    /// them for that reason.)
    fn recycle(&mut self, step: u64, lr: f64, batch: &Batch) -> anyhow::Result<()> {
        for micro in 0..self.config.run.accumulate {
            self.begin_micro(step, micro, lr, batch)?;
            let parts = &self.parts;
            let phase = parts.phase_at(step);
            self.gpu.player.stage(Some("attack"));
            if micro == 0 {
                self.gpu.play(&parts.zero)?;
            }
            self.gpu.play(&phase.prepare)?;
            for attack in &phase.attacks {
                self.gpu.play(&attack.start)?;
                self.gpu.play(&attack.iteration)?;
                let images = phase.phase.method.branches[attack.branch].images.len();
                let bytes = (images * self.network.image_size.pow(2)) as u64 * 16;
                let (from, to) = (buffers::branch_pixels(attack.branch), buffers::POOL);
                let [from, to] = [from, to].map(|id| parts.buffers.get(id));
                self.gpu.player.copy(&self.gpu.device, (from, 0), (to, micro as u64 * bytes), bytes);
            }
        }
        Ok(())
    }

    /// Writes what changes from micro-batch to micro-batch.
    fn begin_micro(&mut self, step: u64, micro: usize, lr: f64, batch: &Batch) -> anyhow::Result<()> {
        let uniform = self.step_numbers(step, micro, lr);
        let Parts { uploads, step_uniform, buffers, phases, .. } = &mut self.parts;
        let micro_batch = MicroBatch {
            config: &self.config,
            network: &self.network,
            phase: parts::phase_at(phases, step),
            buffers,
            holds_images: self.holds_images,
            step,
            micro,
            batch,
        };
        let mut upload = uploads.begin(&self.gpu.device, &mut self.gpu.player)?;
        upload.write(step_uniform, std::slice::from_ref(&uniform));
        micro_batch.upload(&mut self.scratch, &mut upload)
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
            ema_rate: (1.0 - schedule::ema_decay(&self.config.ema, step)) as f32,
            bias_correction1: (1.0 - optimizer.momentum.powf(updates)) as f32,
            bias_correction2: (1.0 - optimizer.decay.powf(updates)) as f32,
            padding: [0; 3],
        }
    }

    /// Takes results that have arrived; with `wait`, at least the oldest one on its way.
    fn collect(&mut self, wait: bool) -> Result<(), GpuError> {
        let mut wait = wait;
        while let Some((tag, sums)) = self.parts.ring.take(&self.gpu.device, wait)? {
            wait = false;
            if tag.micro == 0 {
                let phase = parts::phase_at(&self.parts.phases, tag.step);
                self.gathering = vec![BranchSums::default(); phase.phase.method.branches.len()];
            }
            for (total, sums) in self.gathering.iter_mut().zip(sums.chunks_exact(4)) {
                total.loss += f64::from(sums[0]);
                total.top1 += f64::from(sums[1]);
                total.top5 += f64::from(sums[2]);
                total.images += f64::from(sums[3]);
            }
            if tag.micro + 1 == self.config.run.accumulate {
                let branches = std::mem::take(&mut self.gathering);
                let loss_scale = loss_scale_in(sums);
                self.finished.push_back(StepSums { step: tag.step, lr: tag.lr, branches, loss_scale });
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
        self.gpu.player.finish(&self.gpu.device)?;
        self.collect(false)
    }
}

/// The state behind the sums of the branches.
fn loss_scale_in(metrics: &[f32]) -> Option<LossScale> {
    let first = (precision::LOSS_SCALE_OFFSET / 4) as usize;
    let words: [f32; 4] = metrics.get(first..first + 4)?.try_into().ok()?;
    Some(LossScale::from_words(words.map(f32::to_bits)))
}

/// The next larger number of equal micro-batches.
fn next_divisor(batch: usize, now: usize) -> Option<usize> {
    (now + 1..=batch).find(|n| batch.is_multiple_of(*n))
}
