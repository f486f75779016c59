//! A few images, attacked and explained: what the adversarial lab and the attention view show.

use super::worker::Opened;
use crate::config::AttackConfig;
use crate::data::load_image_file;
use crate::evaluation::activation_map::CamMethod;
use crate::evaluation::feature_grid::FeatureGrid;
use crate::evaluation::perturbation::share_at_bound;
use crate::evaluation::snapshot::best;
use crate::training::events::{DomainView, GalleryItem};
use std::path::PathBuf;

/// Guesses given for each image and domain.
const GUESSES: usize = 5;

/// Which images.
#[derive(Clone, Debug, PartialEq)]
pub enum ImageChoice {
    /// `count` consecutive images of a set, from `first`, around its end.
    Data { split: String, first: usize, count: usize },
    /// Image files; their class is the one predicted for the clean image.
    Files(Vec<PathBuf>),
}

/// What to do with them.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    pub images: ImageChoice,
    pub attack: AttackConfig,
    /// BN domain that the attack goes through.
    pub domain: usize,
    /// Draws random starts and targets.
    pub seed: u64,
    pub map: CamMethod,
    /// Class of the maps; `None`: each image's own.
    pub class: Option<usize>,
}

/// The answer.
#[derive(Clone, Debug)]
pub struct Looked {
    /// Finished steps of the model.
    pub step: u64,
    pub request: Look,
    pub items: Vec<LookedItem>,
}

/// One image. Maps are at the image's size with the padding's shift undone.
#[derive(Clone, Debug)]
pub struct LookedItem {
    pub item: GalleryItem,
    /// False: `item.label` is what the model took the clean image for.
    pub label_known: bool,
    /// Cross-entropy against the label through the attacked domain, nats: at the start and after each iteration.
    pub losses: Vec<f32>,
    /// See [`share_at_bound`].
    pub at_bound: f32,
}

/// Images with their names, labels where known, and numbers that seed random starts.
pub(super) struct Pixels {
    pub names: Vec<String>,
    pub labels: Vec<Option<usize>>,
    pub ids: Vec<u32>,
    /// `[n, S, S, 3]`
    pub bytes: Vec<u8>,
}

impl Pixels {
    pub(super) fn load(opened: &Opened, choice: &ImageChoice) -> anyhow::Result<Self> {
        let size = opened.model.meta().image_size;
        let mut pixels = Self { names: Vec::new(), labels: Vec::new(), ids: Vec::new(), bytes: Vec::new() };
        match choice {
            ImageChoice::Data { split, first, count } => {
                let set = opened.set(split)?;
                let classes = opened.model.meta().classes.len();
                for index in (0..*count.min(&set.len())).map(|n| (first + n) % set.len()) {
                    let label = set.label(index);
                    anyhow::ensure!(
                        label < classes,
                        "{} is of class {label}, and the model has {classes} classes",
                        set.name(index)
                    );
                    pixels.bytes.extend(set.load(index, size)?);
                    pixels.names.push(set.name(index));
                    pixels.labels.push(Some(label));
                    pixels.ids.push(index as u32);
                }
            }
            ImageChoice::Files(paths) => {
                for (index, path) in paths.iter().enumerate() {
                    pixels.bytes.extend(load_image_file(path, size)?);
                    let name = path.file_name().unwrap_or(path.as_os_str());
                    pixels.names.push(name.to_string_lossy().into_owned());
                    pixels.labels.push(None);
                    pixels.ids.push(index as u32);
                }
            }
        }
        anyhow::ensure!(!pixels.names.is_empty(), "no image was chosen");
        Ok(pixels)
    }

    pub(super) fn floats(&self) -> Vec<f32> {
        self.bytes.iter().map(|b| f32::from(*b)).collect()
    }
}

pub(super) fn look(opened: &mut Opened, request: &Look) -> anyhow::Result<Looked> {
    let images = Pixels::load(opened, &request.images)?;
    let model = &mut opened.model;
    let domains = model.meta().domains.len();
    anyhow::ensure!(request.domain < domains, "the model has {domains} BN domains");
    let classes = model.meta().classes.len();
    let size = model.meta().image_size;
    let clean = images.floats();

    let predicted: Vec<usize> = model
        .logits(&clean, request.domain)?
        .chunks_exact(classes)
        .map(|logits| best(logits, 1).first().map_or(0, |guess| guess.class))
        .collect();
    let labels: Vec<usize> =
        images.labels.iter().zip(predicted).map(|(known, guess)| known.unwrap_or(guess)).collect();
    let (adversarial, losses) =
        model.traced_attack(&clean, &labels, &request.attack, request.domain, request.seed, &images.ids)?;

    let grid = FeatureGrid::of(model.network());
    let of_maps: Vec<usize> =
        labels.iter().map(|label| request.class.filter(|class| *class < classes).unwrap_or(*label)).collect();
    let mut views: Vec<Vec<DomainView>> = vec![Vec::new(); labels.len()];
    for domain in 0..domains {
        let mut seen = Vec::new();
        for pixels in [&clean, &adversarial] {
            let logits = model.logits(pixels, domain)?;
            let guesses: Vec<_> = logits.chunks_exact(classes).map(|row| best(row, GUESSES)).collect();
            let maps = model.cam(pixels, &of_maps, domain, request.map)?;
            let maps: Vec<Vec<f32>> = maps.iter().map(|map| grid.resize(map, size)).collect();
            seen.push(guesses.into_iter().zip(maps));
        }
        let (after, before) = (seen.pop(), seen.pop());
        let both = before.into_iter().flatten().zip(after.into_iter().flatten());
        for (views, ((clean, cam), (adversarial, cam_adversarial))) in views.iter_mut().zip(both) {
            views.push(DomainView { clean, adversarial, cam, cam_adversarial });
        }
    }

    let each = size * size * 3;
    let parts = clean.chunks_exact(each).zip(adversarial.chunks_exact(each));
    let bytes = images.bytes.chunks_exact(each);
    let items = parts.zip(bytes).zip(views).enumerate().map(|(index, (((before, after), bytes), views))| {
        let item = GalleryItem {
            name: images.names[index].clone(),
            label: labels[index],
            size,
            clean: bytes.to_vec(),
            adversarial: after.iter().map(|v| v.round().clamp(0.0, 255.0) as u8).collect(),
            perturbation: after.iter().zip(before).map(|(a, b)| a - b).collect(),
            views,
        };
        LookedItem {
            item,
            label_known: images.labels[index].is_some(),
            losses: losses.iter().map(|row| row[index]).collect(),
            at_bound: share_at_bound(before, after, request.attack.epsilon),
        }
    });
    Ok(Looked { step: model.meta().step, request: request.clone(), items: items.collect() })
}
