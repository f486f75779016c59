//! The questions that the window asks, and the list of keys.

mod about;
pub mod export_model;
mod file_kind;
pub mod run_folder;

use crate::app::commands::UiCommand;
use crate::app::model::form::RUN_DIR;
use crate::app::model::launcher::DeviceItem;
use crate::app::model::recents::Recents;
use crate::app::model::run::RunView;
use crate::app::panes::{Pane, explained};
use crate::app::theme::icons::{self, Icon};
use crate::app::theme::tokens::{self, Tokens};
use crate::data::IMAGE_ENDINGS;
use crate::training::run_folder::RunNotes;
use egui::{Button, DragValue, Frame, Grid, Id, Modal, Response, RichText, ScrollArea, TextEdit, Ui};
use export_model::ModelExport;
pub use file_kind::FileKind;
use run_folder::{EditedNotes, Trashed};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Width of what explains a pane, points.
pub const EXPLAINED_WIDTH: f32 = 460.0;

/// What a path is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathFor {
    OpenRun,
    OpenConfig,
    SaveConfig,
    OpenCheckpoint,
    OpenImages,
    /// A figure, a table or a picture of the window.
    Save(FileKind),
    /// A folder for a run whose own cannot be written.
    SaveElsewhere,
    /// A folder for several pictures.
    SaveImages,
    /// The path of a field of the set-up: a key, or the run folder.
    Field(&'static str),
}

impl PathFor {
    fn title(self) -> &'static str {
        match self {
            Self::OpenRun => "Open a run folder",
            Self::OpenConfig => "Open a configuration",
            Self::SaveConfig => "Save the configuration",
            Self::OpenCheckpoint => "Open a checkpoint",
            Self::OpenImages => "Choose image files",
            Self::Save(FileKind::Svg | FileKind::Png) => "Save the picture",
            Self::Save(_) => "Save the numbers",
            Self::SaveElsewhere => "Save the run elsewhere",
            Self::SaveImages => "Save the images into a folder",
            Self::Field("data.path") => "Choose the folder of the data",
            Self::Field("run.mlflow") => "Choose the folder of the MLflow store",
            Self::Field(RUN_DIR) => "Choose the folder of the run",
            Self::Field(_) => "Choose a file",
        }
    }

    fn expected(self) -> &'static str {
        match self {
            Self::OpenRun => {
                "A folder with metrics.jsonl, of a finished run or one that still writes, or a folder of such"
            }
            Self::OpenConfig => "A TOML file as `dualprop train` reads it",
            Self::SaveConfig => "A new or old TOML file; an old one is replaced",
            Self::OpenCheckpoint => {
                "A safetensors file: a checkpoint such as best.safetensors, or weights of timm or torchvision"
            }
            Self::OpenImages => "Image files (PNG, JPEG, WebP, BMP, GIF, TIFF); Browse takes several at once",
            Self::Save(kind) => kind.expected(),
            Self::SaveElsewhere => "A new or empty folder, on a disk with room; the run goes on in it",
            Self::SaveImages => "A folder, made if it is not there; files of the same names are replaced",
            Self::Field(_) => "The path for the field of the set-up",
        }
    }

    fn button(self) -> &'static str {
        match self {
            Self::OpenRun | Self::OpenConfig | Self::OpenCheckpoint | Self::OpenImages => "Open",
            Self::Field(_) => "Choose",
            Self::SaveConfig | Self::Save(_) | Self::SaveElsewhere | Self::SaveImages => "Save",
        }
    }

    /// Asks with the system's own dialog; blocks until it is answered. `proposed` is the typed path.
    pub fn browse(self, proposed: &Path) -> Option<Vec<PathBuf>> {
        let mut dialog = rfd::FileDialog::new().set_title(self.title());
        if let Some(name) = proposed.file_name() {
            dialog = dialog.set_file_name(name.to_string_lossy());
        }
        let found = match self {
            Self::OpenRun => dialog.pick_folder(),
            Self::OpenConfig => dialog.add_filter("TOML", &["toml"]).pick_file(),
            Self::SaveConfig => dialog.add_filter("TOML", &["toml"]).set_file_name("config.toml").save_file(),
            Self::OpenCheckpoint => dialog.add_filter("Checkpoints", &["safetensors"]).pick_file(),
            Self::OpenImages => {
                return dialog.add_filter("Images", &IMAGE_ENDINGS).pick_files();
            }
            Self::Save(kind) => dialog.add_filter(kind.name(), &[kind.ending()]).save_file(),
            Self::SaveElsewhere | Self::SaveImages | Self::Field("data.path" | "run.mlflow" | RUN_DIR) => {
                dialog.pick_folder()
            }
            Self::Field(_) => dialog.pick_file(),
        };
        found.map(|path| vec![path])
    }
}

/// An open question.
#[derive(Debug)]
pub enum Dialog {
    Discard,
    Close,
    Shortcuts,
    Path {
        wanted: PathFor,
        typed: String,
        fault: Option<String>,
        /// The system's own dialog came back without a path.
        empty_handed: bool,
    },
    LearningRate {
        factor: f64,
    },
    /// The recent things, and those of them that are still there.
    Recent(BTreeSet<PathBuf>),
    ExportModel(ModelExport),
    Notes(EditedNotes),
    Trash(Trashed),
    /// What a pane shows.
    Explain(Pane),
    /// Version and adapters, a line each.
    About(String),
}

/// How a run at work is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A checkpoint is written.
    Save,
    /// Nothing is written, and the folder stays with its last checkpoint.
    WithoutSaving,
    /// The folder goes.
    Discard,
}

/// How a question was answered.
#[derive(Debug)]
pub enum DialogAnswer {
    /// The question is still open.
    Waiting,
    Dismissed,
    /// Stop the run this way.
    Stop(Stop),
    /// Stop the run this way, then close the window.
    CloseAfter(Stop),
    Path(PathFor, PathBuf),
    Browse(PathFor, PathBuf),
    LearningRate(f64),
    Recent(Recent),
    Export(ModelExport),
    /// Write these notes into the run folder.
    Notes(PathBuf, RunNotes),
    /// Move these run folders to the trash.
    Trash(Vec<PathBuf>),
}

impl Dialog {
    /// Asks for a path.
    pub fn path(wanted: PathFor) -> Self {
        Self::proposing(wanted, String::new())
    }

    /// Asks for a path with `typed` to begin with.
    pub fn proposing(wanted: PathFor, typed: String) -> Self {
        Self::Path { wanted, typed, fault: None, empty_handed: false }
    }

    /// What this program is, with the adapters that were found.
    pub fn about(devices: &[DeviceItem]) -> Self {
        Self::About(about::facts(devices))
    }

    /// Draws the question; the answer is [`DialogAnswer::Waiting`] as long as it is open.
    pub fn ui(&mut self, ctx: &egui::Context, run: &RunView, recents: &Recents) -> DialogAnswer {
        let mut answer = DialogAnswer::Waiting;
        let response = Modal::new(Id::unique("dialog")).frame(frame(ctx)).show(ctx, |ui| match self {
            Self::Discard => discard_ui(ui, run, &mut answer),
            Self::Close => close_ui(ui, run, &mut answer),
            Self::Shortcuts => shortcuts_ui(ui, run, &mut answer),
            Self::Path { wanted, typed, fault, empty_handed } => {
                path_ui(ui, *wanted, typed, fault, *empty_handed, &mut answer);
            }
            Self::LearningRate { factor } => learning_rate_ui(ui, run, factor, &mut answer),
            Self::Recent(existing) => recent_ui(ui, recents, existing, &mut answer),
            Self::ExportModel(export) => export_model::ui(ui, export, &mut answer),
            Self::Notes(edited) => run_folder::notes_ui(ui, edited, &mut answer),
            Self::Trash(trashed) => run_folder::trash_ui(ui, trashed, &mut answer),
            Self::Explain(pane) => {
                ui.set_width(EXPLAINED_WIDTH);
                explained::ui(ui, *pane);
                ui.add_space(tokens::GAP);
                if ui.button("Close").clicked() {
                    answer = DialogAnswer::Dismissed;
                }
            }
            Self::About(facts) => about::ui(ui, facts, &mut answer),
        });
        if matches!(answer, DialogAnswer::Waiting) && response.should_close() {
            return DialogAnswer::Dismissed;
        }
        answer
    }
}

/// The ground of dialogs and palette.
pub fn frame(ctx: &egui::Context) -> Frame {
    Frame::popup(&ctx.global_style()).inner_margin(tokens::DIALOG_MARGIN)
}

pub(super) fn title(ui: &mut Ui, text: &str) {
    ui.set_width(440.0);
    ui.label(RichText::new(text).heading().color(Tokens::of(ui).text_strong));
    ui.add_space(tokens::GAP_SMALL);
}

/// What goes when a run is discarded.
fn loss_text(run: &RunView) -> String {
    let stands = match run.finished_steps() {
        Some(step) => format!("Training stands at step {step}."),
        None => "The run is still being prepared.".to_owned(),
    };
    let dir = run.dir.as_ref().map_or_else(String::new, |dir| format!(" {}", dir.display()));
    format!(
        "{stands} To discard the run throws its folder{dir} away with everything in it: checkpoints, curves, pictures \
         and log. It goes to the system's trash; where there is none, it is deleted."
    )
}

pub(super) fn primary(ui: &mut Ui, text: &str) -> bool {
    primary_button(ui, text).clicked()
}

fn primary_button(ui: &mut Ui, text: &str) -> Response {
    let tokens = Tokens::of(ui);
    let text = RichText::new(text).color(tokens.on_accent).strong();
    ui.add(Button::new(text).fill(tokens.accent))
}

fn discard_ui(ui: &mut Ui, run: &RunView, answer: &mut DialogAnswer) {
    title(ui, "Stop and discard?");
    ui.label(loss_text(run));
    let has_checkpoint = run.checkpoints.last;
    if has_checkpoint {
        let text = "To stop without saving keeps the folder as of its last checkpoint.";
        ui.label(RichText::new(text).color(Tokens::of(ui).text_weak));
    }
    ui.add_space(tokens::GAP);
    ui.horizontal(|ui| {
        let keep = primary_button(ui, "Keep running");
        let stop = has_checkpoint.then(|| ui.button("Stop without saving"));
        let discard = destructive(ui, "Discard the run");
        // Enter and Space must not throw anything away, whichever button had led here.
        let stop_has_focus = stop.as_ref().is_some_and(Response::has_focus);
        if !keep.has_focus() && !stop_has_focus && !discard.has_focus() {
            keep.request_focus();
        }
        if keep.clicked() {
            *answer = DialogAnswer::Dismissed;
        }
        if stop.is_some_and(|stop| stop.clicked()) {
            *answer = DialogAnswer::Stop(Stop::WithoutSaving);
        }
        if discard.clicked() {
            *answer = DialogAnswer::Stop(Stop::Discard);
        }
    });
}

/// A button whose work cannot be taken back by a click.
fn destructive(ui: &mut Ui, text: &str) -> Response {
    let error = Tokens::of(ui).error;
    ui.button(RichText::new(text).color(error))
}

fn close_ui(ui: &mut Ui, run: &RunView, answer: &mut DialogAnswer) {
    title(ui, "A run is at work");
    ui.label("Closing the window ends it. What should become of it?");
    ui.label(RichText::new(loss_text(run)).color(Tokens::of(ui).text_weak));
    ui.add_space(tokens::GAP);
    ui.horizontal(|ui| {
        if primary(ui, "Stop, save and close") {
            *answer = DialogAnswer::CloseAfter(Stop::Save);
        }
        if ui.button("Keep running").clicked() {
            *answer = DialogAnswer::Dismissed;
        }
        if destructive(ui, "Discard and close").clicked() {
            *answer = DialogAnswer::CloseAfter(Stop::Discard);
        }
    });
}

fn learning_rate_ui(ui: &mut Ui, run: &RunView, factor: &mut f64, answer: &mut DialogAnswer) {
    title(ui, "Change the learning rate");
    ui.label("From the next step on, the schedule's learning rate is multiplied by");
    ui.horizontal(|ui| {
        ui.add(DragValue::new(factor).range(0.0..=1000.0).speed(0.01).max_decimals(4).prefix("× "))
            .accessible_name("Learning rate factor")
            .on_hover_text("1: as scheduled. Counts from the schedule, not from an earlier factor. No unit");
        for (text, value) in [("÷ 10", 0.1), ("÷ 2", 0.5), ("× 1", 1.0), ("× 2", 2.0)] {
            if ui.button(text).clicked() {
                *factor = value;
            }
        }
    });
    if let Some(step) = &run.last_step {
        let now = format!("The last step had {}", crate::app::format::significant(step.lr));
        ui.label(RichText::new(now).color(Tokens::of(ui).text_weak));
    }
    let text = "Checkpoints keep the factor, and the log tells from which step on it holds.";
    ui.label(RichText::new(text).color(Tokens::of(ui).text_weak));
    ui.add_space(tokens::GAP);
    ui.horizontal(|ui| {
        if primary(ui, "Change") {
            *answer = DialogAnswer::LearningRate(*factor);
        }
        if ui.button("Cancel").clicked() {
            *answer = DialogAnswer::Dismissed;
        }
    });
}

/// What was chosen among the recent things.
#[derive(Debug)]
pub enum Recent {
    Run(PathBuf),
    Config(PathBuf),
    Data(PathBuf),
}

fn recent_ui(ui: &mut Ui, recents: &Recents, existing: &BTreeSet<PathBuf>, answer: &mut DialogAnswer) {
    title(ui, "Open recent");
    type Kind<'a> = (&'a str, &'a [PathBuf], fn(PathBuf) -> Recent);
    let lists: [Kind<'_>; 3] = [
        ("Runs", &recents.runs, Recent::Run),
        ("Configurations", &recents.configs, Recent::Config),
        ("Data folders", &recents.data, Recent::Data),
    ];
    ScrollArea::vertical().max_height(380.0).show(ui, |ui| {
        if lists.iter().all(|(_, paths, _)| paths.is_empty()) {
            ui.weak("Nothing was opened yet");
        }
        for (name, paths, choose) in lists.into_iter().filter(|(_, paths, _)| !paths.is_empty()) {
            ui.label(RichText::new(name).small().color(Tokens::of(ui).text_weak));
            for path in paths {
                let there = existing.contains(path);
                let text = RichText::new(path.display().to_string());
                let button = Button::selectable(false, text).truncate();
                let button = button.min_size(egui::vec2(ui.available_width(), 24.0));
                let response = ui.add_enabled(there, button).on_disabled_hover_text("It is no longer there");
                if response.clicked() {
                    *answer = DialogAnswer::Recent(choose(path.clone()));
                }
            }
        }
    });
    ui.add_space(tokens::GAP);
    if ui.button("Close").clicked() {
        *answer = DialogAnswer::Dismissed;
    }
}

fn shortcuts_ui(ui: &mut Ui, run: &RunView, answer: &mut DialogAnswer) {
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
        *answer = DialogAnswer::Dismissed;
    }
}

fn path_ui(
    ui: &mut Ui,
    wanted: PathFor,
    typed: &mut String,
    fault: &mut Option<String>,
    empty_handed: bool,
    answer: &mut DialogAnswer,
) {
    title(ui, wanted.title());
    ui.label(RichText::new(wanted.expected()).color(Tokens::of(ui).text_weak));
    ui.horizontal(|ui| {
        let width = ui.available_width() - 92.0;
        let edit = TextEdit::singleline(typed).hint_text("Path").desired_width(width);
        let edit = ui.add(edit).accessible_name("Path");
        if edit.changed() {
            // It was the other path's.
            *fault = None;
        }
        let entered = edit.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
        if entered && !typed.trim().is_empty() {
            *answer = DialogAnswer::Path(wanted, typed.trim().into());
        } else if ui.memory(|memory| memory.focused().is_none()) {
            // When the dialog comes up, and when a path was refused.
            edit.request_focus();
        }
        if ui.button("Browse…").clicked() {
            *answer = DialogAnswer::Browse(wanted, typed.trim().into());
        }
    });
    // Whether it was cancelled or there is none, the system does not tell.
    if empty_handed && fault.is_none() {
        let text = if cfg!(any(windows, target_os = "macos")) {
            "Nothing was chosen."
        } else {
            "Nothing was chosen. If no file dialog came up, this system has none (it takes a desktop portal or \
             zenity): type the path here."
        };
        ui.label(RichText::new(text).color(Tokens::of(ui).text_weak));
    }
    if let Some(fault) = &*fault {
        ui.horizontal(|ui| {
            let error = Tokens::of(ui).error;
            icons::show(ui, Icon::Warning, error, "fault");
            ui.add(egui::Label::new(RichText::new(fault).color(error)).wrap());
        });
    }
    ui.add_space(tokens::GAP);
    ui.horizontal(|ui| {
        ui.add_enabled_ui(!typed.trim().is_empty(), |ui| {
            if primary(ui, wanted.button()) {
                *answer = DialogAnswer::Path(wanted, typed.trim().into());
            }
        });
        if ui.button("Cancel").clicked() {
            *answer = DialogAnswer::Dismissed;
        }
    });
}
