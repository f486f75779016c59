//! A comparison of runs, as one page for people and as data: what of their configurations differs, curves,
//! tables with means over seeds, class activation maps side by side, costs. It reads run folders and changes
//! none.

#![warn(missing_docs)]

mod chart;
mod corrupted;
mod group;
mod html;
mod markdown;
mod pictures;
mod run;
mod statistics;
mod tables;

pub use group::{Difference, Group, differences, grouped};
pub use html::cell;
#[cfg(feature = "gui")]
pub(crate) use html::escape;
pub(crate) use markdown::escape as escape_markdown;
pub use pictures::Pictures;
pub use run::{Condition, Run, evaluation_folders, evaluation_rows};
pub use statistics::Figure;
pub use tables::{Table, TableRow};

use crate::gpu::DeviceChoice;
use crate::session::sweep::{RunState, SweepFiles, records};
use crate::training::run_folder::RunFiles;
use anyhow::bail;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Runs that are compared.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The runs, those that differ by their seed alone together.
    pub groups: Vec<Group>,
    /// Sentences on what was left out or could not be read.
    pub warnings: Vec<String>,
    /// Whether corruptions are held against AlexNet's on ImageNet-C too.
    pub with_alexnet: bool,
    pictures: Pictures,
}

impl Comparison {
    /// Reads run folders, the runs of sweeps' folders and evaluations of checkpoints, each once. A sweep's
    /// runs that have not begun are left out with a warning.
    pub fn read(paths: &[PathBuf]) -> anyhow::Result<Self> {
        let mut warnings = Vec::new();
        let mut dirs: Vec<PathBuf> = Vec::new();
        for path in paths {
            if SweepFiles::of(path).sweep().is_file() {
                dirs.extend(runs_of_sweep(path, &mut warnings)?);
            } else {
                dirs.push(path.clone());
            }
        }
        let mut taken = BTreeSet::new();
        dirs.retain(|dir| taken.insert(dir.canonicalize().unwrap_or_else(|_| dir.clone())));
        let runs: Vec<Run> = dirs.iter().map(|dir| Run::read(dir)).collect::<anyhow::Result<_>>()?;
        warnings.extend(runs.iter().flat_map(|run| run.warnings.clone()));
        Ok(Self { groups: grouped(runs), warnings, with_alexnet: false, pictures: Pictures::default() })
    }

    /// Makes the class activation maps on an adapter; without one the page says why there are none. `working`
    /// hears (groups looked at, of all).
    pub fn look(&mut self, device: &DeviceChoice, working: &mut dyn FnMut(usize, usize)) {
        self.pictures = Pictures::make(&self.groups, device, working);
    }

    /// The tables that have a figure.
    pub fn tables(&self) -> Vec<Table> {
        tables::all(&self.groups, self.with_alexnet)
    }

    /// The page, well-formed HTML that needs no other file.
    pub fn page(&self) -> String {
        html::page(&self.groups, &self.tables(), &self.warnings, &self.pictures)
    }

    /// The tables and warnings as Markdown.
    pub fn markdown(&self) -> String {
        markdown::page(&self.tables(), &self.warnings)
    }

    /// The groups, differences and tables as one JSON object.
    pub fn json(&self) -> Value {
        let run = |run: &Run| {
            json!({
                "dir": run.dir.display().to_string(),
                "name": run.name,
                "seed": run.config.run.seed,
                "steps": run.steps,
                "ended": run.finish,
            })
        };
        let groups = self.groups.iter().map(
            |group| json!({ "group": group.label, "runs": group.runs.iter().map(run).collect::<Vec<_>>() }),
        );
        let by_key = differences(&self.groups).into_iter().map(|difference| {
            let of_group = self.groups.iter().map(|group| group.label.clone());
            let values = of_group.zip(difference.values.into_iter().map(Value::from)).collect();
            (difference.key.to_owned(), Value::Object(values))
        });
        json!({
            "groups": groups.collect::<Vec<_>>(),
            "differences": Value::Object(by_key.collect()),
            "tables": self.tables(),
            "warnings": self.warnings,
        })
    }
}

/// The folders of a sweep's runs that have begun, in its order.
fn runs_of_sweep(dir: &Path, warnings: &mut Vec<String>) -> anyhow::Result<Vec<PathBuf>> {
    let records = records(&SweepFiles::of(dir));
    if records.is_empty() {
        bail!("the sweep in {} has not begun: it has no readable sweep.jsonl", dir.display());
    }
    let mut dirs = Vec::new();
    for record in records {
        let run = dir.join(&record.run);
        if let Some(reason) = &record.reason {
            warnings.push(format!("{} {}: {reason}", record.run, record.state.word()));
        }
        if record.state == RunState::Refused {
            continue;
        }
        if RunFiles::of(&run).metrics().is_file() {
            dirs.push(run);
        } else {
            warnings.push(format!("{} has not begun and is left out", record.run));
        }
    }
    if dirs.is_empty() {
        bail!("no run of the sweep in {} has begun", dir.display());
    }
    Ok(dirs)
}
