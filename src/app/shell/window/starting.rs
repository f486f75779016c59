//! What leads to a training thread: the checks before it, a start, a resume. What was on screen comes back
//! when a run fails before its first step.

use super::folder::Following;
use super::notices::Cause;
use super::{Window, disk};
use crate::app::format;
use crate::app::model::kinds::{Level, RunPhase};
use crate::app::model::launcher::RunRequest;
use crate::app::model::run::{Length, RunView};
use crate::app::model::start_check::Tried;
use crate::app::panes::Pane;
use crate::app::shell::first_steps::FirstStep;
use crate::app::widgets::pictures::Pictures;
use crate::config::Config;
use crate::training::events::{Event, Finish};
use crate::training::run_folder::parting_key;
use std::path::Path;

/// What was on screen when a run was started.
pub(super) struct Before {
    run: RunView,
    following: Following,
    pictures: Pictures,
    /// The set-up, where a resumed run has put its own in its place.
    config: Option<Config>,
    /// What the run was started with.
    tried: Tried,
    is_resumed: bool,
}

impl Window {
    /// Does `then` when nothing is wrong with the set-up; else the faults are shown, all of them.
    fn when_ready(&mut self, then: fn(&mut Self)) {
        self.put_notice_away();
        let check = self.form.check();
        self.on_disk(
            move || disk::check_start(check),
            move |window, found| {
                window.form.take_check(found);
                if window.run.phase.is_active() {
                    return;
                }
                if window.form.faults().is_empty() {
                    then(window);
                } else {
                    window.show_faults();
                }
            },
        );
    }

    fn show_faults(&mut self) {
        self.form.jump_to_fault();
        self.faults_put_away = Vec::new();
        self.layout.reveal(Pane::SetUp);
    }

    pub(super) fn preflight(&mut self) {
        self.when_ready(|window| {
            let config = window.form.config().clone();
            let (out, device) = (window.form.out_dir(), window.form.device.clone());
            let request = RunRequest { config, out, resume: false, device };
            match window.launcher.preflight(request, window.wake.clone()) {
                Ok(events) => {
                    window.report.begin(events, Tried::of(&window.form));
                    let text = "Preflight at work; its report comes below the set-up";
                    window.tell(text);
                    window.layout.reveal(Pane::SetUp);
                }
                Err(error) => window.refuse(Cause::Attempt, format!("{error:#}")),
            }
        });
    }

    /// Tells how the preflight ended. Where it passed, an earlier failure has lost its cause.
    pub(super) fn preflight_ended(&mut self) {
        let refused = self.report.refused().filter(|_| !self.report.is_outdated(&self.form));
        if refused.is_some_and(|(check, reason)| self.form.take_refusal(check, reason)) {
            self.put_notice_away();
            return self.show_faults();
        }
        self.keep_time();
        match (self.report.verdict(), self.report.tried().cloned()) {
            (Ok(text), _) => {
                self.run.failure_is_put_away = true;
                self.tell(text);
            }
            (Err(text), Some(tried)) => self.tell_failure(tried, text),
            (Err(text), None) => self.refuse(Cause::Lasting, text),
        }
    }

    /// Keeps the time that a preflight of a whole preset predicts, for the list of presets.
    fn keep_time(&mut self) {
        let is_whole = self.form.changes() == 0 && !self.report.is_outdated(&self.form);
        if let (Some(forecast), Some(preset), true) = (&self.report.forecast, self.form.preset, is_whole) {
            self.recents.preset_seconds.insert(preset.to_owned(), forecast.seconds());
        }
    }

    pub(super) fn start(&mut self) {
        self.when_ready(|window| {
            let run = RunView::starting(window.form.out_dir());
            window.launch(run, None, false);
        });
    }

    pub(super) fn resume_read(&mut self, mut run: RunView, config: Option<Config>) {
        let own = self.form.config().clone();
        let patience = config.as_ref().map_or(0, |config| config.eval.patience);
        // A set-up of the same run may have made it longer.
        let other = config.filter(|config| parting_key(config, &own).is_some());
        let replaced = other.is_some().then_some(own);
        if let Some(config) = other {
            self.form.fill(config);
        }
        if let Some((key, reason)) = self.completion(&run, patience) {
            self.form.jump_to(key);
            self.layout.reveal(Pane::SetUp);
            self.refuse(Cause::SetUp(Box::new(Tried::of(&self.form))), reason);
            return;
        }
        run.phase = RunPhase::Preparing;
        run.snapshot.clone_from(&self.run.snapshot);
        run.snapshot_generation = self.run.snapshot_generation;
        run.moments = self.run.moments.clone();
        self.launch(run, replaced, true);
    }

    /// Why a completed run, which had this `patience`, would end at once, with the key that makes it longer;
    /// `None` where the set-up has done so.
    fn completion(&self, run: &RunView, patience: u64) -> Option<(&'static str, String)> {
        if run.ended != Some(Finish::Completed) {
            return None;
        }
        let (done, config) = (run.finished_steps()?, self.form.config());
        let key = if config.run.steps.is_some() { "run.steps" } else { "run.epochs" };
        if run.steps_of(Length::of(&config.run)).is_some_and(|total| total > done) {
            // A run that ended before its length ran out of patience.
            let ran_out = run.total_steps().is_some_and(|total| total > done);
            let as_before = config.eval.patience > 0 && config.eval.patience <= patience;
            let reason = "The run was stopped early, as eval.patience says; raise it in the set-up to go on";
            return (ran_out && as_before).then(|| ("eval.patience", reason.to_owned()));
        }
        let steps = format::counted(done, "step");
        Some((key, format!("The run is complete, with {steps}; raise {key} in the set-up to make it longer")))
    }

    fn launch(&mut self, run: RunView, config: Option<Config>, resume: bool) {
        let out = run.dir.clone().unwrap_or_else(|| self.form.out_dir());
        let (own, device) = (self.form.config().clone(), self.form.device.clone());
        let request = RunRequest { config: own, out: out.clone(), resume, device };
        let pictures = if resume { Pictures::default() } else { std::mem::take(&mut self.pictures) };
        self.before = Some(Before {
            run: std::mem::replace(&mut self.run, run),
            following: std::mem::take(&mut self.following),
            pictures,
            config,
            tried: Tried::of(&self.form),
            is_resumed: resume,
        });
        self.follow_live(&out);
        match self.launcher.start(request, self.wake.clone()) {
            Ok(link) => self.link = Some(link),
            Err(error) => {
                self.run.apply(Event::Finished(Finish::Failed(format!("{error:#}"))));
                self.put_before_back();
            }
        }
    }

    /// The run that was started is at its first step.
    pub(super) fn run_started(&mut self) {
        let Some(before) = self.before.take() else { return };
        let Some(dir) = self.run.dir.clone() else { return };
        self.unfinished = None;
        self.recents.add_run(&dir);
        let data = &self.form.config().data.path;
        if !data.is_empty() {
            self.recents.add_data(Path::new(data));
        }
        if before.is_resumed {
            self.study.run_resumed(&dir);
        } else {
            self.first_steps.take(FirstStep::TrainYourOwn);
        }
        self.layout.reveal(Pane::Curves);
    }

    /// Shows what was on screen before a run that ended without a step, and why it did.
    pub(super) fn put_before_back(&mut self) {
        let Some(before) = self.before.take() else { return };
        let failed = std::mem::replace(&mut self.run, before.run);
        self.following = before.following;
        if !before.is_resumed {
            self.pictures = before.pictures;
        }
        if let Some(config) = before.config {
            self.form.fill(config);
        }
        if let Some(dir) = failed.dir.clone().filter(|_| !before.is_resumed) {
            let removed = move || disk::remove_unstarted(&dir);
            self.on_disk(removed, |window, ()| window.form.look_for_folder());
        }
        if let Some(sentence) = failed.failure() {
            let text = format!("The run did not start: {sentence}");
            self.run.log(Level::Error, text.clone());
            let tried = if before.is_resumed { Tried::of(&self.form) } else { before.tried };
            self.tell_failure(tried, text);
        }
    }

    /// Whether the run folder with this number was on screen before the run that is being started.
    pub(super) fn was_followed_before(&self, generation: u64) -> bool {
        self.before.as_ref().is_some_and(|before| before.following.is(generation))
    }

    /// Puts what was on screen in the place of the run that is being started, or the other way round.
    pub(super) fn swap_before(&mut self) {
        if let Some(before) = &mut self.before {
            std::mem::swap(&mut self.run, &mut before.run);
            std::mem::swap(&mut self.following, &mut before.following);
        }
    }
}
