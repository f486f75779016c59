//! One pass over a set: every image is decoded once and measured under all conditions through all domains,
//! block by block.

use super::answers;
use super::condition::Condition;
use super::passes::Passes;
use crate::data::corruptions::Corruptor;
use crate::data::{Cells, CorruptedReader, Dataset, EvalBatch, EvalOptions};
use crate::evaluation::activation_map::CamMethod;
use crate::evaluation::auto_domain::Through;
use crate::evaluation::inference::{ImageBatch, Inference, Outcome, Strongest};
use crate::evaluation::localisation::{LocalisationSums, Localiser};
use crate::gpu::{Gpu, GpuError};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What one condition through one domain has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Images measured.
    pub images: usize,
    /// The bits of the sum of their losses: JSON readers may round a number's last digit.
    pub loss_bits: u64,
    /// Images whose most probable class is the true one.
    pub top1: usize,
    /// Images whose true class is among the five most probable.
    pub top5: usize,
    /// How well their maps find the object, where that is measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub localisation: Option<LocalisationSums>,
}

impl Tally {
    fn add(&mut self, outcome: &Outcome) {
        let count = |hits: &[bool]| hits.iter().filter(|hit| **hit).count();
        let loss = outcome.loss.iter().map(|loss| f64::from(*loss)).sum::<f64>();
        self.loss_bits = (f64::from_bits(self.loss_bits) + loss).to_bits();
        self.images += outcome.loss.len();
        self.top1 += count(&outcome.top1);
        self.top5 += count(&outcome.top5);
    }

    /// Mean loss in nats, then the shares that `top1` and `top5` are, 0..1.
    pub fn means(&self) -> [f32; 3] {
        let mean = |sum: f64| (sum / self.images as f64) as f32;
        [mean(f64::from_bits(self.loss_bits)), mean(self.top1 as f64), mean(self.top5 as f64)]
    }
}

/// How far a pass has come; with it a pass goes on where another ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tallies {
    /// Place in the reading of the first image that was not measured.
    pub next: usize,
    /// `[condition][domain]`.
    pub cells: Vec<Vec<Tally>>,
}

/// What is measured on a set.
pub struct Pass<'a> {
    /// The images, with labels that are the network's classes.
    pub set: &'a Arc<dyn Dataset>,
    /// The conditions; corrupted ones need the corruptor.
    pub conditions: &'a [Condition],
    /// Makes the corruptions.
    pub corruptor: Option<&'a Arc<Corruptor>>,
    /// The BN domains, and whether the choice among them by image is measured too.
    pub domains: &'a [Through],
    /// How many images to take, evenly spread over the set; 0 takes all.
    pub limit: usize,
    /// Draws random starts and targets of attacks, by image.
    pub seed: u64,
    /// The only classes that count, ascending; `None`: all.
    pub answers: Option<&'a [usize]>,
    /// How the maps are made that are measured against the set's masks; `None` makes no maps. The worst case
    /// of several attacks has none.
    pub localise: Option<CamMethod>,
}

/// What a pass says while it goes on.
#[derive(Clone, Copy, Debug)]
pub enum Moment<'a> {
    /// So many images were measured, counted anew under each condition and domain, of so many; with the
    /// figures so far, to which the block at work has added what is measured of it.
    Measured(usize, usize, &'a Tallies),
    /// A block is finished; from these figures another pass could go on.
    Block(&'a Tallies),
    /// An image cannot be used, `name: reason`; no condition counts it.
    Damaged(&'a str),
}

/// How a pass ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PassEnd {
    /// Whether all images were measured.
    pub finished: bool,
    /// Time that the network waited for images.
    pub waited: Duration,
    /// Time of the whole pass.
    pub took: Duration,
}

impl Pass<'_> {
    /// Goes on from `tallies`, with the network's parameter arena, which maps are made by. `go_on` hears each
    /// moment and ends the pass with false; the tallies are then those of the last block that was finished.
    pub fn run(
        &self,
        gpu: &mut Gpu,
        inference: &mut Inference,
        params: &[f32],
        tallies: &mut Tallies,
        go_on: impl FnMut(Moment<'_>) -> bool,
    ) -> anyhow::Result<PassEnd> {
        let (started, mut waited) = (Instant::now(), Duration::ZERO);
        let finished = self.blocks(gpu, inference, params, tallies, &mut waited, go_on)?;
        Ok(PassEnd { finished, waited, took: started.elapsed() })
    }

    /// Images that a whole pass goes through, damaged ones included.
    pub fn total(&self) -> usize {
        if self.limit == 0 { self.set.len() } else { self.limit.min(self.set.len()) }
    }

    /// Whether all blocks were measured.
    fn blocks(
        &self,
        gpu: &mut Gpu,
        inference: &mut Inference,
        params: &[f32],
        tallies: &mut Tallies,
        waited: &mut Duration,
        mut go_on: impl FnMut(Moment<'_>) -> bool,
    ) -> anyhow::Result<bool> {
        let options = EvalOptions {
            batch_size: inference.batch(),
            image_size: inference.network().image_size,
            limit: self.limit,
            workers: 0,
        };
        let corrupted = self.conditions.iter().filter_map(|condition| match condition {
            Condition::Corrupted(corruption, severity) => Some((*corruption, *severity)),
            _ => None,
        });
        let cells = Cells { cells: corrupted.collect(), corruptor: self.corruptor.cloned() };
        let mut reader = CorruptedReader::start(Arc::clone(self.set), options, tallies.next, cells)?;
        let each = self.conditions.len() * self.domains.len();
        tallies.cells.resize(self.conditions.len(), vec![Tally::default(); self.domains.len()]);
        while let Some(block) = timed(waited, || reader.next_block())? {
            let mut fresh = tallies.clone();
            let mut done = block.first * each;
            let mut outcomes: Vec<(&Condition, Vec<Outcome>)> = Vec::new();
            for (place, condition) in self.conditions.iter().enumerate() {
                let corrupted = match condition {
                    Condition::Corrupted(..) => Some(timed(waited, || reader.next_cell())?),
                    _ => None,
                };
                let pixels = corrupted.as_deref().unwrap_or(&block.images);
                let shown = Shown { block: &block, pixels, before: &outcomes };
                let found =
                    self.measure(gpu, inference, params, condition, shown, &mut fresh.cells[place])?;
                outcomes.push((condition, found));
                done += block.labels.len() * self.domains.len();
                if !go_on(Moment::Measured(done, self.total() * each, &fresh)) {
                    return Ok(false);
                }
            }
            fresh.next = (block.first + options.batch_size).min(self.total());
            *tallies = fresh;
            reader.take_damaged().iter().for_each(|text| {
                go_on(Moment::Damaged(text));
            });
            if !go_on(Moment::Block(tallies)) {
                return Ok(false);
            }
        }
        reader.take_damaged().iter().for_each(|text| {
            go_on(Moment::Damaged(text));
        });
        Ok(true)
    }

    /// Measures the images of a block under one condition through everything that is asked for and returns
    /// what they gave, which `cells` are given too.
    fn measure(
        &self,
        gpu: &mut Gpu,
        inference: &mut Inference,
        params: &[f32],
        condition: &Condition,
        Shown { block, pixels, before }: Shown<'_>,
        cells: &mut [Tally],
    ) -> Result<Vec<Outcome>, GpuError> {
        let pixels: Vec<f32> = pixels.iter().map(|byte| f32::from(*byte)).collect();
        let ids: Vec<u32> = block.indices.iter().map(|index| *index as u32).collect();
        let images = ImageBatch { pixels: &pixels, labels: &block.labels, ids: &ids };
        let domains = inference.network().layout.domains;
        let mut passes = Passes::new(images, domains, self.localise.is_some());
        let mut attacked: Vec<Option<Strongest>> = vec![None; domains];
        let mut outcomes = Vec::new();
        for (place, (&through, tally)) in self.domains.iter().zip(cells).enumerate() {
            let (mut outcome, features) = match condition {
                Condition::Attacked(attack) => {
                    let keep_pixels = self.localise.is_some() || self.domains.contains(&Through::Auto);
                    for domain in through.domains(domains) {
                        if attacked[domain].is_none() {
                            let found =
                                inference.strongest(gpu, images, attack, domain, self.seed, keep_pixels)?;
                            attacked[domain] = Some(found);
                        }
                    }
                    self.worst(gpu, inference, images, through, &attacked)?
                }
                Condition::WorstCase(attacks) => {
                    let among = |condition: &&Condition| match condition {
                        Condition::Attacked(attack) => attacks.contains(attack),
                        _ => false,
                    };
                    let found = before.iter().filter(|(condition, _)| among(condition));
                    (Outcome::worst(found.map(|(_, by_domain)| &by_domain[place])), Vec::new())
                }
                _ => passes.through(gpu, inference, through)?,
            };
            let measured = !matches!(condition, Condition::WorstCase(_));
            if let Some(classes) = self.answers.filter(|_| measured) {
                answers::among(&mut outcome, &block.labels, classes);
            }
            tally.add(&outcome);
            if let Some(method) = self.localise.filter(|_| measured) {
                let sums = tally.localisation.get_or_insert_default();
                let localiser = Localiser { method, params };
                localiser.measure(inference.network(), &features, self.set.as_ref(), &block.indices, sums);
            }
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    /// What the attacks through the domains come to for one of them, or for the choice by image: there the
    /// attack counts that is the worst through the chosen domain. With the features of those images where
    /// maps are made.
    fn worst(
        &self,
        gpu: &mut Gpu,
        inference: &mut Inference,
        images: ImageBatch<'_>,
        through: Through,
        attacked: &[Option<Strongest>],
    ) -> Result<(Outcome, Vec<f32>), GpuError> {
        let mut of_it = attacked[through.domains(attacked.len())].iter().flatten().cloned();
        let found = match through {
            Through::Domain(_) => of_it.next().unwrap_or_default(),
            Through::Auto => {
                let against = of_it.map(|found| inference.against_auto(gpu, images, found.pixels));
                Strongest::worst(against.collect::<Result<Vec<_>, _>>()?)
            }
        };
        if self.localise.is_none() {
            return Ok((found.outcome, Vec::new()));
        }
        // The last start need not be the worst: the maps are those of the images that count.
        let worst = ImageBatch { pixels: &found.pixels, ..images };
        let (_, features) = Passes::new(worst, attacked.len(), true).through(gpu, inference, through)?;
        Ok((found.outcome, features))
    }
}

/// The images of a block as one condition makes them.
#[derive(Clone, Copy)]
struct Shown<'a> {
    block: &'a EvalBatch,
    /// `[n, S, S, 3]`, not attacked yet.
    pixels: &'a [u8],
    /// What the images gave through each domain under the conditions before this one.
    before: &'a [(&'a Condition, Vec<Outcome>)],
}

/// Does `work` and adds its time to `waited`.
fn timed<T>(waited: &mut Duration, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = work();
    *waited += started.elapsed();
    result
}
