//! What a run measured at the step of one of its checkpoints.

use crate::config::Config;
use crate::training::events::EvalRow;
use crate::training::run_folder::{MetricsFollower, Report, RunFiles};
use std::path::Path;

/// The rows of the last validation of `step` in the run folder that `checkpoint` lies in; none where it lies
/// in no run folder, or the step was not validated.
pub(super) fn measured(checkpoint: &Path, step: u64) -> Vec<EvalRow> {
    let folder = checkpoint.parent().filter(|folder| !folder.as_os_str().is_empty());
    let files = RunFiles::of(folder.unwrap_or(Path::new(".")));
    let config = Config::load(&files.config(), &[]).ok();
    let mut follower = MetricsFollower::new(&files, config.as_ref());
    let mut rows = Vec::new();
    // A checkpoint that was moved away has no such file beside it.
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
