//! A window in a harness, and what a user and a trainer do to it.

use super::demo::{self, Ends, Played, Scripted, StudyEnds};
use dualprop::app::Window;
use dualprop::app::commands::UiCommand;
use dualprop::app::model::launcher::Launcher;
use dualprop::app::panes::Pane;
use dualprop::session::inspect::{Answer, Request, Subject};
use dualprop::training::events::Event;
use egui::vec2;
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A window in a harness, with the trainer's side of its runs.
pub(crate) struct Stage {
    pub(super) harness: Harness<'static, Option<Window>>,
    pub(super) played: Played,
    pub(super) folder: tempfile::TempDir,
}

impl Stage {
    pub(super) fn new() -> Self {
        Self::sized(vec2(1280.0, 720.0))
    }

    pub(super) fn sized(size: egui::Vec2) -> Self {
        let (launcher, played) = Scripted::new();
        Self::with(size, Box::new(launcher), played)
    }

    pub(super) fn with(size: egui::Vec2, launcher: Box<dyn Launcher>, played: Played) -> Self {
        let mut launcher = Some(launcher);
        let mut harness = Harness::builder().with_size(size).with_max_steps(20).build_ui_state(
            move |ui, window: &mut Option<Window>| {
                let window = window.get_or_insert_with(|| {
                    let launcher = launcher.take().expect("made once");
                    Window::new(ui.ctx(), launcher, false)
                });
                // What the window's clear colour does on a screen.
                ui.painter().rect_filled(ui.ctx().content_rect(), 0.0, ui.visuals().panel_fill);
                window.tick(ui.ctx());
                window.show(ui);
            },
            None,
        );
        let folder = tempfile::tempdir().expect("a temporary folder");
        harness.run_steps(3);
        let mut stage = Self { harness, played, folder };
        stage.window().form.run_dir = stage.folder.path().join("run").display().to_string();
        stage
    }

    pub(super) fn window(&mut self) -> &mut Window {
        self.harness.state_mut().as_mut().expect("made by the first frame")
    }

    /// Lets the window take in what came. An active window asks for frames for ever, so not until it rests.
    pub(super) fn frames(&mut self) {
        self.harness.run_steps(4);
        // What helper threads read and write is there before the next look. Only a hang runs into the limit.
        let (begun, mut pause) = (Instant::now(), Duration::from_millis(2));
        while self.window().is_at_disk() && begun.elapsed() < Duration::from_secs(60) {
            // A step is a quarter of a second to the window, and what it tells stays for some seconds alone.
            std::thread::sleep(pause);
            pause = (2 * pause).min(Duration::from_millis(100));
            self.harness.run_steps(1);
        }
        self.harness.run_steps(3);
        self.harness.check_accessibility();
    }

    pub(super) fn show(&mut self, pane: Pane) {
        let ctx = self.harness.ctx.clone();
        self.window().carry_out(&ctx, UiCommand::Show(pane));
        self.frames();
    }

    pub(super) fn click(&mut self, label: &str) {
        self.harness.get_all_by_label(label).next().expect("at least one").click();
        self.frames();
    }

    pub(super) fn sees(&self, text: &str) -> bool {
        self.harness.query_all_by_label_contains(text).next().is_some()
    }

    #[track_caller]
    pub(super) fn expect(&self, text: &str) {
        assert!(self.sees(text), "“{text}” is nowhere on screen:\n{:?}", self.harness.root());
    }

    /// Presses Start and plays the trainer's first words.
    pub(super) fn start(&mut self) -> Ends {
        self.click("Start");
        let ends = self.played.runs.try_recv().expect("Start starts a run");
        tell(&ends, Event::Started(demo::info(&ends.request.out)));
        self.frames();
        ends
    }

    /// Drops a checkpoint onto the window and plays the study that opens it.
    pub(super) fn open_model(&mut self) -> StudyEnds {
        self.open_model_in("run")
    }

    /// As [`Self::open_model`], the best one of the run called `name`.
    pub(super) fn open_model_in(&mut self, name: &str) -> StudyEnds {
        let path = self.folder.path().join(name).join("best.safetensors");
        self.window().take_dropped(std::slice::from_ref(&path));
        self.frames();
        let ends = self.played.studies.try_recv().expect("a checkpoint starts the study");
        let opened = ends.requests.try_recv().expect("the study is asked to open it");
        let Request::Open { subject: Subject::Checkpoint(asked), .. } = opened else { panic!("{opened:?}") };
        assert_eq!(asked, path);
        say(&ends, Answer::Opened(Arc::new(demo::model(260))));
        self.frames();
        ends
    }

    /// Answers looks and distributions until nothing more is asked.
    pub(super) fn serve(&mut self, ends: &StudyEnds) {
        for _ in 0..4 {
            while let Ok(request) = ends.requests.try_recv() {
                answer(ends, request);
            }
            self.frames();
        }
    }
}

pub(super) fn tell(ends: &Ends, event: Event) {
    ends.events.try_send(event).expect("room in the queue");
}

pub(super) fn train(ends: &Ends, steps: std::ops::RangeInclusive<u64>) {
    for n in steps {
        tell(ends, Event::Step(demo::step(n)));
    }
}

pub(super) fn say(ends: &StudyEnds, answer: Answer) {
    ends.answers.try_send(answer).expect("room in the queue");
}

fn answer(ends: &StudyEnds, request: Request) {
    match request {
        Request::Look(look) => say(ends, Answer::Looked(Arc::new(demo::looked(260, &look)))),
        Request::Examine(asked) => say(ends, Answer::Examined(Arc::new(demo::examined(260, &asked)))),
        Request::Gather(asked) => say(ends, Answer::Gathered(Arc::new(demo::gathered(260, &asked)))),
        Request::Distributions(asked) => {
            say(ends, Answer::Distributed(Arc::new(demo::distributed(260, &asked))));
        }
        Request::Measure(measure) => say(ends, Answer::Measured(Arc::new(demo::measured(260, &measure)))),
        Request::Sweep(sweep) => say(ends, Answer::Swept(Arc::new(demo::swept(260, &sweep, 10)))),
        Request::MeasureRobustness(measure) => {
            say(ends, Answer::Robustness(Arc::new(demo::robustness(260, &measure))));
        }
        Request::Corrupt(asked) => say(ends, Answer::Corrupted(Arc::new(demo::corrupted(260, &asked)))),
        Request::Refresh => say(ends, Answer::Refreshed(280)),
        Request::Open { .. } | Request::Stop => {}
    }
}
