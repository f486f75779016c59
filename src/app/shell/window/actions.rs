//! What the window's commands and answered questions do.

use super::disk::Dropped;
use super::folder::Following;
use super::notices::Cause;
use super::{Window, disk};
use crate::app::commands::{self, UiCommand};
use crate::app::large_view::LargeAnswer;
use crate::app::model::history;
use crate::app::model::kinds::{Level, RunPhase};
use crate::app::model::run::Checkpoints;
use crate::app::model::study::ModelChoice;
use crate::app::panes::Pane;
use crate::app::shell::dialogs::export_model::ModelExport;
use crate::app::shell::dialogs::{Dialog, DialogAnswer, PathFor, Recent, Stop};
use crate::app::shell::layout::Layout;
use crate::app::shell::messages::MessageAnswer;
use crate::app::shell::palette::Palette;
use crate::session::inspect::Request;
use crate::training::events::{Command, Finish};
use crate::training::run_folder::RunFiles;
use egui::{Context, Theme, ViewportCommand};
use std::path::{Path, PathBuf};

impl Window {
    /// Fills the set-up from the configuration `file`; `then` hears whether it could be read.
    pub(super) fn open_config(
        &mut self,
        file: PathBuf,
        then: impl FnOnce(&mut Self, anyhow::Result<()>) + Send + 'static,
    ) {
        let path = file.clone();
        self.on_disk(
            move || disk::load_config(&path),
            move |window, read| {
                let result = read.map(|(config, warnings)| {
                    window.form.fill_from_file(&file, config);
                    window.attempt_went_well();
                    if !warnings.is_empty() {
                        window.tell(warnings.join("\n"));
                    }
                    window.recents.add_config(&file);
                    window.layout.reveal(Pane::SetUp);
                });
                then(window, result.map_err(Into::into));
            },
        );
    }

    /// Opens a model for Lab, Attention, Results and Robustness.
    pub(super) fn open_model(&mut self, choice: ModelChoice) {
        // Files were chosen for the model before, or wait for their first.
        if self.study.choice.is_some() {
            self.views.look.files.clear();
            self.views.look.picked = None;
        }
        self.study_model(choice);
        let shown = [Pane::Lab, Pane::Attention, Pane::Results, Pane::Robustness];
        if !shown.iter().any(|pane| self.layout.is_active(*pane)) {
            self.layout.reveal(Pane::Lab);
        }
    }

    pub(super) fn study_model(&mut self, choice: ModelChoice) {
        let commands = self.link.as_ref().map(|link| &link.commands);
        let device = self.form.device.clone();
        self.study.open(choice, commands, device, &*self.launcher, &self.wake);
    }

    /// Brings the opened model to the newest weights of the run that it is of, where it follows one.
    pub(super) fn follow_weights(&mut self) {
        if !self.views.look.follow || self.study.info.is_none() || self.study.is_busy() {
            return;
        }
        match &self.study.choice {
            Some(_) if self.study.is_live() => self.study.ask_all(vec![Request::Refresh]),
            Some(choice) if self.study.is_behind() => self.study_model(choice.clone()),
            _ => {}
        }
    }

    pub(super) fn dialog_ui(&mut self, ctx: &Context) {
        let is_of_run = matches!(self.dialog, Some(Dialog::Discard | Dialog::LearningRate { .. }));
        if is_of_run && !self.run.phase.is_active() {
            self.dialog = None;
        }
        let Some(dialog) = &mut self.dialog else { return };
        match dialog.ui(ctx, &self.run, &self.recents) {
            DialogAnswer::Waiting => {}
            DialogAnswer::Dismissed => self.dialog = None,
            DialogAnswer::Stop(how) => {
                self.dialog = None;
                self.stop(how);
            }
            DialogAnswer::CloseAfter(how) => {
                self.dialog = None;
                self.stop(how);
                self.closing = self.run.phase == RunPhase::Stopping;
                if !self.run.phase.is_active() {
                    ctx.send_viewport_cmd(ViewportCommand::Close);
                }
            }
            DialogAnswer::Path(wanted, path) => self.use_paths(wanted, vec![path]),
            DialogAnswer::Browse(wanted, proposed) => self.browse(wanted, proposed),
            DialogAnswer::LearningRate(factor) => {
                self.dialog = None;
                self.send(Command::ScaleLearningRate(factor));
            }
            DialogAnswer::Recent(recent) => {
                self.dialog = None;
                match recent {
                    Recent::Run(dir) => self.begin_open_run(dir, Self::refuse_if_failed),
                    Recent::Config(file) => self.open_config(file, Self::refuse_if_failed),
                    Recent::Data(dir) => self.on_disk(
                        move || (disk::source_of(&dir), dir),
                        |window, (source, dir)| window.use_data(&dir, source),
                    ),
                }
            }
            DialogAnswer::Notes(dir, notes) => {
                self.dialog = None;
                self.save_notes(dir, notes);
            }
            DialogAnswer::Trash(dirs) => {
                self.dialog = None;
                self.move_to_trash(dirs);
            }
            DialogAnswer::Export(export) => {
                self.dialog = None;
                self.tell("Exporting…");
                self.on_disk(
                    move || disk::export_model(&export),
                    |window, written| match written {
                        Ok(sentence) => window.tell(sentence),
                        Err(error) => window.refuse(Cause::Attempt, format!("{error:#}")),
                    },
                );
            }
        }
    }

    /// Does what paths were wanted for. The dialog stays until that is done; a fault is told in it.
    pub(super) fn use_paths(&mut self, wanted: PathFor, paths: Vec<PathBuf>) {
        let Some(path) = paths.first().cloned() else { return };
        let asked = path.clone();
        let settle = move |window: &mut Self, result| window.settle_path(wanted, &asked, result);
        match wanted {
            PathFor::OpenRun => {
                let looked = path.clone();
                self.on_disk(
                    move || disk::kind_of(&looked),
                    move |window, kind| match kind {
                        Dropped::Runs { newest } => {
                            settle(window, Ok(()));
                            window.open_runs(newest);
                        }
                        _ => window.begin_open_run(path, settle),
                    },
                );
            }
            PathFor::Field(key) => self.form.fill_path(key, &path),
            PathFor::OpenConfig => self.open_config(path, settle),
            PathFor::SaveConfig => self.save_config(path, settle),
            PathFor::OpenCheckpoint | PathFor::OpenImages => {
                let looked = paths.clone();
                self.on_disk(
                    move || match wanted {
                        PathFor::OpenCheckpoint => disk::expect_model(&looked),
                        _ => disk::expect_files(&looked),
                    },
                    move |window, result| {
                        let is_there = result.is_ok();
                        settle(window, result);
                        if !is_there {
                            return;
                        }
                        if wanted == PathFor::OpenCheckpoint {
                            window.open_model(ModelChoice::File(path));
                        } else {
                            window.look_at_files(paths);
                        }
                    },
                );
            }
            PathFor::SaveElsewhere => {
                self.ask(Command::SaveElsewhere(path), "saving…");
                settle(self, Ok(()));
            }
            PathFor::Save(_) | PathFor::SaveImages => {
                self.write_pending(wanted, path);
            }
        }
    }

    /// Asks for a path by the system's dialog, on a thread of its own.
    pub(super) fn browse(&mut self, wanted: PathFor, proposed: PathBuf) {
        let answer = self.in_background("dualprop-dialog", move || wanted.browse(&proposed));
        self.background.browsed = answer.map(|receiver| (wanted, receiver));
    }

    /// Closes the dialog that asked for a path, or tells in it why the path would not do.
    pub(super) fn settle_path(&mut self, wanted: PathFor, path: &Path, result: anyhow::Result<()>) {
        let is_open = matches!(&self.dialog, Some(Dialog::Path { wanted: asked, .. }) if *asked == wanted);
        match result {
            Ok(()) if is_open => self.dialog = None,
            Err(error) if is_open || self.dialog.is_none() => {
                let typed = path.display().to_string();
                let fault = Some(format!("{error:#}"));
                self.dialog = Some(Dialog::Path { wanted, typed, fault, empty_handed: false });
            }
            // Another question is on screen by now.
            _ => {}
        }
    }

    fn save_config(
        &mut self,
        path: PathBuf,
        then: impl FnOnce(&mut Self, anyhow::Result<()>) + Send + 'static,
    ) {
        let (text, file) = (self.form.config().resolved_toml(), path.clone());
        self.on_disk(
            move || disk::save_config(&file, &text),
            move |window, result| {
                if result.is_ok() {
                    window.recents.add_config(&path);
                    window.run.log(Level::Info, format!("Saved the configuration to {}", path.display()));
                    window.form.file = Some(path);
                }
                then(window, result);
            },
        );
    }

    /// Carries a command out if it can be done now.
    pub fn carry_out(&mut self, ctx: &Context, command: UiCommand) {
        if let Err(reason) = command.available(&self.run) {
            let text = format!("{} is not possible now: {reason}", command.text(&self.run));
            self.refuse(Cause::Command(command), text);
            return;
        }
        match command {
            UiCommand::Start => self.start(),
            UiCommand::Resume => self.resume(),
            UiCommand::PauseOrContinue => self.pause_or_continue(),
            UiCommand::SingleStep => self.send(Command::SingleStep),
            UiCommand::StopAndSave => self.stop(Stop::Save),
            UiCommand::StopAndDiscard => self.dialog = Some(Dialog::Discard),
            UiCommand::SaveNow => self.ask(Command::SaveNow, "saving…"),
            UiCommand::RetrySave => self.ask(Command::Resume, "saving…"),
            UiCommand::SaveElsewhere => self.dialog = Some(Dialog::path(PathFor::SaveElsewhere)),
            UiCommand::EvaluateNow => self.ask(Command::EvaluateNow, "validating…"),
            UiCommand::ChangeLearningRate => self.dialog = Some(Dialog::LearningRate { factor: 1.0 }),
            UiCommand::Limit(limit) => {
                if self.try_send(Command::LimitWork(limit)) {
                    self.run.limit = limit;
                }
            }
            UiCommand::Preflight => self.preflight(),
            UiCommand::OpenRecent => {
                let recents = self.recents.clone();
                self.on_disk(
                    move || recents.existing(),
                    |window, existing| window.dialog = Some(Dialog::Recent(existing)),
                );
            }
            UiCommand::DuplicateRun => {
                if let Some(dir) = self.run.dir.clone() {
                    self.duplicate(dir);
                }
            }
            UiCommand::OpenSample => self.open_sample(),
            UiCommand::UndoSetUp => {
                if !self.form.undo() {
                    self.tell("Nothing of the set-up is left to undo");
                }
                self.layout.reveal(Pane::SetUp);
            }
            UiCommand::StudyLive => {
                if let Some(dir) = self.run.dir.clone() {
                    self.open_model(ModelChoice::Run(dir));
                }
            }
            UiCommand::StudyBest => {
                if let Some(dir) = &self.run.dir {
                    self.open_model(ModelChoice::File(RunFiles::of(dir).best()));
                }
            }
            UiCommand::OpenCheckpoint => self.dialog = Some(Dialog::path(PathFor::OpenCheckpoint)),
            UiCommand::OpenImages => self.dialog = Some(Dialog::path(PathFor::OpenImages)),
            UiCommand::ExportModel => {
                let export = ModelExport::of_run(self.run.dir.as_deref(), &self.run.domains);
                self.dialog = Some(Dialog::ExportModel(export));
            }
            UiCommand::OpenRun => self.dialog = Some(Dialog::path(PathFor::OpenRun)),
            UiCommand::OpenConfig => self.dialog = Some(Dialog::path(PathFor::OpenConfig)),
            UiCommand::SaveConfig => self.dialog = Some(Dialog::path(PathFor::SaveConfig)),
            UiCommand::CopyCommandLine => self.copy_command_line(ctx),
            UiCommand::Show(pane) => self.reveal(pane),
            UiCommand::EnlargePane => self.layout.toggle_enlarged(),
            UiCommand::HideSetUp => self.layout.toggle_set_up(),
            UiCommand::ZoomIn => egui::gui_zoom::zoom_in(ctx),
            UiCommand::ZoomOut => egui::gui_zoom::zoom_out(ctx),
            UiCommand::ZoomReset => ctx.set_zoom_factor(1.0),
            UiCommand::ResetLayout => self.layout = Layout::default(),
            UiCommand::ToggleTheme => {
                let other = if ctx.theme() == Theme::Dark { Theme::Light } else { Theme::Dark };
                ctx.set_theme(other);
            }
            UiCommand::Palette => self.palette = Some(Palette::default()),
            UiCommand::Explain => self.dialog = Some(Dialog::Explain(self.layout.last())),
            UiCommand::Guide => self.open_guide(),
            UiCommand::Shortcuts => self.dialog = Some(Dialog::Shortcuts),
            UiCommand::About => self.dialog = Some(Dialog::about(&self.form.devices)),
            UiCommand::Quit => ctx.send_viewport_cmd(ViewportCommand::Close),
        }
    }

    /// Writes the guide into the cache folder and shows it in the browser.
    fn open_guide(&mut self) {
        let Some(folder) = self.cache.clone() else {
            let text = "the system names no cache folder; `dualprop guide` writes the guide where you are";
            return self.refuse(Cause::Attempt, text);
        };
        let open = self.launcher.open_path();
        self.on_disk(
            move || disk::open_guide(&folder, open),
            |window, opened| match opened {
                Ok(page) => window.tell(format!("The guide is {}", page.display())),
                Err(error) => window.refuse(Cause::Attempt, format!("{error:#}")),
            },
        );
    }

    /// Brings a pane to the front; the large view gives its room back.
    fn reveal(&mut self, pane: Pane) {
        self.views.large.close();
        self.layout.reveal(pane);
    }

    /// Does what the large view was left by.
    pub(super) fn take_large_answer(&mut self, ctx: &Context, answer: LargeAnswer) {
        match answer {
            LargeAnswer::Close => {
                if let Some(opener) = self.views.large.close() {
                    ctx.memory_mut(|memory| memory.request_focus(opener));
                }
            }
            LargeAnswer::ShowIn(pane, image, name) => {
                self.views.look.picked = Some((image, name));
                if self.study.choice.is_none() {
                    commands::opening_model(&self.run)
                        .into_iter()
                        .for_each(|command| self.carry_out(ctx, command));
                }
                self.reveal(pane);
            }
        }
    }

    /// Sets up a new run like the one in `dir`, and says so.
    pub(super) fn duplicate(&mut self, dir: PathBuf) {
        let text = format!("Set up like {}; Start trains it in a new folder", dir.display());
        self.set_up_like(&dir, |window| window.tell(text));
    }

    /// Sets up a new run like the one in `dir`, then does `then`.
    pub(super) fn set_up_like(&mut self, dir: &Path, then: impl FnOnce(&mut Self) + Send + 'static) {
        let file = RunFiles::of(dir).config();
        self.on_disk(
            move || disk::load_config(&file),
            move |window, read| match read {
                Ok((config, _)) => {
                    window.form.fill(config);
                    window.form.preset = None;
                    window.form.run_dir.clear();
                    window.form.file = None;
                    window.layout.reveal(Pane::SetUp);
                    then(window);
                }
                Err(error) => window.refuse(Cause::Attempt, error.to_string()),
            },
        );
    }

    /// Goes on with the run on screen. Its folder knows the curves better than the window: what was not yet
    /// written is trained again.
    pub(super) fn resume(&mut self) {
        self.put_notice_away();
        let Some(dir) = self.run.dir.clone() else { return };
        let folder = dir.clone();
        self.on_disk(
            move || history::read(&folder),
            move |window, read| {
                // Another run may have been started or opened meanwhile.
                if window.run.phase.is_active() || window.run.dir.as_ref() != Some(&dir) {
                    return;
                }
                match read {
                    Ok((run, config)) => window.resume_read(run, config),
                    Err(error) => window.refuse(Cause::Run(Some(dir)), format!("{error:#}")),
                }
            },
        );
    }

    /// Does what a card over the corner was answered with.
    pub(super) fn take_message_answer(&mut self, answer: MessageAnswer) {
        match answer {
            MessageAnswer::GoTo(key) => {
                self.form.jump_to(&key);
                self.layout.reveal(Pane::SetUp);
            }
            MessageAnswer::PutFaultsAway => {
                let owned = |(key, text): (&str, &str)| (key.to_owned(), text.to_owned());
                self.faults_put_away = self.form.faults().into_iter().map(owned).collect();
            }
            MessageAnswer::PutFailureAway => self.run.failure_is_put_away = true,
            MessageAnswer::PutNoticeAway => self.put_notice_away(),
            MessageAnswer::First(answer) => self.take_first_answer(answer),
            MessageAnswer::LeaveUnfinished => self.unfinished = None,
            MessageAnswer::ContinueUnfinished => {
                let Some(dir) = self.unfinished.take() else { return };
                self.begin_open_run(dir, |window, result| match result {
                    Ok(()) => window.resume(),
                    Err(error) => window.refuse(Cause::Attempt, format!("{error:#}")),
                });
            }
        }
    }

    /// Sends a command; `true` when it went.
    fn try_send(&mut self, command: Command) -> bool {
        let sent = self.link.as_ref().map_or(Err("The run has already ended"), |link| link.send(command));
        if let Err(reason) = sent {
            self.run.log(Level::Warning, reason);
            self.refuse(Cause::Run(self.run.dir.clone()), reason);
        }
        sent.is_ok()
    }

    fn send(&mut self, command: Command) {
        self.try_send(command);
    }

    /// Sends a command whose answer takes time; the status shows `doing` until it comes.
    fn ask(&mut self, command: Command, doing: &'static str) {
        if self.try_send(command) {
            self.run.asked = Some(doing);
        }
    }

    fn pause_or_continue(&mut self) {
        if matches!(self.run.phase, RunPhase::Paused | RunPhase::Pausing) {
            self.send(Command::Resume);
        } else if matches!(self.run.phase, RunPhase::Running) && self.try_send(Command::Pause) {
            self.run.phase = RunPhase::Pausing;
        }
    }

    fn stop(&mut self, how: Stop) {
        let command = if how == Stop::Save { Command::StopAndSave } else { Command::StopAndDiscard };
        if self.run.phase.is_active() && self.try_send(command) {
            self.run.phase = RunPhase::Stopping;
            self.discarding = how == Stop::Discard;
        }
    }

    /// Throws the folder of the run away that has ended, where that was asked for. A run that was over before
    /// it heard of it keeps its folder.
    pub(super) fn discard_ended(&mut self) {
        let is_discarded = self.run.phase == RunPhase::Ended(Finish::Discarded);
        if !std::mem::take(&mut self.discarding) || !is_discarded {
            return;
        }
        let Some(dir) = self.run.dir.clone() else { return };
        // What is on its way out is neither looked at nor gone on with.
        self.following = Following::default();
        self.run.checkpoints = Checkpoints::default();
        let (trash, folder) = (self.launcher.trash(), dir.clone());
        self.on_disk(
            move || disk::discard(&folder, trash),
            move |window, gone| match gone {
                Ok(sentence) => window.forget_discarded(&dir, sentence),
                Err(error) => window.refuse(Cause::Run(Some(dir)), format!("{error:#}")),
            },
        );
    }

    fn forget_discarded(&mut self, dir: &Path, sentence: String) {
        self.forget_run(dir);
        self.runs.listed = None;
        self.run.log(Level::Info, sentence.clone());
        self.tell(sentence);
    }

    fn copy_command_line(&mut self, ctx: &Context) {
        let refused = "Save the configuration to a file first; the command line trains from a file";
        let Some(file) = self.form.file.clone() else {
            return self.refuse(Cause::NoFile, refused);
        };
        let (ctx, path) = (ctx.clone(), file.clone());
        self.on_disk(
            move || disk::load_config(&path),
            move |window, base| match base {
                Ok((base, _)) => {
                    let line = window.form.command_line(&file, &base);
                    ctx.copy_text(line.clone());
                    window.tell(format!("Copied: {line}"));
                }
                Err(_) => window.refuse(Cause::Attempt, refused),
            },
        );
    }
}
