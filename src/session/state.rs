//! A run's state between the GPU's arenas and a checkpoint's named tensors.

use crate::config::Config;
use crate::gpu::{BufferId, GpuError};
use crate::kernels::loss_scale::LossScale;
use crate::models::init::Arenas;
use crate::models::names;
use crate::training::buffers;
use crate::training::checkpoint::{Checkpoint, FORMAT_VERSION, Meta, Tensor, VALIDATED};
use crate::training::engine::Engine;
use crate::training::optimizer;
use anyhow::Context as _;
use std::collections::BTreeMap;

/// Counters of the loop that a resumed run needs besides the step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LoopState {
    /// Best value of `eval.best` so far, larger is better, and whether there is one.
    pub best: Option<f32>,
    /// Validations since then.
    pub stale: u64,
    /// The step of the last validation that was finished.
    pub validated: u64,
    /// Images of the training set; 0 where unknown.
    pub train_images: u64,
    /// What the user multiplied the schedule's learning rate by.
    pub lr_factor: f64,
}

impl Default for LoopState {
    fn default() -> Self {
        Self { best: None, stale: 0, validated: 0, train_images: 0, lr_factor: 1.0 }
    }
}

impl LoopState {
    fn to_map(self) -> BTreeMap<String, u64> {
        let mut map = BTreeMap::from([
            ("stale".to_owned(), self.stale),
            (VALIDATED.to_owned(), self.validated),
            ("train_images".to_owned(), self.train_images),
        ]);
        if let Some(best) = self.best {
            map.insert("best".to_owned(), u64::from(best.to_bits()));
        }
        if self.lr_factor != 1.0 {
            map.insert("lr_factor".to_owned(), self.lr_factor.to_bits());
        }
        map
    }

    /// Of a checkpoint after `step`.
    fn from_map(map: &BTreeMap<String, u64>, step: u64) -> Self {
        let best = map.get("best").map(|bits| f32::from_bits(*bits as u32));
        let number = |name: &str| map.get(name).copied();
        let lr_factor = number("lr_factor").map_or(1.0, f64::from_bits);
        Self {
            best,
            stale: number("stale").unwrap_or(0),
            validated: number(VALIDATED).unwrap_or(step),
            train_images: number("train_images").unwrap_or(0),
            lr_factor,
        }
    }
}

/// Images of the training set of a checkpoint's run, where it tells.
pub(super) fn train_images(checkpoint: &Checkpoint) -> Option<u64> {
    let state = LoopState::from_map(&checkpoint.loop_state, checkpoint.meta.step);
    Some(state.train_images).filter(|images| *images > 0)
}

/// Names of the words of a [`LossScale`] in the loop's state.
const SCALE_NAMES: [&str; 4] =
    ["loss_scale", "loss_scale_good_steps", "loss_scale_overflow", "skipped_steps"];

fn read(engine: &Engine, params: BufferId, running: BufferId) -> Result<Arenas, GpuError> {
    let layout = &engine.network().layout;
    let (device, made) = (engine.device(), engine.buffers());
    Ok(Arenas {
        params: device.read_f32(made.get(params), 0, layout.param_len)?,
        running: device.read_f32(made.get(running), 0, layout.running_len)?,
    })
}

/// The weights that validation looks through: the EMA when there is one.
pub(super) fn shown_arenas(engine: &Engine, config: &Config) -> Result<Arenas, GpuError> {
    if config.ema.decay > 0.0 {
        read(engine, buffers::EMA_PARAMS, buffers::EMA_RUNNING)
    } else {
        read(engine, buffers::PARAMS, buffers::RUNNING)
    }
}

/// What a reader of the weights needs to know of them.
pub(super) fn meta(engine: &Engine, config: &Config, classes: &[String], step: u64, epoch: f64) -> Meta {
    Meta {
        format_version: FORMAT_VERSION,
        arch: config.model.arch.clone(),
        classes: classes.to_vec(),
        domains: engine.domain_names(),
        image_size: config.data.image_size,
        mean: config.data.mean,
        std: config.data.std,
        config: config.resolved_toml(),
        step,
        epoch,
    }
}

/// Reads the whole state back. Fails rather than hand out weights that are not finite.
pub(super) fn checkpoint(
    engine: &Engine,
    config: &Config,
    classes: &[String],
    step: u64,
    epoch: f64,
    state: LoopState,
) -> anyhow::Result<Checkpoint> {
    let layout = &engine.network().layout;
    let raw = read(engine, buffers::PARAMS, buffers::RUNNING)?;
    anyhow::ensure!(
        raw.params.iter().chain(&raw.running).all(|v| v.is_finite()),
        "the weights are no longer finite after step {step}: the training diverged; start a new run with a lower \
         optimizer.lr"
    );
    let mut tensors = BTreeMap::new();
    let mut keep = |prefix: &str, list: Vec<(String, Vec<usize>, Vec<f32>)>| {
        for (name, shape, data) in list {
            tensors.insert(format!("{prefix}{name}"), Tensor { shape, data });
        }
    };
    keep("", names::export(layout, &raw));
    if config.ema.decay > 0.0 {
        keep("ema.", names::export(layout, &read(engine, buffers::EMA_PARAMS, buffers::EMA_RUNNING)?));
    }
    for (name, id) in optimizer::state_buffers(&optimizer::rule(config)) {
        let arena = engine.device().read_f32(engine.buffers().get(*id), 0, layout.param_len)?;
        keep(&format!("optimizer.{name}."), names::export_params(layout, &arena));
    }
    let meta = meta(engine, config, classes, step, epoch);
    let mut loop_state = state.to_map();
    if let Some(scale) = engine.loss_scale()? {
        for (name, value) in SCALE_NAMES.into_iter().zip(scale.words()) {
            loop_state.insert(name.to_owned(), value.into());
        }
    }
    Ok(Checkpoint { meta, tensors, loop_state })
}

/// Puts a checkpoint's state back on the GPU, bit for bit.
pub(super) fn restore(engine: &mut Engine, config: &Config, from: &Checkpoint) -> anyhow::Result<LoopState> {
    let (raw, average) = {
        let network = engine.network();
        (
            arenas_from(from, network, "")?,
            (config.ema.decay > 0.0).then(|| arenas_from(from, network, "ema.")),
        )
    };
    engine.load_fresh(&raw);
    let layout = engine.network().layout.clone();
    let (device, made) = (engine.device(), engine.buffers());
    if let Some(average) = average {
        let average = average?;
        device.write(made.get(buffers::EMA_PARAMS), 0, &average.params);
        device.write(made.get(buffers::EMA_RUNNING), 0, &average.running);
    }
    let rule = optimizer::rule(config);
    for ((name, id), start) in optimizer::state_buffers(&rule).iter().zip(rule.initial_state()) {
        // Padding keeps its start value: no gradient ever reaches it.
        let mut arena = vec![*start; layout.param_len];
        names::import_params(&layout, &mut arena, |tensor| {
            from.tensors
                .get(&format!("optimizer.{name}.{tensor}"))
                .map(|t| (t.shape.as_slice(), t.data.as_slice()))
        })
        .with_context(|| format!("optimizer state \"{name}\" of the checkpoint"))?;
        device.write(made.get(*id), 0, &arena);
    }
    let words = SCALE_NAMES.map(|name| from.loop_state.get(name).map(|word| *word as u32));
    if let [Some(scale), Some(good), Some(overflow), Some(skipped)] = words {
        engine.set_loss_scale(LossScale::from_words([scale, good, overflow, skipped]));
    }
    let state = LoopState::from_map(&from.loop_state, from.meta.step);
    engine.set_lr_factor(state.lr_factor);
    Ok(state)
}

fn arenas_from(from: &Checkpoint, network: &crate::graph::Network, prefix: &str) -> anyhow::Result<Arenas> {
    let mut arenas = Arenas {
        params: vec![0.0; network.layout.param_len],
        running: vec![0.0; network.layout.running_len],
    };
    names::import(&network.layout, &mut arenas, |name| {
        from.tensors.get(&format!("{prefix}{name}")).map(|t| (t.shape.as_slice(), t.data.as_slice()))
    })
    .context("the checkpoint does not fit this run's network")?;
    Ok(arenas)
}
