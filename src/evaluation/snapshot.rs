//! The pictures and statistics that the window shows of a live model: a few validation images, attacked and
//! explained through every domain, and each BN layer's statistics by domain.

use super::activation_map::{self, CamMethod};
use super::feature_grid::FeatureGrid;
use super::inference::{ImageBatch, Inference};
use super::softmax::top_guesses;
use crate::config::{AttackConfig, Domain};
use crate::data::Dataset;
use crate::gpu::Gpu;
use crate::graph::pad4;
use crate::graph::params::ParamLayout;
use crate::models::init::Arenas;
use crate::training::events::{BnDomain, BnLayer, DomainView, GalleryItem, Guess, Snapshot};

/// Images of the gallery.
const IMAGES: usize = 6;
/// Guesses shown per image.
const GUESSES: usize = 3;

/// The fixed images of a gallery.
pub struct Gallery {
    names: Vec<String>,
    labels: Vec<u32>,
    ids: Vec<u32>,
    /// `[n, S, S, 3]`
    bytes: Vec<u8>,
}

impl Gallery {
    /// Picks readable images spread over the set, as many classes as possible.
    pub fn choose(dataset: &dyn Dataset, size: usize, most: usize) -> Self {
        let mut gallery = Self { names: Vec::new(), labels: Vec::new(), ids: Vec::new(), bytes: Vec::new() };
        let wanted = IMAGES.min(most).min(dataset.len());
        let fresh_first = (0..dataset.len()).filter({
            let mut seen = std::collections::BTreeSet::new();
            move |index| seen.insert(dataset.label(*index))
        });
        let order: Vec<usize> = fresh_first.take(wanted).chain(0..wanted).collect();
        for index in order {
            if gallery.labels.len() == wanted {
                break;
            }
            if gallery.ids.contains(&(index as u32)) {
                continue;
            }
            // A damaged image is met and named by the validation; the gallery takes another.
            let Ok(image) = dataset.load(index, size) else { continue };
            gallery.names.push(dataset.name(index));
            gallery.labels.push(dataset.label(index) as u32);
            gallery.ids.push(index as u32);
            gallery.bytes.extend(image);
        }
        gallery
    }

    /// Whether the set had no readable image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}

/// What a snapshot is made of.
#[derive(Clone, Copy)]
pub struct SnapshotRequest<'a> {
    /// The images that are shown.
    pub gallery: &'a Gallery,
    /// The weights that the inference runs on.
    pub arenas: &'a Arenas,
    /// The attack that the gallery's images undergo.
    pub attack: &'a AttackConfig,
    /// BN domain that the attack goes through; it also seeds the attack's random starts.
    pub attack_domain: usize,
    /// Finished optimizer steps of the weights.
    pub step: u64,
    /// Class names.
    pub classes: &'a [String],
}

/// Attacks the gallery, looks at it through every domain, clean and attacked, and reads every BN layer's
/// statistics.
pub fn snapshot(
    gpu: &mut Gpu,
    inference: &mut Inference,
    request: SnapshotRequest<'_>,
) -> anyhow::Result<Snapshot> {
    let SnapshotRequest { gallery, arenas, attack, attack_domain, step, classes } = request;
    let size = inference.network().image_size;
    let domains = inference.network().layout.domains;
    let count = gallery.labels.len();
    let grid = FeatureGrid::of(inference.network());
    let clean: Vec<f32> = gallery.bytes.iter().map(|b| f32::from(*b)).collect();
    let images = ImageBatch { pixels: &clean, labels: &gallery.labels, ids: &gallery.ids };
    inference.attack(gpu, images, attack, attack_domain, u64::from(attack_domain as u32))?;
    let adversarial = inference.pixels(&gpu.device, count)?;
    let attacked = ImageBatch { pixels: &adversarial, ..images };

    let mut views: Vec<Vec<DomainView>> = vec![Vec::new(); count];
    for domain in 0..domains {
        let before = look(gpu, inference, arenas, images, domain)?;
        let after = look(gpu, inference, arenas, attacked, domain)?;
        let both = before.into_iter().zip(after);
        for (view, ((clean, clean_map), (adversarial, map))) in views.iter_mut().zip(both) {
            view.push(DomainView {
                clean,
                adversarial,
                cam: grid.resize(&clean_map, size),
                cam_adversarial: grid.resize(&map, size),
            });
        }
    }
    let each = size * size * 3;
    let gallery = views
        .into_iter()
        .enumerate()
        .map(|(index, views)| {
            let place = index * each..(index + 1) * each;
            let (before, after) = (&clean[place.clone()], &adversarial[place.clone()]);
            GalleryItem {
                name: gallery.names[index].clone(),
                label: gallery.labels[index] as usize,
                size,
                clean: gallery.bytes[place].to_vec(),
                adversarial: after.iter().map(|v| v.round().clamp(0.0, 255.0) as u8).collect(),
                perturbation: after.iter().zip(before).map(|(a, b)| a - b).collect(),
                views,
            }
        })
        .collect();
    Ok(Snapshot {
        step,
        gallery,
        bn_layers: bn_layers(&inference.network().layout, arenas),
        attack: attack.spec(),
        attack_domain: Domain::name_of(attack_domain),
        classes: classes.to_vec(),
    })
}

/// Best guesses and the true class's activation map of each image through one domain.
fn look(
    gpu: &mut Gpu,
    inference: &mut Inference,
    arenas: &Arenas,
    images: ImageBatch<'_>,
    domain: usize,
) -> anyhow::Result<Vec<(Vec<Guess>, Vec<f32>)>> {
    let outcome = inference.forward(gpu, images, domain)?;
    let features = inference.features(&gpu.device, images.labels.len())?;
    let network = inference.network();
    let guesses = outcome.logits.chunks_exact(network.classes).map(|row| top_guesses(row, GUESSES));
    let labels: Vec<usize> = images.labels.iter().map(|label| *label as usize).collect();
    let maps = activation_map::maps(network, &arenas.params, &features, &labels, CamMethod::Cam);
    Ok(guesses.zip(maps).collect())
}

/// Every BN layer's statistics and affine parameters by domain.
pub fn bn_layers(layout: &ParamLayout, arenas: &Arenas) -> Vec<BnLayer> {
    let domain = |bn: &crate::graph::params::BnPlace, domain: usize| {
        let (params, running) =
            (bn.param_offset + domain * bn.domain_stride, bn.running_offset + domain * bn.domain_stride);
        let padded = pad4(bn.channels);
        let part = |arena: &[f32], offset: usize| arena[offset..offset + bn.channels].to_vec();
        BnDomain {
            running_mean: part(&arenas.running, running),
            running_var: part(&arenas.running, running + padded),
            gamma: part(&arenas.params, params),
            beta: part(&arenas.params, params + padded),
        }
    };
    layout
        .bn
        .iter()
        .map(|bn| BnLayer {
            name: bn.name.clone(),
            domains: (0..layout.domains).map(|d| domain(bn, d)).collect(),
        })
        .collect()
}
