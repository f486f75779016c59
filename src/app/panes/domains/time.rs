//! The distance between the BN domains over training time: a heatmap with a column a validation and a row a
//! layer.

use super::{DomainsView, Part, part_ui};
use crate::app::format;
use crate::app::model::bn_history::BnHistory;
use crate::app::panes::Shared;
use crate::app::theme::tokens::{self, Tokens};
use crate::app::widgets::command_button::empty_ui;
use crate::app::widgets::export::Menu;
use crate::app::widgets::figure::{Body, Cells, Figure};
use crate::app::widgets::table::Table;
use egui::{Align2, ColorImage, Rect, RichText, Sense, TextStyle, TextureHandle, TextureOptions, Ui, vec2};

/// Distances of this many nats and less have the scale's first colour.
const LOWEST: f32 = 1e-3;

/// The heatmap as drawn, made again when its numbers change.
#[derive(Default)]
pub struct Drawn {
    made_for: Option<(u64, usize, Part)>,
    texture: Option<TextureHandle>,
    highest: f32,
}

impl std::fmt::Debug for Drawn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Heatmap up to {} nats", self.highest)
    }
}

/// Place of a distance on the logarithmic colour scale, 0..1.
fn place(distance: f32, highest: f32) -> f32 {
    let span = (highest.max(2.0 * LOWEST) / LOWEST).ln();
    (distance.max(LOWEST) / LOWEST).ln() / span
}

impl Drawn {
    fn refresh(&mut self, ctx: &egui::Context, history: &BnHistory, domain: usize, part: Part) {
        let wanted = Some((history.generation, domain, part));
        if self.made_for == wanted {
            return;
        }
        self.made_for = wanted;
        let (columns, rows) = (history.steps.len(), history.layers.len());
        let value = |row: usize, column: usize| history.distance(column, domain, row, part as usize);
        let all = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
        let values: Vec<f32> = all.map(|(row, column)| value(row, column)).collect();
        self.highest = values.iter().copied().filter(|v| v.is_finite()).fold(LOWEST, f32::max);
        let pixels = values.iter().map(|v| tokens::heat(place(*v, self.highest))).collect();
        let image = ColorImage::new([columns, rows], pixels);
        self.texture = Some(ctx.load_texture("BN distances", image, TextureOptions::NEAREST));
    }
}

/// Draws the view over training time.
pub fn ui(ui: &mut Ui, shared: &mut Shared<'_>, view: &mut DomainsView) {
    let history = &shared.run.bn_history;
    if history.steps.is_empty() || history.domains.len() < 2 {
        let text = "The distance between the domains of each BN layer at every validation, from the run folder. \
                    A run writes the first column with its first validation, and only where it has two domains.";
        empty_ui(ui, "No history yet", text, shared.run, &[], shared.queue);
        return;
    }
    let domains = history.domains.len();
    let other = if (1..domains).contains(&view.other) { view.other } else { 1 };
    ui.horizontal_wrapped(|ui| {
        let title = format!("Distance {} to {} over time", history.domains[0], history.domains[other]);
        ui.label(RichText::new(title).strong().color(Tokens::of(ui).text_strong));
        part_ui(ui, &mut view.part);
        for domain in (1..domains).filter(|_| domains > 2) {
            ui.selectable_value(&mut view.other, domain, &history.domains[domain]);
        }
        let part = view.part;
        let (figure, table) =
            (|| figure(history, other, part, &shared.run.caption()), || table(history, other, part));
        Menu::new("BN distances over time").figure(&figure).table(&table).ui(ui, shared.exports);
    });
    view.time.refresh(ui.ctx(), history, other, view.part);
    heatmap_ui(ui, history, other, view);
}

fn figure(history: &BnHistory, domain: usize, part: Part, run: &str) -> Figure {
    let (columns, rows) = (history.steps.len(), history.layers.len());
    let value = |row: usize, column: usize| history.distance(column, domain, row, part as usize);
    let all = || (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
    let highest =
        all().map(|(row, column)| value(row, column)).filter(|v| v.is_finite()).fold(LOWEST, f32::max);
    let scale = [
        format!("nats ({}), logarithmic", part.name()),
        LOWEST.to_string(),
        format::significant(f64::from(highest)),
    ];
    Figure {
        title: format!("BN distance {} to {} over training", history.domains[0], history.domains[domain]),
        subject: run.to_owned(),
        body: Body::Cells(Cells {
            x_title: "Optimizer steps".to_owned(),
            y_title: "BN layer".to_owned(),
            columns: history.steps.iter().map(u64::to_string).collect(),
            rows: history.layers.clone(),
            cells: all().map(|(row, column)| (place(value(row, column), highest), String::new())).collect(),
            is_square: false,
            scale,
        }),
    }
}

fn table(history: &BnHistory, domain: usize, part: Part) -> Table {
    let mut table = Table::new(std::iter::once("step").chain(history.layers.iter().map(String::as_str)));
    for (column, step) in history.steps.iter().enumerate() {
        let values = (0..history.layers.len())
            .map(|layer| history.distance(column, domain, layer, part as usize).to_string());
        table.row(std::iter::once(step.to_string()).chain(values));
    }
    table
}

fn heatmap_ui(ui: &mut Ui, history: &BnHistory, other: usize, view: &mut DomainsView) {
    let tokens = Tokens::of(ui);
    let Some(texture) = &view.time.texture else { return };
    let (columns, rows) = (history.steps.len(), history.layers.len());
    let font = TextStyle::Small.resolve(ui.style());
    let caption = 18.0;
    let size = vec2(ui.available_width(), (ui.available_height() - 2.0 * caption).max(80.0));
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    egui::Image::new(texture).fit_to_exact_size(size).corner_radius(2).paint_at(ui, rect);
    let chosen = history.layers.iter().position(|name| *name == view.layer);
    if let Some(row) = chosen {
        let height = rect.height() / rows as f32;
        let top = rect.top() + height * row as f32;
        let line = Rect::from_x_y_ranges(rect.x_range(), top..=top + height.max(2.0));
        let stroke = egui::Stroke::new(1.0, tokens.accent);
        ui.painter().rect_stroke(line, 0.0, stroke, egui::StrokeKind::Outside);
    }
    let under = response.hover_pos().map(|at| {
        let part = (at - rect.min) / rect.size();
        let column = ((part.x * columns as f32) as usize).min(columns - 1);
        (column, ((part.y * rows as f32) as usize).min(rows - 1))
    });
    if let (true, Some((_, row))) = (response.clicked(), under) {
        view.layer.clone_from(&history.layers[row]);
    }
    let text = format!(
        "BN distance heatmap of {} at {}",
        format::counted(rows as u64, "layer"),
        format::counted(columns as u64, "validation")
    );
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, &text));
    if let Some((column, row)) = under {
        let distance = history.distance(column, other, row, view.part as usize);
        response.on_hover_text_at_pointer(format!(
            "{} at step {}: {} nats ({})\nClick to choose the layer",
            history.layers[row],
            history.steps[column],
            format::significant(f64::from(distance)),
            view.part.name()
        ));
    }
    let (first, last) = (history.steps[0], history.steps[columns - 1]);
    ui.horizontal(|ui| {
        ui.label(RichText::new(format!("step {first}")).small().color(tokens.text_weak));
        let highest = view.time.highest;
        let scale = if highest > LOWEST {
            let highest = format::significant(f64::from(highest));
            format!("input at the top, output at the bottom; dark: {LOWEST} nats and less, light: {highest} nats, logarithmic")
        } else {
            format!("no distance is above {LOWEST} nats: the domains coincide so far")
        };
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            ui.label(RichText::new(format!("step {last}")).small().color(tokens.text_weak));
            let left = ui.available_rect_before_wrap();
            ui.painter().text(left.center(), Align2::CENTER_CENTER, scale, font, tokens.text_weak);
        });
    });
}
