//! The dialog that writes a checkpoint as a model for other programs, as `dualprop export` does.

use super::{DialogAnswer, primary, title};
use crate::app::theme::icons::{self, Icon};
use crate::app::theme::tokens::{self, Tokens};
use crate::config::Domain;
use crate::evaluation::Weights;
use crate::export::{ALL, ExportOptions, Format};
use crate::training::run_folder::RunFiles;
use egui::{ComboBox, RichText, TextEdit, Ui};
use std::path::{Path, PathBuf};

/// What to export.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelExport {
    pub checkpoint: String,
    pub out: String,
    pub format: Format,
    /// Names of the checkpoint's domains; `main` and `aux` as long as it was not read.
    pub domains: Vec<String>,
    /// One of them, or the word for all.
    pub domain: String,
    /// The last weights instead of their moving average.
    pub raw: bool,
    pub f16: bool,
    /// Of an ONNX file.
    pub softmax: bool,
    /// Of an ONNX file.
    pub pixels: bool,
}

impl ModelExport {
    /// For the best checkpoint of a run folder, or one that the user names.
    pub fn of_run(dir: Option<&Path>, domains: &[String]) -> Self {
        let text = |path: PathBuf| path.display().to_string();
        let known = if domains.is_empty() { Domain::names_of(2) } else { domains.to_vec() };
        Self {
            checkpoint: dir.map_or_else(String::new, |dir| text(RunFiles::of(dir).best())),
            out: dir.map_or_else(String::new, |dir| text(dir.join("model.safetensors"))),
            format: Format::Safetensors,
            domain: known.first().cloned().unwrap_or_default(),
            domains: known,
            raw: false,
            f16: false,
            softmax: false,
            pixels: false,
        }
    }

    /// What was asked for. What only an ONNX file can have counts for one alone.
    pub fn options(&self) -> ExportOptions {
        let is_graph = self.format == Format::Onnx;
        ExportOptions {
            checkpoint: self.checkpoint.trim().into(),
            out: self.out.trim().into(),
            format: self.format,
            domain: self.domain.clone(),
            weights: if self.raw { Weights::Raw } else { Weights::Auto },
            softmax: self.softmax && is_graph,
            pixels: self.pixels && is_graph,
            f16: self.f16,
        }
    }

    /// Chooses the format; a name that ends in the other one's way ends in its own.
    fn choose(&mut self, format: Format) {
        let name = Path::new(self.out.trim());
        let ends = name.extension().is_some_and(|ending| ending.eq_ignore_ascii_case(self.format.ending()));
        if ends {
            self.out = name.with_extension(format.ending()).display().to_string();
        }
        self.format = format;
    }
}

pub(super) fn ui(ui: &mut Ui, export: &mut ModelExport, answer: &mut DialogAnswer) {
    title(ui, "Export a model");
    ui.horizontal(|ui| {
        ui.label("Format");
        for format in Format::EACH {
            if ui.selectable_label(export.format == format, format.name()).clicked() {
                export.choose(format);
            }
        }
    });
    let weak = Tokens::of(ui).text_weak;
    ui.label(RichText::new(explained(export.format)).color(weak));
    ui.add_space(tokens::GAP_SMALL);
    for (name, text) in [("Checkpoint", &mut export.checkpoint), ("File to write", &mut export.out)] {
        ui.label(name);
        ui.add(TextEdit::singleline(text).desired_width(f32::INFINITY)).accessible_name(name);
    }
    ui.horizontal(|ui| {
        ui.label("Domain");
        let response = ComboBox::from_id_salt("export domain").selected_text(&export.domain).show_ui(ui, |ui| {
            for name in export.domains.iter().map(String::as_str).chain([ALL]) {
                ui.selectable_value(&mut export.domain, name.to_owned(), name);
            }
        });
        let help = "BN domain to keep; all: every one, in ONNX as outputs logits, logits_aux and so on of one graph, which has \
                    the convolutions once for each";
        response.response.accessible_name("Exported domain").on_hover_text(help);
        ui.checkbox(&mut export.raw, "Last weights").on_hover_text(
            "The weights of the last step instead of their moving average, where there is one",
        );
        ui.checkbox(&mut export.f16, "Weights as f16").on_hover_text(
            "Store the weights as f16: half of the file, and the notice says what it cost in digits; everything is \
             computed in f32",
        );
    });
    ui.add_enabled_ui(export.format == Format::Onnx, |ui| {
        ui.horizontal(|ui| {
            ui.checkbox(&mut export.softmax, "Softmax").on_hover_text("An output probabilities beside the logits");
            ui.checkbox(&mut export.pixels, "Takes pixels").on_hover_text(
                "The graph normalises by itself; its input is pixels [N, S, S, 3] u8, RGB, already of the input size",
            );
        });
    });
    let complete = !export.checkpoint.trim().is_empty() && !export.out.trim().is_empty();
    let fault = export.options().fault().filter(|_| complete);
    if let Some(fault) = &fault {
        ui.horizontal_wrapped(|ui| {
            let error = Tokens::of(ui).error;
            icons::show(ui, Icon::Warning, error, "fault");
            ui.label(RichText::new(fault).color(error));
        });
    }
    ui.add_space(tokens::GAP);
    ui.horizontal(|ui| {
        ui.add_enabled_ui(complete && fault.is_none(), |ui| {
            if primary(ui, "Export") {
                *answer = DialogAnswer::Export(export.clone());
            }
        });
        if ui.button("Cancel").clicked() {
            *answer = DialogAnswer::Dismissed;
        }
    });
}

fn explained(format: Format) -> &'static str {
    match format {
        Format::Safetensors => {
            "Weights without training state, under timm's names. timm.create_model loads one domain with strict=True where \
             the network is timm's; the notice behind the export says where it is not. A card, FILE.md, says what the \
             model is."
        }
        Format::Onnx => {
            "A graph that computes logits without this program: normalised images go in, batch norms are folded into the \
             convolutions, and the metadata has the classes. A card, FILE.md, says what the model is."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_follows_the_format_and_options_of_the_other_do_not_count() {
        let mut export = ModelExport::of_run(Some(Path::new("run")), &[]);
        export.choose(Format::Onnx);
        assert_eq!(Path::new(&export.out), Path::new("run/model.onnx"));
        (export.softmax, export.pixels) = (true, true);
        assert!(export.options().softmax && export.options().pixels);
        export.choose(Format::Safetensors);
        assert_eq!(Path::new(&export.out), Path::new("run/model.safetensors"));
        assert_eq!((export.options().softmax, export.options().pixels), (false, false));
        assert_eq!(export.options().fault(), None);
        // A name of the user's own stays.
        export.out = "run/mine.v2".into();
        export.choose(Format::Onnx);
        assert_eq!(export.out, "run/mine.v2");
    }
}
