//! A checkpoint opened for work: its own device, its own weights, one call a task. The commands `eval`,
//! `predict`, `attack` and `cam` are thin shells around this.

use super::activation_map::{self, CamMethod};
use super::auto_domain::Through;
use super::inference::{ImageBatch, Inference, Outcome, Strongest};
use super::robustness::pass::{Moment, Pass, PassEnd, Tallies};
use super::snapshot::bn_layers;
use crate::config::{AUTO, AttackConfig, Config, EvaluationAttack};
use crate::gpu::{Device, DeviceChoice, Gpu, Pause};
use crate::graph::Network;
use crate::models::init::Arenas;
use crate::models::{ModelOptions, build, names};
use crate::training::checkpoint::Meta;
use crate::training::events::{BnLayer, RunWeights};
use crate::training::state_dict_model::load_any;
use anyhow::Context as _;
use std::path::Path;

/// Which of a checkpoint's weights to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weights {
    /// The moving average when there is one.
    #[default]
    Auto,
    /// The weights as the optimizer left them.
    Raw,
    /// Their moving average; an error where the checkpoint has none.
    Ema,
}

/// What a forward pass found out about images.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// `[n, classes]`
    pub logits: Vec<f32>,
    /// Activated maps before the pooling, `[n, h, w, C]` with C padded to four.
    pub features: Vec<f32>,
}

impl Seen {
    /// What was seen in image `i` of so many.
    fn row(&self, i: usize, images: usize) -> Self {
        let part = |values: &[f32]| {
            let each = values.len() / images;
            values[i * each..][..each].to_vec()
        };
        Self { logits: part(&self.logits), features: part(&self.features) }
    }
}

/// A trained network ready to look at images.
pub struct Model {
    meta: Meta,
    config: Config,
    gpu: Gpu,
    inference: Inference,
    arenas: Arenas,
    /// The arenas on the GPU.
    weights: wgpu::Buffer,
    running: wgpu::Buffer,
    taken_for: Option<String>,
}

impl Model {
    /// Opens `checkpoint`, or a bare state dict of timm or torchvision, for batches of up to `batch` images.
    /// `progress` hears (pipelines done, of all).
    ///
    /// ```
    /// use dualprop::data::{Framing, load_image_file};
    /// use dualprop::evaluation::{Model, Weights};
    /// use dualprop::gpu::DeviceChoice;
    ///
    /// let checkpoint = "assets/sample/best.safetensors".as_ref();
    /// let mut model = Model::load(checkpoint, Weights::Auto, &DeviceChoice::Auto, 1, |_, _| ())?;
    /// let (size, framing) = (model.meta().image_size, Framing::of(&model.config().data));
    /// let bytes = load_image_file("assets/icon.png".as_ref(), size, framing)?;
    /// let pixels: Vec<f32> = bytes.into_iter().map(f32::from).collect();
    /// let main = model.domain_index("main")?;
    /// let logits = model.logits(&pixels, main)?;
    /// let best = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap_or(0);
    /// println!("{}", model.meta().classes[best]);
    /// # assert_eq!(logits.len(), model.meta().classes.len());
    /// # anyhow::Ok(())
    /// ```
    pub fn load(
        checkpoint: &Path,
        weights: Weights,
        device: &DeviceChoice,
        batch: usize,
        progress: impl FnMut(usize, usize),
    ) -> anyhow::Result<Self> {
        let Read { meta, config, network, arenas, taken_for } = read(checkpoint, weights)?;
        let model = Self::new(meta, config, &network, arenas, device, batch, progress)?;
        Ok(Self { taken_for, ..model })
    }

    fn new(
        meta: Meta,
        config: Config,
        network: &Network,
        arenas: Arenas,
        device: &DeviceChoice,
        batch: usize,
        progress: impl FnMut(usize, usize),
    ) -> anyhow::Result<Self> {
        let device = Device::open(device)?;
        let weights = device.storage("weights", arenas.params.len() as u64 * 4)?;
        let running = device.storage("running statistics", arenas.running.len() as u64 * 4)?;
        device.write(&weights, 0, &arenas.params);
        device.write(&running, 0, &arenas.running);
        let gpu = Gpu::new(device);
        let inference = Inference::new(&gpu.device, &config, network, batch, &weights, &running, progress)?;
        Ok(Self { meta, config, gpu, inference, arenas, weights, running, taken_for: None })
    }

    /// Opens a copy of a live run's weights for batches of up to `batch` images.
    pub fn of_run(weights: RunWeights, device: &DeviceChoice, batch: usize) -> anyhow::Result<Self> {
        let (network, config) = network_of(&weights.meta)?;
        Self::new(weights.meta, config, &network, weights.arenas, device, batch, |_, _| {})
    }

    /// Takes over newer weights of the same run; programs stay. Fails when they are those of another network.
    pub fn refresh(&mut self, weights: RunWeights) -> anyhow::Result<()> {
        let same = weights.arenas.params.len() == self.arenas.params.len()
            && weights.arenas.running.len() == self.arenas.running.len();
        anyhow::ensure!(same, "the run has another network than the one that is looked at");
        self.gpu.device.write(&self.weights, 0, &weights.arenas.params);
        self.gpu.device.write(&self.running, 0, &weights.arenas.running);
        (self.meta, self.arenas) = (weights.meta, weights.arenas);
        Ok(())
    }

    /// From here on `pause` is called between pieces of work, where the cores that do the work draw a window
    /// too; `None`: no more.
    pub fn give_way(&mut self, pause: Option<Pause>) {
        if self.gpu.device.report().device_type == "software" {
            self.gpu.player.pause_between(pause);
        }
    }

    /// What a file without this program's metadata was taken for, as a sentence.
    pub fn taken_for(&self) -> Option<&str> {
        self.taken_for.as_deref()
    }

    /// The network of the checkpoint.
    pub fn network(&self) -> &Network {
        self.inference.network()
    }

    /// Every BN layer's statistics and affine parameters by domain.
    pub fn bn_layers(&self) -> Vec<BnLayer> {
        bn_layers(&self.inference.network().layout, &self.arenas)
    }

    /// Architecture, classes, domains and step of the checkpoint.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// The configuration that the checkpoint was trained with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The most images of one batch; longer lists are cut into batches.
    pub fn batch(&self) -> usize {
        self.inference.batch()
    }

    /// What `name` means for this checkpoint: one of its BN domains, or `auto`, the choice by image.
    pub fn through(&self, name: &str) -> anyhow::Result<Through> {
        match (name, self.meta.domains.len()) {
            (AUTO, 2..) => Ok(Through::Auto),
            (AUTO, _) => Ok(Through::Domain(0)),
            _ => Ok(Through::Domain(self.domain_index(name)?)),
        }
    }

    /// Index of a BN domain by name.
    pub fn domain_index(&self, name: &str) -> anyhow::Result<usize> {
        self.meta.domains.iter().position(|d| d == name).with_context(|| {
            format!("--domain {name}: this checkpoint has the domains {}", self.meta.domains.join(", "))
        })
    }

    /// The domain that fits each image of pixels `[n, S, S, 3]` in 0..255, any n.
    pub fn choose_domains(&mut self, pixels: &[f32]) -> anyhow::Result<Vec<usize>> {
        let mut choices = Vec::new();
        for (part, labels, ids) in self.parts(pixels, None, None) {
            let images = ImageBatch { pixels: part, labels: &labels, ids: &ids };
            choices.extend(self.inference.choose_domains(&mut self.gpu, images)?);
        }
        Ok(choices)
    }

    /// Logits `[n, classes]` of pixels `[n, S, S, 3]` in 0..255, any n.
    pub fn logits(&mut self, pixels: &[f32], through: impl Into<Through>) -> anyhow::Result<Vec<f32>> {
        Ok(self.see(pixels, through)?.logits)
    }

    /// What a forward pass through a domain finds, or each image's pass through the domain that fits it, for
    /// pixels `[n, S, S, 3]` in 0..255, any n. Without labels the losses and hits are those of class 0.
    pub fn outcome(
        &mut self,
        pixels: &[f32],
        labels: Option<&[usize]>,
        through: impl Into<Through>,
    ) -> anyhow::Result<Outcome> {
        let through = through.into();
        let mut all = Outcome::default();
        for (part, labels, ids) in self.parts(pixels, labels, None) {
            let images = ImageBatch { pixels: part, labels: &labels, ids: &ids };
            all.extend(match through {
                Through::Domain(domain) => self.inference.forward(&mut self.gpu, images, domain)?,
                Through::Auto => self.inference.against_auto(&mut self.gpu, images, part.to_vec())?.outcome,
            });
        }
        Ok(all)
    }

    /// Adversarial pixels for `labels` through `domain`, by running statistics.
    pub fn attack(
        &mut self,
        pixels: &[f32],
        labels: &[usize],
        attack: &AttackConfig,
        domain: usize,
        seed: u64,
        ids: &[u32],
    ) -> anyhow::Result<Vec<f32>> {
        let mut adversarial = Vec::with_capacity(pixels.len());
        for (part, labels, ids) in self.parts(pixels, Some(labels), Some(ids)) {
            let images = ImageBatch { pixels: part, labels: &labels, ids: &ids };
            self.inference.attack(&mut self.gpu, images, attack, domain, seed)?;
            adversarial.extend(self.inference.pixels(&self.gpu.device, labels.len())?);
        }
        Ok(adversarial)
    }

    /// The worst of all starts of an attack for each image, for `labels` through a domain or against the
    /// choice by image; see [`Inference::strongest_through`].
    pub fn strongest(
        &mut self,
        pixels: &[f32],
        labels: &[usize],
        attack: &EvaluationAttack,
        through: impl Into<Through>,
        seed: u64,
        ids: &[u32],
    ) -> anyhow::Result<Strongest> {
        if let Some(fault) = attack.fault(self.meta.classes.len()) {
            anyhow::bail!(fault);
        }
        let through = through.into();
        let mut all = Strongest::default();
        for (part, labels, ids) in self.parts(pixels, Some(labels), Some(ids)) {
            let images = ImageBatch { pixels: part, labels: &labels, ids: &ids };
            let found = self.inference.strongest_through(&mut self.gpu, images, attack, through, seed)?;
            all.outcome.extend(found.outcome);
            all.pixels.extend(found.pixels);
        }
        Ok(all)
    }

    /// As [`Self::attack`], with the loss of each image (nats, against `labels`) before every iteration,
    /// `[iterations][n]`.
    pub fn traced_attack(
        &mut self,
        pixels: &[f32],
        labels: &[usize],
        attack: &AttackConfig,
        domain: usize,
        seed: u64,
        ids: &[u32],
    ) -> anyhow::Result<(Vec<f32>, Vec<Vec<f32>>)> {
        let mut adversarial = Vec::with_capacity(pixels.len());
        let mut losses = vec![Vec::new(); attack.iterations() as usize];
        for (part, labels, ids) in self.parts(pixels, Some(labels), Some(ids)) {
            let images = ImageBatch { pixels: part, labels: &labels, ids: &ids };
            let traced = self.inference.traced_attack(&mut self.gpu, images, attack, domain, seed)?;
            losses.iter_mut().zip(traced).for_each(|(all, part)| all.extend(part));
            adversarial.extend(self.inference.pixels(&self.gpu.device, labels.len())?);
        }
        Ok((adversarial, losses))
    }

    /// The inputs of BN layer `layer` through `domain`, `[rows, channels]`; see [`Inference::bn_input`].
    pub fn bn_input(&mut self, pixels: &[f32], domain: usize, layer: usize) -> anyhow::Result<Vec<f32>> {
        let mut rows = Vec::new();
        for (part, labels, ids) in self.parts(pixels, None, None) {
            let images = ImageBatch { pixels: part, labels: &labels, ids: &ids };
            rows.extend(self.inference.bn_input(&mut self.gpu, images, domain, layer)?);
        }
        Ok(rows)
    }

    /// What a forward pass sees in pixels `[n, S, S, 3]` of 0..255, any n.
    pub fn see(&mut self, pixels: &[f32], through: impl Into<Through>) -> anyhow::Result<Seen> {
        let each = self.inference.network().image_size.pow(2) * 3;
        let choices = match through.into() {
            Through::Domain(domain) => return self.see_through(pixels, domain),
            Through::Auto => self.choose_domains(pixels)?,
        };
        let mut rows: Vec<Seen> = vec![Seen::default(); choices.len()];
        for domain in 0..self.meta.domains.len() {
            let places: Vec<usize> = (0..choices.len()).filter(|i| choices[*i] == domain).collect();
            let pixels: Vec<f32> = places.iter().flat_map(|i| &pixels[i * each..][..each]).copied().collect();
            let seen = self.see_through(&pixels, domain)?;
            for (at, i) in places.iter().enumerate() {
                rows[*i] = seen.row(at, places.len());
            }
        }
        Ok(Seen {
            logits: rows.iter().flat_map(|seen| &seen.logits).copied().collect(),
            features: rows.into_iter().flat_map(|seen| seen.features).collect(),
        })
    }

    fn see_through(&mut self, pixels: &[f32], domain: usize) -> anyhow::Result<Seen> {
        let mut seen = Seen::default();
        for (part, labels, ids) in self.parts(pixels, None, None) {
            let images = ImageBatch { pixels: part, labels: &labels, ids: &ids };
            let outcome = self.inference.forward(&mut self.gpu, images, domain)?;
            seen.logits.extend(outcome.logits);
            seen.features.extend(self.inference.features(&self.gpu.device, labels.len())?);
        }
        Ok(seen)
    }

    /// Class activation maps of what was seen at the features' resolution, one an image.
    pub fn maps(&self, seen: &Seen, classes: &[usize], method: CamMethod) -> Vec<Vec<f32>> {
        let network = self.inference.network();
        activation_map::maps(network, &self.arenas.params, &seen.features, classes, method)
    }

    /// Measures a set under several conditions; see [`Pass::run`].
    pub fn measure(
        &mut self,
        pass: &Pass<'_>,
        tallies: &mut Tallies,
        go_on: impl FnMut(Moment<'_>) -> bool,
    ) -> anyhow::Result<PassEnd> {
        pass.run(&mut self.gpu, &mut self.inference, &self.arenas.params, tallies, go_on)
    }

    /// Cuts images into batches with their labels (0 where none are given) and numbers (position by default).
    fn parts<'a>(
        &self,
        pixels: &'a [f32],
        labels: Option<&[usize]>,
        ids: Option<&[u32]>,
    ) -> Vec<(&'a [f32], Vec<u32>, Vec<u32>)> {
        let each = self.inference.network().image_size.pow(2) * 3;
        let batch = self.inference.batch();
        pixels
            .chunks(batch * each)
            .enumerate()
            .map(|(index, part)| {
                let range = index * batch..index * batch + part.len() / each;
                let labels = labels.map_or_else(
                    || vec![0; range.len()],
                    |l| l[range.clone()].iter().map(|label| *label as u32).collect(),
                );
                let ids = ids
                    .map_or_else(|| range.clone().map(|i| i as u32).collect(), |i| i[range.clone()].to_vec());
                (part, labels, ids)
            })
            .collect()
    }
}

/// What a file holds, without a GPU.
struct Read {
    meta: Meta,
    config: Config,
    network: Network,
    arenas: Arenas,
    /// See [`Model::taken_for`].
    taken_for: Option<String>,
}

/// A checkpoint's network with its weights, or that of a bare state dict.
fn read(checkpoint: &Path, weights: Weights) -> anyhow::Result<Read> {
    let (file, taken_for) = load_any(checkpoint)?;
    let shown = checkpoint.display();
    let (network, config) =
        network_of(&file.meta).with_context(|| format!("{shown}: not a checkpoint of this program"))?;
    let has_ema = file.tensors.keys().any(|name| name.starts_with("ema."));
    let prefix = match weights {
        Weights::Raw => "",
        Weights::Ema if !has_ema => anyhow::bail!("{shown}: this checkpoint has no EMA weights"),
        Weights::Ema => "ema.",
        Weights::Auto if has_ema => "ema.",
        Weights::Auto => "",
    };
    let mut arenas = Arenas {
        params: vec![0.0; network.layout.param_len],
        running: vec![0.0; network.layout.running_len],
    };
    names::import(&network.layout, &mut arenas, |name| {
        let key = format!("{prefix}{name}");
        file.tensors.get(&key).map(|t| (t.shape.as_slice(), t.data.as_slice()))
    })
    .with_context(|| format!("{shown}: does not fit {}", file.meta.arch))?;
    Ok(Read { meta: file.meta, config, network, arenas, taken_for })
}

/// The BN layers of a checkpoint (of its moving average when there is one) and its finished steps. Needs no
/// GPU.
pub fn bn_layers_of(checkpoint: &Path) -> anyhow::Result<(u64, Vec<BnLayer>)> {
    let Read { meta, network, arenas, .. } = read(checkpoint, Weights::Auto)?;
    Ok((meta.step, bn_layers(&network.layout, &arenas)))
}

/// The network that a checkpoint's metadata describes, with the configuration it carries.
pub fn network_of(meta: &Meta) -> anyhow::Result<(Network, Config)> {
    let mut config = if meta.config.is_empty() {
        Config::default()
    } else {
        Config::parse(&meta.config, "the checkpoint's config", &[])?
    };
    config.model.arch.clone_from(&meta.arch);
    config.data.image_size = meta.image_size;
    config.data.mean = meta.mean;
    config.data.std = meta.std;
    let (classes, domains) = (meta.classes.len(), meta.domains.len());
    anyhow::ensure!(classes > 0 && domains > 0, "its metadata names no classes or no domains");
    let options = ModelOptions::from_config(&config.model, meta.image_size, classes, domains);
    Ok((build(&meta.arch, &options)?, config))
}
