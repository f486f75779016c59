//! The dialog that writes one BN domain of a checkpoint as a model for other programs, as `dualprop export`
//! does.

use super::{DialogAnswer, primary, title};
use crate::app::theme::icons::{self, Icon};
use crate::app::theme::tokens::{self, Tokens};
use crate::config::Domain;
use crate::training::run_folder::RunFiles;
use egui::{ComboBox, RichText, TextEdit, Ui};
use std::path::{Path, PathBuf};

/// What to export.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelExport {
    pub checkpoint: String,
    pub out: String,
    /// Names of the checkpoint's domains; `main` and `aux` as long as it was not read.
    pub domains: Vec<String>,
    pub domain: usize,
    /// The last weights instead of their moving average.
    pub raw: bool,
    pub fault: Option<String>,
}

impl ModelExport {
    /// For the best checkpoint of a run folder, or one that the user names.
    pub fn of_run(dir: Option<&Path>, domains: &[String]) -> Self {
        let text = |path: PathBuf| path.display().to_string();
        let known = if domains.is_empty() { Domain::names_of(2) } else { domains.to_vec() };
        Self {
            checkpoint: dir.map_or_else(String::new, |dir| text(RunFiles::of(dir).best())),
            out: dir.map_or_else(String::new, |dir| text(dir.join("model.safetensors"))),
            domains: known,
            domain: 0,
            raw: false,
            fault: None,
        }
    }
}

pub(super) fn ui(ui: &mut Ui, export: &mut ModelExport, answer: &mut DialogAnswer) {
    title(ui, "Export a model");
    let weak = Tokens::of(ui).text_weak;
    let text = "One BN domain without training state, under timm's names. timm.create_model loads it with strict=True \
                where the network is timm's; the notice behind the export says where it is not.";
    ui.label(RichText::new(text).color(weak));
    ui.add_space(tokens::GAP_SMALL);
    for (name, text) in [("Checkpoint", &mut export.checkpoint), ("File to write", &mut export.out)] {
        ui.label(name);
        ui.add(TextEdit::singleline(text).desired_width(f32::INFINITY)).accessible_name(name);
    }
    ui.horizontal(|ui| {
        ui.label("Domain");
        let chosen = export.domains.get(export.domain).map_or("main", String::as_str);
        let response = ComboBox::from_id_salt("export domain").selected_text(chosen).show_ui(ui, |ui| {
            for (index, name) in export.domains.iter().enumerate() {
                ui.selectable_value(&mut export.domain, index, name);
            }
        });
        response.response.accessible_name("Exported domain").on_hover_text("BN domain to keep");
        ui.checkbox(&mut export.raw, "Last weights").on_hover_text(
            "The weights of the last step instead of their moving average, where there is one",
        );
    });
    if let Some(fault) = &export.fault {
        ui.horizontal_wrapped(|ui| {
            let error = Tokens::of(ui).error;
            icons::show(ui, Icon::Warning, error, "fault");
            ui.label(RichText::new(fault).color(error));
        });
    }
    ui.add_space(tokens::GAP);
    ui.horizontal(|ui| {
        let complete = !export.checkpoint.trim().is_empty() && !export.out.trim().is_empty();
        ui.add_enabled_ui(complete, |ui| {
            if primary(ui, "Export") {
                *answer = DialogAnswer::Export(export.clone());
            }
        });
        if ui.button("Cancel").clicked() {
            *answer = DialogAnswer::Dismissed;
        }
    });
}
