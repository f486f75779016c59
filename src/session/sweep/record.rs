//! How the runs of a sweep stand: `sweep.jsonl`, a line a run in the sweep's order, written whole at each
//! change.

use super::forecast::Shape;
use crate::config::reading;
use crate::config::sweep::{Sweep, SweepRun};
use crate::interop::atomic::write_atomic;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The paths of a sweep's own files; whether they exist is another question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SweepFiles(PathBuf);

impl SweepFiles {
    /// The files of the sweep in `dir`.
    pub fn of(dir: impl Into<PathBuf>) -> Self {
        Self(dir.into())
    }

    /// The folder itself.
    pub fn dir(&self) -> &Path {
        &self.0
    }

    /// The sweep as it was read, over the base that lies beside it. A folder that has this file is a sweep's.
    pub fn sweep(&self) -> PathBuf {
        self.0.join("sweep.toml")
    }

    /// How each run stands, a [`RunRecord`] a line.
    pub fn records(&self) -> PathBuf {
        self.0.join("sweep.jsonl")
    }

    /// Locked as long as a program runs the sweep.
    pub(super) fn lock(&self) -> PathBuf {
        self.0.join(".lock")
    }
}

/// How far a run of a sweep has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Its turn is still to come.
    Waiting,
    /// It trains, or was cut off by a kill.
    Running,
    /// It has all its steps.
    Completed,
    /// It was stopped with its weights saved.
    Stopped,
    /// It ended with a fault.
    Failed,
    /// Its folder holds something else, which was left as it is.
    Refused,
}

impl RunState {
    /// The word in files and on the screen.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Refused => "refused",
        }
    }
}

/// One line of `sweep.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The run's name, which is its folder's.
    pub run: String,
    /// Its seed.
    pub seed: u64,
    /// How far it has come.
    pub state: RunState,
    /// Of a failed or refused run, why.
    pub reason: Option<String>,
    /// Finished optimizer steps, as last heard.
    pub step: u64,
    /// Optimizer steps of the whole run.
    pub total_steps: u64,
    /// Seconds that the program has spent on it, preparation and validation included; 0 before it began.
    pub seconds: f64,
}

impl RunRecord {
    pub(super) fn set(&mut self, state: RunState, reason: Option<String>) {
        (self.state, self.reason) = (state, reason);
    }
}

/// The records of a sweep's folder; none where there is no readable file. Lines that cannot be read are left
/// out.
pub fn records(files: &SweepFiles) -> Vec<RunRecord> {
    let text = reading::read_text(&files.records(), reading::MOST_TEXT).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The records that a sweep begins with: what an earlier start measured stays known, and what failed there
/// gets another turn.
pub(super) fn begun(sweep: &Sweep, before: &[RunRecord], shapes: &[Shape]) -> Vec<RunRecord> {
    let record = |(run, shape): (&SweepRun, &Shape)| {
        let known = before.iter().find(|record| record.run == run.name);
        let state = known.map(|record| record.state);
        let state = state.filter(|state| !matches!(state, RunState::Failed | RunState::Refused));
        RunRecord {
            run: run.name.clone(),
            seed: run.config.run.seed,
            state: state.unwrap_or(RunState::Waiting),
            reason: None,
            step: known.map_or(0, |record| record.step),
            total_steps: shape.total_steps,
            seconds: known.map_or(0.0, |record| record.seconds),
        }
    };
    sweep.runs.iter().zip(shapes).map(record).collect()
}

pub(super) fn write(files: &SweepFiles, records: &[RunRecord]) -> anyhow::Result<()> {
    let mut text = String::new();
    for record in records {
        text += &serde_json::to_string(record)?;
        text.push('\n');
    }
    write_atomic(&files.records(), |out| out.write_all(text.as_bytes()))
}
