//! The pictures of past validations in a run folder, `moments/STEP.safetensors`: what `pictures.safetensors`
//! was before the next validation took its place. They are kept thin by a budget.

use super::RunFiles;
use crate::interop::atomic::{create_folder, sentence};
use crate::training::pictures;
use anyhow::{Context as _, anyhow};
use std::path::{Path, PathBuf};

const ENDING: &str = ".safetensors";

/// The place of the moment whose neighbours lie closest in `steps`, which rise: without it the rest is still
/// spread over the run. The first and the last stay; `None` where there is nothing between them.
pub fn most_dispensable(steps: &[u64]) -> Option<usize> {
    let inner = 1..steps.len().saturating_sub(1);
    inner.min_by_key(|place| steps[place + 1] - steps[place - 1])
}

/// The kept pictures by rising step, without those of the last validation. Files that are not the run's are
/// left alone.
pub fn moments(files: &RunFiles) -> Vec<(u64, PathBuf)> {
    let entries = std::fs::read_dir(files.moments()).into_iter().flatten().flatten();
    let mut found: Vec<(u64, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name();
            Some((name.to_str()?.strip_suffix(ENDING)?.parse().ok()?, entry.path()))
        })
        .collect();
    found.sort();
    found
}

/// Keeps the pictures in `pictures.safetensors`, which are of `step` and are about to be replaced by those of
/// step `next`, and lets go of others until the rest fit `budget` bytes.
pub(super) fn keep(files: &RunFiles, step: u64, next: u64, budget: u64) -> anyhow::Result<()> {
    let dir = files.moments();
    let failed = || format!("the pictures of step {step} cannot be kept");
    create_folder(&dir).with_context(failed)?;
    let (current, kept) = (files.pictures(), dir.join(format!("{step:08}{ENDING}")));
    remove(&kept)?;
    // The file is never written to again, only replaced; not every file system has links.
    if std::fs::hard_link(&current, &kept).is_err() {
        std::fs::copy(&current, &kept).map_err(|e| anyhow!(sentence(&kept, &e))).with_context(failed)?;
    }
    let mut all = moments(files);
    all.retain(|(step, _)| *step < next);
    let bytes = |path: &Path| path.metadata().map_or(0, |data| data.len());
    while all.iter().map(|(_, path)| bytes(path)).sum::<u64>() > budget {
        let steps: Vec<u64> = all.iter().map(|(step, _)| *step).chain([next]).collect();
        // Even the first goes where the budget has no room for one.
        let (_, path) = all.remove(most_dispensable(&steps).unwrap_or(0));
        remove(&path)?;
    }
    Ok(())
}

/// Removes what is of steps after `step`, which a resumed run has yet to make; returns the step of the
/// pictures that stay in `pictures.safetensors`.
pub(super) fn cut(files: &RunFiles, step: u64) -> anyhow::Result<Option<u64>> {
    for (_, path) in moments(files).into_iter().filter(|(of, _)| *of > step) {
        remove(&path)?;
    }
    let current = files.pictures();
    if !current.exists() {
        return Ok(None);
    }
    match pictures::load(&current) {
        Ok(snapshot) if snapshot.step <= step => Ok(Some(snapshot.step)),
        _ => remove(&current).map(|()| None),
    }
}

fn remove(path: &Path) -> anyhow::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes pictures of `bytes` bytes; nothing here reads them.
    fn validate(files: &RunFiles, step: u64, before: Option<u64>, budget: u64) {
        if let Some(before) = before {
            keep(files, before, step, budget).expect("kept");
        }
        // As an atomic write does it: another file under the name.
        let new = files.dir().join("new");
        std::fs::write(&new, step.to_string().repeat(100)).expect("writable");
        std::fs::rename(&new, files.pictures()).expect("renamed");
    }

    fn steps(files: &RunFiles) -> Vec<u64> {
        moments(files).into_iter().map(|(step, _)| step).collect()
    }

    #[test]
    fn past_pictures_stay_within_the_budget_spread_over_the_run() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let files = RunFiles::of(folder.path());
        // 200 bytes each.
        for step in 10..=42 {
            validate(&files, step, (step > 10).then(|| step - 1), 1000);
        }
        let kept = steps(&files);
        assert_eq!((kept.len(), kept[0]), (5, 10), "{kept:?}");
        assert!(kept.windows(2).all(|pair| pair[1] - pair[0] <= 16), "{kept:?}");
        let (step, path) = &moments(&files)[2];
        assert_eq!(std::fs::read_to_string(path).expect("readable"), step.to_string().repeat(100));
        assert!(!steps(&files).contains(&42), "the newest are in their own file");

        // A resumed run has the later ones to make again, and other files are nobody's business.
        std::fs::write(files.moments().join("mine.txt"), "").expect("writable");
        assert_eq!(cut(&files, 20).expect("cut"), None, "the newest were of a later step");
        assert!(steps(&files).iter().all(|step| *step <= 20) && !files.pictures().exists());
        assert!(files.moments().join("mine.txt").exists());
        keep(&files, 20, 21, 1000).expect_err("there is nothing to keep");
    }

    #[test]
    fn a_budget_of_less_than_one_keeps_none() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let files = RunFiles::of(folder.path());
        for step in 10..=12 {
            validate(&files, step, (step > 10).then(|| step - 1), 100);
        }
        assert_eq!(steps(&files), [] as [u64; 0]);
    }
}
