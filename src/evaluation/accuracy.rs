//! Top-1, top-5 and loss of a network on a set of images, through one BN domain, clean or attacked.

use super::inference::{ImageBatch, Inference};
use crate::config::{AttackConfig, Domain};
use crate::data::{Dataset, EvalOptions, EvalReader};
use crate::gpu::Gpu;
use crate::training::events::EvalRow;
use std::sync::Arc;

/// Which images to measure, through which domain, clean or attacked.
#[derive(Clone, Debug)]
pub struct Measurement<'a> {
    /// Name of the split, for the report.
    pub split: &'a str,
    /// Index of the BN domain that images go through.
    pub domain: usize,
    /// The attack that the images undergo first, through the same domain; `None` measures clean images.
    pub attack: Option<&'a AttackConfig>,
    /// How many images to take, evenly spread over the set; 0 takes all.
    pub limit: usize,
    /// Draws random starts and targets, by image.
    pub seed: u64,
}

/// Measures a data set, leaving damaged images out; `go_on` hears (images done, of all) after each batch, and
/// false ends the work with `None`.
pub fn accuracy(
    gpu: &mut Gpu,
    inference: &mut Inference,
    dataset: &Arc<dyn Dataset>,
    what: &Measurement<'_>,
    mut go_on: impl FnMut(usize, usize) -> bool,
) -> anyhow::Result<Option<EvalRow>> {
    let options = EvalOptions {
        batch_size: inference.batch(),
        image_size: inference.network().image_size,
        limit: what.limit,
        workers: 0,
    };
    let mut reader = EvalReader::start(Arc::clone(dataset), options)?;
    let total = reader.total();
    let (mut loss, mut top1, mut top5, mut images) = (0.0_f64, 0, 0, 0);
    while let Some(batch) = reader.next()? {
        if batch.labels.is_empty() {
            continue;
        }
        let pixels: Vec<f32> = batch.images.iter().map(|b| f32::from(*b)).collect();
        let ids: Vec<u32> = batch.indices.iter().map(|i| *i as u32).collect();
        let input = ImageBatch { pixels: &pixels, labels: &batch.labels, ids: &ids };
        let outcome = match what.attack {
            None => inference.forward(gpu, input, what.domain)?,
            Some(attack) => {
                inference.attack(gpu, input, attack, what.domain, what.seed)?;
                inference.forward_current(gpu, &batch.labels, what.domain)?
            }
        };
        loss += outcome.loss.iter().map(|l| f64::from(*l)).sum::<f64>();
        top1 += outcome.top1.iter().filter(|hit| **hit).count();
        top5 += outcome.top5.iter().filter(|hit| **hit).count();
        images += batch.labels.len();
        if !go_on(images, total) {
            return Ok(None);
        }
    }
    anyhow::ensure!(images > 0, "{}: no readable image to measure on", what.split);
    let mean = |count: usize| (count as f64 / images as f64) as f32;
    Ok(Some(EvalRow {
        split: what.split.to_owned(),
        domain: Domain::name_of(what.domain),
        attack: what.attack.map(AttackConfig::spec),
        images,
        loss: (loss / images as f64) as f32,
        top1: mean(top1),
        top5: mean(top5),
    }))
}
