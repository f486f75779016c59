//! Results: an opened model measured on a set through every domain, clean and attacked: top-1 of each, the
//! confusion of classes, accuracy by class, and the images that it gets most wrong.

mod cell;
pub mod confusion;
mod lists;
mod table;
mod worst;

use super::look::{self, LookView};
use super::{Names, Shared};
use crate::app::format;
use crate::app::model::kinds::{DataKind, MAIN_SPLIT};
use crate::app::model::run::RunView;
use crate::app::theme::tokens::{self, Tokens};
use crate::app::widgets::export::Menu;
use crate::app::widgets::work::{Asked, Measuring, measuring_ui};
use crate::config::AttackConfig;
use crate::evaluation::interval;
use crate::session::inspect::{Measure, Measured, MeasuredView, ModelInfo, Request};
use egui::{DragValue, Rect, RichText, Ui, pos2, vec2};

/// Share of the pane's width that the images of a cell have at least beside the matrix.
const CELL_SHARE: f32 = 0.45;

/// What of a measurement is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Detail {
    #[default]
    Confusion,
    Mistakes,
    Classes,
    Worst,
}

impl Detail {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Confusion, "Confusion"),
        (Self::Mistakes, "Most mistaken"),
        (Self::Classes, "Classes"),
        (Self::Worst, "Worst first"),
    ];
}

/// What is measured and shown.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct ResultsView {
    pub split: String,
    /// Images, evenly spread over the set; 0: all.
    pub limit: usize,
    pub attacked: bool,
    pub detail: Detail,
    /// Which of the measured views is shown.
    #[serde(skip)]
    chosen: usize,
    /// Class that the gallery is limited to, and the chosen row of the confusion matrix.
    #[serde(skip)]
    class: Option<usize>,
    /// The chosen column: with the row the cell whose images are shown.
    #[serde(skip)]
    taken_for: Option<usize>,
    /// Which part of the cell's images.
    #[serde(skip)]
    page: usize,
    /// Classes by rising accuracy instead of by index.
    pub worst_first: bool,
}

impl Default for ResultsView {
    fn default() -> Self {
        Self {
            split: "val".to_owned(),
            limit: 256,
            attacked: true,
            detail: Detail::Confusion,
            chosen: 0,
            class: None,
            taken_for: None,
            page: 0,
            worst_first: true,
        }
    }
}

/// Draws the pane.
pub fn ui(ui: &mut Ui, shared: &mut Shared<'_>, view: &mut ResultsView, look: &LookView) {
    let text = "Confusion matrix, accuracy by class and the images with the highest loss, of clean and attacked \
                images through each domain. Choose a model to measure.";
    validation_ui(ui, shared.run);
    let Some(info) = shared.study.info.clone() else {
        return look::nothing_open_ui(ui, shared, "Nothing measured", text);
    };
    look::model_bar_ui(ui, shared, None);
    controls_ui(ui, shared, view, look, &info);
    let Some(measured) = shared.study.measured.clone() else {
        ui.add_space(tokens::GAP);
        ui.weak(match shared.study.measuring {
            Some(_) => "The first images are measured.",
            None => {
                "“Measure” sends the images through every domain. It can be cancelled at any time, and figures appear \
                 while it goes on."
            }
        });
        return;
    };
    ui.add_space(tokens::GAP_SMALL);
    let names = look::names(&info);
    let at_work = shared.study.measuring.is_some();
    ui.horizontal_wrapped(|ui| views_ui(ui, names, view, &measured, at_work));
    let Some(shown) = measured.views.get(view.chosen).or(measured.views.first()) else { return };
    ui.horizontal(|ui| {
        for (detail, name) in Detail::ALL {
            ui.selectable_value(&mut view.detail, detail, name);
        }
        let name = format!("{} {}", view_name(names, shown, &measured), measured.request.split);
        let top = ui.max_rect().bottom() + tokens::GAP_SMALL;
        let area = Rect::from_min_max(pos2(shared.area.left(), top), shared.area.max);
        let detail = view.detail;
        let table = || table::of(names, shown, detail);
        let about = about(shared, names, shown, &measured);
        let matrix = || confusion::figure(names, &shown.confusion, &about);
        let worst = || worst::figure(names, view, shown, info.image_size, &about);
        let menu = Menu::new(&name).table(&table);
        let menu = match detail {
            Detail::Confusion if shown.confusion.classes <= confusion::MOST_CLASSES => menu.figure(&matrix),
            Detail::Worst => menu.figure(&worst).seen(area),
            // Rows are no plot.
            _ => menu.seen(area),
        };
        menu.ui(ui, shared.exports);
    });
    match view.detail {
        Detail::Confusion => confusion_ui(ui, shared, view, (&measured, shown), (&info, look)),
        Detail::Mistakes => {
            if let Some((label, predicted)) = lists::mistakes_ui(ui, names, shown) {
                view.show_cell(label, Some(predicted));
            }
        }
        Detail::Classes => lists::classes_ui(ui, names, view, shown),
        Detail::Worst => {
            if let Some(class) = worst::ui(ui, shared, names, view, (&measured, shown), (&info, look)) {
                view.show_cell(class, None);
            }
        }
    }
}

impl ResultsView {
    /// Shows a row of the confusion matrix, or the images of one of its cells.
    fn show_cell(&mut self, label: usize, taken_for: Option<usize>) {
        (self.detail, self.class, self.taken_for, self.page) = (Detail::Confusion, Some(label), taken_for, 0);
    }
}

/// The matrix, and beside it the images of the chosen cell.
fn confusion_ui(
    ui: &mut Ui,
    shared: &mut Shared<'_>,
    view: &mut ResultsView,
    (measured, shown): (&Measured, &MeasuredView),
    (info, look): (&ModelInfo, &LookView),
) {
    let names = look::names(info);
    let classes = shown.confusion.classes;
    let cell = view.class.zip(view.taken_for).filter(|(row, column)| *row < classes && *column < classes);
    let key = (shared.study.measure_generation, view.chosen as u32);
    let room = ui.available_size();
    let beside = match cell {
        Some(_) => (room.x - confusion::most_width(classes)).max(CELL_SHARE * room.x),
        None => 0.0,
    };
    ui.horizontal_top(|ui| {
        let chosen = confusion::Chosen { class: view.class, taken_for: view.taken_for };
        let mut now = chosen;
        ui.allocate_ui(vec2(room.x - beside, room.y), |ui| {
            let textures = &mut shared.pictures.confusion;
            ui.vertical(|ui| confusion::ui(ui, names, &shown.confusion, &mut now, textures, key));
        });
        if now != chosen {
            (view.class, view.taken_for, view.page) = (now.class, now.taken_for, 0);
        }
        if let Some(cell) = cell {
            ui.vertical(|ui| cell::ui(ui, shared, names, view, (measured, shown), (info, look), cell));
        }
    });
}

/// Which figures these are, for what leaves the window.
fn about(shared: &Shared<'_>, names: Names<'_>, view: &MeasuredView, measured: &Measured) -> String {
    let images = format::counted(view.confusion.images().into(), "image");
    format!(
        "{}, step {}, {images} of {}, {}; top-1 {}",
        shared.study.caption(),
        measured.step,
        measured.request.split,
        view_name(names, view, measured),
        format::share(view.confusion.accuracy())
    )
}

/// What the last validation of the run on screen measured on `val`.
fn validation_ui(ui: &mut Ui, run: &RunView) {
    let Some(eval) = &run.last_eval else { return };
    let tokens = Tokens::of(ui);
    ui.horizontal_wrapped(|ui| {
        let text = format!("Last validation, step {}:", format::count(eval.step));
        ui.label(RichText::new(text).color(tokens.text_weak))
            .on_hover_text("Of the run on screen, on val: top-1 in percent of images");
        for row in eval.rows.iter().filter(|row| row.split == MAIN_SPLIT) {
            let kind = DataKind::of_source(row.source());
            let name = image_name(&row.domain, kind, row.attack.as_deref());
            let trust = interval::words(row.top1, row.images);
            let text = format!("{name} {}{trust}", format::share(row.top1));
            let text = RichText::new(text).color(tokens.data(kind));
            ui.label(text).on_hover_text(row.attack.as_deref().unwrap_or("Images as they are"));
        }
    });
}

/// Domain and images, and what attacked them: `main, attacked by pgd:eps=4`.
fn image_name(domain: &str, kind: DataKind, attack: Option<&str>) -> String {
    let by = attack.map_or_else(String::new, |spec| format!(" by {}", format::attack(spec)));
    format!("{domain}, {}{by}", kind.label())
}

fn controls_ui(
    ui: &mut Ui,
    shared: &mut Shared<'_>,
    view: &mut ResultsView,
    chosen: &LookView,
    info: &ModelInfo,
) {
    ui.horizontal_wrapped(|ui| {
        look::set_ui(ui, info, "Measured set", &mut view.split);
        let suffix = if view.limit == 1 { " image" } else { " images" };
        ui.add(DragValue::new(&mut view.limit).range(0..=1_000_000).suffix(suffix))
            .accessible_name("Measured images")
            .on_hover_text("Images used, evenly spread over the set; 0: all");
        ui.checkbox(&mut view.attacked, format!("attacked too, by {}", chosen.attack.spec()))
            .on_hover_text("Also measure the images attacked as Lab says, each domain through itself");
        let can = !shared.study.is_busy() && !info.splits.is_empty();
        let measuring = Measuring {
            name: "Measure",
            help: "Send the images through every domain",
            refused: (!can).then_some(look::NOT_NOW),
            progress: shared.study.measuring,
            cancelling: shared.study.cancelling,
            parts: "images",
        };
        match measuring_ui(ui, &measuring) {
            None => {}
            Some(Asked::Begin) => {
                let attack = view.attacked.then(|| chosen.attack.clone());
                let split = view.split.clone();
                let measure = Measure { split, limit: view.limit, attack, seed: chosen.seed };
                shared.study_requests.push(Request::Measure(measure));
            }
            Some(Asked::Cancel) => shared.study_requests.push(Request::Stop),
        }
    });
}

fn view_name(names: Names<'_>, view: &MeasuredView, measured: &Measured) -> String {
    let attack = measured.request.attack.as_ref().filter(|_| view.attacked).map(AttackConfig::spec);
    image_name(names.domain(view.domain), kind(view), attack.as_deref())
}

fn kind(view: &MeasuredView) -> DataKind {
    if view.attacked { DataKind::Attacked } else { DataKind::Clean }
}

/// A button for each domain and kind of image with its accuracy.
fn views_ui(ui: &mut Ui, names: Names<'_>, view: &mut ResultsView, measured: &Measured, at_work: bool) {
    let tokens = Tokens::of(ui);
    for (index, shown) in measured.views.iter().enumerate() {
        let accuracy = shown.confusion.accuracy();
        let trust = interval::words(accuracy, shown.confusion.images() as usize);
        let text = format!("{} {}{trust}", view_name(names, shown, measured), format::share(accuracy));
        let text = RichText::new(text).color(tokens.data(kind(shown)));
        let chosen = view.chosen.min(measured.views.len() - 1) == index;
        let help = format!(
            "Top-1: share of the images whose most probable class is the true one, in percent of {}. Mean loss {} \
             nats.",
            format::counted(shown.confusion.images().into(), "image"),
            format::significant(shown.confusion.mean_loss())
        );
        if ui.selectable_label(chosen, text).on_hover_text(help).clicked() {
            view.chosen = index;
        }
    }
    let images = measured.views.first().map_or(0, |view| view.confusion.images());
    let attack = measured.request.attack.as_ref().map_or_else(String::new, |a| format!(", {}", a.spec()));
    let about = format!(
        "step {}, {} of {}{attack}",
        measured.step,
        format::counted(images.into(), "image"),
        measured.request.split
    );
    ui.label(RichText::new(about).small().color(tokens.text_weak));
    if measured.finished {
        empty_classes_ui(ui, names, measured);
    } else {
        look::so_far_ui(ui, at_work);
    }
    if !measured.damaged.is_empty() {
        let damaged = measured.damaged.len() as u64;
        let text = format!("{} left out", format::counted(damaged, "damaged image"));
        let text = RichText::new(text).small().color(tokens.warning);
        ui.label(text).on_hover_text(measured.damaged.join("\n"));
    }
}

/// Says which classes no measured image was of: an accuracy tells nothing of them.
fn empty_classes_ui(ui: &mut Ui, names: Names<'_>, measured: &Measured) {
    let Some(MeasuredView { confusion, .. }) = measured.views.first() else { return };
    let empty = (0..confusion.classes).filter(|class| confusion.of_class(*class).0 == 0);
    let empty: Vec<String> = empty.map(|class| names.class(class)).collect();
    if !empty.is_empty() {
        let classes = if empty.len() == 1 { "class" } else { "classes" };
        let text = format!("{} {classes} without an image", format::count(empty.len() as u64));
        let text = RichText::new(text).small().color(Tokens::of(ui).warning);
        ui.label(text).on_hover_text(format!("These figures say nothing of {}", empty.join(", ")));
    }
}
