//! `dualprop sweep`: the runs of a sweep file, one after another.

mod evaluate;

use super::common::{DeviceOption, note, print_line};
use super::progress::{Progress, duration};
use super::run_view::{Later, Rescue, View};
use crate::config::sweep::{self, SweepRun};
use crate::session::sweep::{
    Control, Prediction, RunRecord, RunState, Standing, SweepEvent, SweepFiles, predict, records, run,
    standing,
};
use crate::words::counted;
use anyhow::{Context, bail};
use std::path::PathBuf;
use std::sync::Arc;

/// Trains every run of a sweep file: combinations of keys, times seeds, over one base.
///
/// Each run gets a folder in DIR. The same command again goes on where the sweep was stopped or killed:
/// complete runs are skipped, those cut off are resumed. A run that fails is named and the next one begins.
/// With tables [evaluate] each complete run is measured as `dualprop eval` would, into RUN/evaluation.
/// Ctrl-C once saves and stops, twice leaves at once.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: dualprop sweep assets/sweeps/shapes-methods.toml --out runs/methods --dry-run"
)]
pub(super) struct Sweep {
    /// Sweep file: `base`, `seeds`, `set`, `[[vary]]` and `[evaluate]` tables
    #[arg(value_name = "FILE.toml")]
    file: PathBuf,
    /// Folder of the sweep, new or that of an earlier start
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Show the runs, what sets them apart, their steps and their predicted time, and train none
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    device: DeviceOption,
}

impl Sweep {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let sweep = sweep::Sweep::load(&self.file)?;
        for sentence in &sweep.warnings {
            note(&format!("warning: {sentence}"));
        }
        if self.dry_run { self.show(&sweep) } else { self.train(&sweep) }
    }

    fn train(&self, sweep: &sweep::Sweep) -> anyhow::Result<()> {
        let control = Arc::new(Control::default());
        let stopped = Arc::clone(&control);
        ctrlc::set_handler(move || {
            if !stopped.stop() {
                std::process::exit(1);
            }
            note("\nsaving and stopping after this step; press Ctrl-C again to leave at once");
        })
        .context("cannot listen for Ctrl-C")?;
        let count = sweep.runs.len();
        let (mut view, mut rescue): (Option<View>, _) = (None, Rescue::default());
        let mut unmeasured = Vec::new();
        let mut tell = |event: SweepEvent| match event {
            SweepEvent::Begins { index, resumes, later_s, later_times } => {
                let SweepRun { name, config, .. } = &sweep.runs[index];
                let later = later_s.map_or(Later::Times(later_times), Later::Seconds);
                view = Some(View::new(config.run.batch_size, later));
                rescue = Rescue::default();
                let goes = if resumes { "goes on" } else { "begins" };
                // A sweep outlives its screen.
                let _ = print_line(&format!("run {} of {count}: {name} {goes}", index + 1));
            }
            SweepEvent::Run(event) => {
                if let Some(view) = &mut view {
                    rescue.show(view, event, control.commands().as_ref());
                }
            }
            SweepEvent::Ends { index, record } => {
                if let Some(view) = view.take() {
                    view.close();
                }
                let _ = print_line(&format!("run {} of {count}: {}", index + 1, words(&record)));
                let complete = record.state == RunState::Completed && !control.is_stopping();
                if complete && !sweep.evaluate.is_empty() {
                    let SweepRun { name, config, .. } = &sweep.runs[index];
                    let stopped = || control.is_stopping();
                    let dir = self.out.join(name);
                    let end = evaluate::measure(&sweep.evaluate, &dir, config, &self.device, &stopped);
                    if let Some(fault) = end.err().filter(|_| !control.is_stopping()) {
                        note(&format!(
                            "run {} of {count}: {name} could not be measured: {fault:#}",
                            index + 1
                        ));
                        unmeasured.push(name.as_str());
                    }
                }
            }
        };
        let records = run(sweep, &self.out, &self.device.device, &control, &mut tell)?;
        let number = |state| records.iter().filter(|record| record.state == state).count();
        let (complete, wrong) =
            (number(RunState::Completed), number(RunState::Failed) + number(RunState::Refused));
        if wrong > 0 {
            let which = records.iter().filter(|r| matches!(r.state, RunState::Failed | RunState::Refused));
            let which: Vec<&str> = which.map(|record| record.run.as_str()).collect();
            bail!(
                "{wrong} of {} did not complete: {}; the reasons stand above and in {}",
                counted(count, "run"),
                which.join(", "),
                SweepFiles::of(&self.out).records().display()
            );
        }
        if !unmeasured.is_empty() {
            let runs = counted(unmeasured.len(), "run");
            bail!("{runs} could not be measured, as said above: {}", unmeasured.join(", "));
        }
        if complete < count || control.is_stopping() {
            return print_line(&format!(
                "stopped and saved with {complete} of {} complete; the same command goes on",
                counted(count, "run")
            ));
        }
        print_line(&format!("{} complete in {}", counted(count, "run"), self.out.display()))
    }

    fn show(&self, sweep: &sweep::Sweep) -> anyhow::Result<()> {
        let before = records(&SweepFiles::of(&self.out));
        let mut progress = Progress::new("measuring", "runs");
        let working = &mut |done, total, _: &str| progress.update(done, total);
        let (forecast, predictions) = predict(sweep, &self.out, &self.device.device, &before, working)?;
        drop(progress);
        let width = sweep.runs.iter().map(|run| run.name.len()).max().unwrap_or(0);
        let (mut left_s, mut measured) = (0.0, false);
        let lines = sweep.runs.iter().zip(forecast.shapes()).zip(predictions);
        for ((run, shape), (seconds, from)) in lines {
            let stands = standing(&self.out.join(&run.name), &run.config);
            let record = before.iter().find(|record| record.run == run.name);
            let done = record.map_or(0.0, |record| record.step as f64 / record.total_steps.max(1) as f64);
            let (state, share) = match &stands {
                Standing::New => ("new".to_owned(), 1.0),
                Standing::Begun => (format!("begun, {:.0}% of the steps", 100.0 * done), 1.0 - done),
                Standing::Complete => ("complete".to_owned(), 0.0),
                Standing::Foreign(reason) => (format!("will be left out: {reason}"), 0.0),
            };
            left_s += share * seconds;
            measured |= share > 0.0 && from == Prediction::Preflight;
            let by = match from {
                Prediction::CompleteRuns => "by the complete runs",
                Prediction::Preflight => "by a preflight",
            };
            let varied: Vec<String> =
                run.varied.iter().map(|(key, value)| format!("{key}={value}")).collect();
            print_line(&format!(
                "{:width$}  {} steps  {} {by}  {state}  run.seed={} {}",
                run.name,
                shape.total_steps,
                duration(seconds),
                run.config.run.seed,
                varied.join(" ")
            ))?;
        }
        let but = if measured { "; validation comes on top of what a preflight measured" } else { "" };
        print_line(&format!("{}, {} left{but}", counted(sweep.runs.len(), "run"), duration(left_s)))
    }
}

/// How a run stands, in a line.
fn words(record: &RunRecord) -> String {
    let RunRecord { run, state, reason, step, total_steps, seconds, .. } = record;
    match (state, reason) {
        (RunState::Completed, _) => format!("{run} is complete ({step} steps, {})", duration(*seconds)),
        (RunState::Stopped, _) => format!("{run} was stopped after step {step} of {total_steps}"),
        (state, Some(reason)) => format!("{run} {}: {reason}", state.word()),
        (state, None) => format!("{run} is {}", state.word()),
    }
}
