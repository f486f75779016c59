//! What a run and its preflight set up alike: how the data is read, how long the run is, what it starts with.

use crate::config::Config;
use crate::data::{Dataset, LoaderOptions, Recipe, Views};
use crate::models::{init, names};
use crate::training::checkpoint::load_tensors;
use crate::training::engine::Engine;
use crate::training::method;
use anyhow::Context as _;
use std::path::Path;

/// How a run reads its training set from `step` on.
pub(super) fn loader_options(config: &Config, step: u64) -> LoaderOptions {
    LoaderOptions {
        batch_size: config.run.batch_size,
        image_size: config.data.image_size,
        shuffle: config.data.shuffle,
        balanced: config.data.balanced,
        seed: config.run.seed,
        recipe: Recipe::from_config(&config.data),
        views: if method::wants_two_views(&config.method) { Views::Two } else { Views::One { policy: true } },
        start_step: step,
        workers: 0,
    }
}

/// Optimizer steps of the whole run.
pub(super) fn total_steps(config: &Config, steps_per_epoch: u64) -> u64 {
    config.run.steps.unwrap_or_else(|| (config.run.epochs * steps_per_epoch as f64).ceil() as u64)
}

/// What a fresh run starts with: drawn by the seed, or `run.init`.
pub(super) fn first_weights(config: &Config, engine: &Engine) -> anyhow::Result<init::Arenas> {
    let mut arenas = init::initialize(&config.model.arch, engine.network(), config.run.seed);
    if !config.run.init.is_empty() {
        load_init(config, engine, &mut arenas)?;
    }
    Ok(arenas)
}

/// The data's class names, checked against `model.classes`.
pub(super) fn class_names(config: &Config, set: &dyn Dataset) -> anyhow::Result<Vec<String>> {
    let mut names = set.class_names().to_vec();
    let wanted = config.model.classes;
    if wanted == 0 || wanted == names.len() {
        return Ok(names);
    }
    anyhow::ensure!(
        wanted > names.len(),
        "model.classes = {wanted}, but the data has {} classes; use 0 to take the data's number",
        names.len()
    );
    names.extend((names.len()..wanted).map(|class| format!("unused {class}")));
    Ok(names)
}

fn load_init(config: &Config, engine: &Engine, arenas: &mut init::Arenas) -> anyhow::Result<()> {
    let path = Path::new(&config.run.init);
    let tensors = load_tensors(path)?;
    names::import(&engine.network().layout, arenas, |name| {
        tensors.get(name).map(|t| (t.shape.as_slice(), t.data.as_slice()))
    })
    .with_context(|| format!("run.init = \"{}\" does not fit {}", path.display(), config.model.arch))
}
