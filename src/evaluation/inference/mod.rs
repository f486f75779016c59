//! A network at work with fixed weights: logits, losses, features and attacks through any BN domain, by
//! running statistics. Used for validation during training (on the run's own weights or their EMA) and by
//! every command that works on a checkpoint.

mod apgd;
mod fitting;
mod probe;
mod sized;
mod square;
mod strongest;
mod timing;
mod trace;
mod upload;

use crate::config::{AttackConfig, AttackTarget, Config};
use crate::evaluation::softmax::{cross_entropy, rank};
use crate::gpu::{BufferId, Device, Element, Gpu, GpuError, StepUniform, step_buffer};
use crate::graph::{Network, Statistics, pad4};
use crate::kernels::cross_entropy::table_row;
use crate::training::attack_plans::AttackPass;
use crate::training::buffers::{self, Buffers};
use crate::training::draws::{self, Stream};
use crate::training::plans::PlanContext;
use sized::{Sized, SizedKind};

pub use strongest::Strongest;

/// Images of a batch that the caller hands in: `[n, S, S, 3]` pixels 0..255, n at most the batch size.
#[derive(Clone, Copy, Debug)]
pub struct ImageBatch<'a> {
    /// Pixels of all images, one behind the other.
    pub pixels: &'a [f32],
    /// One per image; the class that losses and attacks refer to.
    pub labels: &'a [u32],
    /// One per image; seeds its random start, so that results do not depend on the batching.
    pub ids: &'a [u32],
}

/// What a forward pass found, with one entry an image.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Cross-entropy against the given labels, without smoothing.
    pub loss: Vec<f32>,
    /// Whether the label is the most probable class.
    pub top1: Vec<bool>,
    /// Whether the label is among the five most probable classes.
    pub top5: Vec<bool>,
    /// `[n, classes]`.
    pub logits: Vec<f32>,
}

impl Outcome {
    /// The outcome of logits `[n, classes]` that were computed here. Of equal logits the lower class ranks
    /// first, and a loss that is no number counts as wrong, as on the GPU.
    pub fn of_logits(logits: Vec<f32>, labels: &[u32]) -> Self {
        let classes = logits.len() / labels.len().max(1);
        let mut outcome = Self::default();
        for (row, label) in logits.chunks_exact(classes.max(1)).zip(labels) {
            let (loss, rank) = (cross_entropy(row, *label as usize), rank(row, *label as usize));
            outcome.loss.push(loss);
            outcome.top1.push(loss.is_finite() && rank < 1);
            outcome.top5.push(loss.is_finite() && rank < 5);
        }
        Self { logits, ..outcome }
    }

    /// Puts what other images gave behind.
    pub fn extend(&mut self, others: Self) {
        self.loss.extend(others.loss);
        self.top1.extend(others.top1);
        self.top5.extend(others.top5);
        self.logits.extend(others.logits);
    }
}

/// What an attack draws from, beside the numbers of the images.
#[derive(Clone, Copy, Debug)]
struct Draws {
    seed: u64,
    /// Number of the start, where there are several.
    start: u32,
}

/// Programs over one set of weights, for batches up to a size.
pub struct Inference {
    config: Config,
    network: Network,
    batch: usize,
    /// Whether attacks recompute activations.
    recompute: bool,
    buffers: Buffers,
    step_uniform: wgpu::Buffer,
    /// The first for whole batches, others as smaller batches come.
    sizes: Vec<Sized>,
}

impl Inference {
    /// Plans and compiles inference for batches of up to `batch` images. `weights` and `running` are arenas
    /// in the network's layout; they may belong to a training run. Large images, a
    /// GPU that shows its shaders little at a time, or one that has little memory left make the batch smaller
    /// than asked for: see [`Self::batch`]. `progress` hears (pipelines done, of all).
    pub fn new(
        device: &Device,
        config: &Config,
        network: &Network,
        batch: usize,
        weights: &wgpu::Buffer,
        running: &wgpu::Buffer,
        mut progress: impl FnMut(usize, usize),
    ) -> Result<Self, GpuError> {
        let asked = Self::context(device, config, network, batch, false);
        let mut context = fitting::fitting(&asked, device.largest_binding());
        loop {
            match Self::in_context(device, &context, weights, running, &mut progress) {
                Err(GpuError::OutOfMemory { .. }) if context.images > 1 => {
                    let fewer = PlanContext { images: context.images.div_ceil(2), ..context };
                    context = fitting::fitting(&fewer, device.largest_binding());
                }
                made => return made,
            }
        }
    }

    fn in_context(
        device: &Device,
        context: &PlanContext<'_>,
        weights: &wgpu::Buffer,
        running: &wgpu::Buffer,
        progress: impl FnMut(usize, usize),
    ) -> Result<Self, GpuError> {
        let (network, batch) = (context.network, context.images);
        let mut made = Buffers::new(device)?;
        made.share(buffers::PARAMS, weights);
        made.share(buffers::RUNNING, running);
        let (images, area) = (batch as u64, network.image_size.pow(2) as u64);
        for (id, what) in [(buffers::CLEAN, "clean images"), (buffers::CURRENT, "images")] {
            made.allocate(device, id, what, images * area * 16)?;
        }
        made.allocate(device, buffers::IMAGE_IDS, "image numbers", images.next_multiple_of(4) * 4)?;
        made.allocate(device, buffers::ATTACK_ROWS, "labels", images * 16)?;
        made.allocate(device, buffers::RESULTS, "results", images * 16)?;
        made.allocate(device, buffers::LOGITS, "logits", images * pad4(network.classes) as u64 * 4)?;
        let feature_len = network.node(network.features).shape.padded_len() as u64;
        made.allocate(device, buffers::FEATURES, "features", images * feature_len * 4)?;
        made.allocate(device, buffers::FOLDED, "folded weights", network.layout.param_len as u64 * 4)?;
        let plans = Sized::plans(context);
        let arenas: Vec<&[u64]> = plans.iter().map(|p| p.arena.as_slice()).collect();
        made.allocate_arena(device, &arenas)?;
        let mut inference = Self {
            config: context.config.clone(),
            network: network.clone(),
            batch,
            recompute: context.recompute,
            buffers: made,
            step_uniform: step_buffer(device, &StepUniform::default())?,
            sizes: Vec::new(),
        };
        if AttackConfig::parse_spec(&context.config.eval.attack).is_ok_and(|attack| attack.has_momentum()) {
            let bytes = inference.whole_context(device).attack_momentum_bytes();
            inference.make_attack_state(device, bytes)?;
        }
        inference.add_size(device, batch, &plans, progress)?;
        Ok(inference)
    }

    /// Makes the buffer that attacks keep their state in at least so large: at once for the attack that a run
    /// validates with, so that its memory is counted, and for others as they come.
    fn make_attack_state(&mut self, device: &Device, bytes: u64) -> Result<(), GpuError> {
        if self.buffers.get(buffers::ATTACK_STATE).size() >= bytes {
            return Ok(());
        }
        self.buffers.allocate(device, buffers::ATTACK_STATE, "state of an attack", bytes)
    }

    /// The plans' context for the largest batch, which an attack's state is made for.
    fn whole_context(&self, device: &Device) -> PlanContext<'_> {
        Self::context(device, &self.config, &self.network, self.batch, self.recompute)
    }

    fn context<'a>(
        device: &Device,
        config: &'a Config,
        network: &'a Network,
        batch: usize,
        recompute: bool,
    ) -> PlanContext<'a> {
        PlanContext {
            config,
            network,
            caps: device.caps(),
            images: batch,
            chunk_limit: device.largest_buffer(),
            recompute,
            // A validation batch is small, and its results do not depend on what the adapter offers.
            storage: Element::F32,
        }
    }

    /// One of the buffers that programs work on.
    pub(super) fn buffer(&self, id: BufferId) -> &wgpu::Buffer {
        self.buffers.get(id)
    }

    /// The most images that one call takes.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// The network that the programs were planned for.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Bytes of GPU memory that inference holds beyond the weights.
    pub fn bytes(&self) -> u64 {
        self.buffers.bytes
    }

    fn write_labels(&self, device: &Device, labels: impl Iterator<Item = u32>) {
        let rows: Vec<[u32; 4]> = labels.map(|label| table_row(label, label, 1.0, 1.0)).collect();
        device.write(self.buffers.get(buffers::ATTACK_ROWS), 0, &rows);
    }

    /// Sends a batch through `domain` and reads back what each image gave.
    pub fn forward(
        &mut self,
        gpu: &mut Gpu,
        images: ImageBatch<'_>,
        domain: usize,
    ) -> Result<Outcome, GpuError> {
        self.upload_current(&gpu.device, images);
        self.forward_current(gpu, images.labels, domain)
    }

    /// The forward pass of what [`Self::attack`] or [`Self::forward`] left on the GPU, through another domain
    /// perhaps.
    pub fn forward_current(
        &mut self,
        gpu: &mut Gpu,
        labels: &[u32],
        domain: usize,
    ) -> Result<Outcome, GpuError> {
        let size = self.size_for(&gpu.device, labels.len())?;
        self.write_labels(&gpu.device, labels.iter().copied());
        gpu.play(&self.sizes[size].forward[domain])?;
        gpu.submit()?;
        let (count, classes) = (labels.len(), self.network.classes);
        let results = gpu.device.read_f32(self.buffers.get(buffers::RESULTS), 0, count * 4)?;
        let padded = gpu.device.read_f32(self.buffers.get(buffers::LOGITS), 0, count * pad4(classes))?;
        let mut outcome = Outcome::default();
        for row in results.chunks_exact(4) {
            outcome.loss.push(row[0]);
            outcome.top1.push(row[1] > 0.5);
            outcome.top5.push(row[2] > 0.5);
        }
        for row in padded.chunks_exact(pad4(classes)) {
            outcome.logits.extend_from_slice(&row[..classes]);
        }
        Ok(outcome)
    }

    /// The activated maps before the pooling of the last forward pass, `[n, h, w, C]` with C padded to four.
    pub fn features(&self, device: &Device, count: usize) -> Result<Vec<f32>, GpuError> {
        let each = self.network.node(self.network.features).shape.padded_len();
        device.read_f32(self.buffers.get(buffers::FEATURES), 0, count * each)
    }

    /// Attacks a batch through `domain` and leaves the adversarial images as current. `seed` draws the random
    /// start and random targets.
    pub fn attack(
        &mut self,
        gpu: &mut Gpu,
        images: ImageBatch<'_>,
        attack: &AttackConfig,
        domain: usize,
        seed: u64,
    ) -> Result<(), GpuError> {
        self.attack_from(gpu, images, attack, domain, Draws { seed, start: 0 })
    }

    /// As [`Self::attack`], one of several starts.
    fn attack_from(
        &mut self,
        gpu: &mut Gpu,
        images: ImageBatch<'_>,
        attack: &AttackConfig,
        domain: usize,
        draws: Draws,
    ) -> Result<(), GpuError> {
        let (size, index) = self.begin_attack(gpu, images, attack, domain, draws)?;
        for _ in 0..attack.iterations() {
            gpu.play(&self.sizes[size].attacks[index].iteration)?;
        }
        gpu.submit()
    }

    /// Puts the start of an attack on the GPU; returns the places of its size and of its programs there.
    fn begin_attack(
        &mut self,
        gpu: &mut Gpu,
        images: ImageBatch<'_>,
        attack: &AttackConfig,
        domain: usize,
        draws: Draws,
    ) -> Result<(usize, usize), GpuError> {
        let size = self.size_for(&gpu.device, images.labels.len())?;
        let index = self.attack_programs(&gpu.device, size, &SizedKind::Signs(attack.clone()), domain)?;
        self.upload(&gpu.device, images);
        self.write_aims(&gpu.device, images, attack, draws);
        self.write_draws(&gpu.device, draws);
        gpu.play(&self.sizes[size].attacks[index].start)?;
        Ok((size, index))
    }

    /// What the random starts of the next programs are drawn from.
    fn write_draws(&self, device: &Device, Draws { seed, start }: Draws) {
        let seed = (seed ^ (seed >> 32)) as u32;
        let numbers = StepUniform { seed, step: start, ..StepUniform::default() };
        device.write(&self.step_uniform, 0, std::slice::from_ref(&numbers));
    }

    /// The classes that an attack goes away from, or with a target towards.
    fn write_aims(&self, device: &Device, images: ImageBatch<'_>, attack: &AttackConfig, draws: Draws) {
        let classes = self.network.classes as u32;
        let targeted = attack.target == AttackTarget::RandomWrong;
        let aims = images.labels.iter().zip(images.ids).map(|(label, id)| {
            if targeted {
                // By image, not by batch: the target must not depend on the batching.
                let mut rng = draws::generator(
                    draws.seed,
                    Stream::Target,
                    u64::MAX - u64::from(draws.start),
                    u64::from(*id),
                );
                draws::wrong_class(*label, classes, &mut rng)
            } else {
                *label
            }
        });
        self.write_labels(device, aims);
    }

    /// Reads the current images back, `[n, S, S, 3]` in 0..255.
    pub fn pixels(&self, device: &Device, count: usize) -> Result<Vec<f32>, GpuError> {
        let area = self.network.image_size.pow(2);
        let padded = device.read_f32(self.buffers.get(buffers::CURRENT), 0, count * area * 4)?;
        Ok(padded.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect())
    }
}

/// An attack on a finished network: nothing of it moves.
fn attack_pass(domain: usize) -> AttackPass {
    AttackPass { through: domain, statistics: Statistics::Running, weight_gradients: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{ModelOptions, build, init::initialize};
    use std::sync::Arc;

    const SIZE: usize = 33;

    /// Weights of a small network on the GPU, and `count` images for it.
    fn fixture(device: &Device, arch: &str, count: usize) -> (Network, [wgpu::Buffer; 2], Vec<f32>) {
        let options = ModelOptions { width: 0.1, depth: 0.3, stem_stride: 1, ..ModelOptions::plain(5, SIZE) };
        let network = build(arch, &options).unwrap();
        let arenas = initialize(arch, &network, 1);
        let buffers = [&arenas.params, &arenas.running].map(|values| {
            let buffer = device.storage("arena", values.len() as u64 * 4).unwrap();
            device.write(&buffer, 0, values);
            buffer
        });
        let pixels = (0..count * SIZE * SIZE * 3).map(|i| (i * i % 251) as f32).collect();
        (network, buffers, pixels)
    }

    #[test]
    fn recomputation_leaves_an_attack_as_it_is() {
        const IMAGES: usize = 3;
        let (config, device) = (Config::default(), Device::for_tests());
        let mut gpu = Gpu::new(Arc::clone(&device));
        for arch in ["tf_efficientnet_b0", "resnet50"] {
            let (network, [weights, running], pixels) = fixture(&gpu.device, arch, IMAGES);
            let images = ImageBatch { pixels: &pixels, labels: &[0, 1, 2], ids: &[0, 1, 2] };
            let attack = AttackConfig { epsilon: 2.0, ..AttackConfig::default() };
            let mut attacked = |recompute| {
                let mut inference =
                    Inference::new(&gpu.device, &config, &network, IMAGES, &weights, &running, |_, _| {})
                        .unwrap();
                inference.recompute = recompute;
                inference.attack(&mut gpu, images, &attack, 0, 7).unwrap();
                inference.pixels(&gpu.device, IMAGES).unwrap()
            };
            let plain = attacked(false);
            assert_ne!(plain, pixels, "{arch}");
            assert_eq!(plain, attacked(true), "{arch}");
        }
    }

    #[test]
    fn a_few_images_have_smaller_programs_and_the_same_results() {
        const IMAGES: usize = 8;
        let (config, device) = (Config::default(), Device::for_tests());
        let mut gpu = Gpu::new(Arc::clone(&device));
        for arch in ["tf_efficientnet_b0", "resnet50"] {
            let (network, [weights, running], pixels) = fixture(&gpu.device, arch, IMAGES);
            let mut inference =
                Inference::new(&gpu.device, &config, &network, IMAGES, &weights, &running, |_, _| {})
                    .unwrap();
            let attacks = ["pgd:eps=3,step=1,iters=2", "mifgsm:eps=3,step=1,iters=2"]
                .map(|spec| AttackConfig::parse_spec(spec).unwrap());
            let each = SIZE * SIZE * 3;
            let mut results = |count: usize| {
                let ids: Vec<u32> = (0..count as u32).collect();
                let labels: Vec<u32> = ids.iter().map(|id| id % 5).collect();
                let images = ImageBatch { pixels: &pixels[..count * each], labels: &labels, ids: &ids };
                let logits = inference.forward(&mut gpu, images, 0).unwrap().logits;
                let adversarial = attacks.each_ref().map(|attack| {
                    inference.attack(&mut gpu, images, attack, 0, 7).unwrap();
                    inference.pixels(&gpu.device, count).unwrap()
                });
                (inference.sizes.len(), logits, adversarial)
            };
            let (sizes, logits, adversarial) = results(IMAGES);
            assert_eq!(sizes, 1, "{arch}");
            for (count, sizes) in [(5, 1), (1, 2), (3, 3), (4, 3), (2, 4)] {
                let (found, few_logits, few_adversarial) = results(count);
                assert_eq!(found, sizes, "{arch}: sizes made when {count} images came");
                assert_eq!(few_logits, logits[..count * 5], "{arch}: {count} images");
                for (few, all) in few_adversarial.iter().zip(&adversarial) {
                    assert_eq!(*few, all[..count * each], "{arch}: {count} images");
                }
            }
        }
    }
}
