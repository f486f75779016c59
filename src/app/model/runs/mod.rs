//! The runs that can be compared: every run folder near the one on screen and among the recent ones, read on
//! a thread of its own.

pub mod accuracy_line;
pub mod columns;
pub mod filter;
pub mod list;
pub mod order;
mod told_apart;
pub mod values;

use super::kinds::{LineKey, ending};
use super::run::RunView;
use super::sweeps::ListedSweep;
use crate::config::schema;
use crate::training::events::Finish;
use crate::training::run_folder::RunNotes;
use list::{ListCache, Progress};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// A run folder that was read.
#[derive(Clone, Debug)]
pub struct ListedRun {
    pub dir: PathBuf,
    /// What the run is called: its folder's name, or one of the user's.
    pub name: String,
    /// The name of the folder.
    pub folder: String,
    /// As much of the folder's path as tells it from other listed runs of its name; empty without any.
    pub place: String,
    /// What the user wrote about it.
    pub notes: RunNotes,
    /// Why what the user wrote cannot be read.
    pub notes_fault: Option<String>,
    /// The run, its long lines thinned and without its log.
    pub run: Arc<RunView>,
    pub method: String,
    pub arch: String,
    /// The word of the data set.
    pub data: String,
    /// SPEC of the attack of the training, where the method attacks.
    pub trained_by: Option<String>,
    /// Radius of that attack, 1/255.
    pub epsilon: Option<f64>,
    /// The learning rate before the schedule.
    pub lr: Option<f64>,
    pub seed: Option<u64>,
    /// The configuration without seed and name: runs that agree in it are repetitions of one experiment.
    pub group: String,
    /// The value of each of [`schema::fields`] as TOML, where it has one; empty where the configuration
    /// cannot be read.
    pub keys: Arc<Vec<Option<String>>>,
    /// How the run ended; `None` of one that is at work or was cut off.
    pub ended: Option<Finish>,
    /// A program trains in the folder.
    pub is_at_work: bool,
    /// When the figures were written last, seconds since 1970.
    pub written: Option<u64>,
    /// The mean corruption error of main, where the run folder's evaluation has one.
    pub corruption_error: Option<CorruptionError>,
}

/// The mean corruption error of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct CorruptionError {
    /// Mean top-1 error, percent.
    pub percent: f64,
    /// Whether all main corruptions were measured at all severities.
    pub is_whole: bool,
    /// What it is over, as a sentence.
    pub about: String,
}

impl ListedRun {
    /// Gives it what the user wrote about it.
    pub fn annotate(&mut self, notes: Result<RunNotes, String>) {
        (self.notes, self.notes_fault) = match notes {
            Ok(notes) => (notes, None),
            Err(fault) => (RunNotes::default(), Some(fault)),
        };
        let name = if self.notes.name.is_empty() { &self.folder } else { &self.notes.name };
        self.name.clone_from(name);
    }

    /// The name, with what tells the run from others of it.
    pub fn label(&self) -> String {
        self.label_with(&self.place)
    }

    fn label_with(&self, place: &str) -> String {
        match (place.is_empty(), self.notes.name.is_empty()) {
            (true, _) => self.name.clone(),
            (false, true) => format!("{place}/{}", self.name),
            (false, false) => format!("{} ({place})", self.name),
        }
    }

    /// The index of the BN domain `name` in the run.
    fn domain(&self, name: &str) -> Option<usize> {
        self.run.domains.iter().position(|known| known == name)
    }

    /// A word on where the run stands.
    pub fn state(&self) -> &'static str {
        match &self.ended {
            _ if self.is_at_work => "at work",
            Some(finish) => ending(finish),
            None => "cut off",
        }
    }

    /// Why the run failed, where it did.
    pub fn failure(&self) -> Option<&str> {
        match &self.ended {
            Some(Finish::Failed(reason)) => Some(reason),
            _ => None,
        }
    }

    /// The value of a key of the configuration as TOML.
    pub fn key(&self, path: &str) -> Option<&str> {
        let index = schema::fields().iter().position(|field| field.path == path)?;
        self.keys.get(index)?.as_deref()
    }

    /// SPEC of the attack of the run's last validation; `None` where it had none.
    pub fn attack(&self) -> Option<&str> {
        self.run.attack_of(&LineKey::of_validation(0, true))
    }
}

/// The runs that were found and those that are chosen.
#[derive(Debug, Default)]
pub struct Runs {
    /// `None` before the first search.
    pub listed: Option<Arc<Vec<Arc<ListedRun>>>>,
    /// Grows with each change of the list.
    pub generation: u64,
    /// Run folders that were found beside the listed ones, which are the newest.
    pub left_out: usize,
    /// Sweeps in the folders of the listed runs.
    pub sweeps: Arc<Vec<ListedSweep>>,
    /// Folders of the runs that are chosen: drawn, and what actions are for.
    pub chosen: BTreeSet<PathBuf>,
    pub searching: bool,
    /// How far the search at work is.
    pub progress: Arc<Progress>,
    /// What was read before, for the next search.
    pub cache: Arc<Mutex<ListCache>>,
}

impl Runs {
    /// The listed run in `dir`.
    pub fn of_dir(&self, dir: &Path) -> Option<&Arc<ListedRun>> {
        self.listed.as_ref()?.iter().find(|run| run.dir == dir)
    }

    /// Shows what was just written about the run in `dir`, before a search has read it.
    pub fn annotate(&mut self, dir: &Path, notes: RunNotes) {
        let Some(listed) = &mut self.listed else { return };
        for run in Arc::make_mut(listed).iter_mut().filter(|run| run.dir == dir) {
            Arc::make_mut(run).annotate(Ok(notes.clone()));
        }
        told_apart::tell_apart(Arc::make_mut(listed).as_mut_slice());
        self.generation += 1;
    }

    /// Takes over what a search found. What is gone is no longer chosen.
    pub fn take(&mut self, mut found: Vec<Arc<ListedRun>>, left_out: usize, sweeps: Vec<ListedSweep>) {
        told_apart::tell_apart(&mut found);
        let there: BTreeSet<&PathBuf> = found.iter().map(|run| &run.dir).collect();
        self.chosen.retain(|dir| there.contains(dir));
        self.searching = false;
        self.left_out = left_out;
        self.listed = Some(Arc::new(found));
        self.sweeps = Arc::new(sweeps);
        self.generation += 1;
    }
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
pub(in crate::app) mod tests {
    use super::*;
    use crate::app::model::kinds::MAIN_SPLIT;
    use crate::config::{Config, MethodKind};
    use crate::training::events::{EvalReport, EvalRow, StepReport};

    /// A run that was cut off, with validations of main on `val` (shares of 0..1) every ten steps of half a
    /// second.
    pub(in crate::app) fn run(name: &str, method: &str, seed: u64, lr: f64, top1: &[f32]) -> Arc<ListedRun> {
        let mut config = Config::default();
        (config.run.seed, config.optimizer.lr) = (seed, lr);
        let kind = [MethodKind::Vanilla, MethodKind::Advprop].into_iter().find(|kind| kind.name() == method);
        config.method.kind = kind.expect("a known method");
        let mut run = RunView::starting(name.into());
        run.domains = vec!["main".into()];
        for (top1, validation) in top1.iter().zip(1..) {
            let step = 10 * validation;
            run.step(StepReport {
                step,
                epoch: 1.0,
                lr,
                images_per_s: 10.0,
                elapsed_s: 0.5 * step as f64,
                stages: vec![],
                idle: None,
                memory_bytes: None,
                branches: vec![],
            });
            let row = EvalRow {
                split: MAIN_SPLIT.into(),
                domain: "main".into(),
                attack: None,
                images: 10,
                loss: 1.0,
                top1: *top1,
                top5: 1.0,
            };
            run.evaluated(EvalReport { step, epoch: 1.0, seconds: None, rows: vec![row] });
        }
        Arc::new(ListedRun {
            dir: name.into(),
            name: name.into(),
            folder: name.into(),
            place: String::new(),
            notes: RunNotes::default(),
            notes_fault: None,
            run: Arc::new(run),
            method: method.into(),
            arch: config.model.arch.clone(),
            data: config.data.source.name(),
            trained_by: None,
            epsilon: None,
            lr: Some(lr),
            seed: Some(seed),
            group: list::group_of(&list::keys_of(&config)),
            keys: Arc::new(list::keys_of(&config)),
            ended: None,
            is_at_work: false,
            // 2026-11-21 07:30:05.
            written: Some(1_795_246_205),
            corruption_error: None,
        })
    }

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
}
