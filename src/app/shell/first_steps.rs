//! The card of the first minute: three steps through the sample run, each with one action. It lies over the
//! set-up, which is not needed yet, and goes away for good when all are done or it is dismissed.

use crate::app::theme::icons::{self, Icon};
use crate::app::theme::tokens::{self, Tokens};
use egui::{Align2, Area, Button, Context, Frame, Id, Margin, RichText, Ui, Vec2, vec2};

/// Width of the card's text, points: that of the set-up in the smallest window.
const WIDTH: f32 = 330.0;
/// From the window's corner, above the status bar.
const CORNER: Vec2 = vec2(12.0, -40.0);

/// One of the three steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstStep {
    DragEpsilon,
    WhereItLooks,
    TrainYourOwn,
}

/// All steps in order, each with what it shows and the words on its button.
const STEPS: [(FirstStep, &str, &str); 3] = [
    (FirstStep::DragEpsilon, "Drag ε until a prediction tips over", "Open the Lab"),
    (FirstStep::WhereItLooks, "See where each domain looks", "Show attention"),
    (FirstStep::TrainYourOwn, "Train your own", "Start training"),
];

/// How far the user has come, kept between sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct FirstSteps {
    done: [bool; STEPS.len()],
    dismissed: bool,
}

/// What the user answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstAnswer {
    Go(FirstStep),
    OpenModel,
    Dismiss,
}

impl FirstSteps {
    /// Whether there is nothing left to lead through.
    pub fn is_over(&self) -> bool {
        self.dismissed || self.done.iter().all(|done| *done)
    }

    /// Notes that `step` was taken.
    pub fn take(&mut self, step: FirstStep) {
        self.done[step as usize] = true;
    }

    /// Puts the card away for good.
    pub fn dismiss(&mut self) {
        self.dismissed = true;
    }
}

/// Draws the card.
pub fn ui(ctx: &Context, steps: &FirstSteps) -> Option<FirstAnswer> {
    // It may be dragged away from what it lies over.
    let corner = ctx.content_rect().left_bottom() + CORNER;
    let area = Area::new(Id::unique("first steps")).pivot(Align2::LEFT_BOTTOM).default_pos(corner);
    let shown = area.show(ctx, |ui| {
        let fill = Tokens::of(ui).accent_soft;
        let frame = Frame::popup(ui.style()).fill(fill).inner_margin(Margin::symmetric(12, 8));
        let card = frame.show(ui, |ui| {
            ui.set_width(WIDTH);
            steps_ui(ui, steps)
        });
        card.inner
    });
    shown.inner
}

fn steps_ui(ui: &mut Ui, steps: &FirstSteps) -> Option<FirstAnswer> {
    let tokens = Tokens::of(ui);
    let mut answer = None;
    let title = "A sample run: a small net, trained by AdvProp";
    ui.label(RichText::new(title).strong().color(tokens.text_strong));
    for (step, sentence, action) in STEPS {
        ui.horizontal(|ui| {
            let done = steps.done[step as usize];
            if done {
                icons::show(ui, Icon::Check, tokens.text_strong, "done");
            } else {
                let number = RichText::new(format!("{}.", step as usize + 1)).color(tokens.text);
                ui.label(number);
            }
            ui.label(RichText::new(sentence).color(tokens.text_strong));
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                if ui.add(Button::new(action)).clicked() {
                    answer = Some(FirstAnswer::Go(step));
                }
            });
        });
    }
    ui.add_space(tokens::GAP_SMALL);
    ui.horizontal(|ui| {
        let help = "Weights of timm or torchvision as a safetensors file, then photos of yours";
        if ui.button("Open a real model…").on_hover_text(help).clicked() {
            answer = Some(FirstAnswer::OpenModel);
        }
        if ui.button("Dismiss").on_hover_text("File, Open the sample run brings the run back").clicked() {
            answer = Some(FirstAnswer::Dismiss);
        }
    });
    answer
}
