//! What a run and its preflight set up alike: how the data is read and which classes it has.

use super::state;
use crate::config::Config;
use crate::data::{
    ClassesBy, Corrupting, Dataset, LoaderOptions, Recipe, Splits, Views, match_classes, unused_class,
};
use crate::graph::Network;
use crate::training::checkpoint::Checkpoint;
use crate::training::engine::RunLength;
use crate::training::{bn_values, method, settling};
use anyhow::Context as _;
use std::sync::Arc;

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
        corrupting: method::wants_corrupted(&config.method).then(|| Corrupting::from_config(config)),
        start_step: step,
        workers: 0,
    }
}

/// Fails where a batch norm could not work; else sentences on moving averages that the run is too short for.
pub(super) fn check_statistics(
    config: &Config,
    network: &Network,
    length: RunLength,
) -> anyhow::Result<Vec<String>> {
    let RunLength { steps_per_epoch, total_steps } = length;
    let images = config.run.batch_size / config.run.accumulate;
    bn_values::check(network, &method::phases(&config.method, images, steps_per_epoch, total_steps))?;
    let moves = network.moves_statistics();
    Ok(settling::sentences(config, moves.then_some(network.bn.momentum), total_steps))
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
    names.extend((names.len()..wanted).map(unused_class));
    Ok(names)
}

/// Gives the data the classes that the checkpoint's run began with; a sentence where their order is another
/// one now. Fails when the data are not those of that run.
pub(super) fn follow_checkpoint(
    splits: &mut Splits,
    classes: &mut Vec<String>,
    checkpoint: &Checkpoint,
) -> anyhow::Result<Option<String>> {
    let began = &checkpoint.meta.classes;
    let mut note = None;
    if began != classes {
        let sets = [&mut splits.train, &mut splits.val].into_iter();
        for set in sets.chain(splits.extra.iter_mut().map(|(_, set)| set)) {
            let matched = match_classes(Arc::clone(set), began, &ClassesBy::SameNames)
                .context("expected the data that the resumed run began with")?;
            note = note.or(matched.note);
            *set = matched.set;
        }
        classes.clone_from(began);
    }
    let (now, before) = (splits.train.len(), state::train_images(checkpoint));
    anyhow::ensure!(
        before.is_none_or(|images| images == now as u64),
        "the training set has {now} images; expected the {} that the resumed run began with",
        before.unwrap_or_default()
    );
    Ok(note)
}

/// Warns of classes without an image in a set, which `what` the set is for.
pub(super) fn empty_classes(set: &dyn Dataset, what: &str) -> Option<String> {
    let mut images = vec![0_usize; set.class_names().len()];
    for index in 0..set.len() {
        if let Some(count) = images.get_mut(set.label(index)) {
            *count += 1;
        }
    }
    let empty = set.class_names().iter().zip(&images).filter(|(_, images)| **images == 0);
    let mut names: Vec<&str> = empty.map(|(name, _)| name.as_str()).collect();
    let more = names.len().saturating_sub(SHOWN_CLASSES);
    names.truncate(SHOWN_CLASSES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!names.is_empty()).then(|| format!("no {what} image is of the class {}{more}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Labels alone.
    struct Labels(Vec<String>, Vec<usize>);

    impl Dataset for Labels {
        fn len(&self) -> usize {
            self.1.len()
        }

        fn class_names(&self) -> &[String] {
            &self.0
        }

        fn label(&self, index: usize) -> usize {
            self.1[index]
        }

        fn name(&self, index: usize) -> String {
            index.to_string()
        }

        fn load(&self, _index: usize, _size: usize) -> anyhow::Result<Vec<u8>> {
            anyhow::bail!("labels alone")
        }
    }

    #[test]
    fn classes_without_an_image_are_named_with_their_set() {
        let set =
            |labels: &[usize]| Labels(["cat", "dog", "fox"].map(str::to_owned).to_vec(), labels.to_vec());
        let told = empty_classes(&set(&[0, 0, 2]), "validation").unwrap();
        assert_eq!(told, "no validation image is of the class dog");
        assert_eq!(empty_classes(&set(&[2, 1, 0]), "validation"), None);
    }
}
