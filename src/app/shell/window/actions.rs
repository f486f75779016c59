//! What the window's commands and answered questions do.

use super::Window;
use crate::app::commands::{Pane, UiCommand};
use crate::app::model::history;
use crate::app::model::kinds::{Level, Phase};
use crate::app::model::launcher::RunRequest;
use crate::app::model::run::RunView;
use crate::app::model::study::ModelChoice;
use crate::app::shell::chrome::{self, Notice};
use crate::app::shell::dialogs::export_model::ModelExport;
use crate::app::shell::dialogs::{Answer, Dialog, PathFor, Recent};
use crate::app::shell::layout::Layout;
use crate::app::shell::palette::Palette;
use crate::app::widgets::pictures::Pictures;
use crate::training::events::{Command, Event, Finish};
use crate::training::run_folder::{RunFiles, parting_key};
use egui::{Context, Theme, ViewportCommand};
use std::path::{Path, PathBuf};

impl Window {
    pub(super) fn open_config(&mut self, file: &Path) -> anyhow::Result<()> {
        let warnings = self.form.fill_from_file(file)?;
        if !warnings.is_empty() {
            self.notice = Some(Notice::Done(warnings.join("\n")));
        }
        self.recents.add_config(file);
        self.layout.reveal(Pane::SetUp);
        Ok(())
    }

    /// Opens a model for Lab, Attention and Results.
    pub(super) fn open_model(&mut self, choice: ModelChoice) {
        // Files were chosen for the model before, or wait for their first.
        if self.study.choice.is_some() {
            self.views.look.files.clear();
        }
        let commands = self.link.as_ref().map(|link| &link.commands);
        let device = self.form.device.clone();
        self.study.open(choice, commands, device, &*self.launcher, &self.wake);
        let shown = [Pane::Lab, Pane::Attention, Pane::Results];
        if !shown.iter().any(|pane| self.layout.is_active(*pane)) {
            self.layout.reveal(Pane::Lab);
        }
    }

    pub(super) fn dialog_ui(&mut self, ctx: &Context) {
        let is_of_run = matches!(self.dialog, Some(Dialog::Discard | Dialog::LearningRate { .. }));
        if is_of_run && !self.run.phase.is_active() {
            self.dialog = None;
        }
        let Some(dialog) = &mut self.dialog else { return };
        match dialog.ui(ctx, &self.run, &self.recents) {
            Answer::Waiting => {}
            Answer::Dismissed => self.dialog = None,
            Answer::Discard => {
                self.dialog = None;
                self.stop(Command::StopAndDiscard);
            }
            Answer::CloseAfter { save } => {
                self.dialog = None;
                self.stop(if save { Command::StopAndSave } else { Command::StopAndDiscard });
                self.closing = self.run.phase == Phase::Stopping;
                if !self.run.phase.is_active() {
                    ctx.send_viewport_cmd(ViewportCommand::Close);
                }
            }
            Answer::Path(wanted, path) => self.use_paths(wanted, &[path]),
            Answer::Browse(wanted, proposed) => {
                let answer = self.in_background("dualprop-dialog", move || wanted.browse(&proposed));
                self.background.browsed = answer.map(|receiver| (wanted, receiver));
            }
            Answer::LearningRate(factor) => {
                self.dialog = None;
                self.send(Command::ScaleLearningRate(factor));
            }
            Answer::Recent(recent) => {
                self.dialog = None;
                let result = match recent {
                    Recent::Run(dir) => self.open_run(&dir),
                    Recent::Config(file) => self.open_config(&file),
                    Recent::Data(dir) => {
                        self.use_data(&dir);
                        Ok(())
                    }
                };
                if let Err(error) = result {
                    self.notice = Some(Notice::Refused(format!("{error:#}")));
                }
            }
            Answer::Export(export) => {
                self.dialog = None;
                self.notice = Some(Notice::Done("Exporting…".into()));
                self.write_in_background(move || export.write());
            }
        }
    }

    /// Does what paths were wanted for; a fault stays in the dialog.
    pub(super) fn use_paths(&mut self, wanted: PathFor, paths: &[PathBuf]) {
        let Some(path) = paths.first() else { return };
        let result = match wanted {
            PathFor::OpenRun => self.open_run(path),
            PathFor::OpenConfig => self.open_config(path),
            PathFor::SaveConfig => self.save_config(path),
            PathFor::OpenCheckpoint => {
                let there = path.is_file();
                if there {
                    self.open_model(ModelChoice::File(path.clone()));
                }
                if there { Ok(()) } else { Err(anyhow::anyhow!("there is no file {}", path.display())) }
            }
            PathFor::OpenImages => match paths.iter().find(|path| !path.is_file()) {
                Some(missing) => Err(anyhow::anyhow!("there is no file {}", missing.display())),
                None => {
                    self.look_at_files(paths.to_vec());
                    Ok(())
                }
            },
            PathFor::SavePicture | PathFor::SaveTable | PathFor::SaveImages => self.write_pending(path),
        };
        self.dialog = match result {
            Ok(()) => None,
            Err(error) => {
                let typed = path.display().to_string();
                let fault = Some(format!("{error:#}"));
                Some(Dialog::Path { wanted, typed, fault, empty_handed: false })
            }
        };
    }

    fn save_config(&mut self, path: &Path) -> anyhow::Result<()> {
        std::fs::write(path, self.form.config().resolved_toml())
            .map_err(|error| anyhow::anyhow!("cannot write {}: {error}", path.display()))?;
        self.form.file = Some(path.to_owned());
        self.recents.add_config(path);
        self.run.log(Level::Info, format!("Saved the configuration to {}", path.display()));
        Ok(())
    }

    /// Carries a command out if it can be done now.
    pub fn carry_out(&mut self, ctx: &Context, command: UiCommand) {
        if let Err(reason) = command.available(&self.run) {
            let text = format!("{} is not possible now: {reason}", command.text(&self.run));
            self.notice = Some(Notice::Refused(text));
            return;
        }
        match command {
            UiCommand::Start => self.start(),
            UiCommand::Resume => self.resume(),
            UiCommand::PauseOrContinue => self.pause_or_continue(),
            UiCommand::SingleStep => self.send(Command::SingleStep),
            UiCommand::StopAndSave => self.stop(Command::StopAndSave),
            UiCommand::StopAndDiscard => self.dialog = Some(Dialog::Discard),
            UiCommand::SaveNow => self.ask(Command::SaveNow, "saving…"),
            UiCommand::EvaluateNow => self.ask(Command::EvaluateNow, "validating…"),
            UiCommand::ChangeLearningRate => self.dialog = Some(Dialog::LearningRate { factor: 1.0 }),
            UiCommand::Limit(limit) => {
                if self.try_send(Command::LimitWork(limit)) {
                    self.run.limit = limit;
                }
            }
            UiCommand::Preflight => self.preflight(),
            UiCommand::OpenRecent => self.dialog = Some(Dialog::Recent),
            UiCommand::DuplicateRun => self.duplicate(),
            UiCommand::StudyLive => self.open_model(ModelChoice::Live),
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
            UiCommand::Show(pane) => self.layout.reveal(pane),
            UiCommand::EnlargePane => self.layout.toggle_enlarged(),
            UiCommand::ResetLayout => self.layout = Layout::default(),
            UiCommand::ToggleTheme => {
                let other = if ctx.theme() == Theme::Dark { Theme::Light } else { Theme::Dark };
                ctx.set_theme(other);
            }
            UiCommand::Palette => self.palette = Some(Palette::default()),
            UiCommand::Shortcuts => self.dialog = Some(Dialog::Shortcuts),
            UiCommand::Quit => ctx.send_viewport_cmd(ViewportCommand::Close),
        }
    }

    /// Checks the form; a fault is shown and `false` returned.
    fn form_is_fine(&mut self, what: &str) -> bool {
        self.notice = None;
        let checked = self.form.check();
        if let Err(fault) = &checked {
            self.notice = Some(Notice::Refused(format!("{what} needs a change in the set-up: {fault}")));
            self.layout.reveal(Pane::SetUp);
        }
        checked.is_ok()
    }

    fn preflight(&mut self) {
        if !self.form_is_fine("Preflight") {
            return;
        }
        let config = self.form.config().clone();
        let (out, device) = (self.form.out_dir(), self.form.device.clone());
        let request = RunRequest { config, out, resume: false, device };
        match self.launcher.preflight(request, self.wake.clone()) {
            Ok(events) => {
                self.report.begin(events, self.form.config().clone());
                self.notice =
                    Some(Notice::Done("Preflight at work; its report comes below the set-up".into()));
                self.layout.reveal(Pane::SetUp);
            }
            Err(error) => self.notice = Some(Notice::Refused(format!("{error:#}"))),
        }
    }

    /// Sets up a new run like the one on screen.
    fn duplicate(&mut self) {
        let Some(dir) = self.run.dir.clone() else { return };
        match self.form.fill_from_file(&RunFiles::of(&dir).config()) {
            Ok(_) => {
                self.form.run_dir.clear();
                self.form.file = None;
                self.form.look_for_folder();
                self.layout.reveal(Pane::SetUp);
                let text = format!("Set up like {}; Start trains it in a new folder", dir.display());
                self.notice = Some(Notice::Done(text));
            }
            Err(error) => self.notice = Some(Notice::Refused(error.to_string())),
        }
    }

    fn start(&mut self) {
        if !self.form_is_fine("Start") {
            return;
        }
        let run = RunView::starting(self.form.out_dir());
        self.launch(run, false);
    }

    fn resume(&mut self) {
        self.notice = None;
        let Some(dir) = self.run.dir.clone() else { return };
        // The folder knows the curves better than the window: what was not yet written is trained again.
        let (mut run, config) = match history::read(&dir) {
            Ok(opened) => opened,
            Err(error) => {
                self.notice = Some(Notice::Refused(format!("{error:#}")));
                return;
            }
        };
        // A set-up of the same run may have made it longer.
        if let Some(config) = config.filter(|config| parting_key(config, self.form.config()).is_some()) {
            self.form.fill(config);
        }
        run.phase = Phase::Preparing;
        run.snapshot.clone_from(&self.run.snapshot);
        run.snapshot_generation = self.run.snapshot_generation;
        self.launch(run, true);
    }

    fn launch(&mut self, run: RunView, resume: bool) {
        let out = run.dir.clone().unwrap_or_else(|| self.form.out_dir());
        self.unfinished = None;
        self.recents.add_run(&out);
        if !self.form.config().data.path.is_empty() {
            self.recents.add_data(Path::new(&self.form.config().data.path));
        }
        let config = self.form.config().clone();
        let request = RunRequest { config, out, resume, device: self.form.device.clone() };
        if !resume {
            self.pictures = Pictures::default();
        }
        self.run = run;
        match self.launcher.start(request, self.wake.clone()) {
            Ok(link) => {
                self.link = Some(link);
                self.layout.reveal(Pane::Curves);
            }
            Err(error) => {
                let sentence = format!("{error:#}");
                self.run.apply(Event::Finished(Finish::Failed(sentence)));
            }
        }
    }

    /// Offers to go on with a run that a crash left unfinished.
    pub(super) fn unfinished_ui(&mut self, ui: &mut egui::Ui) {
        let Some(dir) = self.unfinished.clone().filter(|_| !self.run.phase.is_active()) else { return };
        let answer = chrome::unfinished_ui(ui, &dir);
        if answer.is_some() {
            self.unfinished = None;
        }
        if answer != Some(true) {
            return;
        }
        match self.open_run(&dir) {
            Ok(()) => self.resume(),
            Err(error) => self.notice = Some(Notice::Refused(format!("{error:#}"))),
        }
    }

    /// Sends a command; `true` when it went.
    fn try_send(&mut self, command: Command) -> bool {
        let sent = self.link.as_ref().map_or(Err("The run has already ended"), |link| link.send(command));
        if let Err(reason) = sent {
            self.run.log(Level::Warning, reason);
            self.notice = Some(Notice::Refused(reason.into()));
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
        if matches!(self.run.phase, Phase::Paused | Phase::Pausing) {
            self.send(Command::Resume);
        } else if matches!(self.run.phase, Phase::Running) && self.try_send(Command::Pause) {
            self.run.phase = Phase::Pausing;
        }
    }

    fn stop(&mut self, command: Command) {
        if self.run.phase.is_active() && self.try_send(command) {
            self.run.phase = Phase::Stopping;
        }
    }

    fn copy_command_line(&mut self, ctx: &Context) {
        self.notice = Some(match self.form.command_line() {
            Some(line) => {
                ctx.copy_text(line.clone());
                Notice::Done(format!("Copied: {line}"))
            }
            None => Notice::Refused(
                "Save the configuration to a file first; the command line trains from a file".into(),
            ),
        });
    }
}
