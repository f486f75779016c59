//! The training step on the GPU: owns the buffers and programs of a run, takes batches, moves the weights, and gives
//! metrics back through a readback ring. It knows neither files nor threads nor front ends.

use super::buffers::{self, Buffers};
use super::draws::{self, Mixing, Stream};
use super::method::{Method, Source};
use super::optimizer;
use super::parts::{Parts, Tag};
use super::schedule;
use crate::config::{Config, MixupConfig};
use crate::data::Batch;
use crate::gpu::{Device, GpuError, Player, StepUniform};
use crate::graph::Network;
use crate::models::init::Arenas;
use std::collections::VecDeque;
use std::sync::Arc;

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

/// Everything on the GPU that one run needs.
pub struct Engine {
    device: Arc<Device>,
    player: Player,
    config: Config,
    network: Network,
    method: Method,
    cut: Cut,
    parts: Parts,
    /// Micro-batches of the step that is being gathered.
    gathering: Vec<BranchSums>,
    finished: VecDeque<StepSums>,
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
        device: Arc<Device>,
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
        match Self::with_cut(Arc::clone(&device), config, &network, length, Cut::Joint, &mut progress) {
            Err(error @ (GpuError::OutOfMemory { .. } | GpuError::TooLarge { .. }))
                if method.by_domain().len() > 1 =>
            {
                notice(format!("{error}. Trying again with the branches one after another."));
                Ok(Self::with_cut(device, config, &network, length, Cut::Sequential, &mut progress)?)
            }
            result => Ok(result?),
        }
    }

    /// As [`Self::new`] with a given cut, for a configuration whose method has been checked.
    pub fn with_cut(
        device: Arc<Device>,
        config: &Config,
        network: &Network,
        length: RunLength,
        cut: Cut,
        progress: &mut impl FnMut(usize, usize),
    ) -> Result<Self, GpuError> {
        let method = Method::from_config(&config.method).map_err(|e| GpuError::Reported(e.to_string()))?;
        let parts = Parts::new(&device, config, network, &method, cut, progress)?;
        let mut player = Player::new(&device);
        player.time_stages(&device)?;
        Ok(Self {
            player,
            device,
            config: config.clone(),
            network: network.clone(),
            method,
            cut,
            parts,
            gathering: Vec::new(),
            finished: VecDeque::new(),
            steps_per_epoch: length.steps_per_epoch,
            total_steps: length.total_steps,
        })
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
        &self.parts.buffers
    }

    /// Mean GPU seconds a step by stage; empty where the adapter has no timestamps.
    pub fn stage_seconds(&self) -> Vec<(&'static str, f64)> {
        self.player.stage_seconds()
    }

    /// Bytes of GPU memory that this engine holds.
    pub fn planned_bytes(&self) -> u64 {
        self.parts.buffers.bytes
    }

    /// Sets weights, running statistics and, as if freshly started, optimizer state and EMA.
    pub fn load_fresh(&mut self, arenas: &Arenas) {
        optimizer::write_fresh(&self.device, &self.parts.buffers, &self.config, arenas);
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
            self.device.write(&self.parts.step_uniform, 0, std::slice::from_ref(&uniform));
            self.upload(step, micro, images, batch)?;
            self.player.stage(Some("prepare"));
            if micro == 0 {
                self.player.play(&self.device, &self.parts.zero)?;
            }
            self.player.play(&self.device, &self.parts.prepare)?;
            self.player.stage(Some("attack"));
            for attack in &self.parts.attacks {
                self.player.play(&self.device, &attack.start)?;
                for _ in 0..attack.iterations {
                    self.player.play(&self.device, &attack.iteration)?;
                }
            }
            self.player.stage(Some("forward and backward"));
            for pass in &self.parts.passes {
                self.player.play(&self.device, pass)?;
            }
            self.player.play(&self.device, &self.parts.metrics)?;
            if micro + 1 == accumulate {
                self.player.stage(Some("optimizer"));
                self.player.play(&self.device, &self.parts.update)?;
            }
            while !self.parts.ring.has_room() {
                self.collect(true)?;
            }
            let metrics = self.parts.buffers.get(buffers::METRICS);
            let tag = Tag { step, lr, micro };
            self.parts.ring.push(&self.device, &mut self.player, metrics, 0, tag)?;
        }
        // What validation plays between steps is not part of them.
        self.player.end_step(&self.device)?;
        self.player.stage(None);
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
        let (device, buffers) = (&self.device, &self.parts.buffers);
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
        let mut rows = vec![[0_u32; 4]; self.parts.rows_at.total];
        for (index, branch) in self.method.branches.iter().enumerate() {
            let weight = (branch.weight / images as f32).to_bits();
            let first = self.parts.rows_at.branch_first[index];
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
                    rows[first + i] = [labels[i], labels[partner as usize], mixing.lambda.to_bits(), weight];
                }
                device.write(buffers.get(buffers::mix_table(index)), 0, &table);
            }
        }
        device.write(buffers.get(buffers::ROWS), 0, &rows);
        if let Some(attack) = self.parts.attacks.first() {
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
        while let Some((tag, sums)) = self.parts.ring.take(&self.device, wait)? {
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
        self.device.read_f32(self.parts.buffers.get(id), 0, images * self.network.image_size.pow(2) * 4)
    }
}
