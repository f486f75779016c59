//! Top-1, top-5 and loss of a network on a set of images, through one BN domain, clean or attacked.

use super::inference::Inference;
use super::robustness::condition::Condition;
use super::robustness::pass::{Moment, Pass, Tallies};
use crate::config::{AttackConfig, Domain};
use crate::data::Dataset;
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
    let pass = Pass {
        set: dataset,
        conditions: &[what
            .attack
            .cloned()
            .map_or(Condition::Clean, |attack| Condition::Attacked(attack.into()))],
        corruptor: None,
        domains: &[what.domain.into()],
        limit: what.limit,
        seed: what.seed,
        answers: None,
        localise: None,
    };
    let mut tallies = Tallies::default();
    let end = pass.run(gpu, inference, &[], &mut tallies, |moment| match moment {
        Moment::Measured(done, total, _) => go_on(done, total),
        Moment::Block(_) | Moment::Damaged(_) => true,
    })?;
    if !end.finished {
        return Ok(None);
    }
    let tally = tallies.cells[0][0];
    anyhow::ensure!(tally.images > 0, "{}: no readable image to measure on", what.split);
    let [loss, top1, top5] = tally.means();
    Ok(Some(EvalRow {
        split: what.split.to_owned(),
        domain: Domain::name_of(what.domain),
        attack: what.attack.map(AttackConfig::spec),
        images: tally.images,
        loss,
        top1,
        top5,
    }))
}
