//! How long the runs of a sweep take: lengths that are known before any of them starts, and seconds from runs
//! that are complete or from a preflight.

use super::record::{RunRecord, RunState};
use crate::config::sweep::Sweep;
use crate::config::{Config, DataConfig, OptimizerKind, Precision};
use crate::data::{self, Dataset};
use crate::gpu::DeviceChoice;
use crate::models::{ModelOptions, build};
use crate::session::preflight::{self, Preflight};
use crate::session::setup::{check_statistics, class_names};
use crate::training::engine::RunLength;
use crate::training::schedule::total_steps;
use crate::training::{method, step_cost};
use anyhow::{Context as _, anyhow};
use std::path::Path;
use std::sync::Arc;

/// What is known of a run before it starts.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// Optimizer steps of an epoch.
    pub steps_per_epoch: u64,
    /// Optimizer steps of the run.
    pub total_steps: u64,
    /// Forward and backward passes over the network a step; see [`step_cost::passes`].
    pub passes: f64,
    /// Multiply-adds of a pass over a batch.
    macs: f64,
}

impl Shape {
    /// The work of the whole run in a unit that runs of one sweep share.
    fn work(&self) -> f64 {
        self.total_steps as f64 * self.passes * self.macs
    }
}

/// What decides how long a step takes.
#[derive(Clone, Debug, PartialEq)]
struct Kind {
    text: String,
    optimizer: OptimizerKind,
    precision: Precision,
}

impl Kind {
    fn of(config: &Config) -> Self {
        let mut alike = Config::default();
        alike.data.clone_from(&config.data);
        alike.model.clone_from(&config.model);
        alike.method.clone_from(&config.method);
        (alike.run.batch_size, alike.run.accumulate) = (config.run.batch_size, config.run.accumulate);
        let (optimizer, precision) = (config.optimizer.kind, config.run.precision);
        Self { text: alike.resolved_toml(), optimizer, precision }
    }
}

/// Where a predicted time comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prediction {
    /// The mean of complete runs of this sweep that have the same steps, validation included.
    CompleteRuns,
    /// The steps that a preflight took, times their number; validation comes on top.
    Preflight,
}

/// The lengths of a sweep's runs, and what was learned of their time.
#[derive(Debug)]
pub struct Forecast {
    shapes: Vec<Shape>,
    kinds: Vec<Kind>,
    /// Seconds of the runs that are complete, by index.
    seconds: Vec<Option<f64>>,
    is_over: Vec<bool>,
}

impl Forecast {
    /// Opens the data and builds the network of every run; the first fault is told with the run's name.
    pub fn new(sweep: &Sweep) -> anyhow::Result<Self> {
        let mut opened = Vec::new();
        let mut shapes = Vec::new();
        for run in &sweep.runs {
            let shape = shape(&run.config, &mut opened);
            shapes.push(shape.with_context(|| format!("the run {} cannot begin", run.name))?);
        }
        let count = sweep.runs.len();
        let kinds = sweep.runs.iter().map(|run| Kind::of(&run.config)).collect();
        Ok(Self { shapes, kinds, seconds: vec![None; count], is_over: vec![false; count] })
    }

    /// The lengths, by the runs' place in the sweep.
    pub fn shapes(&self) -> &[Shape] {
        &self.shapes
    }

    /// Takes in how a run stands.
    pub(super) fn measured(&mut self, index: usize, record: &RunRecord) {
        self.is_over[index] =
            !matches!(record.state, RunState::Waiting | RunState::Running | RunState::Stopped);
        if record.state == RunState::Completed && record.seconds > 0.0 {
            self.seconds[index] = Some(record.seconds);
        }
    }

    /// Seconds of a run by the complete runs whose steps are like its own.
    fn of_alike(&self, index: usize) -> Option<f64> {
        let alike = |other: &usize| self.kinds[*other] == self.kinds[index];
        let rates = (0..self.shapes.len())
            .filter(alike)
            .filter_map(|other| Some(self.seconds[other]? / self.shapes[other].total_steps.max(1) as f64));
        mean(rates).map(|per_step| per_step * self.shapes[index].total_steps as f64)
    }

    /// Seconds of a run: by those alike, else by the work of any.
    fn of_run(&self, index: usize) -> Option<f64> {
        let of_any = || {
            let rates =
                self.seconds.iter().zip(&self.shapes).filter_map(|(s, shape)| Some((*s)? / shape.work()));
            Some(mean(rates)? * self.shapes[index].work())
        };
        self.of_alike(index).or_else(of_any)
    }

    /// Seconds of the runs behind `index` that are not over; `None` before a run is complete.
    pub fn later_seconds(&self, index: usize) -> Option<f64> {
        (index + 1..self.shapes.len())
            .filter(|later| !self.is_over[*later])
            .map(|later| self.of_run(later))
            .sum()
    }

    /// The work of the runs behind `index` that are not over, in multiples of its own.
    pub fn later_times(&self, index: usize) -> f64 {
        let later = (index + 1..self.shapes.len()).filter(|later| !self.is_over[*later]);
        later.map(|later| self.shapes[later].work()).sum::<f64>() / self.shapes[index].work()
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Checks a run as far as that needs no GPU. Each set of images is opened once.
fn shape(config: &Config, opened: &mut Vec<(DataConfig, Arc<dyn Dataset>)>) -> anyhow::Result<Shape> {
    let known = opened.iter().find(|(data, _)| *data == config.data).map(|(_, train)| Arc::clone(train));
    let train = match known {
        Some(train) => train,
        None => {
            let train = data::open(&config.data)?.train;
            opened.push((config.data.clone(), Arc::clone(&train)));
            train
        }
    };
    let (images, classes) = (train.len(), class_names(config, train.as_ref())?.len());
    let steps_per_epoch = data::steps_per_epoch(images, config.run.batch_size)?;
    let total_steps = total_steps(&config.run, steps_per_epoch);
    let (size, domains) = (config.data.image_size, method::domains(&config.method));
    let options = ModelOptions::from_config(&config.model, size, classes, domains);
    let network = build(&config.model.arch, &options)?;
    check_statistics(config, &network, RunLength { steps_per_epoch, total_steps })?;
    let macs = network.macs() as f64 * config.run.batch_size as f64;
    let passes = step_cost::passes(config, steps_per_epoch, total_steps);
    Ok(Shape { steps_per_epoch, total_steps, passes, macs })
}

/// Predicts the seconds of each run, by its place in the sweep: from `records` of complete runs where there
/// are some with the same steps, else from a short preflight of one run of each kind. `working` hears (runs
/// looked at, of all, what is being done).
pub fn predict(
    sweep: &Sweep,
    out: &Path,
    device: &DeviceChoice,
    records: &[RunRecord],
    working: &mut dyn FnMut(usize, usize, &str),
) -> anyhow::Result<(Forecast, Vec<(f64, Prediction)>)> {
    let mut forecast = Forecast::new(sweep)?;
    for (index, run) in sweep.runs.iter().enumerate() {
        if let Some(record) = records.iter().find(|record| record.run == run.name) {
            forecast.measured(index, record);
        }
    }
    let mut timed: Vec<(Kind, f64)> = Vec::new();
    let mut predictions = Vec::new();
    let count = sweep.runs.len();
    for (index, run) in sweep.runs.iter().enumerate() {
        if let Some(seconds) = forecast.of_alike(index) {
            predictions.push((seconds, Prediction::CompleteRuns));
            continue;
        }
        let kind = &forecast.kinds[index];
        let known = timed.iter().find(|(other, _)| other == kind).map(|(_, seconds)| *seconds);
        let per_step = match known {
            Some(seconds) => seconds,
            None => {
                let told = |what: &str| working(index, count, what);
                let seconds = step_seconds(&run.config, out, device, told)
                    .with_context(|| format!("the run {} cannot begin", run.name))?;
                timed.push((kind.clone(), seconds));
                seconds
            }
        };
        predictions.push((per_step * forecast.shapes[index].total_steps as f64, Prediction::Preflight));
    }
    Ok((forecast, predictions))
}

/// Seconds of a step by a preflight, which writes nothing.
fn step_seconds(
    config: &Config,
    out: &Path,
    device: &DeviceChoice,
    mut told: impl FnMut(&str),
) -> anyhow::Result<f64> {
    // The folder of a run that was begun would be refused; one in it tries the same disk.
    let out = out.join("preflight");
    let events = preflight::spawn(config.clone(), out, device.clone(), Arc::new(|| ()))?;
    for event in &events {
        match event {
            Preflight::Working { what, .. } => told(&what),
            Preflight::Ready(forecast) => return Ok(forecast.seconds_per_step),
            Preflight::Refused { reason, .. } => return Err(anyhow!(reason)),
            Preflight::Passed { .. } | Preflight::Warning(_) | Preflight::Previews(_) => {}
        }
    }
    Err(anyhow!("its preflight ended without a word"))
}
