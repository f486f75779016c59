//! Timed trials: for each class of convolution in a step's plans, the few variants that the rule finds most
//! promising run on this adapter, and the fastest one that computes the same is kept for later runs.

use super::compare_variants::{difference, filled, results, tolerance};
use super::{bench, open_device};
use crate::config::Config;
use crate::gpu::profile::profile;
use crate::gpu::tuned_variants;
use crate::gpu::{Device, DeviceChoice, GpuError, Program, StepUniform, step_buffer};
use crate::kernels::conv_case::Trial;
use crate::training::engine::{Engine, RunLength};
use crate::training::precision;
use anyhow::Context as _;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;

/// Variants of a class that are tried.
const CANDIDATES: usize = 4;
/// Timed runs of each: at least, at most, and the seconds after which no further one begins.
const LEAST_RUNS: usize = 2;
const MOST_RUNS: usize = 8;
const ENOUGH_S: f64 = 0.01;
/// Times nearer to the rule's than this are noise, and the rule's variant stays.
const WORTH_IT: f64 = 1.05;

/// What the trials of one class found.
#[derive(Clone, Debug, Serialize)]
pub struct TuneRow {
    /// The class of convolutions, as tuned variants are filed.
    pub class: String,
    /// The variant that the rule chooses.
    pub rule: String,
    /// The fastest, or the rule's where none is clearly faster.
    pub best: String,
    /// The rule's time over the best one's.
    pub ratio: f64,
    /// Milliseconds of the best one.
    pub best_ms: f64,
    /// Variants that did not compute what the rule's does, with the reason.
    pub refused: Vec<String>,
}

/// What trials found, slowest class first.
#[derive(Clone, Debug, Serialize)]
pub struct TuneReport {
    /// Adapter and backend.
    pub device: String,
    /// Where the choices are kept.
    pub file: PathBuf,
    /// One row a class of convolutions.
    pub rows: Vec<TuneRow>,
}

/// Tries the convolutions of a configuration's step on an adapter. `progress` hears (classes done, of all).
pub fn tune(
    config: &Config,
    device: &DeviceChoice,
    progress: impl FnMut(usize, usize),
) -> anyhow::Result<TuneReport> {
    config.validate()?;
    tune_on(&open_device::open(device, config.run.precision)?, config, progress)
}

/// As [`tune`] on an open device; its own choices stay as they were.
pub fn tune_on(
    device: &Arc<Device>,
    config: &Config,
    mut progress: impl FnMut(usize, usize),
) -> anyhow::Result<TuneReport> {
    let cache = device.cache().context("there is no cache folder to keep the choices in")?;
    let network = bench::network(config)?;
    let length = RunLength { steps_per_epoch: 1000, total_steps: 1 };
    // The engine finds the layout that fits; its memory goes back before the trials take theirs.
    let engine = Engine::new(Arc::clone(device), config, network, length, |_, _| {}, |_| {})?;
    let cases = engine.convolutions().to_vec();
    drop(engine);
    let element = precision::storage(config.run.precision, device.report())?;
    let caps = device.caps_for(element);
    let trials: Vec<Vec<Trial>> = cases.iter().map(|case| case.trials(&caps, element, CANDIDATES)).collect();
    let works = trials.iter().flatten().flat_map(|trial| [&trial.timed, &trial.compared]);
    device.prepare(works.flat_map(|work| &work.launches), |_, _| {})?;
    let mut rows = Vec::new();
    let mut found = device.caps().tuned.map(Arc::unwrap_or_clone).unwrap_or_default();
    for (done, (case, trials)) in cases.iter().zip(&trials).enumerate() {
        progress(done, cases.len());
        let row = try_class(device, case.class(&caps), trials)?;
        found.0.insert(row.class.clone(), row.best.clone());
        rows.push(row);
    }
    progress(cases.len(), cases.len());
    found.save(cache).map_err(anyhow::Error::msg)?;
    rows.sort_by(|a, b| b.best_ms.total_cmp(&a.best_ms));
    let report = device.report();
    Ok(TuneReport {
        device: format!("{} ({})", report.name, report.backend),
        file: tuned_variants::file(cache),
        rows,
    })
}

/// Compares and times the variants of one class; the first is the rule's.
fn try_class(device: &Device, class: String, trials: &[Trial]) -> anyhow::Result<TuneRow> {
    let [rule, others @ ..] = trials else { anyhow::bail!("{class} has no variants") };
    let expected = results(device, &rule.compared)?;
    let mut refused = Vec::new();
    let mut sound = vec![rule];
    for other in others {
        match results(device, &other.compared) {
            Ok(found) => match difference(&found, &expected, tolerance(&other.compared)) {
                None => sound.push(other),
                Some(why) => refused.push(format!("{}: {why}", other.variant)),
            },
            Err(lost @ GpuError::Lost(_)) => return Err(lost.into()),
            Err(error) => refused.push(format!("{}: {error}", other.variant)),
        }
    }
    let times = times(device, &sound)?;
    let fastest = (0..sound.len()).min_by(|a, b| times[*a].total_cmp(&times[*b])).unwrap_or(0);
    let best = if times[0] / times[fastest] >= WORTH_IT { fastest } else { 0 };
    Ok(TuneRow {
        class,
        rule: rule.variant.clone(),
        best: sound[best].variant.clone(),
        ratio: times[0] / times[best],
        best_ms: times[best] * 1e3,
        refused,
    })
}

/// The fastest run of each, in seconds. They take turns, so that a clock that changes does so for all.
fn times(device: &Device, trials: &[&Trial]) -> anyhow::Result<Vec<f64>> {
    let programs = trials
        .iter()
        .map(|trial| {
            let buffers = trial.timed.parts.iter().enumerate().map(|(at, part)| filled(device, at, *part));
            let buffers = buffers.collect::<Result<Vec<_>, _>>()?;
            Program::new(
                device,
                &trial.timed.launches,
                &buffers,
                &step_buffer(device, &StepUniform::default())?,
            )
        })
        .collect::<Result<Vec<_>, GpuError>>()?;
    let mut best = vec![f64::INFINITY; trials.len()];
    let mut spent = vec![0.0; trials.len()];
    // The first round warms up: some drivers compile in it.
    for round in 0..=MOST_RUNS {
        for (index, program) in programs.iter().enumerate() {
            if round > LEAST_RUNS && spent[index] > ENOUGH_S {
                continue;
            }
            let dispatches = profile(device, program)?
                .context("this adapter has no timestamps, so that variants cannot be timed")?;
            let seconds: f64 = dispatches.iter().map(|d| d.seconds).sum();
            if round > 0 {
                spent[index] += seconds;
                best[index] = f64::min(best[index], seconds.max(1e-9));
            }
        }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::Element;
    use crate::kernels::conv::ConvShape;
    use crate::kernels::conv_case::{ConvCase, Direction};

    /// A variant that leaves most of its work undone is as fast as they come.
    #[test]
    fn a_faster_variant_with_other_results_is_refused() {
        let device = Device::for_tests();
        let shape = ConvShape::dense(300, 40, 72);
        for (direction, element) in [
            (Direction::Forward, Element::F32),
            (Direction::DataGradient, Element::F32),
            (Direction::WeightGradient, Element::F32),
            (Direction::Forward, Element::F16),
            (Direction::WeightGradient, Element::F16),
        ] {
            let case = ConvCase { direction, shape };
            let mut trials = case.trials(&device.caps(), element, 2);
            let mut wrong = trials[0].clone();
            wrong.variant = "wrong".to_owned();
            for work in [&mut wrong.timed, &mut wrong.compared] {
                work.launches.iter_mut().for_each(|launch| launch.grid = [1, 1, 1]);
            }
            trials.push(wrong);
            let row = try_class(&device, case.class(&device.caps()), &trials).unwrap();
            assert!(matches!(row.refused.as_slice(), [one] if one.starts_with("wrong: result")), "{row:?}");
            assert!(row.best == trials[0].variant || row.best == trials[1].variant, "{row:?}");
            assert!(row.ratio >= 1.0, "{row:?}");
        }
    }
}
