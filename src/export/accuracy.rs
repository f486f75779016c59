//! What was measured of a checkpoint: by its run at its step, and by `dualprop eval` into the run's folder.

use crate::config::Config;
use crate::evaluation::robustness::record::{ASKED_FILE, CHECKSUM, checksum_of, facts_in, rows_in};
use crate::evaluation::robustness::row::Row;
use crate::report::evaluation_folders;
use crate::training::events::EvalRow;
use crate::training::run_folder::{MetricsFollower, Report, RunFiles};
use std::path::Path;

/// The accuracies of a checkpoint.
#[derive(Debug, Default)]
pub(super) struct Measured {
    /// The rows of the run's last validation at the checkpoint's step: of the averaged weights where there
    /// are any.
    pub(super) validation: Vec<EvalRow>,
    /// The rows of evaluations of this very file with the weights that are exported.
    pub(super) evaluations: Vec<Row>,
}

impl Measured {
    /// What the run folder that `checkpoint` lies in knows of it; nothing where it lies in none. `ema`:
    /// whether the averaged weights are exported; `has_ema`: whether there are any.
    pub(super) fn of(checkpoint: &Path, step: u64, ema: bool, has_ema: bool) -> Self {
        let folder = checkpoint.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let files = RunFiles::of(folder);
        if !files.metrics().is_file() {
            return Self::default();
        }
        let evaluations = evaluations(checkpoint, folder, |weights| match weights {
            "raw" => !ema,
            "ema" => ema,
            _ => ema == has_ema,
        });
        Self { validation: validation(&files, step), evaluations }
    }
}

fn validation(files: &RunFiles, step: u64) -> Vec<EvalRow> {
    let config = Config::load(&files.config(), &[]).ok();
    let mut follower = MetricsFollower::new(files, config.as_ref());
    let mut rows = Vec::new();
    while let Ok(found) = follower.read() {
        for report in found.reports {
            match report {
                Report::Validation(report) if report.step == step => rows = report.rows,
                _ => {}
            }
        }
        if !found.more {
            break;
        }
    }
    rows
}

/// The rows of the evaluations in `folder` that were of the file `checkpoint` and of weights that `fit`.
fn evaluations(checkpoint: &Path, folder: &Path, fit: impl Fn(&str) -> bool) -> Vec<Row> {
    let folders = evaluation_folders(folder).into_iter().filter(|folder| folder.join(ASKED_FILE).is_file());
    let facts = folders.filter_map(|folder| Some((facts_in(&folder).ok()?, folder)));
    let mut checksum = None;
    let of_this = facts.filter(|(facts, _)| {
        let word = |key: &str| facts.get(key).and_then(|value| value.as_str()).unwrap_or_default();
        // The file is read for its checksum once, and only where there is something to compare it with.
        let own = checksum.get_or_insert_with(|| checksum_of(checkpoint).unwrap_or_default());
        word(CHECKSUM) == *own && fit(word("weights"))
    });
    of_this.flat_map(|(_, folder)| rows_in(&folder).unwrap_or_default()).collect()
}
