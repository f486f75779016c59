//! The questions about a listed run: its name and notes, and whether it may go to the trash.

use super::{DialogAnswer, destructive, primary, primary_button, title};
use crate::app::format;
use crate::app::theme::tokens::{self, Tokens};
use crate::training::run_folder::{LONGEST_NAME, LONGEST_NOTES, RunNotes};
use egui::{Key, RichText, ScrollArea, TextEdit, Ui};
use std::path::PathBuf;

/// Names of runs that are shown at most.
const NAMED: usize = 8;
/// Height of the notes, points, before they scroll.
const NOTES_HEIGHT: f32 = 180.0;

/// A run whose notes are edited.
#[derive(Clone, Debug)]
pub struct EditedNotes {
    pub dir: PathBuf,
    /// The name of the folder, which is the run's without another.
    pub folder: String,
    pub notes: RunNotes,
    /// Why the notes that are there cannot be read.
    pub fault: Option<String>,
}

/// Runs that are to go to the trash.
#[derive(Clone, Debug)]
pub struct Trashed {
    /// Folder and name of each.
    pub runs: Vec<(PathBuf, String)>,
}

pub(super) fn notes_ui(ui: &mut Ui, edited: &mut EditedNotes, answer: &mut DialogAnswer) {
    title(ui, "Name and notes");
    let weak = Tokens::of(ui).text_weak;
    ui.label(RichText::new(edited.dir.display().to_string()).small().color(weak));
    if let Some(fault) = &edited.fault {
        let text = format!("{fault}. To save replaces them.");
        ui.label(RichText::new(text).color(Tokens::of(ui).error));
    }
    let name = TextEdit::singleline(&mut edited.notes.name).hint_text(&edited.folder);
    let name =
        ui.add(name.char_limit(LONGEST_NAME).desired_width(f32::INFINITY)).accessible_name("Name of the run");
    let entered = name.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    if !name.has_focus() && ui.memory(|memory| memory.focused().is_none()) && !entered {
        // When the dialog comes up.
        name.request_focus();
    }
    ScrollArea::vertical().max_height(NOTES_HEIGHT).show(ui, |ui| {
        let notes = TextEdit::multiline(&mut edited.notes.notes).hint_text("Notes").desired_rows(5);
        ui.add(notes.char_limit(LONGEST_NOTES).desired_width(f32::INFINITY))
            .accessible_name("Notes of the run");
    });
    let text = "They are kept in notes.json of the run folder; the folder keeps its name.";
    ui.label(RichText::new(text).small().color(weak));
    ui.add_space(tokens::GAP);
    ui.horizontal(|ui| {
        if primary(ui, "Save") || entered {
            *answer = DialogAnswer::Notes(edited.dir.clone(), edited.notes.clone());
        }
        if ui.button("Cancel").clicked() {
            *answer = DialogAnswer::Dismissed;
        }
    });
}

pub(super) fn trash_ui(ui: &mut Ui, trashed: &Trashed, answer: &mut DialogAnswer) {
    let runs = &trashed.runs;
    match &runs[..] {
        [(_, name)] => title(ui, &format!("Move {name} to the trash?")),
        _ => title(ui, &format!("Move {} to the trash?", format::counted(runs.len() as u64, "run"))),
    }
    for (dir, name) in runs.iter().take(NAMED) {
        let text = if runs.len() == 1 { dir.display().to_string() } else { name.clone() };
        ui.label(RichText::new(text).color(Tokens::of(ui).text_strong))
            .on_hover_text(dir.display().to_string());
    }
    if runs.len() > NAMED {
        ui.label(format!("and {} more", format::count((runs.len() - NAMED) as u64)));
    }
    let text = "The whole folder goes: checkpoints, curves, pictures, log and notes. The system's trash gives it back.";
    ui.label(RichText::new(text).color(Tokens::of(ui).text_weak));
    ui.add_space(tokens::GAP);
    ui.horizontal(|ui| {
        let keep = primary_button(ui, "Keep");
        let moves = destructive(ui, "Move to the trash");
        // Enter and Space must not throw anything away, whichever button had led here.
        if !keep.has_focus() && !moves.has_focus() {
            keep.request_focus();
        }
        if keep.clicked() {
            *answer = DialogAnswer::Dismissed;
        }
        if moves.clicked() {
            *answer = DialogAnswer::Trash(runs.iter().map(|(dir, _)| dir.clone()).collect());
        }
    });
}
