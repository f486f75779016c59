//! What a training set is made to lack, for studies of how methods bear it: images of its later classes, true
//! labels, clean pixels. What is spoiled belongs to the data set: it is the same for every seed of a run.

use super::corruptions::{Corruption, Corruptor, ParameterSet};
use super::random::{Purpose, Random};
use super::{Dataset, Picture, subset};
use crate::config::DataConfig;
use std::sync::Arc;

/// The severities that images are corrupted by.
const SEVERITIES: u32 = 5;

/// `set` with the flaws that `config` asks for; itself where it asks for none.
pub(super) fn with_flaws(set: Arc<dyn Dataset>, config: &DataConfig) -> Arc<dyn Dataset> {
    let set = imbalanced(set, config.imbalance);
    if config.label_noise == 0.0 && config.corrupted_share == 0.0 {
        return set;
    }
    let wrong = drawn(Purpose::LabelNoise, set.len(), config.label_noise);
    let classes = set.class_names().len() as u32;
    let labels = (0..set.len()).map(|index| match set.label(index) {
        // Of one class alone there is no other.
        label if wrong[index] && classes > 1 => another(label as u32, classes, index),
        label => label as u32,
    });
    Arc::new(Flawed {
        labels: labels.collect(),
        corrupted: drawn(Purpose::CorruptedImages, set.len(), config.corrupted_share),
        corruptor: Corruptor::new(ParameterSet::of_size(config.image_size), 0),
        set,
    })
}

/// The first images of each class, exponentially fewer from class to class: all that the largest class has of
/// the first, that number over `ratio` of the last, and at least one (Cui et al. 2019, section 5.1). A ratio
/// of 1 keeps all.
fn imbalanced(set: Arc<dyn Dataset>, ratio: f64) -> Arc<dyn Dataset> {
    if ratio <= 1.0 {
        return set;
    }
    let classes = set.class_names().len();
    let mut counts = vec![0_usize; classes];
    (0..set.len()).for_each(|index| counts[set.label(index)] += 1);
    let most = counts.iter().copied().max().unwrap_or(0);
    let last = classes.saturating_sub(1).max(1) as f64;
    let limit = |class: usize| {
        let kept = most as f64 * ratio.powf(-(class as f64) / last);
        (kept.round() as usize).max(1)
    };
    let limits: Vec<usize> = (0..classes).map(limit).collect();
    subset::first_of_classes(set, &limits)
}

/// Which of `count` images are drawn: a share of them, rounded, without replacement.
fn drawn(purpose: Purpose, count: usize, share: f64) -> Vec<bool> {
    let mut is_drawn = vec![false; count];
    let number = (count as f64 * share).round() as usize;
    let order = Random::new(purpose, [0, 0, 0]).permutation(count as u32);
    order.into_iter().take(number).for_each(|index| is_drawn[index as usize] = true);
    is_drawn
}

/// A class that is not `label`, drawn evenly (symmetric label noise).
fn another(label: u32, classes: u32, index: usize) -> u32 {
    let step = 1 + Random::new(Purpose::LabelNoise, [1, index as u64, 0]).below(classes - 1);
    (label + step) % classes
}

/// A set with other labels, and with some of its images corrupted.
struct Flawed {
    set: Arc<dyn Dataset>,
    /// A class for each image.
    labels: Vec<u32>,
    /// Which images are corrupted.
    corrupted: Vec<bool>,
    corruptor: Corruptor,
}

impl Flawed {
    /// The image under one of the fifteen main corruptions and a severity of its own, always the same.
    fn corrupt(&self, index: usize, rgb: Vec<u8>, width: usize, height: usize) -> Vec<u8> {
        if !self.corrupted[index] {
            return rgb;
        }
        let mut random = Random::new(Purpose::CorruptedImages, [1, index as u64, 0]);
        let corruption = Corruption::MAIN[random.below(Corruption::MAIN.len() as u32) as usize];
        let severity = 1 + random.below(SEVERITIES) as u8;
        self.corruptor.apply(corruption, severity, &rgb, width, height, index as u64)
    }
}

impl Dataset for Flawed {
    fn len(&self) -> usize {
        self.set.len()
    }

    fn class_names(&self) -> &[String] {
        self.set.class_names()
    }

    fn label(&self, index: usize) -> usize {
        self.labels[index] as usize
    }

    fn name(&self, index: usize) -> String {
        self.set.name(index)
    }

    fn notes(&self) -> Vec<String> {
        self.set.notes()
    }

    fn load(&self, index: usize, size: usize) -> anyhow::Result<Vec<u8>> {
        Ok(self.corrupt(index, self.set.load(index, size)?, size, size))
    }

    fn decode(&self, index: usize, size: usize) -> anyhow::Result<Picture> {
        let picture = self.set.decode(index, size)?;
        let (width, height) = (picture.width(), picture.height());
        Picture::new(width, height, self.corrupt(index, picture.rgb().to_vec(), width, height))
    }

    fn mask(&self, index: usize, size: usize) -> Option<Vec<bool>> {
        self.set.mask(index, size)
    }
}
