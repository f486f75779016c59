//! The first minute: the sample run on an empty profile, and what the card beside it leads to.

use super::Window;
use super::notices::Cause;
use crate::app::model::sample;
use crate::app::model::study::ModelChoice;
use crate::app::panes::Pane;
use crate::app::shell::dialogs::{Dialog, PathFor};
use crate::app::shell::first_steps::{FirstAnswer, FirstStep};
use crate::training::run_folder::RunFiles;

impl Window {
    /// Opens the sample run where the user has neither a run of their own nor said that they know it.
    pub fn begin_first_minute(&mut self) {
        let Some(storage) = &self.storage else { return };
        let sample = sample::folder(storage);
        if !self.first_steps.is_over() && self.recents.runs.iter().all(|run| *run == sample) {
            self.open_sample();
        }
    }

    /// Opens the sample run and the model in it; pictures, curves and statistics are there at once.
    pub(super) fn open_sample(&mut self) {
        let Some(storage) = self.storage.clone() else {
            let text =
                "This system names no folder for the program's own files, where the sample would be put";
            return self.refuse(Cause::Lasting, text);
        };
        self.on_disk(
            move || sample::place(&storage),
            |window, placed| match placed {
                Ok(dir) => window.begin_open_run(dir.clone(), move |window, result| {
                    if result.is_ok() {
                        window.study_model(ModelChoice::File(RunFiles::of(&dir).best()));
                        window.layout.reveal(Pane::Gallery);
                    }
                    window.refuse_if_failed(result);
                }),
                Err(error) => window.refuse(Cause::Attempt, format!("{error:#}")),
            },
        );
    }

    /// Whether the sample run is on screen.
    fn shows_sample(&self) -> bool {
        let sample = self.storage.as_deref().map(sample::folder);
        sample.is_some() && self.run.dir == sample && !self.run.phase.is_active()
    }

    /// Whether the card of the first steps is to be seen.
    pub(super) fn shows_first_steps(&self) -> bool {
        !self.first_steps.is_over() && self.shows_sample() && !self.views.large.is_open()
    }

    pub(super) fn take_first_answer(&mut self, answer: FirstAnswer) {
        match answer {
            FirstAnswer::Dismiss => self.first_steps.dismiss(),
            FirstAnswer::OpenModel => self.dialog = Some(Dialog::path(PathFor::OpenCheckpoint)),
            FirstAnswer::Go(FirstStep::DragEpsilon) => self.layout.reveal(Pane::Lab),
            FirstAnswer::Go(FirstStep::WhereItLooks) => self.layout.reveal(Pane::Attention),
            FirstAnswer::Go(FirstStep::TrainYourOwn) => {
                if let Some(dir) = self.run.dir.clone() {
                    self.set_up_like(&dir, Self::start);
                }
            }
        }
    }

    /// Ticks what the user has done in this frame, by whatever way: `epsilon` is the Lab's before it, `shown`
    /// are the panes in it. That a run has started ticks the last step.
    pub(super) fn tick_first_steps(&mut self, epsilon: f32, shown: &[Pane]) {
        if !self.shows_first_steps() {
            return;
        }
        if self.views.look.attack.epsilon != epsilon {
            self.first_steps.take(FirstStep::DragEpsilon);
        }
        if shown.contains(&Pane::Attention) {
            self.first_steps.take(FirstStep::WhereItLooks);
        }
    }

    /// Leads from an opened network of timm or torchvision to its maps: it brings no images of its own.
    pub(super) fn ask_for_photos(&mut self) {
        self.layout.reveal(Pane::Attention);
        if self.views.look.files.is_empty() && self.dialog.is_none() {
            self.dialog = Some(Dialog::path(PathFor::OpenImages));
        }
    }
}
