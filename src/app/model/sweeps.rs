//! Sweeps among the run folders: how their runs stand, and what each setting came to over its seeds.

use super::kinds::{LineKey, MAIN_SPLIT};
use super::runs::ListedRun;
use crate::app::format;
use crate::report::Figure;
use crate::session::sweep::{RunRecord, RunState};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The folder of a sweep that was read.
#[derive(Debug)]
pub struct ListedSweep {
    pub dir: PathBuf,
    /// The name of the folder.
    pub name: String,
    /// A run each, in the sweep's order.
    pub records: Vec<RunRecord>,
    /// Runs that say that they train and that no program trains: a kill cut them off.
    pub cut_off: usize,
    pub groups: Vec<SweepGroup>,
}

/// The runs of a sweep that differ in their seed alone.
#[derive(Debug)]
pub struct SweepGroup {
    /// The name of its runs without the seed.
    pub name: String,
    pub runs: usize,
    pub completed: usize,
    /// What the last validation of the completed runs measured, with the line's words: top-1 on val, percent.
    pub figures: Vec<(String, Figure)>,
}

impl ListedSweep {
    /// The sweep in `dir`, whose run folders are among `listed`.
    pub fn new(dir: &Path, records: Vec<RunRecord>, cut_off: usize, listed: &[Arc<ListedRun>]) -> Self {
        let name = dir.file_name().map_or_else(|| dir.display().to_string(), |n| n.to_string_lossy().into());
        let mut groups: Vec<(String, Vec<&RunRecord>)> = Vec::new();
        for record in &records {
            let seed = format!("-seed{}", record.seed);
            let settings = record.run.strip_suffix(&seed).unwrap_or(&record.run);
            match groups.iter_mut().find(|(known, _)| known == settings) {
                Some((_, runs)) => runs.push(record),
                None => groups.push((settings.to_owned(), vec![record])),
            }
        }
        let listed = listed.iter().map(|run| (run.dir.as_path(), &**run)).collect();
        let groups = groups.into_iter().map(|(name, runs)| group(dir, name, &runs, &listed)).collect();
        Self { dir: dir.to_owned(), name, records, cut_off, groups }
    }

    /// Runs in this state.
    pub fn count(&self, state: RunState) -> usize {
        self.records.iter().filter(|record| record.state == state).count()
    }

    /// Share of the steps of all runs that are done, 0..1.
    pub fn share(&self) -> f32 {
        let total: u64 = self.records.iter().map(|record| record.total_steps).sum();
        let done: u64 = self.records.iter().map(|record| record.step.min(record.total_steps)).sum();
        done as f32 / total.max(1) as f32
    }
}

fn group(dir: &Path, name: String, runs: &[&RunRecord], listed: &HashMap<&Path, &ListedRun>) -> SweepGroup {
    let completed: Vec<&&RunRecord> =
        runs.iter().filter(|record| record.state == RunState::Completed).collect();
    let folders = completed.iter().map(|record| dir.join(&record.run));
    let found: Vec<&ListedRun> = folders.filter_map(|folder| listed.get(folder.as_path()).copied()).collect();
    let domains = found.iter().map(|run| run.run.domains.len()).max().unwrap_or(0);
    let keys = (0..domains).flat_map(|domain| [false, true].map(|on| LineKey::of_validation(domain, on)));
    let figures = keys.filter_map(|key| {
        let last = |run: &&ListedRun| run.run.accuracy.get(MAIN_SPLIT)?.get(&key)?.last();
        let figure = Figure::of(found.iter().filter_map(last))?;
        let domain = found.iter().find_map(|run| run.run.domains.get(key.domain))?;
        let attack = found.iter().find_map(|run| run.run.attack_of(&key));
        let by = attack.map_or_else(String::new, |spec| format!(" by {}", format::attack(spec)));
        Some((format!("{domain}, {}{by}", key.images()), figure))
    });
    SweepGroup { figures: figures.collect(), name, runs: runs.len(), completed: completed.len() }
}
