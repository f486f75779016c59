//! What `--resume` finds in a run folder: whether the run is the same, and what of it a kill left behind or
//! is of steps past the checkpoint.

use super::appender::csv_text;
use super::{MetricLine, RunFiles};
use crate::config::Config;
use crate::config::path_faults::unreadable_file;
use crate::config::reading;
use crate::config::schema::Field;
use crate::interop::atomic::{TEMPORARY_SUFFIX, write_atomic};
use crate::interop::tensorboard::EVENT_FILES;
use anyhow::{Context as _, anyhow, bail};
use serde::de::DeserializeOwned;
use std::io::{BufRead as _, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

/// The first key that keeps a run with `config` from going on with one that began with `before`: it must
/// compute what the first part would have gone on to compute; only its length, its reports and the place of
/// its files may change.
pub fn parting_key(before: &Config, config: &Config) -> Option<&'static Field> {
    let decides = |field: &Field| {
        let free = [
            "run.name",
            "run.epochs",
            "run.steps",
            "run.init",
            "run.checkpoint_steps",
            "run.mlflow",
            "data.path",
        ];
        !free.contains(&field.path) && field.section() != "eval"
    };
    before.first_difference(config, decides)
}

pub(super) fn check_same_run(kept: &Path, config: &Config) -> anyhow::Result<()> {
    let before = Config::load(kept, &[])?;
    if let Some(field) = parting_key(&before, config) {
        let text = |c: &Config| c.get(field.path).map_or("absent".to_string(), |v| v.to_string());
        bail!(
            "`{}` is {}, but the run in {} began with {}; a resumed run keeps it (only its length, eval and paths may change)",
            field.path,
            text(config),
            kept.parent().unwrap_or(kept).display(),
            text(&before)
        );
    }
    Ok(())
}

/// Whether a new run may begin in `dir`: there is nothing yet, or nothing but what a run leaves that ended
/// before its first step. A folder without a run's lock is somebody's own.
pub fn may_begin_in(dir: &Path) -> bool {
    let files = RunFiles::of(dir);
    let Ok(entries) = std::fs::read_dir(dir) else { return !dir.exists() };
    let entries: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    let sentences =
        [files.config(), files.arguments(), files.log(), files.ended(), files.lock(), files.mlflow()];
    let figures = [files.metrics(), files.metrics_table(), files.bn_stats()];
    let says_nothing = |path: &PathBuf| {
        let is_empty = || path.metadata().is_ok_and(|data| data.len() == 0);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        sentences.contains(path)
            || (figures.contains(path) && is_empty())
            || name.starts_with(EVENT_FILES)
            || is_temporary(&name)
    };
    entries.is_empty() || (entries.contains(&files.lock()) && entries.iter().all(says_nothing))
}

fn is_temporary(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(TEMPORARY_SUFFIX)
}

/// The TensorBoard files in a folder.
pub(super) fn event_files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let ours = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(EVENT_FILES));
    ours.map(|entry| entry.path()).collect()
}

/// Clears the TensorBoard files of a run that ended before its first step.
pub(super) fn remove_event_files(dir: &Path) -> anyhow::Result<()> {
    remove_named(dir, |name| name.starts_with(EVENT_FILES))
}

/// Clears what a killed run left half written.
pub(super) fn remove_temporaries(dir: &Path) -> anyhow::Result<()> {
    remove_named(dir, is_temporary)
}

fn remove_named(dir: &Path, goes: impl Fn(&str) -> bool) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(dir)?.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if goes(&name) {
            std::fs::remove_file(entry.path()).with_context(|| format!("cannot remove {name}"))?;
        }
    }
    Ok(())
}

/// Writes `metrics.csv` anew from `metrics.jsonl`, for a run that goes on.
pub(super) fn write_table(files: &RunFiles) -> anyhow::Result<()> {
    let path = files.metrics();
    // As long as the run: what wrote it could hold it, line by line.
    let text = match reading::read_text(&path, u64::MAX) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        other => other.map_err(|e| anyhow!(unreadable_file(&path, &e)))?,
    };
    let lines = text.lines().filter_map(|line| serde_json::from_str::<MetricLine>(line).ok());
    let table = csv_text(lines, true)?;
    write_atomic(&files.metrics_table(), |out| out.write_all(table.as_bytes()))
}

/// Rewrites a file of JSON lines with those that `stays` keeps, without a torn last one. Returns the last
/// that stays.
pub(super) fn cut_lines<L: DeserializeOwned>(
    path: &Path,
    mut stays: impl FnMut(&L) -> bool,
) -> anyhow::Result<Option<L>> {
    let file = match reading::open(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.map_err(|e| anyhow!(unreadable_file(path, &e)))?,
    };
    let mut kept = Vec::new();
    let mut last = None;
    for text in BufReader::new(file).split(b'\n') {
        let text = text.with_context(|| format!("cannot read {}", path.display()))?;
        let Ok(line) = serde_json::from_slice::<L>(&text) else { continue };
        if stays(&line) {
            kept.extend(text);
            kept.push(b'\n');
            last = Some(line);
        }
    }
    write_atomic(path, |out| out.write_all(&kept))?;
    Ok(last)
}
