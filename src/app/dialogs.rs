//! The questions that the window asks, and the list of keys.

use super::commands::UiCommand;
use super::icons::{self, Icon};
use super::model::RunView;
use super::tokens::{self, Tokens};
use egui::{Button, Frame, Grid, Id, Modal, RichText, ScrollArea, TextEdit, Ui};
use std::path::PathBuf;

/// What a path is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathFor {
    OpenRun,
    OpenConfig,
    SaveConfig,
}

impl PathFor {
    fn title(self) -> &'static str {
        match self {
            Self::OpenRun => "Open a run folder",
            Self::OpenConfig => "Open a configuration",
            Self::SaveConfig => "Save the configuration",
        }
    }

    fn expected(self) -> &'static str {
        match self {
            Self::OpenRun => "A folder with metrics.jsonl, of a finished run or one that still writes",
            Self::OpenConfig => "A TOML file as `dualprop train` reads it",
            Self::SaveConfig => "A new or old TOML file; an old one is replaced",
        }
    }

    fn button(self) -> &'static str {
        if self == Self::SaveConfig { "Save" } else { "Open" }
    }

    /// Asks with the system's own dialog; blocks until it is answered.
    pub fn browse(self) -> Option<PathBuf> {
        let dialog = rfd::FileDialog::new().set_title(self.title());
        match self {
            Self::OpenRun => dialog.pick_folder(),
            Self::OpenConfig => dialog.add_filter("TOML", &["toml"]).pick_file(),
            Self::SaveConfig => dialog.add_filter("TOML", &["toml"]).set_file_name("config.toml").save_file(),
        }
    }
}

/// An open question.
#[derive(Debug)]
pub enum Dialog {
    Discard,
    Close,
    Shortcuts,
    Path { wanted: PathFor, typed: String, fault: Option<String> },
}

/// How a question was answered.
#[derive(Debug)]
pub enum Answer {
    /// Still open.
    Waiting,
    Dismissed,
    Discard,
    /// Stop the run this way, then close the window.
    CloseAfter {
        save: bool,
    },
    Path(PathFor, PathBuf),
    Browse(PathFor),
}

impl Dialog {
    pub fn path(wanted: PathFor) -> Self {
        Self::Path { wanted, typed: String::new(), fault: None }
    }

    pub fn ui(&mut self, ctx: &egui::Context, run: &RunView) -> Answer {
        let mut answer = Answer::Waiting;
        let response = Modal::new(Id::unique("dialog")).frame(frame(ctx)).show(ctx, |ui| match self {
            Self::Discard => discard_ui(ui, run, &mut answer),
            Self::Close => close_ui(ui, run, &mut answer),
            Self::Shortcuts => shortcuts_ui(ui, run, &mut answer),
            Self::Path { wanted, typed, fault } => path_ui(ui, *wanted, typed, fault.as_deref(), &mut answer),
        });
        if matches!(answer, Answer::Waiting) && response.should_close() {
            return Answer::Dismissed;
        }
        answer
    }
}

/// The ground of dialogs and palette.
pub fn frame(ctx: &egui::Context) -> Frame {
    Frame::popup(&ctx.global_style()).inner_margin(tokens::DIALOG_MARGIN)
}

fn title(ui: &mut Ui, text: &str) {
    ui.set_width(440.0);
    ui.label(RichText::new(text).heading().color(Tokens::of(ui).text_strong));
    ui.add_space(tokens::GAP_SMALL);
}

/// What would be lost without saving.
fn loss_text(run: &RunView) -> String {
    let step = run.last_step.as_ref().map_or(0, |step| step.step);
    format!("Training stands at step {step}. Steps after the last checkpoint are lost when it is discarded.")
}

fn primary(ui: &mut Ui, text: &str) -> bool {
    let tokens = Tokens::of(ui);
    let text = RichText::new(text).color(tokens.on_accent).strong();
    ui.add(Button::new(text).fill(tokens.accent)).clicked()
}

fn discard_ui(ui: &mut Ui, run: &RunView, answer: &mut Answer) {
    title(ui, "Stop and discard?");
    ui.label(loss_text(run));
    ui.add_space(tokens::GAP);
    ui.horizontal(|ui| {
        if primary(ui, "Discard the run") {
            *answer = Answer::Discard;
        }
        if ui.button("Keep running").clicked() {
            *answer = Answer::Dismissed;
        }
    });
}

fn close_ui(ui: &mut Ui, run: &RunView, answer: &mut Answer) {
    title(ui, "A run is at work");
    ui.label("Closing the window ends it. What should become of it?");
    ui.label(RichText::new(loss_text(run)).color(Tokens::of(ui).text_weak));
    ui.add_space(tokens::GAP);
    ui.horizontal(|ui| {
        if primary(ui, "Stop, save and close") {
            *answer = Answer::CloseAfter { save: true };
        }
        if ui.button("Discard and close").clicked() {
            *answer = Answer::CloseAfter { save: false };
        }
        if ui.button("Keep running").clicked() {
            *answer = Answer::Dismissed;
        }
    });
}

fn shortcuts_ui(ui: &mut Ui, run: &RunView, answer: &mut Answer) {
    title(ui, "Keyboard shortcuts");
    ScrollArea::vertical().max_height(420.0).min_scrolled_height(380.0).show(ui, |ui| {
        Grid::new("shortcuts").num_columns(2).spacing([24.0, 5.0]).striped(true).show(ui, |ui| {
            for command in UiCommand::all() {
                let Some(shortcut) = command.shortcut() else { continue };
                ui.monospace(ui.ctx().format_shortcut(&shortcut));
                ui.label(command.text(run)).on_hover_text(command.help());
                ui.end_row();
            }
        });
        let plots = "In plots: drag to move, Ctrl and wheel to zoom, double click to see everything.";
        ui.label(RichText::new(plots).color(Tokens::of(ui).text_weak));
    });
    ui.add_space(tokens::GAP);
    if ui.button("Close").clicked() {
        *answer = Answer::Dismissed;
    }
}

fn path_ui(ui: &mut Ui, wanted: PathFor, typed: &mut String, fault: Option<&str>, answer: &mut Answer) {
    title(ui, wanted.title());
    ui.label(RichText::new(wanted.expected()).color(Tokens::of(ui).text_weak));
    ui.horizontal(|ui| {
        let width = ui.available_width() - 92.0;
        let edit = TextEdit::singleline(typed).hint_text("Path").desired_width(width);
        let edit = ui.add(edit).accessible_name("Path");
        if typed.is_empty() && !edit.has_focus() && fault.is_none() {
            edit.request_focus();
        }
        let entered = edit.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
        if entered && !typed.trim().is_empty() {
            *answer = Answer::Path(wanted, typed.trim().into());
        }
        if ui.button("Browse…").clicked() {
            *answer = Answer::Browse(wanted);
        }
    });
    if let Some(fault) = fault {
        ui.horizontal_wrapped(|ui| {
            let error = Tokens::of(ui).error;
            icons::show(ui, Icon::Warning, error, "fault");
            ui.label(RichText::new(fault).color(error));
        });
    }
    ui.add_space(tokens::GAP);
    ui.horizontal(|ui| {
        ui.add_enabled_ui(!typed.trim().is_empty(), |ui| {
            if primary(ui, wanted.button()) {
                *answer = Answer::Path(wanted, typed.trim().into());
            }
        });
        if ui.button("Cancel").clicked() {
            *answer = Answer::Dismissed;
        }
    });
}
