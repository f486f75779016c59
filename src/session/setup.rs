//! What a run and its preflight set up alike: how the data is read, how long the run is, what it starts with.

use super::state;
use crate::config::Config;
use crate::data::{Dataset, LoaderOptions, Recipe, Views};
use crate::graph::Network;
use crate::models::{init, names};
use crate::training::checkpoint::{Checkpoint, load_tensors};
use crate::training::method;
use anyhow::Context as _;
use std::path::Path;

/// Classes named in a warning.
const SHOWN_CLASSES: usize = 5;

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

/// What a fresh run starts with: drawn by the seed, or `run.init`.
pub(super) fn first_weights(config: &Config, network: &Network) -> anyhow::Result<init::Arenas> {
    let mut arenas = init::initialize(&config.model.arch, network, config.run.seed);
    if !config.run.init.is_empty() {
        load_init(config, network, &mut arenas)?;
    }
    Ok(arenas)
}

/// The data's class names, checked against `model.classes`.
pub(super) fn class_names(config: &Config, set: &dyn Dataset) -> anyhow::Result<Vec<String>> {
    let mut names = set.class_names().to_vec();
    anyhow::ensure!(names.len() > 1, "the data has one class, {}; expected at least 2", names.join(""));
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

fn load_init(config: &Config, network: &Network, arenas: &mut init::Arenas) -> anyhow::Result<()> {
    let path = Path::new(&config.run.init);
    let tensors = load_tensors(path).context("run.init")?;
    names::import(&network.layout, arenas, |name| {
        tensors.get(name).map(|t| (t.shape.as_slice(), t.data.as_slice()))
    })
    .with_context(|| format!("run.init = \"{}\" does not fit {}", path.display(), config.model.arch))
}

/// Fails when the data are not those that the checkpoint's run began with.
pub(super) fn check_same_data(
    checkpoint: &Checkpoint,
    classes: &[String],
    train_images: usize,
) -> anyhow::Result<()> {
    let began = &checkpoint.meta.classes;
    if began != classes {
        let differs = began.iter().zip(classes).find(|(a, b)| a != b);
        let what = match differs {
            Some((before, now)) => format!("the class \"{now}\" in the place of \"{before}\""),
            None => format!("{} classes instead of {}", classes.len(), began.len()),
        };
        anyhow::bail!("the data have {what}; expected those that the resumed run began with");
    }
    let images = state::train_images(checkpoint);
    anyhow::ensure!(
        images.is_none_or(|images| images == train_images as u64),
        "the training set has {train_images} images; expected the {} that the resumed run began with",
        images.unwrap_or_default()
    );
    Ok(())
}

/// Warns of classes without a training image.
pub(super) fn empty_classes(train: &dyn Dataset) -> Option<String> {
    let mut images = vec![0_usize; train.class_names().len()];
    for index in 0..train.len() {
        if let Some(count) = images.get_mut(train.label(index)) {
            *count += 1;
        }
    }
    let empty = train.class_names().iter().zip(&images).filter(|(_, images)| **images == 0);
    let mut names: Vec<&str> = empty.map(|(name, _)| name.as_str()).collect();
    let more = names.len().saturating_sub(SHOWN_CLASSES);
    names.truncate(SHOWN_CLASSES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!names.is_empty()).then(|| format!("no training image is of the class {}{more}", names.join(", ")))
}
