//! The window as a whole: it takes in what a run reports, draws bars and panes, and carries commands out. It never
//! waits: training runs on a thread of its own, and so do file dialogs and the search for adapters.

use super::chrome;
use super::commands::{Pane, UiCommand};
use super::dialogs::{Answer, Dialog, PathFor};
use super::form::Form;
use super::history;
use super::layout::Layout;
use super::link::{DeviceItem, Launcher, RunLink, RunRequest, Wake};
use super::model::{Level, Phase, RunView};
use super::palette::Palette;
use super::panes::{self, Shared, Views};
use super::pictures::Pictures;
use super::tokens;
use crate::training::events::{Command, Finish};
use crossbeam_channel::Receiver;
use egui::{Context, Theme, Ui, ViewportCommand};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// At least so often is an active run's window drawn, for times and rates.
const HEARTBEAT: Duration = Duration::from_millis(250);
/// Shortest time between two frames that events ask for: 60 a second, and fewer where the window itself is drawn
/// by the processor that also trains.
const FRAME: Duration = Duration::from_millis(16);
const FRAME_IN_SOFTWARE: Duration = Duration::from_millis(200);

/// The window's state.
pub struct Window {
    launcher: Box<dyn Launcher>,
    link: Option<RunLink>,
    pub run: RunView,
    pub form: Form,
    pub views: Views,
    pub layout: Layout,
    pictures: Pictures,
    dialog: Option<Dialog>,
    palette: Option<Palette>,
    /// A sentence that is no failure of the run, such as why Start refused.
    notice: Option<String>,
    queue: Vec<UiCommand>,
    devices: Option<Receiver<Vec<DeviceItem>>>,
    browsed: Option<(PathFor, Receiver<Option<PathBuf>>)>,
    /// Close as soon as the run has ended.
    closing: bool,
    wake: Wake,
}

impl std::fmt::Debug for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Window ({})", self.run.phase.label())
    }
}

impl Window {
    /// A window that starts runs through `launcher`. `software`: its own pictures are drawn by the processor.
    pub fn new(ctx: &Context, launcher: Box<dyn Launcher>, software: bool) -> Self {
        tokens::install(ctx);
        let frame = if software { FRAME_IN_SOFTWARE } else { FRAME };
        let waking = ctx.clone();
        Self {
            launcher,
            link: None,
            run: RunView::default(),
            form: Form::default(),
            views: Views::default(),
            layout: Layout::default(),
            pictures: Pictures::default(),
            dialog: None,
            palette: None,
            notice: None,
            queue: Vec::new(),
            devices: None,
            browsed: None,
            closing: false,
            wake: Arc::new(move || waking.request_repaint_after(frame)),
        }
    }

    /// Looks for adapters on a thread of its own; the set-up offers them when they are known.
    pub fn look_for_devices(&mut self) {
        let list = self.launcher.list_devices();
        self.devices = self.in_background("dualprop-devices", list);
    }

    fn in_background<T: Send + 'static>(
        &mut self,
        name: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<Receiver<T>> {
        let (sender, receiver) = crossbeam_channel::bounded(1);
        let wake = self.wake.clone();
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || {
            // Nobody waits for the answer when the window is gone.
            let _ = sender.send(work());
            wake();
        });
        match thread {
            Ok(_) => Some(receiver),
            Err(error) => {
                self.run.log(Level::Warning, format!("Cannot start a helper thread: {error}"));
                None
            }
        }
    }

    /// Shows the curves of a run folder and fills the set-up from it.
    pub fn open_run(&mut self, dir: &Path) -> anyhow::Result<()> {
        let (run, config) = history::open(dir)?;
        self.run = run;
        self.pictures = Pictures::default();
        if let Some(config) = config {
            self.form.fill(config);
            self.form.preset = None;
            self.form.file = Some(dir.join("config.toml"));
        }
        self.layout.reveal(Pane::Curves);
        Ok(())
    }

    /// Takes in what came from the run and from helper threads. Draws nothing.
    pub fn tick(&mut self, ctx: &Context) {
        self.take_reports(ctx);
        if let Some(devices) = self.devices.as_ref().and_then(|receiver| receiver.try_recv().ok()) {
            self.form.devices = devices;
            self.devices = None;
        }
        if let Some((wanted, answer)) =
            self.browsed.as_ref().and_then(|(wanted, receiver)| Some((*wanted, receiver.try_recv().ok()?)))
        {
            self.browsed = None;
            if let Some(path) = answer {
                self.use_path(wanted, &path);
            }
        }
        if ctx.input(|input| input.viewport().close_requested()) && self.run.phase.is_active() {
            ctx.send_viewport_cmd(ViewportCommand::CancelClose);
            if !self.closing {
                self.dialog = Some(Dialog::Close);
            }
        }
        if self.run.phase.is_active() {
            ctx.request_repaint_after(HEARTBEAT);
        }
    }

    fn take_reports(&mut self, ctx: &Context) {
        let Some(link) = &self.link else { return };
        let drained = link.drain();
        let more = drained.events.len();
        for event in drained.events {
            self.run.apply(event);
        }
        if let Some(snapshot) = drained.snapshot {
            self.run.show(snapshot);
        }
        if drained.closed {
            self.link = None;
            if self.run.phase.is_active() {
                let sentence = "The training thread ended without a report; resume from the last checkpoint";
                self.run.apply(crate::training::events::Event::Finished(Finish::Failed(sentence.into())));
            }
        } else if more > 0 {
            // A burst may have left events behind.
            (self.wake)();
        }
        if !self.run.phase.is_active() {
            self.link = None;
            self.form.look_for_folder();
            if self.closing {
                ctx.send_viewport_cmd(ViewportCommand::Close);
            }
        }
    }

    /// Draws one frame and carries out what the user asked for in it.
    pub fn show(&mut self, ui: &mut Ui) {
        let ctx = ui.ctx().clone();
        self.take_shortcuts(&ctx);
        chrome::top_ui(ui, &self.run, &mut self.queue);
        chrome::banner_ui(ui, &self.run, &mut self.notice, &mut self.queue);
        chrome::status_ui(ui, &self.run);
        let frame = egui::Frame::new().fill(tokens::Tokens::of(ui).backdrop).inner_margin(4);
        egui::CentralPanel::default().frame(frame).show(ui, |ui| self.panes_ui(ui));
        if let Some(palette) = &mut self.palette
            && !palette.ui(&ctx, &self.run, &mut self.queue)
        {
            self.palette = None;
        }
        self.dialog_ui(&ctx);
        for command in std::mem::take(&mut self.queue) {
            self.carry_out(&ctx, command);
        }
    }

    fn panes_ui(&mut self, ui: &mut Ui) {
        let Self { run, form, views, layout, pictures, queue, .. } = self;
        let mut log_seen = false;
        let unseen = run.unseen;
        let mut show = |ui: &mut Ui, pane: Pane| {
            let mut shared = Shared { run, pictures, queue };
            match pane {
                Pane::SetUp => panes::set_up::ui(ui, &mut shared, form),
                Pane::Curves => panes::curves::ui(ui, &mut shared, &mut views.curves),
                Pane::Gallery => panes::gallery::ui(ui, &mut shared, &mut views.gallery),
                Pane::Attention => panes::attention::ui(ui, &mut shared, &mut views.attention),
                Pane::Domains => panes::domains::ui(ui, &mut shared, &mut views.domains),
                Pane::Log => {
                    log_seen = true;
                    panes::log::ui(ui, &mut shared, &mut views.log);
                }
            }
        };
        layout.ui(ui, &mut show, unseen);
        if log_seen {
            run.unseen = 0;
        }
    }

    /// Keys of commands. Plain keys belong to a focused widget first: Space presses a button, S is a letter.
    fn take_shortcuts(&mut self, ctx: &Context) {
        if self.dialog.is_some() || self.palette.is_some() {
            return;
        }
        let focused = ctx.egui_wants_keyboard_input();
        for command in UiCommand::all() {
            let Some(shortcut) = command.shortcut() else { continue };
            let is_plain = shortcut.modifiers.is_none() && shortcut.logical_key != egui::Key::F1;
            if is_plain && focused {
                continue;
            }
            if ctx.input_mut(|input| input.consume_shortcut(&shortcut)) {
                self.queue.push(command);
            }
        }
    }

    fn dialog_ui(&mut self, ctx: &Context) {
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
                self.closing = true;
                self.stop(if save { Command::StopAndSave } else { Command::StopAndDiscard });
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
    fn use_path(&mut self, wanted: PathFor, path: &Path) {
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
            self.notice = Some(format!("{} is not possible now: {reason}", command.text(&self.run)));
            return;
        }
        match command {
            UiCommand::Start => self.start(),
            UiCommand::Resume => self.resume(),
            UiCommand::PauseOrContinue => self.pause_or_continue(),
            UiCommand::SingleStep => self.send(Command::SingleStep),
            UiCommand::StopAndSave => self.stop(Command::StopAndSave),
            UiCommand::StopAndDiscard => self.dialog = Some(Dialog::Discard),
            UiCommand::SaveNow => self.send(Command::SaveNow),
            UiCommand::EvaluateNow => self.send(Command::EvaluateNow),
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
            self.notice = Some(format!("Start needs a change in the set-up: {fault}"));
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
        let (mut run, config) = match history::open(&dir) {
            Ok(opened) => opened,
            Err(error) => {
                self.notice = Some(format!("{error:#}"));
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
                self.run.apply(crate::training::events::Event::Finished(Finish::Failed(sentence)));
            }
        }
    }

    /// Sends a command; `true` when it went.
    fn try_send(&mut self, command: Command) -> bool {
        let sent = self.link.as_ref().map_or(Err("The run has already ended"), |link| link.send(command));
        if let Err(reason) = sent {
            self.run.log(Level::Warning, reason);
            self.notice = Some(reason.into());
        }
        sent.is_ok()
    }

    fn send(&mut self, command: Command) {
        self.try_send(command);
    }

    fn pause_or_continue(&mut self) {
        match self.run.phase {
            Phase::Running if self.try_send(Command::Pause) => self.run.phase = Phase::Pausing,
            Phase::Paused | Phase::Pausing => self.send(Command::Resume),
            _ => {}
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
                format!("Copied: {line}")
            }
            None => "Save the configuration to a file first; the command line trains from a file".into(),
        });
    }
}
