//! A few images, attacked and explained: what the adversarial lab and the attention view show.

use super::opened::{ImageChoice, Opened, Pixels};
use super::seen::{AttackCall, SeenImages};
use crate::config::AttackConfig;
use crate::evaluation::activation_map::CamMethod;
use crate::evaluation::auto_domain::Through;
use crate::evaluation::feature_grid::FeatureGrid;
use crate::evaluation::perturbation::share_at_bound;
use crate::evaluation::softmax::top_guesses;
use crate::evaluation::{Model, Seen};
use crate::training::events::{DomainView, GalleryItem, Guess};
use std::time::{Duration, Instant};

/// Guesses given for each image and domain.
const GUESSES: usize = 5;

/// Which images to attack, how, and how to explain what the model makes of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// The images.
    pub images: ImageChoice,
    /// The attack that they undergo.
    pub attack: AttackConfig,
    /// BN domain that the attack goes through; `auto` takes for each image the attack, of those through each
    /// domain, that is the worst through the domain chosen for it.
    pub domain: Through,
    /// Draws random starts and targets.
    pub seed: u64,
    /// Kind of the class activation maps.
    pub map: CamMethod,
    /// Class of the maps; `None` takes each image's own.
    pub class: Option<usize>,
}

impl Look {
    /// How an image of the answer is seen through what was attacked.
    pub fn attacked_view<'a>(&self, item: &'a GalleryItem) -> Option<&'a DomainView> {
        match self.domain {
            Through::Domain(domain) => item.views.get(domain),
            Through::Auto => item.views.last(),
        }
    }
}

/// The answer to a [`Look`].
#[derive(Clone, Debug)]
pub struct Looked {
    /// Finished steps of the model.
    pub step: u64,
    /// What was asked.
    pub request: Look,
    /// The images, in the order of the request.
    pub items: Vec<LookedItem>,
    /// From the request to the answer on the inspector's thread.
    pub took: Duration,
}

/// One image of an answer. Its maps are at the image's size with the padding's shift undone.
#[derive(Clone, Debug)]
pub struct LookedItem {
    /// The image, its perturbation, guesses and maps, by [`Through::all`].
    pub item: GalleryItem,
    /// Whether the label is the true one; else `item.label` is what the model took the clean image for.
    pub label_known: bool,
    /// Cross-entropy against the label through the domain that the attack went through, nats: at the start
    /// and after each iteration.
    pub losses: Vec<f32>,
    /// Share of the pixel values that the attack moved as far as it may: see [`share_at_bound`].
    pub at_bound: f32,
    /// The domains that fit the image, clean and attacked: what `auto` is for it.
    pub chosen: [usize; 2],
}

/// Answers a request; `kept` has what earlier ones saw.
pub(super) fn look(opened: &mut Opened, kept: &mut SeenImages, request: &Look) -> anyhow::Result<Looked> {
    let begun = Instant::now();
    let Opened { model, sets, .. } = opened;
    let domains = model.meta().domains.len();
    anyhow::ensure!(
        request.domain.place(domains) < Through::all(domains).len(),
        "the model has no BN domain {}; expected one of {}",
        request.domain.name(),
        Through::all_names(domains).join(", ")
    );
    let load = |model: &Model| Pixels::load(model, sets, &request.images);
    let call = AttackCall { attack: request.attack.clone(), domain: request.domain, seed: request.seed };
    let (clean, attacked) = kept.of(model, &request.images, call, load)?;

    let (size, classes) = (model.meta().image_size, model.meta().classes.len());
    let grid = FeatureGrid::of(model.network());
    let chosen = request.class.filter(|class| *class < classes);
    let of_maps: Vec<usize> = attacked.labels.iter().map(|label| chosen.unwrap_or(*label)).collect();
    let explained = |seen: &Seen| -> Vec<(Vec<Guess>, Vec<f32>)> {
        let guesses = seen.logits.chunks_exact(classes).map(|row| top_guesses(row, GUESSES));
        let maps = model.maps(seen, &of_maps, request.map);
        guesses.zip(maps.iter().map(|map| grid.resize(map, size))).collect()
    };
    let mut domain_views: Vec<Vec<DomainView>> = vec![Vec::new(); of_maps.len()];
    for (before, after) in clean.seen.iter().zip(&attacked.seen) {
        let both = explained(before).into_iter().zip(explained(after));
        for (views, ((clean, cam), (adversarial, cam_adversarial))) in domain_views.iter_mut().zip(both) {
            views.push(DomainView { clean, adversarial, cam, cam_adversarial });
        }
    }

    let images = &clean.images;
    let each = size * size * 3;
    let parts = clean.pixels.chunks_exact(each).zip(attacked.pixels.chunks_exact(each));
    let parts = parts.zip(images.bytes.chunks_exact(each)).zip(domain_views).enumerate();
    let items = parts.map(|(index, (((before, after), bytes), views))| {
        let item = GalleryItem {
            name: images.names[index].clone(),
            label: attacked.labels[index],
            size,
            clean: bytes.to_vec(),
            adversarial: after.iter().map(|v| v.round().clamp(0.0, 255.0) as u8).collect(),
            perturbation: after.iter().zip(before).map(|(a, b)| a - b).collect(),
            views,
        };
        LookedItem {
            item,
            label_known: images.labels[index].is_some(),
            losses: attacked.losses.iter().map(|row| row[index]).collect(),
            at_bound: share_at_bound(before, after, request.attack.epsilon),
            chosen: [clean.choices[index], attacked.choices[index]],
        }
    });
    let items = items.collect();
    Ok(Looked { step: model.meta().step, request: request.clone(), items, took: begun.elapsed() })
}
