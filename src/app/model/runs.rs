//! The runs that can be compared: every run folder near the one on screen and among the recent ones, read on
//! a thread of its own.

use super::history;
use super::kinds::{LineKey, MAIN_SPLIT};
use super::run::RunView;
use super::sweeps::ListedSweep;
use crate::config::Config;
use crate::session::sweep::{RunState, SweepFiles, records};
use crate::training::run_folder::{RunFiles, is_at_work};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Run folders read at most, newest first.
const MOST: usize = 200;

/// A run folder that was read.
#[derive(Debug)]
pub struct ListedRun {
    pub dir: PathBuf,
    /// The name of the folder.
    pub name: String,
    pub run: RunView,
    pub method: String,
    pub arch: String,
    pub seed: Option<u64>,
    /// The configuration without seed and name: runs that agree in it are repetitions of one experiment.
    pub group: String,
}

impl ListedRun {
    /// SPEC of the attack of the run's last validation; `None` where it had none.
    pub fn attack(&self) -> Option<&str> {
        self.run.attack_of(&LineKey::of_validation(0, true))
    }

    /// The highest value of a line of `val`, percent.
    pub fn best(&self, domain: usize, attacked: bool) -> Option<f64> {
        let lines = self.run.accuracy.get(MAIN_SPLIT)?;
        Some(lines.get(&LineKey::of_validation(domain, attacked))?.highest()?.1)
    }
}

/// The runs that were found and those that are chosen.
#[derive(Debug, Default)]
pub struct Runs {
    /// `None` before the first search.
    pub listed: Option<Arc<Vec<ListedRun>>>,
    /// Sweeps in the folders of the listed runs.
    pub sweeps: Arc<Vec<ListedSweep>>,
    /// Folders of the runs that are drawn.
    pub chosen: BTreeSet<PathBuf>,
    pub searching: bool,
}

/// Reads all runs in the folders beside `known` ones and in `parents`. Takes seconds for long runs.
pub fn list(known: &[PathBuf], parents: &[PathBuf]) -> Vec<ListedRun> {
    let mut dirs: BTreeSet<PathBuf> = known.iter().cloned().collect();
    for folder in folders(known, parents) {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        dirs.extend(entries.flatten().map(|entry| entry.path()));
    }
    // A folder that is reached under two names is listed once.
    let mut seen = BTreeSet::new();
    dirs.retain(|dir| {
        RunFiles::of(dir).metrics().is_file() && dir.canonicalize().is_ok_and(|d| seen.insert(d))
    });
    let changed =
        |dir: &PathBuf| std::fs::metadata(RunFiles::of(dir).metrics()).and_then(|m| m.modified()).ok();
    let mut newest: Vec<PathBuf> = dirs.into_iter().collect();
    newest.sort_by_key(|dir| std::cmp::Reverse(changed(dir)));
    newest.into_iter().take(MOST).filter_map(|dir| read(&dir)).collect()
}

/// The sweeps in the folders that [`list`] looks into, with the runs that it found.
pub fn sweeps(known: &[PathBuf], parents: &[PathBuf], listed: &[ListedRun]) -> Vec<ListedSweep> {
    let mut seen = BTreeSet::new();
    let folders = folders(known, parents).into_iter();
    let sweeps = folders.filter(|dir| {
        SweepFiles::of(dir).sweep().is_file() && dir.canonicalize().is_ok_and(|d| seen.insert(d))
    });
    let read = |dir: PathBuf| {
        let records = records(&SweepFiles::of(&dir));
        let of_nobody = records.iter().filter(|record| {
            record.state == RunState::Running && !is_at_work(&RunFiles::of(dir.join(&record.run)))
        });
        let cut_off = of_nobody.count();
        ListedSweep::new(&dir, records, cut_off, listed)
    };
    sweeps.map(read).collect()
}

/// The folders beside `known` ones, and `parents`.
fn folders(known: &[PathBuf], parents: &[PathBuf]) -> BTreeSet<PathBuf> {
    let beside = known.iter().filter_map(|dir| dir.parent()).map(Path::to_owned);
    beside.chain(parents.iter().cloned()).collect()
}

fn read(dir: &Path) -> Option<ListedRun> {
    // A folder that cannot be read is no run; opening it by hand says why.
    let (run, config) = history::read(dir).ok()?;
    let name =
        dir.file_name().map_or_else(|| dir.display().to_string(), |n| n.to_string_lossy().into_owned());
    let group = config.as_ref().map_or_else(|| name.clone(), group_of);
    Some(ListedRun {
        dir: dir.to_owned(),
        name,
        method: run.method.clone(),
        arch: config.as_ref().map_or_else(String::new, |config| config.model.arch.clone()),
        seed: config.as_ref().map(|config| config.run.seed),
        group,
        run,
    })
}

fn group_of(config: &Config) -> String {
    let mut config = config.clone();
    config.run.seed = 0;
    config.run.name.clear();
    config.resolved_toml()
}

/// The mean over several runs at each step that all of them have, with the lowest and the highest value.
#[derive(Clone, Debug, PartialEq)]
pub struct Spread {
    pub step: u64,
    pub mean: f64,
    pub low: f64,
    pub high: f64,
}

/// `None` of the runs may lack a step, so runs of different length are compared as far as the shortest goes.
pub fn spread(lines: &[&[(u64, f64)]]) -> Vec<Spread> {
    let Some((first, others)) = lines.split_first() else { return Vec::new() };
    let at = |line: &[(u64, f64)], step: u64| {
        line.binary_search_by_key(&step, |&(at, _)| at).ok().map(|index| line[index].1)
    };
    let rows = first.iter().filter_map(|&(step, value)| {
        let values: Option<Vec<f64>> =
            std::iter::once(Some(value)).chain(others.iter().map(|line| at(line, step))).collect();
        let values = values?;
        let (low, high) = values.iter().fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
        Some(Spread { step, mean: values.iter().sum::<f64>() / values.len() as f64, low, high })
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_is_of_the_steps_that_all_runs_have() {
        let (a, b) = ([(1, 2.0), (2, 4.0), (3, 9.0)], [(1, 4.0), (3, 5.0), (4, 1.0)]);
        let made = spread(&[&a, &b]);
        assert_eq!(
            made.iter().map(|s| (s.step, s.mean, s.low, s.high)).collect::<Vec<_>>(),
            [(1, 3.0, 2.0, 4.0), (3, 7.0, 5.0, 9.0)]
        );
        assert_eq!(spread(&[]), []);
    }

    #[test]
    fn runs_that_differ_in_their_seed_alone_are_one_group() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, seed, lr) in [("a", 0, 0.1), ("b", 1, 0.1), ("c", 2, 0.2)] {
            let mut config = Config::default();
            (config.run.seed, config.optimizer.lr) = (seed, lr);
            config.run.name = name.into();
            let dir = folder.path().join(name);
            std::fs::create_dir(&dir).expect("writable");
            let files = RunFiles::of(&dir);
            std::fs::write(files.config(), config.resolved_toml()).expect("writable");
            std::fs::write(files.metrics(), "").expect("writable");
        }
        std::fs::create_dir(folder.path().join("no run")).expect("writable");
        let found = list(&[folder.path().join("a")], &[folder.path().to_owned()]);
        assert_eq!(found.len(), 3);
        let group = |name: &str| &found.iter().find(|run| run.name == name).expect("listed").group;
        assert_eq!(group("a"), group("b"));
        assert_ne!(group("a"), group("c"));
    }
}
