//! How accuracy falls as an attack grows: one attacker at rising ε, through each domain and against the
//! choice by image.

use super::Answer;
use super::opened::{Opened, Pixels, named};
use crate::config::AttackConfig;
use crate::data::{EvalOptions, EvalReader};
use crate::evaluation::auto_domain::Through;
use crate::evaluation::inference::Strongest;
use crate::evaluation::perturbation::{share_at_bound, success_rate};
use std::sync::Arc;

/// The radii ε of a sweep, in 1/255 of the pixel range.
pub const EPSILONS: [f32; 10] = [0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0];

/// Which images of a set to attack at rising ε.
#[derive(Clone, Debug, PartialEq)]
pub struct Sweep {
    /// Name of the set.
    pub split: String,
    /// How many images to take, evenly spread over the set.
    pub images: usize,
    /// The attack, whose ε is replaced. Without iterations of its own each ε has those of AdvProp's rule.
    pub attack: AttackConfig,
    /// Draws random starts and targets.
    pub seed: u64,
}

/// The answer to a [`Sweep`] so far.
#[derive(Clone, Debug)]
pub struct Swept {
    /// Finished steps of the model.
    pub step: u64,
    /// What was asked.
    pub request: Sweep,
    /// The points in rising order of ε; all of [`EPSILONS`] when it is done.
    pub points: Vec<SweepPoint>,
}

/// What one ε did.
#[derive(Clone, Debug)]
pub struct SweepPoint {
    /// Radius of the ball, in 1/255 of the pixel range.
    pub epsilon: f32,
    /// Figures by [`Through::all`]: each domain attacked and seen through itself, and the choice by image
    /// under the attack, of those through each domain, that is the worst for the image.
    pub views: Vec<SweepFigures>,
}

/// What an attack did to images as they are seen, as shares of 0..1.
#[derive(Clone, Copy, Debug)]
pub struct SweepFigures {
    /// Images whose most probable class is the true one after the attack.
    pub accuracy: f32,
    /// Images that were right and are wrong after the attack: see [`success_rate`].
    pub success: Option<f32>,
    /// Pixel values that moved as far as they may: see [`share_at_bound`].
    pub at_bound: f32,
}

/// A sweep at work, one ε at a time.
pub(super) struct SweepJob {
    request: Sweep,
    images: Pixels,
    labels: Vec<usize>,
    /// By [`Through::all`]: which clean images are right.
    right: Vec<Vec<bool>>,
    points: Vec<SweepPoint>,
}

impl SweepJob {
    /// Reads the images and sees which of them are right before any attack.
    pub(super) fn start(opened: &mut Opened, request: Sweep) -> anyhow::Result<Self> {
        let set = Arc::clone(named(&opened.sets, &request.split)?);
        let options = EvalOptions {
            batch_size: request.images.max(1),
            image_size: opened.model.meta().image_size,
            limit: request.images.max(1),
            workers: 0,
        };
        let mut reader = EvalReader::start(Arc::clone(&set), options)?;
        let batch = reader.next()?.filter(|batch| !batch.labels.is_empty());
        let Some(batch) = batch else { anyhow::bail!("{}: no readable image to attack", request.split) };
        let labels: Vec<usize> = batch.labels.iter().map(|label| *label as usize).collect();
        let images = Pixels {
            names: batch.indices.iter().map(|index| set.name(*index)).collect(),
            labels: labels.iter().map(|label| Some(*label)).collect(),
            ids: batch.indices.iter().map(|index| *index as u32).collect(),
            bytes: batch.images,
        };
        let clean = images.floats();
        let mut right = Vec::new();
        for through in Through::all(opened.model.meta().domains.len()) {
            right.push(opened.model.outcome(&clean, Some(&labels), through)?.top1);
        }
        Ok(Self { request, images, labels, right, points: Vec::new() })
    }

    /// Attacks at one more ε; true while others remain.
    pub(super) fn advance(&mut self, opened: &mut Opened) -> anyhow::Result<(Answer, bool)> {
        let model = &mut opened.model;
        let epsilon = EPSILONS[self.points.len()];
        let attack = AttackConfig { epsilon, ..self.request.attack.clone() };
        let clean = self.images.floats();
        let (seed, ids, labels) = (self.request.seed, &self.images.ids, &self.labels);
        let figures = |right_before: &[bool], found: &Strongest| {
            let right = found.outcome.top1.iter().filter(|right| **right).count();
            SweepFigures {
                accuracy: right as f32 / labels.len() as f32,
                success: success_rate(right_before, &found.outcome.top1),
                at_bound: share_at_bound(&clean, &found.pixels, epsilon),
            }
        };
        let domains = model.meta().domains.len();
        let (mut views, mut against_auto) = (Vec::new(), Vec::new());
        for domain in 0..domains {
            let pixels = model.attack(&clean, labels, &attack, domain, seed, ids)?;
            let found = Strongest { outcome: model.outcome(&pixels, Some(labels), domain)?, pixels };
            views.push(figures(&self.right[domain], &found));
            if domains > 1 {
                let outcome = model.outcome(&found.pixels, Some(labels), Through::Auto)?;
                against_auto.push(Strongest { outcome, ..found });
            }
        }
        if domains > 1 {
            views.push(figures(&self.right[domains], &Strongest::worst(against_auto)));
        }
        self.points.push(SweepPoint { epsilon, views });
        let swept =
            Swept { step: model.meta().step, request: self.request.clone(), points: self.points.clone() };
        Ok((Answer::Swept(Arc::new(swept)), self.points.len() < EPSILONS.len()))
    }
}
