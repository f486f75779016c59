//! What the window's commands and answered questions do.

use super::Window;
use crate::app::chrome::Notice;
use crate::app::commands::{Pane, UiCommand};
use crate::app::dialogs::{Answer, Dialog, PathFor};
use crate::app::history;
use crate::app::layout::Layout;
use crate::app::link::RunRequest;
use crate::app::model::{Level, Phase, RunView};
use crate::app::palette::Palette;
use crate::app::pictures::Pictures;
use crate::training::events::{Command, Event, Finish};
use egui::{Context, Theme, ViewportCommand};
use std::path::Path;
use std::time::{Duration, Instant};

/// Time between two looks at an opened run folder.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Window {
    /// Shows the curves of a run folder and fills the set-up from it.
    pub fn open_run(&mut self, dir: &Path) -> anyhow::Result<()> {
        let (run, config, follower) = history::open(dir)?;
        self.run = run;
        self.follower = Some((follower, Instant::now()));
        self.pictures = Pictures::default();
        if let Some(config) = config {
            self.form.fill(config);
            self.form.preset = None;
            self.form.file = Some(dir.join("config.toml"));
        }
        self.layout.reveal(Pane::Curves);
        Ok(())
    }

    /// Takes in what the run of an opened folder has written since, if it still does.
    pub(super) fn follow(&mut self, ctx: &Context) {
        let Some((follower, looked)) = &mut self.follower else { return };
        if self.run.phase != Phase::Opened {
            self.follower = None;
            return;
        }
        ctx.request_repaint_after(LOOK_EVERY);
        if looked.elapsed() < LOOK_EVERY {
            return;
        }
        *looked = Instant::now();
        if follower.was_cut() {
            let dir = self.run.dir.clone().unwrap_or_default();
            match history::open(&dir) {
                Ok((run, _, follower)) => {
                    self.run = run;
                    self.follower = Some((follower, Instant::now()));
                }
                Err(error) => self.stop_following(&error.to_string()),
            }
        } else if let Err(error) = follower.read(&mut self.run) {
            self.stop_following(&error.to_string());
        }
    }

    fn stop_following(&mut self, reason: &str) {
        self.follower = None;
        self.run.log(Level::Warning, format!("The run folder is no longer followed: {reason}"));
    }

    pub(super) fn dialog_ui(&mut self, ctx: &Context) {
        let Some(dialog) = &mut self.dialog else { return };
        match dialog.ui(ctx, &self.run) {
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
            Answer::Path(wanted, path) => self.use_path(wanted, &path),
            Answer::Browse(wanted) => {
                let answer = self.in_background("dualprop-dialog", move || wanted.browse());
                self.browsed = answer.map(|receiver| (wanted, receiver));
            }
        }
    }

    /// Does what a path was wanted for; a fault stays in the dialog.
    pub(super) fn use_path(&mut self, wanted: PathFor, path: &Path) {
        let result = match wanted {
            PathFor::OpenRun => self.open_run(path),
            PathFor::OpenConfig => self.form.fill_from_file(path).map_err(anyhow::Error::from),
            PathFor::SaveConfig => self.save_config(path),
        };
        self.dialog = match result {
            Ok(()) => None,
            Err(error) => {
                let typed = path.display().to_string();
                Some(Dialog::Path { wanted, typed, fault: Some(format!("{error:#}")) })
            }
        };
    }

    fn save_config(&mut self, path: &Path) -> anyhow::Result<()> {
        std::fs::write(path, self.form.config().resolved_toml())
            .map_err(|error| anyhow::anyhow!("cannot write {}: {error}", path.display()))?;
        self.form.file = Some(path.to_owned());
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
            UiCommand::OpenRun => self.dialog = Some(Dialog::path(PathFor::OpenRun)),
            UiCommand::OpenConfig => self.dialog = Some(Dialog::path(PathFor::OpenConfig)),
            UiCommand::SaveConfig => self.dialog = Some(Dialog::path(PathFor::SaveConfig)),
            UiCommand::CopyCommandLine => self.copy_command_line(ctx),
            UiCommand::Show(pane) => self.layout.reveal(pane),
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

    fn start(&mut self) {
        self.notice = None;
        if let Err(fault) = self.form.check() {
            self.notice = Some(Notice::Refused(format!("Start needs a change in the set-up: {fault}")));
            self.layout.reveal(Pane::SetUp);
            return;
        }
        let run = RunView::starting(self.form.out_dir());
        self.launch(run, false);
    }

    fn resume(&mut self) {
        self.notice = None;
        let Some(dir) = self.run.dir.clone() else { return };
        // The folder knows the curves better than the window: what was not yet written is trained again.
        let (mut run, config, _) = match history::open(&dir) {
            Ok(opened) => opened,
            Err(error) => {
                self.notice = Some(Notice::Refused(format!("{error:#}")));
                return;
            }
        };
        if let Some(config) = config {
            self.form.fill(config);
        }
        run.phase = Phase::Preparing;
        run.snapshot.clone_from(&self.run.snapshot);
        run.snapshot_generation = self.run.snapshot_generation;
        self.launch(run, true);
    }

    fn launch(&mut self, run: RunView, resume: bool) {
        let out = run.dir.clone().unwrap_or_else(|| self.form.out_dir());
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
