//! Results: an opened model measured on a set through every domain, clean and attacked: top-1 of each, the
//! confusion of classes, accuracy by class, and the images that it gets most wrong.

pub mod confusion;

use super::look::{self, LookView};
use super::{Names, Shared};
use crate::app::format;
use crate::app::model::kinds::{DataKind, MAIN_SPLIT};
use crate::app::model::run::RunView;
use crate::app::theme::tokens::{self, Tokens};
use crate::app::widgets::cards::guess_ui;
use crate::app::widgets::class_choice;
use crate::app::widgets::export::{self, Table};
use crate::app::widgets::pictures::options;
use crate::config::AttackConfig;
use crate::evaluation::confusion::Example;
use crate::session::inspect::{Measure, Measured, MeasuredView, ModelInfo, Request};
use egui::{
    Align, Button, ComboBox, DragValue, Layout, ProgressBar, Rect, RichText, ScrollArea, Ui, pos2, vec2,
};

/// Side of a picture in the gallery of the worst, points.
const SIDE: f32 = 72.0;
/// Widths of the tables' columns, points.
const NAME_WIDTH: f32 = 190.0;
const COUNT_WIDTH: f32 = 70.0;
const BAR_WIDTH: f32 = 160.0;

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
    /// Class that the gallery is limited to.
    #[serde(skip)]
    class: Option<usize>,
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
        ui.weak("“Measure” sends the images through every domain. It can be stopped at any time.");
        return;
    };
    ui.add_space(tokens::GAP_SMALL);
    let names = look::names(&info);
    ui.horizontal_wrapped(|ui| views_ui(ui, names, view, &measured));
    let Some(shown) = measured.views.get(view.chosen).or(measured.views.first()) else { return };
    ui.horizontal(|ui| {
        for (detail, name) in Detail::ALL {
            ui.selectable_value(&mut view.detail, detail, name);
        }
        let name = format!("{} {}", view_name(names, shown, &measured), measured.request.split);
        let top = ui.max_rect().bottom() + tokens::GAP_SMALL;
        let area = Rect::from_min_max(pos2(shared.area.left(), top), shared.area.max);
        let detail = view.detail;
        export::menu_ui(ui, &name, area, || table(names, shown, detail), shared.exports);
    });
    match view.detail {
        Detail::Confusion => {
            let key = (shared.study.measure_generation, view.chosen as u32);
            let textures = &mut shared.pictures.confusion;
            confusion::ui(ui, names, &shown.confusion, &mut view.class, textures, key);
        }
        Detail::Mistakes => mistakes_ui(ui, names, shown),
        Detail::Classes => classes_ui(ui, names, view, shown),
        Detail::Worst => worst_ui(ui, shared, names, view, shown, info.image_size),
    }
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
            let text = RichText::new(format!("{name} {:.1}%", 100.0 * row.top1)).color(tokens.data(kind));
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
    look: &LookView,
    info: &ModelInfo,
) {
    ui.horizontal_wrapped(|ui| {
        let known = info.splits.iter().any(|(name, _)| *name == view.split);
        if let (false, Some((first, _))) = (known, info.splits.first()) {
            view.split.clone_from(first);
        }
        let combo = ComboBox::from_id_salt("measured set").width(92.0).selected_text(&view.split);
        let response = combo.show_ui(ui, |ui| {
            for (name, count) in &info.splits {
                let text = format!("{name} ({})", format::counted(*count as u64, "image"));
                ui.selectable_value(&mut view.split, name.clone(), text);
            }
        });
        response.response.accessible_name("Measured set").on_hover_text("Evaluation set of the model's data");
        let suffix = if view.limit == 1 { " image" } else { " images" };
        ui.add(DragValue::new(&mut view.limit).range(0..=1_000_000).suffix(suffix))
            .accessible_name("Measured images")
            .on_hover_text("Images used, evenly spread over the set; 0: all");
        ui.checkbox(&mut view.attacked, format!("attacked too, by {}", look.attack.spec()))
            .on_hover_text("Also measure the images attacked as Lab says, each domain through itself");
        if let Some((done, total)) = shared.study.measuring {
            if ui.button("Stop").on_hover_text("End the measurement").clicked() {
                shared.study_requests.push(Request::Stop);
            }
            let text = match total {
                0 => "Opening the images".to_owned(),
                total => format!("{done}/{total} images"),
            };
            let bar = ProgressBar::new(done as f32 / total.max(1) as f32).desired_width(160.0);
            ui.add(bar.desired_height(16.0).animate(total == 0).text(RichText::new(text).small()));
        } else {
            let can = !shared.study.is_busy() && !info.splits.is_empty();
            let help = "Send the images through every domain";
            let not = "Not now: a sweep is at work, or the model's data cannot be opened here";
            let response = ui.add_enabled(can, Button::new("Measure"));
            if response.on_hover_text(help).on_disabled_hover_text(not).clicked() {
                let attack = view.attacked.then(|| look.attack.clone());
                let split = view.split.clone();
                let measure = Measure { split, limit: view.limit, attack, seed: look.seed };
                shared.study_requests.push(Request::Measure(measure));
            }
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
fn views_ui(ui: &mut Ui, names: Names<'_>, view: &mut ResultsView, measured: &Measured) {
    let tokens = Tokens::of(ui);
    for (index, shown) in measured.views.iter().enumerate() {
        let accuracy = 100.0 * shown.confusion.accuracy();
        let text = format!("{} {accuracy:.1}%", view_name(names, shown, measured));
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
    if !measured.damaged.is_empty() {
        let damaged = measured.damaged.len() as u64;
        let text = format!("{} left out", format::counted(damaged, "damaged image"));
        let text = RichText::new(text).small().color(tokens.warning);
        ui.label(text).on_hover_text(measured.damaged.join("\n"));
    }
}

fn table(names: Names<'_>, view: &MeasuredView, detail: Detail) -> Table {
    let confusion = &view.confusion;
    let classes: Vec<String> = (0..confusion.classes).map(|class| names.class(class)).collect();
    match detail {
        Detail::Confusion => {
            let heading = std::iter::once("true \\ predicted").chain(classes.iter().map(String::as_str));
            let mut table = Table::new(heading);
            for (class, name) in classes.iter().enumerate() {
                let counts = (0..confusion.classes).map(|column| confusion.count(class, column).to_string());
                table.row(std::iter::once(name.clone()).chain(counts));
            }
            table
        }
        Detail::Mistakes => {
            let mut table = Table::new(["class", "taken for", "images", "of the class's images (%)"]);
            for (label, predicted, count) in confusion.mistakes() {
                let share = 100.0 * count as f32 / confusion.of_class(label).0 as f32;
                let [label, predicted] = [label, predicted].map(|class| names.class(class));
                table.row([label, predicted, count.to_string(), share.to_string()]);
            }
            table
        }
        Detail::Classes => {
            let mut table = Table::new(["class", "images", "recognised (%)", "precision (%)"]);
            for (class, name) in classes.into_iter().enumerate() {
                let (images, recall) = confusion.of_class(class);
                let percent = |share: f32| (100.0 * share).to_string();
                let precision = percent(confusion.precision(class));
                table.row([name, images.to_string(), percent(recall), precision]);
            }
            table
        }
        Detail::Worst => {
            let mut table = Table::new(["image", "class", "loss (nats)", "predicted", "probability"]);
            for example in &confusion.worst {
                let first = example.guesses.first();
                table.row([
                    example.name.clone(),
                    names.class(example.label),
                    example.loss.to_string(),
                    first.map_or_else(String::new, |guess| names.class(guess.class)),
                    first.map_or_else(String::new, |guess| guess.p.to_string()),
                ]);
            }
            table
        }
    }
}

fn classes_ui(ui: &mut Ui, names: Names<'_>, view: &mut ResultsView, shown: &MeasuredView) {
    let confusion = &shown.confusion;
    ui.checkbox(&mut view.worst_first, "Worst first").on_hover_text("By rising share instead of by index");
    let mut order: Vec<usize> = (0..confusion.classes).collect();
    if view.worst_first {
        // Without images there is no share; those classes come last.
        let recall = |class: &usize| match confusion.of_class(*class) {
            (0, _) => f32::INFINITY,
            (_, recall) => recall,
        };
        order.sort_by(|a, b| recall(a).total_cmp(&recall(b)));
    }
    let accent = Tokens::of(ui).accent_soft;
    let strong = Tokens::of(ui).text_strong;
    let columns = [
        (NAME_WIDTH, "Class", "Name of the class"),
        (COUNT_WIDTH, "Images", "Measured images of the class"),
        (BAR_WIDTH, "Recognised", "Share of the class's images that are taken for it (recall), in percent"),
        (COUNT_WIDTH, "Precision", "Share of the images taken for the class that are of it, in percent"),
    ];
    rows_ui(ui, columns, order.len(), |ui, row, column| {
        let class = order[row];
        let (images, recall) = confusion.of_class(class);
        match column {
            0 => drop(ui.add(egui::Label::new(names.class(class)).truncate())),
            1 => drop(ui.label(format::count(images.into()))),
            2 => {
                let bar = ProgressBar::new(if recall.is_finite() { recall } else { 0.0 });
                let bar = bar.desired_width(150.0).desired_height(14.0).fill(accent);
                ui.add(bar.text(RichText::new(format::percent(recall)).small().color(strong)));
            }
            _ => drop(ui.label(format::percent(confusion.precision(class)))),
        }
    });
}

/// Which classes are taken for which, most often first.
fn mistakes_ui(ui: &mut Ui, names: Names<'_>, shown: &MeasuredView) {
    let confusion = &shown.confusion;
    let pairs = confusion.mistakes();
    if pairs.is_empty() {
        ui.weak("Every image was recognised.");
        return;
    }
    let columns = [
        (NAME_WIDTH, "Class", "The true class"),
        (NAME_WIDTH, "Taken for", "The class that was most probable instead"),
        (COUNT_WIDTH, "Images", "Images of the class that were taken for the other"),
        (COUNT_WIDTH, "Share", "Share of the class's images, in percent"),
    ];
    rows_ui(ui, columns, pairs.len(), |ui, row, column| {
        let (label, predicted, count) = pairs[row];
        let text = match column {
            0 => names.class(label),
            1 => names.class(predicted),
            2 => format::count(count.into()),
            _ => format::percent(count as f32 / confusion.of_class(label).0 as f32),
        };
        ui.add(egui::Label::new(text).truncate());
    });
}

/// A table of which only the rows in sight are laid out. `columns` are (width, heading, help).
fn rows_ui<const N: usize>(
    ui: &mut Ui,
    columns: [(f32, &str, &str); N],
    rows: usize,
    cell: impl Fn(&mut Ui, usize, usize),
) {
    let tokens = Tokens::of(ui);
    let height = ui.spacing().interact_size.y;
    let place = |ui: &mut Ui, width: f32, add: &dyn Fn(&mut Ui)| {
        let layout = Layout::left_to_right(Align::Center);
        ui.allocate_ui_with_layout(vec2(width, height), layout, |ui| {
            ui.set_min_size(vec2(width, height));
            add(ui);
        });
    };
    ui.horizontal(|ui| {
        for (width, name, help) in columns {
            place(ui, width, &|ui| {
                ui.label(RichText::new(name).small().color(tokens.text_weak)).on_hover_text(help);
            });
        }
    });
    ScrollArea::both().auto_shrink(false).show_rows(ui, height, rows, |ui, range| {
        for row in range {
            let line = ui.horizontal(|ui| {
                for (column, (width, ..)) in columns.iter().enumerate() {
                    place(ui, *width, &|ui| cell(ui, row, column));
                }
            });
            let below = line.response.rect.bottom() + 0.5 * ui.spacing().item_spacing.y;
            ui.painter().hline(line.response.rect.x_range(), below, (0.5, tokens.line));
        }
    });
}

fn worst_ui(
    ui: &mut Ui,
    shared: &mut Shared<'_>,
    names: Names<'_>,
    view: &mut ResultsView,
    shown: &MeasuredView,
    size: usize,
) {
    ui.horizontal(|ui| {
        ui.label("Class");
        class_choice::ui(ui, "Class of the worst images", "all", names.classes, &mut view.class);
        let count = shown.confusion.worst.len();
        ui.weak(format!("{} with the highest loss, highest first", format::counted(count as u64, "image")));
    });
    let worst = &shown.confusion.worst;
    // Each measurement and each of its views has textures of its own.
    let key = (shared.study.measure_generation, view.chosen as u32);
    let pixels = || worst.iter().map(|example| example.pixels.as_slice()).collect();
    let textures = shared.pictures.worst.textures(ui.ctx(), key, size, options(size), pixels);
    let is_wanted = |example: &Example| view.class.is_none_or(|class| class == example.label);
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        // Wrapped rows are centred otherwise, and only the first of a row is placed before its height is
        // known.
        ui.with_layout(Layout::left_to_right(Align::TOP).with_main_wrap(true), |ui| {
            for (example, texture) in worst.iter().zip(textures).filter(|(example, _)| is_wanted(example)) {
                example_ui(ui, names, example, texture);
            }
        });
    });
}

fn example_ui(ui: &mut Ui, names: Names<'_>, example: &Example, texture: &egui::TextureHandle) {
    let tokens = Tokens::of(ui);
    ui.allocate_ui(vec2(SIDE + 50.0, SIDE + 62.0), |ui| {
        ui.vertical(|ui| {
            ui.set_width(SIDE + 46.0);
            let image = egui::Image::new(texture).fit_to_exact_size(vec2(SIDE, SIDE)).corner_radius(3);
            ui.add(image.alt_text(format!("worst {}", example.name))).on_hover_text(&example.name);
            ui.label(RichText::new(names.class(example.label)).small().strong().color(tokens.text_strong))
                .on_hover_text("The true class");
            ui.horizontal(|ui| guess_ui(ui, names, Some(example.label), &example.guesses, "shown"));
            let loss = format!("loss {}", format::significant(f64::from(example.loss)));
            ui.label(RichText::new(loss).small().color(tokens.text_weak))
                .on_hover_text("Cross-entropy against the true class, in nats");
        });
    });
}
