//! One image as the large view shows it: as it is and changed, with the probabilities of all classes and the
//! maps of its class and of what it is taken for, through every domain.

use super::opened::{ImageChoice, Opened, Pixels};
use super::seen::{AttackCall, SeenImages, seen_through_all};
use crate::config::{Corruption, ParameterSet};
use crate::data::corruptions::SEVERITIES;
use crate::evaluation::activation_map::CamMethod;
use crate::evaluation::auto_domain::Through;
use crate::evaluation::feature_grid::FeatureGrid;
use crate::evaluation::softmax::top_guesses;
use crate::evaluation::{Model, Seen};
use crate::training::events::{DomainView, GalleryItem, Guess};

/// Which image to see closely, and what is done to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Examine {
    /// A choice of one image.
    pub image: ImageChoice,
    /// What is done to the image.
    pub change: Change,
}

/// What is done to an image.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// It is attacked.
    Attack(AttackCall),
    /// It is corrupted.
    Corruption {
        /// The corruption.
        corruption: Corruption,
        /// Its strength, 1 to 5.
        severity: u8,
        /// Strengths of the severities; `None`: those for the size of the model's images.
        parameters: Option<ParameterSet>,
    },
}

/// The answer to an [`Examine`].
#[derive(Clone, Debug)]
pub struct Examined {
    /// Finished steps of the model.
    pub step: u64,
    /// What was asked.
    pub request: Examine,
    /// The image as it is and changed, the guesses (all classes) and the class activation maps of its class,
    /// by [`Through::all`].
    pub item: GalleryItem,
    /// Maps like those of the item, of the class that the image is taken for: by [`Through::all`], of the
    /// image as it is and changed.
    pub of_prediction: Vec<[Vec<f32>; 2]>,
    /// Whether the item's label is the true class; else it is what the model took the image for.
    pub label_known: bool,
}

/// The image before and after the change.
struct Pair<'a> {
    images: &'a Pixels,
    label: usize,
    /// `[S, S, 3]`, 0..255.
    pixels: [&'a [f32]; 2],
    /// By [`Through::all`].
    seen: [&'a [Seen]; 2],
}

/// Answers a request; `kept` has the attack of the last one.
pub(super) fn examine(
    opened: &mut Opened,
    kept: &mut SeenImages,
    request: &Examine,
) -> anyhow::Result<Examined> {
    match &request.change {
        Change::Attack(call) => {
            let Opened { model, sets, .. } = opened;
            let domains = model.meta().domains.len();
            anyhow::ensure!(
                call.domain.place(domains) < Through::all(domains).len(),
                "the model has no BN domain {}; expected one of {}",
                call.domain.name(),
                Through::all_names(domains).join(", ")
            );
            let load = |model: &Model| Pixels::load(model, sets, &request.image);
            let (clean, attacked) = kept.of(model, &request.image, call.clone(), load)?;
            let pair = Pair {
                images: &clean.images,
                label: attacked.labels[0],
                pixels: [&clean.pixels, &attacked.pixels],
                seen: [&clean.seen, &attacked.seen],
            };
            explained(model, request, &pair)
        }
        Change::Corruption { corruption, severity, parameters } => {
            anyhow::ensure!(
                SEVERITIES.contains(severity),
                "{corruption} has no severity {severity}; expected 1 to 5"
            );
            let corruptor = opened.corruptor(*parameters);
            let Opened { model, sets, .. } = opened;
            let images = Pixels::load(model, sets, &request.image)?;
            let size = model.meta().image_size;
            let id = u64::from(images.ids[0]);
            let bytes = corruptor.apply(*corruption, *severity, &images.bytes, size, size, id);
            let before = images.floats();
            let after: Vec<f32> = bytes.iter().map(|byte| f32::from(*byte)).collect();
            let (seen_before, _) = seen_through_all(model, &before)?;
            let (seen_after, _) = seen_through_all(model, &after)?;
            let taken_for = top_guesses(&seen_before[0].logits, 1).first().map_or(0, |guess| guess.class);
            let pair = Pair {
                images: &images,
                label: images.labels[0].unwrap_or(taken_for),
                pixels: [&before, &after],
                seen: [&seen_before, &seen_after],
            };
            explained(model, request, &pair)
        }
    }
}

fn explained(model: &Model, request: &Examine, pair: &Pair<'_>) -> anyhow::Result<Examined> {
    let Pair { images, label, pixels: [before, after], seen } = pair;
    anyhow::ensure!(images.names.len() == 1, "{} images were chosen; expected one", images.names.len());
    let meta = model.meta();
    let size = meta.image_size;
    let grid = FeatureGrid::of(model.network());
    let guesses = |seen: &Seen| top_guesses(&seen.logits, meta.classes.len());
    let map = |seen: &Seen, class: usize| -> Vec<f32> {
        let maps = model.maps(seen, &[class], CamMethod::Cam);
        maps.first().map_or_else(Vec::new, |map| grid.resize(map, size))
    };
    let own_class = |guesses: &[Guess]| guesses.first().map_or(*label, |guess| guess.class);
    let (mut views, mut of_prediction) = (Vec::new(), Vec::new());
    for (before, after) in seen[0].iter().zip(seen[1]) {
        let (clean, adversarial) = (guesses(before), guesses(after));
        of_prediction.push([map(before, own_class(&clean)), map(after, own_class(&adversarial))]);
        let (cam, cam_adversarial) = (map(before, *label), map(after, *label));
        views.push(DomainView { clean, adversarial, cam, cam_adversarial });
    }
    let item = GalleryItem {
        name: images.names[0].clone(),
        label: *label,
        size,
        clean: images.bytes.clone(),
        adversarial: after.iter().map(|v| v.round().clamp(0.0, 255.0) as u8).collect(),
        perturbation: after.iter().zip(*before).map(|(a, b)| a - b).collect(),
        views,
    };
    let label_known = images.labels[0].is_some();
    Ok(Examined { step: meta.step, request: request.clone(), item, of_prediction, label_known })
}
