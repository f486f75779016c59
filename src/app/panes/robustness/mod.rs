//! Robustness: an opened model measured clean, attacked and corrupted through every domain, as `dualprop
//! eval` measures it: a table, accuracy by corruption and severity, and what an image looks like corrupted.

mod choice;
mod controls;
mod heat;
mod samples;
mod table;

pub use choice::AttackLine;

use super::Shared;
use super::look::{self, LookView};
use crate::app::format;
use crate::app::theme::tokens::{self, Tokens};
use crate::app::widgets::export::Menu;
use crate::config::{Corruption, ParameterSet};
use crate::evaluation::robustness::mce::Errors;
use crate::session::inspect::Robustness;
use egui::{Rect, RichText, ScrollArea, Ui, pos2};

/// The name of the baseline that comes with the program.
const ALEXNET: &str = "imagenet-alexnet";
/// Notes that are shown; the rest is said on hover.
const NOTES_SHOWN: usize = 2;

/// What of a measurement is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Detail {
    #[default]
    Table,
    Severities,
    Pictures,
}

impl Detail {
    const ALL: [(Self, &'static str, &'static str); 3] = [
        (Self::Table, "Table", "Accuracy under each condition, through each domain"),
        (
            Self::Severities,
            "Corruption × severity",
            "Accuracy by corruption and severity, through one domain",
        ),
        (Self::Pictures, "Pictures", "An image of the set under a corruption, at each severity"),
    ];
}

/// What is measured and shown.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct RobustnessView {
    pub split: String,
    /// Images, evenly spread over the set; 0: all.
    pub limit: usize,
    pub attacks: Vec<AttackLine>,
    pub corruptions: Vec<Corruption>,
    /// Which of the severities 1 to 5.
    pub severities: [bool; 5],
    /// Strengths of the severities; `None`: by the size of the model's images.
    pub parameters: Option<ParameterSet>,
    pub detail: Detail,
    /// Errors are divided by those of AlexNet on ImageNet-C.
    pub over_alexnet: bool,
    /// The corruptions show errors instead of accuracies.
    pub errors: bool,
    /// Domain whose severities are shown, among those that were measured.
    #[serde(skip)]
    domain: usize,
    /// The corruption of the pictures.
    pub shown: Corruption,
    /// Number of their image in the set.
    pub image: usize,
}

impl Default for RobustnessView {
    fn default() -> Self {
        Self {
            split: "val".to_owned(),
            limit: 200,
            attacks: AttackLine::proposed(),
            corruptions: Corruption::MAIN.to_vec(),
            severities: [true; 5],
            parameters: None,
            detail: Detail::Table,
            over_alexnet: false,
            errors: false,
            domain: 0,
            shown: Corruption::GaussianNoise,
            image: 0,
        }
    }
}

/// Draws the pane.
pub fn ui(ui: &mut Ui, shared: &mut Shared<'_>, view: &mut RobustnessView, look: &LookView) {
    let text = "Accuracy of clean, attacked and corrupted images through each domain, the mean corruption error, and \
                what the corruptions look like. Choose a model to measure.";
    let Some(info) = shared.study.info.clone() else {
        return look::nothing_open_ui(ui, shared, "No robustness measured", text);
    };
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        look::model_bar_ui(ui, shared, None);
        controls::ui(ui, shared, view, &info);
        ui.add_space(tokens::GAP_SMALL);
        let measured = shared.study.robustness.clone();
        let top = ui.cursor().top();
        ui.horizontal_wrapped(|ui| {
            for (detail, name, help) in Detail::ALL {
                ui.selectable_value(&mut view.detail, detail, name).on_hover_text(help);
            }
            if let Some(measured) = &measured {
                let area = Rect::from_min_max(pos2(shared.area.left(), top), shared.area.max);
                export_ui(ui, shared, view, measured, area);
                about_ui(ui, shared, measured);
            }
        });
        let names = look::names(&info);
        match (view.detail, measured) {
            (Detail::Pictures, _) => samples::ui(ui, shared, view, names, (&info, look)),
            (_, None) if shared.study.measuring_robustness.is_some() => {
                ui.weak("The first images are measured.");
            }
            (_, None) => {
                ui.weak(
                    "“Measure” sends each image through every domain: as it is, attacked, and corrupted. It can be \
                     cancelled at any time, and figures appear while it goes on.",
                );
            }
            (_, Some(measured)) if measured.rows.is_empty() => {
                ui.weak("No image was measured.");
            }
            (Detail::Table, Some(measured)) => {
                let at_work = shared.study.measuring_robustness.is_some();
                table::ui(ui, view, &measured, at_work);
            }
            (Detail::Severities, Some(measured)) => heat::ui(ui, view, &measured),
        }
    });
}

/// The errors that others are divided by, where that is chosen.
fn baseline(view: &RobustnessView) -> Option<(&'static str, Errors)> {
    view.over_alexnet.then(|| (ALEXNET, Errors::of_alexnet()))
}

/// Which figures these are, for what leaves the window.
fn about(shared: &Shared<'_>, measured: &Robustness) -> String {
    let images = measured.rows.first().map_or(0, |row| row.images) as u64;
    format!(
        "{}, step {}, {} of {}",
        shared.study.caption(),
        measured.step,
        format::counted(images, "image"),
        measured.request.split
    )
}

fn export_ui(ui: &mut Ui, shared: &mut Shared<'_>, view: &RobustnessView, measured: &Robustness, area: Rect) {
    let name = format!("Robustness on {}", measured.request.split);
    let json = || {
        let baseline = baseline(view);
        // Rows of numbers and words always serialise; what cannot would be an empty file.
        measured.json(baseline.as_ref().map(|(name, errors)| (*name, errors))).unwrap_or_default()
    };
    let (rows, readable) = (|| table::of_rows(&measured.rows), || table::readable(view, measured));
    let about = about(shared, measured);
    let drawn = (view.detail == Detail::Severities).then(|| heat::figure(view, measured, &about)).flatten();
    let menu = Menu::new(&name).table(&rows).readable(&readable).json(&json);
    match drawn {
        Some(figure) => menu.figure(&|| figure.clone()).ui(ui, shared.exports),
        None => menu.seen(area).ui(ui, shared.exports),
    }
}

/// Of which model and images the figures are, and what is to be known of them.
fn about_ui(ui: &mut Ui, shared: &Shared<'_>, measured: &Robustness) {
    let tokens = Tokens::of(ui);
    let small = |text: String, colour| RichText::new(text).small().color(colour);
    let images = measured.rows.first().map_or(0, |row| row.images) as u64;
    let corrupted = match measured.request.corruptions.is_empty() {
        true => String::new(),
        false => format!(", corruptions as in {}", measured.parameters),
    };
    let about = format!(
        "step {}, {} of {}{corrupted}, seed {}",
        format::count(measured.step),
        format::counted(images, "image"),
        measured.request.split,
        measured.seed
    );
    ui.label(small(about, tokens.text_weak)).on_hover_text(
        "Finished steps of the measured weights, images under each condition, strengths of the corruptions, and the \
         seed of corruptions and random starts: that of the model's run, as `dualprop eval` takes it",
    );
    if !measured.finished {
        look::so_far_ui(ui, shared.study.measuring_robustness.is_some());
    }
    if measured.step != shared.study.step {
        let text = format!(
            "an older step: the model is at step {} now; measure again",
            format::count(shared.study.step)
        );
        ui.label(small(text, tokens.warning));
    }
    let left_out = measured.rows.first().map_or(0, |row| row.left_out) as u64;
    if left_out > 0 {
        let text = format!("{} left out", format::counted(left_out, "image"));
        ui.label(small(text, tokens.warning))
            .on_hover_text("Damaged, or of classes that the model lacks; no condition counts them");
    }
    for note in measured.notes.iter().take(NOTES_SHOWN) {
        ui.add(egui::Label::new(small(note.clone(), tokens.warning)).wrap());
    }
    let more = measured.notes.len().saturating_sub(NOTES_SHOWN) as u64;
    if more > 0 {
        let text = format!("and {}", format::counted(more, "more note"));
        ui.label(small(text, tokens.warning)).on_hover_text(measured.notes[NOTES_SHOWN..].join("\n"));
    }
}
