//! Checkpoints: named f32 tensors under timm's names with the facts that a reader needs beside them, in one
//! safetensors file. BN layer `X` keeps the main domain under its own names and auxiliary domain K under
//! `X.aux_bn.K`, as timm's SplitBatchNorm2d does; training state is under `optimizer.`, `ema.` and `loop.`.

use crate::config::{Config, Domain};
use crate::interop::rounding::Rounding;
pub use crate::interop::tensor_file::Tensor;
use crate::interop::tensor_file::{self, TensorFile};
use anyhow::{anyhow, ensure};
use std::collections::BTreeMap;
use std::path::Path;

/// The format that this version writes and reads.
pub const FORMAT_VERSION: u32 = 1;

const OPTIMIZER: &str = "optimizer.";
const EMA: &str = "ema.";
const LOOP: &str = "loop.";

/// Name in the loop's state of the step whose validation was the last to be finished: a checkpoint is written
/// before the validation of its step, and again behind it.
pub const VALIDATED: &str = "validated";

/// Largest side of an input image that a file may claim, pixels.
const MAX_IMAGE_SIZE: usize = 8192;

/// Facts about the network of a checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Meta {
    /// See [`FORMAT_VERSION`].
    pub format_version: u32,
    /// The network, by timm's name.
    pub arch: String,
    /// Names by index.
    pub classes: Vec<String>,
    /// BN domains by index; the first is `main`.
    pub domains: Vec<String>,
    /// Side of the square input, pixels.
    pub image_size: usize,
    /// Input = (pixel/255 − mean) / std, per RGB channel.
    pub mean: [f32; 3],
    /// Spread of each RGB channel; see `mean`.
    pub std: [f32; 3],
    /// The resolved configuration as TOML.
    pub config: String,
    /// Finished optimizer steps.
    pub step: u64,
    /// Finished epochs, with fraction.
    pub epoch: f64,
}

/// A file's contents.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Facts about the network.
    pub meta: Meta,
    /// Network, `optimizer.*` and `ema.*` tensors. Conv weights are OIHW.
    pub tensors: BTreeMap<String, Tensor>,
    /// Loop state by name without its `loop.` prefix; floats by `to_bits`.
    pub loop_state: BTreeMap<String, u64>,
}

impl Checkpoint {
    /// Writes the file whole to a temporary name, syncs and renames: a crash or a full disk leaves the last
    /// good file. Equal contents give equal bytes.
    pub fn save_atomic(&self, path: &Path) -> anyhow::Result<()> {
        let integers =
            self.loop_state.iter().map(|(name, value)| (format!("{LOOP}{name}"), *value)).collect();
        tensor_file::write(path, &self.meta.to_strings()?, &self.tensors, &integers)
    }

    /// As [`Self::save_atomic`], but the weights are stored as f16 and training state is left out; returns
    /// what the rounding cost. Fails where a weight is beyond f16.
    pub fn save_atomic_f16(&self, path: &Path) -> anyhow::Result<Rounding> {
        tensor_file::write_f16(path, &self.meta.to_strings()?, &self.tensors)
    }

    /// Reads a file; every fault is one sentence that names it.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        Self::of_file(TensorFile::read(path)?, path)
    }

    /// As [`Checkpoint::load`], but without the tensors: how far the run had come, in little time for a file
    /// of any size.
    pub fn load_facts(path: &Path) -> anyhow::Result<Self> {
        Self::of_file(TensorFile::read_facts(path)?, path)
    }

    /// Whether this program wrote `file`.
    pub(super) fn is_one(file: &TensorFile) -> bool {
        file.metadata.contains_key("format_version")
    }

    pub(super) fn of_file(file: TensorFile, path: &Path) -> anyhow::Result<Self> {
        if !Self::is_one(&file) {
            return Err(anyhow!(
                "{} has no DualProp metadata; expected a checkpoint (`dualprop import` makes one of a timm or torchvision file)",
                path.display()
            ));
        }
        file.check_values().map_err(|e| anyhow!("{} cannot be used: {e}", path.display()))?;
        let meta = Meta::from_strings(&file.metadata)
            .map_err(|e| anyhow!("{} is no usable checkpoint: {e:#}", path.display()))?;
        let loop_state = file
            .integers
            .into_iter()
            .filter_map(|(k, v)| Some((k.strip_prefix(LOOP)?.to_string(), v)))
            .collect();
        Ok(Self { meta, tensors: file.tensors, loop_state })
    }

    /// The configuration of the run that wrote the file.
    pub fn config(&self) -> anyhow::Result<Config> {
        Ok(Config::parse(&self.meta.config, "the checkpoint's configuration", &[])?)
    }

    /// Whether the file holds a moving average beside the last weights.
    pub fn has_ema(&self) -> bool {
        self.tensors.keys().any(|name| name.starts_with(EMA))
    }

    /// The network's tensors without training state: the moving average where `ema` says so, every domain
    /// kept.
    pub fn network(&self, ema: bool) -> anyhow::Result<BTreeMap<String, Tensor>> {
        let raw =
            self.tensors.iter().filter(|(name, _)| !name.starts_with(OPTIMIZER) && !name.starts_with(EMA));
        raw.map(|(name, tensor)| {
            let chosen = if ema {
                self.tensors.get(&format!("{EMA}{name}")).ok_or_else(|| {
                    anyhow!("the checkpoint has no moving average of \"{name}\"; use --weights raw")
                })?
            } else {
                tensor
            };
            Ok((name.clone(), chosen.clone()))
        })
        .collect()
    }

    /// A copy without training state that keeps every BN domain: half of the file or less.
    pub fn without_training_state(&self, ema: bool) -> anyhow::Result<Self> {
        Ok(Self { meta: self.meta.clone(), tensors: self.network(ema)?, loop_state: BTreeMap::new() })
    }

    /// A deployable copy with one BN domain under the main names and without training state.
    pub fn with_one_domain(&self, domain: usize, ema: bool) -> anyhow::Result<Self> {
        let mut tensors = self.network(ema)?;
        let auxiliary: Vec<String> =
            tensors.keys().filter(|name| name.contains(".aux_bn.")).cloned().collect();
        for name in auxiliary {
            let Some(tensor) = tensors.remove(&name) else { continue };
            let (layer, rest) = name.split_once(".aux_bn.").unwrap_or_default();
            let (number, value) = rest.split_once('.').unwrap_or_default();
            if number.parse() == Ok(domain.wrapping_sub(1)) {
                tensors.insert(format!("{layer}.{value}"), tensor);
            }
        }
        let meta = Meta { domains: Domain::names_of(1), ..self.meta.clone() };
        Ok(Self { meta, tensors, loop_state: BTreeMap::new() })
    }
}

/// The tensors of any safetensors file, such as timm's, without its metadata.
pub fn load_tensors(path: &Path) -> anyhow::Result<BTreeMap<String, Tensor>> {
    Ok(TensorFile::read(path)?.tensors)
}

impl Meta {
    fn to_strings(&self) -> anyhow::Result<BTreeMap<String, String>> {
        Ok([
            ("format_version", self.format_version.to_string()),
            ("arch", self.arch.clone()),
            ("classes", serde_json::to_string(&self.classes)?),
            ("domains", serde_json::to_string(&self.domains)?),
            ("image_size", self.image_size.to_string()),
            ("mean", serde_json::to_string(&self.mean)?),
            ("std", serde_json::to_string(&self.std)?),
            ("config", self.config.clone()),
            ("step", self.step.to_string()),
            ("epoch", self.epoch.to_string()),
        ]
        .map(|(key, value)| (key.to_string(), value))
        .into())
    }

    fn from_strings(entries: &BTreeMap<String, String>) -> anyhow::Result<Self> {
        let format_version = number(entries, "format_version")?;
        ensure!(
            format_version == FORMAT_VERSION,
            "its format version is {format_version}, this program reads {FORMAT_VERSION}"
        );
        let meta = Self {
            format_version,
            arch: entry(entries, "arch")?.to_string(),
            classes: list(entries, "classes")?,
            domains: list(entries, "domains")?,
            image_size: number(entries, "image_size")?,
            mean: list(entries, "mean")?,
            std: list(entries, "std")?,
            config: entry(entries, "config")?.to_string(),
            step: number(entries, "step")?,
            epoch: number(entries, "epoch")?,
        };
        ensure!(!meta.classes.is_empty(), "its list of classes is empty");
        ensure!(!meta.domains.is_empty(), "its list of domains is empty");
        ensure!(
            (1..=MAX_IMAGE_SIZE).contains(&meta.image_size),
            "its image_size is {}; expected 1 to {MAX_IMAGE_SIZE}",
            meta.image_size
        );
        let finite = meta.mean.iter().chain(&meta.std).all(|v| v.is_finite());
        ensure!(finite && meta.std.iter().all(|s| *s > 0.0), "its mean or std is no usable number");
        ensure!(meta.epoch.is_finite() && meta.epoch >= 0.0, "its epoch is {}", meta.epoch);
        Ok(meta)
    }
}

fn entry<'a>(entries: &'a BTreeMap<String, String>, key: &str) -> anyhow::Result<&'a str> {
    entries.get(key).map(String::as_str).ok_or_else(|| anyhow!("its metadata lacks `{key}`"))
}

fn number<T: std::str::FromStr>(entries: &BTreeMap<String, String>, key: &str) -> anyhow::Result<T> {
    let text = entry(entries, key)?;
    text.parse().map_err(|_| anyhow!("its metadata `{key}` is \"{text}\"; expected a number"))
}

fn list<T: serde::de::DeserializeOwned>(entries: &BTreeMap<String, String>, key: &str) -> anyhow::Result<T> {
    let text = entry(entries, key)?;
    serde_json::from_str(text).map_err(|e| anyhow!("its metadata `{key}` is no valid JSON list ({e})"))
}
