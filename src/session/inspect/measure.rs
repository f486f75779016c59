//! A set seen through every domain, clean and attacked: confusion, accuracy by class, the worst images.

use super::Answer;
use super::opened::{Opened, named};
use crate::config::AttackConfig;
use crate::data::{Dataset, EvalOptions, EvalReader};
use crate::evaluation::confusion::Confusion;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time between two answers with the figures so far: many classes and images are many lists to copy.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// Which set to measure, clean and perhaps attacked.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// Name of the set.
    pub split: String,
    /// How many images to take, evenly spread over the set; 0 takes all.
    pub limit: usize,
    /// The attack that the set is also measured under, each domain attacked through itself; `None` measures
    /// it clean only.
    pub attack: Option<AttackConfig>,
    /// Draws random starts and targets.
    pub seed: u64,
}

/// The answer to a [`Measure`].
#[derive(Clone, Debug)]
pub struct Measured {
    /// Finished steps of the model.
    pub step: u64,
    /// What was asked.
    pub request: Measure,
    /// What each domain made of the set, domain by domain, clean before attacked.
    pub views: Vec<MeasuredView>,
    /// Images that could not be read, each as `name: reason`.
    pub damaged: Vec<String>,
    /// Whether all images are in it. They come in the order of the set, so what is measured so far may lack
    /// the last classes.
    pub finished: bool,
}

/// A set as one domain saw it, clean or attacked.
#[derive(Clone, Debug)]
pub struct MeasuredView {
    /// Index of the domain.
    pub domain: usize,
    /// Whether the images were attacked.
    pub attacked: bool,
    /// Which classes were taken for which.
    pub confusion: Confusion,
}

/// A measurement at work, one batch at a time.
pub(super) struct MeasureJob {
    set: Arc<dyn Dataset>,
    reader: EvalReader,
    measured: Measured,
    done: usize,
    /// When the figures so far were answered last.
    told: Option<Instant>,
}

impl MeasureJob {
    /// Begins to read the set.
    pub(super) fn start(opened: &mut Opened, request: Measure) -> anyhow::Result<Self> {
        let set = Arc::clone(named(&opened.sets, &request.split)?);
        let meta = opened.model.meta();
        let classes = meta.classes.len();
        let options = EvalOptions {
            batch_size: opened.model.batch(),
            image_size: meta.image_size,
            limit: request.limit,
            workers: 0,
        };
        let reader = EvalReader::start(Arc::clone(&set), options)?;
        let kinds: &[bool] = if request.attack.is_some() { &[false, true] } else { &[false] };
        let view = |domain, attacked| MeasuredView { domain, attacked, confusion: Confusion::new(classes) };
        let views = (0..meta.domains.len()).flat_map(|d| kinds.iter().map(move |kind| view(d, *kind)));
        let views = views.collect();
        let measured = Measured { step: meta.step, request, views, damaged: Vec::new(), finished: false };
        Ok(Self { set, reader, measured, done: 0, told: None })
    }

    /// The figures so far.
    pub(super) fn so_far(&self) -> Answer {
        Answer::Measured(Arc::new(self.measured.clone()))
    }

    /// Measures one more batch; true while others remain.
    pub(super) fn advance(&mut self, opened: &mut Opened) -> anyhow::Result<(Vec<Answer>, bool)> {
        let model = &mut opened.model;
        let Some(batch) = self.reader.next()? else {
            self.measured.damaged = self.reader.take_damaged();
            self.measured.finished = true;
            return Ok((vec![self.so_far()], false));
        };
        self.done += batch.labels.len();
        if !batch.labels.is_empty() {
            let clean: Vec<f32> = batch.images.iter().map(|b| f32::from(*b)).collect();
            let labels: Vec<usize> = batch.labels.iter().map(|label| *label as usize).collect();
            let ids: Vec<u32> = batch.indices.iter().map(|index| *index as u32).collect();
            let Measured { views, request, .. } = &mut self.measured;
            for view in views {
                let attacked = match &request.attack {
                    Some(attack) if view.attacked => {
                        let seed = request.seed;
                        Some(model.attack(&clean, &labels, attack, view.domain, seed, &ids)?)
                    }
                    _ => None,
                };
                let pixels = attacked.as_ref().unwrap_or(&clean);
                let outcome = model.outcome(pixels, Some(&labels), view.domain)?;
                let name = |index| self.set.name(index);
                view.confusion.add(&outcome, &batch.labels, &batch.indices, pixels, name);
            }
        }
        let mut answers = vec![Answer::Measuring(self.done, self.reader.total())];
        if self.told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
            self.told = Some(Instant::now());
            answers.push(self.so_far());
        }
        Ok((answers, true))
    }
}
