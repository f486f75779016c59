//! The window as a whole: it takes in what a run reports, draws bars and panes, and carries commands out. It
//! never waits: training runs on a thread of its own, and so do file dialogs and the search for adapters.

mod actions;
mod background;
mod disk;
mod drops;
mod first_minute;
mod folder;
mod notices;
mod runs;
mod starting;
mod watch;

use super::chrome;
use super::dialogs::Dialog;
use super::first_steps::FirstSteps;
use super::layout::Layout;
use super::messages::{self, Messages};
use super::palette::Palette;
use super::status;
use crate::app::commands::UiCommand;
use crate::app::model::augmented::AugmentedView;
use crate::app::model::form::SetUpForm;
use crate::app::model::launcher::{Launcher, RunLink, Wake};
use crate::app::model::preflight::PreflightReport;
use crate::app::model::recents::Recents;
use crate::app::model::run::RunView;
use crate::app::model::runs::Runs;
use crate::app::model::study::Study;
use crate::app::panes::{Pane, PaneViews, Shared};
use crate::app::theme::tokens;
use crate::app::widgets::pictures::Pictures;
use crate::training::events::{Event, Finish};
use background::Background;
use egui::{Context, Ui, ViewportCommand};
use folder::Following;
use notices::Posted;
use runs::FollowedRuns;
use starting::Before;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// At least so often is an active run's window drawn, for times and rates.
const HEARTBEAT: Duration = Duration::from_millis(250);
/// Shortest time between two frames that events ask for: 60 a second, and fewer where the window itself is
/// drawn by the processor that also trains.
const FRAME: Duration = Duration::from_millis(16);
const FRAME_IN_SOFTWARE: Duration = Duration::from_millis(400);

/// The window's state.
pub struct Window {
    launcher: Box<dyn Launcher>,
    link: Option<RunLink>,
    pub run: RunView,
    pub form: SetUpForm,
    pub views: PaneViews,
    pub layout: Layout,
    pictures: Pictures,
    dialog: Option<Dialog>,
    palette: Option<Palette>,
    posted: Option<Posted>,
    /// Notices so far.
    notices: u64,
    /// The faults of the set-up that the user has put away.
    faults_put_away: Vec<(String, String)>,
    queue: Vec<UiCommand>,
    study: Study,
    report: PreflightReport,
    augmented: AugmentedView,
    pub runs: Runs,
    pub recents: Recents,
    /// The program's own folder, where the system has one.
    pub storage: Option<PathBuf>,
    /// Its folder for what can be made again, where the system has one.
    pub cache: Option<PathBuf>,
    pub first_steps: FirstSteps,
    /// A run that a crash left unfinished, offered until it is answered.
    unfinished: Option<PathBuf>,
    background: Background,
    following: Following,
    followed_runs: FollowedRuns,
    /// Run folders that were followed so far.
    followed: u64,
    /// What a run that has made no step yet took the place of.
    before: Option<Before>,
    /// Throw the run's folder away as soon as it has ended.
    discarding: bool,
    /// Close as soon as the run has ended.
    closing: bool,
    heartbeat: Duration,
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
            form: SetUpForm::default(),
            views: PaneViews::default(),
            layout: Layout::default(),
            pictures: Pictures::default(),
            dialog: None,
            palette: None,
            posted: None,
            notices: 0,
            faults_put_away: Vec::new(),
            queue: Vec::new(),
            study: Study::default(),
            report: PreflightReport::default(),
            augmented: AugmentedView::default(),
            runs: Runs::default(),
            recents: Recents::default(),
            storage: None,
            cache: None,
            first_steps: FirstSteps::default(),
            unfinished: None,
            background: Background::default(),
            following: Following::default(),
            followed_runs: FollowedRuns::default(),
            followed: 0,
            before: None,
            discarding: false,
            closing: false,
            heartbeat: HEARTBEAT.max(frame),
            wake: Arc::new(move || waking.request_repaint_after(frame)),
        }
    }

    /// Takes in what came from the run and from helper threads. Draws nothing.
    pub fn tick(&mut self, ctx: &Context) {
        if ctx.input(|input| !input.events.is_empty()) {
            self.study.make_way();
        }
        self.take_reports();
        self.take_answers(ctx);
        self.follow();
        self.follow_runs();
        self.look_for_free_folder(ctx);
        self.look_at_augmented();
        self.take_drops(ctx);
        // A second request while the run is stopping leaves at once, like a second Ctrl-C.
        let asked = ctx.input(|input| input.viewport().close_requested());
        if asked && self.run.phase.is_active() && !self.closing {
            ctx.send_viewport_cmd(ViewportCommand::CancelClose);
            self.dialog = Some(Dialog::Close);
        }
        if self.run.phase.is_active() {
            ctx.request_repaint_after(self.heartbeat);
        } else if self.closing && !self.is_at_disk() {
            // What is being written or thrown away is so to its end.
            ctx.send_viewport_cmd(ViewportCommand::Close);
        }
    }

    fn take_reports(&mut self) {
        let Some(link) = &self.link else { return };
        let drained = link.drain();
        let more = drained.events.len();
        for event in drained.events {
            let is_start = matches!(event, Event::Started(_));
            self.run.apply(event);
            if is_start {
                self.run_started();
            }
        }
        if let Some(snapshot) = drained.snapshot {
            self.run.show(snapshot);
            self.follow_weights();
        }
        if drained.closed {
            self.link = None;
            if self.run.phase.is_active() {
                let sentence = "The training thread ended without a report; resume from the last checkpoint";
                self.run.apply(Event::Finished(Finish::Failed(sentence.into())));
            }
        } else if more > 0 {
            // A burst may have left events behind.
            (self.wake)();
        }
        if !self.run.phase.is_active() {
            self.link = None;
            self.study.run_ended();
            self.put_before_back();
            self.form.look_for_folder();
            self.look_soon();
            self.discard_ended();
        }
    }

    /// Draws one frame and carries out what the user asked for in it.
    pub fn show(&mut self, ui: &mut Ui) {
        let ctx = ui.ctx().clone();
        self.take_shortcuts(&ctx);
        chrome::top_ui(ui, &self.run, &mut self.queue);
        status::ui(ui, &self.run);
        let frame = egui::Frame::new();
        egui::CentralPanel::default().frame(frame).show(ui, |ui| self.panes_ui(ui));
        if let Some(palette) = &mut self.palette
            && !palette.ui(&ctx, &self.run, &mut self.queue)
        {
            self.palette = None;
        }
        self.messages_ui(&ctx);
        self.dialog_ui(&ctx);
        drops::hint_ui(&ctx);
        for command in std::mem::take(&mut self.queue) {
            self.carry_out(&ctx, command);
        }
    }

    fn messages_ui(&mut self, ctx: &Context) {
        self.end_notice();
        let messages = Messages {
            run: &self.run,
            form: &self.form,
            notice: self.posted.as_ref().map(Posted::notice),
            unfinished: self.unfinished.as_deref(),
            put_away: &self.faults_put_away,
            first_steps: self.shows_first_steps().then_some(&self.first_steps),
        };
        if let Some(answer) = messages::ui(ctx, &messages, &mut self.queue) {
            self.take_message_answer(answer);
        }
    }

    fn panes_ui(&mut self, ui: &mut Ui) {
        let mut study_requests = Vec::new();
        let mut exports = Vec::new();
        let mut runs_request = None;
        let mut clicked = None;
        let mut wish = None;
        let mut shown = Vec::new();
        let takes_keys = self.dialog.is_none() && self.palette.is_none();
        let epsilon = self.views.look.attack.epsilon;
        let Self {
            run, form, views, layout, pictures, queue, study, report, augmented, recents, runs, ..
        } = self;
        let unseen = run.unseen;
        let mut shared = Shared {
            run,
            study,
            form,
            report,
            augmented,
            recents,
            runs,
            pictures,
            queue,
            study_requests: &mut study_requests,
            runs_request: &mut runs_request,
            exports: &mut exports,
            large: &mut clicked,
            area: ui.max_rect(),
        };
        if views.large.is_open() {
            wish = views.large.ui(ui, &mut shared, takes_keys);
        } else {
            let mut show = |ui: &mut Ui, pane: Pane| {
                shown.push(pane);
                shared.area = ui.max_rect();
                (pane.info().ui)(ui, &mut shared, views);
            };
            layout.ui(ui, &mut show, unseen);
        }
        self.followed_runs.is_seen = shown.contains(&Pane::Runs);
        if shown.contains(&Pane::Log) {
            run.unseen = 0;
        }
        self.tick_first_steps(epsilon, &shown);
        self.study.ask_all(study_requests);
        for export in exports {
            self.begin_export(ui.ctx(), export);
        }
        if let Some(request) = runs_request {
            self.answer_runs_pane(request);
        }
        if let Some(list) = clicked {
            self.views.large.open(list);
        }
        if let Some(wish) = wish {
            self.take_large_answer(ui.ctx(), wish);
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
            let is_plain = shortcut.modifiers.is_none()
                && !matches!(shortcut.logical_key, egui::Key::F1 | egui::Key::F2 | egui::Key::F11);
            // An entry field undoes its own typing.
            if (is_plain || command == UiCommand::UndoSetUp) && focused {
                continue;
            }
            if ctx.input_mut(|input| input.consume_shortcut(&shortcut)) {
                self.queue.push(command);
            }
        }
    }
}
