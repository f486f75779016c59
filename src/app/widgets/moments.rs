//! A slider over the moments of the run on screen, with a button that plays them: Gallery, Attention and BN
//! domains show the same moment.

use crate::app::format;
use crate::app::model::moments::{BUDGET_MIB, Moment};
use crate::app::model::run::RunView;
use crate::app::theme::icons::{self, Icon};
use crate::app::theme::tokens::Tokens;
use crate::app::widgets::tips;
use egui::{RichText, Slider, Ui};
use std::path::PathBuf;
use std::time::Duration;

/// Seconds that a moment is shown while they are played.
const EACH: f64 = 0.7;
/// Points of the slider's rail, and of the button, the rail and the number beside each other.
const SLIDER: f32 = 110.0;
const WIDTH: f32 = SLIDER + 110.0;

/// Which moment is shown.
#[derive(Debug, Default)]
pub struct MomentView {
    /// The run that `step` is of.
    of: Option<PathBuf>,
    /// Its step; `None`: the newest, whatever comes.
    step: Option<u64>,
    /// They are played, and when the one on screen came there, in seconds of the window's clock.
    since: Option<f64>,
}

impl MomentView {
    /// The moment to show of `run`.
    pub fn of(&mut self, run: &RunView) -> Option<Moment> {
        if self.of != run.dir {
            *self = Self { of: run.dir.clone(), ..Self::default() };
        }
        let newest = Moment { snapshot: run.snapshot.clone()?, generation: run.snapshot_generation };
        let chosen = self.step.and_then(|step| run.moments.kept().get(run.moments.place(step)));
        Some(chosen.cloned().unwrap_or(newest))
    }

    fn show(&mut self, run: &RunView, place: usize) {
        let kept = run.moments.kept();
        let is_newest = place + 1 >= kept.len();
        self.step = kept.get(place).filter(|_| !is_newest).map(|moment| moment.snapshot.step);
    }

    /// Draws the slider; in place of one over a single moment a sentence.
    pub fn ui(&mut self, ui: &mut Ui, run: &RunView) {
        let kept = run.moments.kept();
        let last = kept.len().saturating_sub(1);
        let help = format!(
            "Moments of which the window has pictures: of a run at work all that came, of an opened folder \
             those of its validations (eval.moments_mb), thinned out beyond {BUDGET_MIB} MiB."
        );
        let [first, .., newest] = kept else {
            if let [only] = kept {
                let text = format!("step {} is the only moment kept", format::count(only.snapshot.step));
                ui.label(RichText::new(text).small().color(Tokens::of(ui).text_weak)).on_hover_text(help);
            }
            return;
        };
        // A slider does not wrap by itself: it would make the pane wider than it is.
        if ui.available_size_before_wrap().x < WIDTH {
            ui.end_row();
        }
        let mut place = self.step.map_or(last, |step| run.moments.place(step));
        let (icon, name) = match self.since {
            Some(_) => (Icon::Pause, "Pause the moments"),
            None => (Icon::Play, "Play the moments"),
        };
        let button = ui.button(icons::atom(icon, None)).accessible_name(name);
        let now = ui.input(|input| input.time);
        if button.on_hover_text("Show one moment after the other").clicked() {
            self.since = if self.since.is_some() { None } else { Some(now) };
            if self.since.is_some() && place == last {
                place = 0;
                self.show(run, place);
            }
        }
        if let Some(since) = self.since {
            if now - since >= EACH {
                place = (place + 1).min(last);
                self.show(run, place);
                self.since = (place < last).then_some(now);
            }
            ui.ctx().request_repaint_after(Duration::from_secs_f64(0.25 * EACH));
        }
        ui.spacing_mut().slider_width = SLIDER;
        let step = |place: f64| kept.get(place as usize).map_or(0, |moment| moment.snapshot.step);
        let slider =
            Slider::new(&mut place, 0..=last).custom_formatter(|place, _| format::count(step(place)));
        let slider = slider.custom_parser(|text| {
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            digits.parse().ok().map(|step| run.moments.place(step) as f64)
        });
        let help = format!(
            "{help} The number is the finished steps: {} to {} here; at the right end the newest are shown as \
             they come",
            format::count(first.snapshot.step),
            format::count(newest.snapshot.step)
        );
        let response = tips::above(ui.add(slider).accessible_name("Moment"), help);
        if response.changed() {
            (self.since, place) = (None, place.min(last));
            self.show(run, place);
        }
    }
}
