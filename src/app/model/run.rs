//! What the window knows of the run that it shows: the curves, the newest pictures, the log and the phase,
//! all folded from the run's events. Panes read it and keep nothing of it.

use super::bn_history::BnHistory;
use super::kinds::{DataKind, Level, LineKey, LogLine, MAIN_SPLIT, RunPhase, StepAxis};
use super::moments::{Moment, Moments};
use super::series::Series;
use crate::config::{BranchSource, Domain, RunConfig};
use crate::training::events::{
    BnLayer, EvalReport, Event, Finish, RunInfo, Snapshot, StepReport, Work, WorkLimit,
};
use crate::training::run_folder::utc_now;
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

/// Log lines kept; the whole log is in the run folder.
const LOG_LINES: usize = 1024;
/// Steps behind the estimate of the remaining time.
const RATE_WINDOW: usize = 64;
/// Validation accuracies of one split: one line a domain and kind of data, in percent over steps.
pub type SplitCurves = BTreeMap<LineKey, Series>;

/// The run on screen.
#[derive(Debug, Default)]
pub struct RunView {
    pub phase: RunPhase,
    /// The user has put away the sentence on how it failed.
    pub failure_is_put_away: bool,
    pub dir: Option<PathBuf>,
    pub info: Option<RunInfo>,
    /// How long an opened folder's run is to be.
    pub length: Option<Length>,
    /// Epochs from one validation of an opened folder's run to the next, with fraction; 0: the only one is at
    /// the end.
    pub validation_epochs: f64,
    /// How an opened folder's run ended; `None` for one that is at work or was cut off.
    pub ended: Option<Finish>,
    /// Another program trains in the opened folder.
    pub at_work_elsewhere: bool,
    /// Domain names in order; `main` first.
    pub domains: Vec<String>,
    /// Which checkpoints the run folder holds, as far as it was looked at.
    pub checkpoints: Checkpoints,
    pub method: String,
    /// Mean training loss a step, one line a branch.
    pub loss: BTreeMap<LineKey, Series>,
    /// The validation top-1 in percent, by split.
    pub accuracy: BTreeMap<String, SplitCurves>,
    /// Splits in the order in which they were first reported.
    pub splits: Vec<String>,
    /// Best clean top-1 of `main` on [`MAIN_SPLIT`]: step and percent.
    pub best: Option<(u64, f64)>,
    pub last_step: Option<StepReport>,
    pub last_eval: Option<EvalReport>,
    /// How much of the GPU the run leaves to others.
    pub limit: WorkLimit,
    /// What was asked of the run and not answered yet.
    pub asked: Option<&'static str>,
    /// The work that no step reports: before the first step, or in a validation.
    pub work: Option<Work>,
    pub log: VecDeque<LogLine>,
    /// Why a checkpoint could not be written, while the run waits to be told how to go on.
    pub unsaved: Option<String>,
    /// Warnings and errors not yet looked at in the log.
    pub unseen: usize,
    pub snapshot: Option<Arc<Snapshot>>,
    /// Grows with each snapshot; textures are made again when it changes.
    pub snapshot_generation: u64,
    /// The snapshots so far, as many as are kept.
    pub moments: Moments,
    /// BN statistics of the newest checkpoint of an opened run folder, with its finished steps.
    pub bn: Option<(u64, Arc<Vec<BnLayer>>)>,
    /// Distances between the BN domains over training time.
    pub bn_history: BnHistory,
    /// Grows with each step or validation; drawn curves are made again when it changes.
    pub curves_generation: u64,
    /// Training seconds at finished steps, and epochs a step.
    clock: Series,
    pub(super) epochs_per_step: f64,
    /// Finished step and training seconds of the last steps.
    pub(super) recent: VecDeque<(u64, f64)>,
    /// Seconds that the last validation took.
    pub(super) validation_s: Option<f64>,
}

/// Which checkpoints a run folder holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checkpoints {
    pub last: bool,
    pub best: bool,
}

/// The length of a run as its configuration says it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Length {
    Steps(u64),
    Epochs(f64),
}

impl Length {
    /// The configured length.
    pub fn of(config: &RunConfig) -> Self {
        config.steps.map_or(Self::Epochs(config.epochs), Self::Steps)
    }
}

impl RunView {
    /// A run that was just asked for.
    pub fn starting(dir: PathBuf) -> Self {
        Self { phase: RunPhase::Preparing, dir: Some(dir), ..Self::default() }
    }

    /// Adds a line of now to the log.
    pub fn log(&mut self, level: Level, text: impl Into<String>) {
        self.push(LogLine { level, time: utc_now(), step: self.finished_steps(), text: text.into() });
    }

    /// Adds a line of the run folder's own log, which begins with its time and has no step.
    pub fn log_of_folder(&mut self, line: &str) {
        let of = |time: &str, text: &str| LogLine {
            level: Level::Info,
            time: time.to_owned(),
            step: None,
            text: text.to_owned(),
        };
        let timed = line.split_once(' ').map(|(time, text)| of(time, text));
        // Others than this program may have written into it.
        self.push(timed.filter(|line| line.date_and_time().is_some()).unwrap_or_else(|| of("", line)));
    }

    /// Adds a line to the log; a full log loses its oldest.
    fn push(&mut self, line: LogLine) {
        if self.log.len() == LOG_LINES {
            self.log.pop_front();
        }
        self.unseen += usize::from(line.level > Level::Info);
        self.log.push_back(line);
    }

    /// SPEC of the attack behind a line's newest figure; `None` for images that are not attacked.
    pub fn attack_of(&self, key: &LineKey) -> Option<&str> {
        let name = self.domains.get(key.domain)?;
        match key.branch {
            Some(number) => {
                let branches = &self.last_step.as_ref()?.branches;
                branches.iter().find(|branch| branch.branch == number)?.attack.as_deref()
            }
            None if key.source == BranchSource::Attack => {
                let rows = &self.last_eval.as_ref()?.rows;
                rows.iter().filter(|row| row.domain == *name).find_map(|row| row.attack.as_deref())
            }
            None => None,
        }
    }

    /// Index of a domain by name; an unknown one is added, so a run folder needs no list beforehand.
    fn domain(&mut self, name: &str) -> usize {
        self.domains.iter().position(|known| known == name).unwrap_or_else(|| {
            self.domains.push(name.to_owned());
            self.domains.len() - 1
        })
    }

    /// What a domain was trained on, for the colours of views without an attack of their own.
    pub fn domain_data(&self, domain: usize) -> DataKind {
        let seen = |kind| self.loss.keys().any(|key| key.domain == domain && key.data() == kind);
        [DataKind::Clean, DataKind::Attacked, DataKind::Mixed]
            .into_iter()
            .find(|&kind| seen(kind))
            .unwrap_or(if domain == 0 { DataKind::Clean } else { DataKind::Attacked })
    }

    /// Folds one event in.
    pub fn apply(&mut self, event: Event) {
        match event {
            Event::Working(work) => {
                let is_known = self.work.as_ref().is_some_and(|known| known.what == work.what);
                if !is_known && self.phase == RunPhase::Preparing {
                    self.log(Level::Info, work.what.clone());
                }
                self.work = Some(work);
            }
            Event::Started(info) => self.started(info),
            Event::Step(report) => self.step(report),
            Event::Evaluated(report) => self.evaluated(report),
            Event::Saved { path, best } => {
                (self.asked, self.unsaved) = (None, None);
                *(if best { &mut self.checkpoints.best } else { &mut self.checkpoints.last }) = true;
                let what = if best { "new best" } else { "checkpoint" };
                self.log(Level::Info, format!("Saved {what}: {}", path.display()));
            }
            Event::CannotSave { reason, .. } => {
                self.asked = None;
                self.log(Level::Error, reason.clone());
                self.unsaved = Some(reason);
                // A stop was asked for and could not save; there is another choice now.
                self.phase = RunPhase::Running;
            }
            Event::Moved { run_dir } => {
                self.log(Level::Info, format!("The run goes on in {}", run_dir.display()));
                self.dir = Some(run_dir);
            }
            Event::Warning(text) => self.log(Level::Warning, text),
            Event::Note(text) => self.log(Level::Info, text),
            Event::Paused => {
                self.phase = RunPhase::Paused;
                self.work = None;
                self.log(Level::Info, "Paused");
            }
            Event::Resumed => {
                self.phase = RunPhase::Running;
                self.log(Level::Info, "Resumed");
            }
            Event::Finished(finish) => {
                match &finish {
                    Finish::Completed => self.log(Level::Info, "Training completed"),
                    Finish::StoppedAndSaved => self.log(Level::Info, "Stopped; the checkpoint is saved"),
                    Finish::Discarded => self.log(Level::Info, "Stopped without saving"),
                    Finish::Failed(sentence) => self.log(Level::Error, sentence.clone()),
                }
                self.work = None;
                (self.asked, self.unsaved) = (None, None);
                self.phase = RunPhase::Ended(finish);
            }
        }
    }

    fn started(&mut self, info: RunInfo) {
        self.work = None;
        // A pause or stop may have been asked for while pipelines were made.
        if self.phase == RunPhase::Preparing {
            self.phase = RunPhase::Running;
        }
        self.dir = Some(info.run_dir.clone());
        self.domains.clone_from(&info.domains);
        self.method = info.method.to_string();
        // A resumed run writes its steps after the checkpoint again.
        self.forget_after(info.first_step);
        self.log(
            Level::Info,
            format!(
                "{} with {} on {}: {} parameters, {} training images, {} step{}",
                info.arch,
                info.method,
                info.adapter,
                info.parameters,
                info.train_images,
                info.total_steps,
                if info.total_steps == 1 { "" } else { "s" }
            ),
        );
        self.info = Some(info);
    }

    /// The name of the run's folder, for what leaves the window: `run first`.
    pub fn name(&self) -> String {
        let name = self.dir.as_ref().map(|dir| dir.file_name().unwrap_or(dir.as_os_str()).to_string_lossy());
        name.map_or_else(|| "a run".to_owned(), |name| format!("run {name}"))
    }

    /// Its name and its finished steps: `run first, step 260`.
    pub fn caption(&self) -> String {
        let name = self.name();
        match self.finished_steps() {
            Some(step) => format!("{name}, step {step}"),
            None => name,
        }
    }

    /// Adds one update's figures.
    pub fn step(&mut self, report: StepReport) {
        for branch in &report.branches {
            let (source, number) = (branch.source, Some(branch.branch));
            let key = LineKey { domain: self.domain(&branch.domain), source, branch: number };
            self.loss.entry(key).or_default().push(report.step, f64::from(branch.loss));
        }
        if self.recent.len() == RATE_WINDOW {
            self.recent.pop_front();
        }
        self.recent.push_back((report.step, report.elapsed_s));
        if report.elapsed_s.is_finite() {
            self.clock.push(report.step, report.elapsed_s);
        }
        self.epochs_per_step = report.epoch / report.step.max(1) as f64;
        self.work = None;
        self.last_step = Some(report);
        self.curves_generation += 1;
    }

    /// Adds one validation's figures.
    pub fn evaluated(&mut self, report: EvalReport) {
        for row in &report.rows {
            let key = LineKey::of_validation(self.domain(&row.domain), row.attack.is_some());
            let percent = 100.0 * f64::from(row.top1);
            if !self.splits.contains(&row.split) {
                self.splits.push(row.split.clone());
            }
            let split = self.accuracy.entry(row.split.clone()).or_default();
            split.entry(key).or_default().push(report.step, percent);
            let is_main =
                row.split == MAIN_SPLIT && row.domain == Domain::Main.name() && row.attack.is_none();
            if is_main && self.best.is_none_or(|(_, best)| percent > best) {
                self.best = Some((report.step, percent));
            }
        }
        self.validation_s = report.seconds.or(self.validation_s);
        self.last_eval = Some(report);
        self.work = None;
        self.asked = None;
        self.curves_generation += 1;
    }

    /// Makes the run small for a list of many: about `most` points of each line of the training, and no log.
    pub fn thin_out(&mut self, most: usize) {
        for series in self.loss.values_mut().chain(std::iter::once(&mut self.clock)) {
            series.thin_out(most);
        }
        (self.log, self.recent) = (VecDeque::new(), VecDeque::new());
    }

    fn forget_after(&mut self, step: u64) {
        let splits = self.accuracy.values_mut().flat_map(BTreeMap::values_mut);
        for series in self.loss.values_mut().chain(splits).chain(std::iter::once(&mut self.clock)) {
            series.truncate_after(step);
        }
        let key = LineKey::of_validation(0, false);
        let main = self.accuracy.get(MAIN_SPLIT).and_then(|split| split.get(&key));
        self.best = main.and_then(Series::highest);
        self.recent.clear();
        self.curves_generation += 1;
    }

    /// Takes new pictures and statistics over.
    pub fn show(&mut self, snapshot: Snapshot) {
        let snapshot = Arc::new(snapshot);
        self.snapshot_generation += 1;
        let generation = self.snapshot_generation;
        self.moments.add(Moment { snapshot: Arc::clone(&snapshot), generation });
        self.snapshot = Some(snapshot);
    }

    /// Where a step lies on a plot's horizontal axis: steps, epochs, or minutes of training.
    pub fn place(&self, axis: StepAxis, step: f64) -> f64 {
        match axis {
            StepAxis::Step => step,
            StepAxis::Epoch => step * self.epochs_per_step,
            StepAxis::Time => self.clock.at(step).unwrap_or(0.0) / 60.0,
        }
    }

    /// The step at a place of the horizontal axis.
    pub fn step_at(&self, axis: StepAxis, place: f64) -> f64 {
        match axis {
            StepAxis::Step => place,
            StepAxis::Epoch if self.epochs_per_step > 0.0 => place / self.epochs_per_step,
            StepAxis::Epoch => 0.0,
            StepAxis::Time => self.clock.step_of(place * 60.0),
        }
    }

    /// The sentence on why the run failed, if it did.
    pub fn failure(&self) -> Option<&str> {
        match &self.phase {
            RunPhase::Ended(Finish::Failed(sentence)) => Some(sentence),
            _ => None,
        }
    }

    /// Optimizer steps of the whole run, where they are known.
    pub fn total_steps(&self) -> Option<u64> {
        if let Some(info) = &self.info {
            return Some(info.total_steps);
        }
        self.steps_of(self.length?)
    }

    /// Optimizer steps of a run of this data and this length, where they are known.
    pub fn steps_of(&self, length: Length) -> Option<u64> {
        match length {
            Length::Steps(steps) => Some(steps),
            Length::Epochs(epochs) if self.epochs_per_step > 0.0 => {
                Some((epochs / self.epochs_per_step).round() as u64)
            }
            Length::Epochs(_) => None,
        }
    }

    /// Finished steps, where they are known: of a resumed run before its next step, those of its checkpoint.
    pub fn finished_steps(&self) -> Option<u64> {
        let step = self.last_step.as_ref().map(|step| step.step);
        step.or(self.info.as_ref().map(|info| info.first_step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::events::{BranchReport, EvalRow};
    use crate::training::method::MethodLabel;

    fn step(step: u64, elapsed_s: f64) -> StepReport {
        let branch = |branch: usize, source: BranchSource, domain: &str, attack: Option<&str>| BranchReport {
            branch,
            source,
            domain: domain.into(),
            attack: attack.map(Into::into),
            loss: 2.0,
            top1: 0.1,
            top5: 0.5,
        };
        let branches = vec![
            branch(0, BranchSource::Clean, "main", None),
            branch(1, BranchSource::Attack, "aux", Some("pgd:eps=1,step=1,iters=1")),
        ];
        StepReport {
            step,
            epoch: 0.0,
            lr: 0.1,
            images_per_s: 10.0,
            elapsed_s,
            stages: vec![],
            idle: None,
            memory_bytes: None,
            branches,
        }
    }

    #[test]
    fn lines_of_a_live_run_and_of_a_folder_have_their_time() {
        let mut run = RunView::default();
        run.log_of_folder("2026-11-21T07:30:00Z stopped after step 2");
        run.log_of_folder("written by hand");
        run.log(Level::Info, "Paused");
        let [stopped, by_hand, live] = run.log.make_contiguous() else { panic!("three lines") };
        assert_eq!(stopped.date_and_time(), Some(["2026-11-21", "07:30:00"]));
        assert_eq!((stopped.text.as_str(), stopped.step), ("stopped after step 2", None));
        assert_eq!((by_hand.date_and_time(), by_hand.text.as_str()), (None, "written by hand"));
        let [date, time] = live.date_and_time().expect("a line of now has its time");
        assert!(date.len() == 10 && time.len() == 8, "{date} {time}");
    }

    #[test]
    fn branches_become_lines_of_their_own() {
        let mut run = RunView::default();
        let mut report = step(1, 1.0);
        let cutmix = BranchReport { branch: 2, source: BranchSource::Cutmix, ..report.branches[0].clone() };
        report.branches.push(cutmix);
        run.step(report);
        let keys: Vec<_> = run.loss.keys().map(|key| (key.domain, key.images(), key.data())).collect();
        assert_eq!(
            keys,
            [
                (0, "clean", DataKind::Clean),
                (0, "cutmix", DataKind::Mixed),
                (1, "attacked", DataKind::Attacked)
            ]
        );
        assert!(run.loss.values().all(|series| series.len() == 1));
        assert_eq!((run.domain_data(0), run.domain_data(1)), (DataKind::Clean, DataKind::Attacked));
    }

    #[test]
    fn the_remaining_time_follows_the_median_pace() {
        let mut run = RunView { method: "advprop".into(), ..RunView::default() };
        for (n, elapsed) in [(1, 1.0), (2, 2.0), (3, 60.0), (4, 61.0), (5, 62.0)] {
            run.step(step(n, elapsed));
        }
        let remaining = |run: &RunView| run.remaining().map(|r| r.seconds);
        assert_eq!(remaining(&run), None, "no total yet");
        run.length = Some(Length::Epochs(1.4));
        assert_eq!(run.total_steps(), None, "not before a step has told its epoch");
        run.epochs_per_step = 0.2;
        assert_eq!((run.total_steps(), remaining(&run)), (Some(7), Some(2.0)));
        run.length = Some(Length::Steps(10));
        assert_eq!((run.total_steps(), remaining(&run)), (Some(10), Some(5.0)));
        run.info = Some(RunInfo {
            run_dir: "r".into(),
            adapter: String::new(),
            backend: String::new(),
            arch: String::new(),
            parameters: 0,
            planned_bytes: 0,
            image_size: 32,
            classes: vec![],
            domains: vec![],
            method: MethodLabel::OwnBranches,
            steps_per_epoch: 5,
            total_steps: 15,
            validation_steps: 5,
            first_step: 0,
            train_images: 1,
            val_images: 1,
        });
        assert_eq!(remaining(&run), Some(10.0), "one slow step must not move it");
        let left = run.remaining().expect("a pace");
        assert_eq!((left.validations, left.counts_validations), (3, false), "behind steps 5, 10 and 15");
        run.evaluated(EvalReport { step: 5, epoch: 1.0, seconds: Some(4.0), rows: vec![] });
        let left = run.remaining().expect("a pace");
        assert_eq!((left.seconds, left.validations, left.counts_validations), (18.0, 2, true));
    }

    /// A resumed run may hear of its first steps in one look.
    #[test]
    fn steps_that_come_together_are_not_done_in_no_time() {
        let mut run = RunView { length: Some(Length::Steps(20)), ..RunView::default() };
        for n in 11..=14 {
            run.step(step(n, 30.0));
        }
        assert_eq!(run.remaining(), None, "no time has passed that one could tell");
        for n in 15..=16 {
            run.step(step(n, 34.0));
        }
        assert_eq!(run.remaining().map(|r| r.seconds), Some(8.0));
    }

    #[test]
    fn places_of_the_axes_lead_back_to_their_steps() {
        let mut run = RunView::default();
        for (n, elapsed) in [(1, 60.0), (2, 120.0), (4, 600.0)] {
            run.step(StepReport { epoch: n as f64 / 2.0, ..step(n, elapsed) });
        }
        assert_eq!(run.place(StepAxis::Epoch, 4.0), 2.0);
        assert_eq!(run.place(StepAxis::Time, 2.0), 2.0);
        assert_eq!(run.place(StepAxis::Time, 3.0), 6.0, "between two steps");
        for axis in StepAxis::ALL {
            for at in [1.0, 2.0, 3.0, 4.0] {
                assert!((run.step_at(axis, run.place(axis, at)) - at).abs() < 1e-9, "{axis:?} {at}");
            }
        }
    }

    #[test]
    fn the_best_is_the_highest_clean_main_value_on_val() {
        let mut run = RunView::default();
        let row = |split: &str, domain: &str, attack: Option<&str>, top1| EvalRow {
            split: split.into(),
            domain: domain.into(),
            attack: attack.map(Into::into),
            images: 10,
            loss: 1.0,
            top1,
            top5: 1.0,
        };
        for (step, top1) in [(10, 0.25), (20, 0.5), (30, 0.375)] {
            let rows = vec![
                row("val", "main", None, top1),
                row("val", "aux", None, 0.9),
                row("val", "main", Some("fgsm:eps=2"), 0.95),
                row("val-stylized", "main", None, 0.99),
            ];
            run.evaluated(EvalReport { step, epoch: 0.0, seconds: None, rows });
        }
        assert_eq!(run.best, Some((20, 50.0)));
        assert_eq!(run.splits, ["val", "val-stylized"]);
    }
}
