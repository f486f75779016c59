//! Accuracy by corruption and severity through one domain, as colours and numbers.

use super::RobustnessView;
use super::table::mean_errors;
use crate::app::format;
use crate::app::theme::tokens::{self, Tokens};
use crate::app::widgets::figure::{Body, Cells, Figure};
use crate::app::widgets::heat_scale;
use crate::evaluation::robustness::mce::{Mce, SEVERITIES};
use crate::evaluation::robustness::row::Row;
use crate::session::inspect::Robustness;
use egui::{
    Align2, Pos2, Rect, Response, RichText, Role, ScrollArea, Sense, TextStyle, Ui, WidgetInfo, pos2, vec2,
};

const NAMES_WIDTH: f32 = 118.0;
const CELL_WIDTH: f32 = 52.0;
const CELL_HEIGHT: f32 = 20.0;
/// The means stand apart.
const MEAN_GAP: f32 = 8.0;
const SCALE_WIDTH: f32 = 120.0;

/// Draws the choice of a domain, the map and its scale.
pub(super) fn ui(ui: &mut Ui, view: &mut RobustnessView, measured: &Robustness) {
    let mce = mean_errors(view, measured);
    let Some(shown) = mce.get(view.domain).or(mce.first()) else {
        ui.weak("No corruption was measured; choose some and measure again.");
        return;
    };
    let tokens = Tokens::of(ui);
    ui.horizontal_wrapped(|ui| {
        ui.label("Domain");
        for (index, of_domain) in mce.iter().enumerate() {
            let text = RichText::new(&of_domain.domain);
            let response = ui.selectable_label(of_domain.domain == shown.domain, text);
            if response.on_hover_text("BN domain that the images went through").clicked() {
                view.domain = index;
            }
        }
        ui.add_space(tokens::GAP_SMALL);
        ui.selectable_value(&mut view.errors, false, "Accuracy").on_hover_text("Share of right images");
        ui.selectable_value(&mut view.errors, true, "Error").on_hover_text("Share of wrong images");
        ui.add_space(tokens::GAP_SMALL);
        let weak = |text: &str| RichText::new(text).small().color(tokens.text_weak);
        ui.label(weak("0%"));
        heat_scale::ui(ui, SCALE_WIDTH).on_hover_text(format!("Colour scale: {}, percent", what(view)));
        ui.label(weak("100%"));
    });
    ScrollArea::horizontal().id_salt("robustness severities").show(ui, |ui| {
        let names: Vec<&str> = shown.names().collect();
        let columns = SEVERITIES.len() + 1;
        let size = vec2(
            NAMES_WIDTH + columns as f32 * CELL_WIDTH + MEAN_GAP,
            (names.len() + 1) as f32 * CELL_HEIGHT,
        );
        let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
        let map = Map { errors: view.errors, mce: shown, measured, names, at: rect.min };
        map.draw(ui);
        map.explain(ui, response);
    });
}

/// The map for print; `None` where no corruption was measured. `about`: of which model and images.
pub(super) fn figure(view: &RobustnessView, measured: &Robustness, about: &str) -> Option<Figure> {
    let mce = mean_errors(view, measured);
    let shown = mce.get(view.domain).or(mce.first())?;
    let names: Vec<&str> = shown.names().collect();
    let map = Map { errors: view.errors, mce: shown, measured, names, at: Pos2::ZERO };
    let places = (0..map.names.len()).flat_map(|row| (0..=SEVERITIES.len()).map(move |column| (row, column)));
    let cell = |(row, column)| match map.share(row, column) {
        Some(share) => (share, format!("{:.1}", 100.0 * share)),
        None => (f32::NAN, "–".to_owned()),
    };
    let cells = places.map(cell).collect();
    let columns = SEVERITIES.iter().map(u8::to_string).chain(["mean".to_owned()]);
    Some(Figure {
        title: format!("{} by corruption and severity", if view.errors { "Error" } else { "Accuracy" }),
        subject: format!("{about}, domain {}, corruptions as in {}", shown.domain, measured.parameters),
        body: Body::Cells(Cells {
            x_title: "Severity".to_owned(),
            y_title: "Corruption".to_owned(),
            columns: columns.collect(),
            rows: map.names.iter().map(|name| (*name).to_owned()).collect(),
            cells,
            is_square: false,
            scale: [format!("{} (%)", what(view)), "0%".to_owned(), "100%".to_owned()],
        }),
    })
}

fn what(view: &RobustnessView) -> &'static str {
    if view.errors { "share of wrong images" } else { "share of right images" }
}

/// The map as it lies on the window: the first row names the severities, the last column has the means.
struct Map<'a> {
    errors: bool,
    mce: &'a Mce,
    measured: &'a Robustness,
    /// Of the corruptions, by row.
    names: Vec<&'a str>,
    /// The upper left corner.
    at: Pos2,
}

impl Map<'_> {
    /// The share that a cell shows, 0..1; `None` where nothing was measured. The column behind the severities
    /// is their mean.
    fn share(&self, row: usize, column: usize) -> Option<f32> {
        let error = match SEVERITIES.get(column) {
            Some(severity) => self.row(row, *severity)?.error() as f32,
            None => self.mce.by_corruption.get(self.names[row])?.error as f32,
        };
        Some(if self.errors { error } else { 1.0 - error })
    }

    fn row(&self, row: usize, severity: u8) -> Option<&Row> {
        let same = |found: &&Row| {
            found.domain == self.mce.domain
                && found.corruption.as_deref() == Some(self.names[row])
                && found.severity == Some(severity)
        };
        self.measured.rows.iter().find(same)
    }

    fn cell(&self, row: usize, column: usize) -> Rect {
        let gap = if column == SEVERITIES.len() { MEAN_GAP } else { 0.0 };
        let left = NAMES_WIDTH + column as f32 * CELL_WIDTH + gap;
        let corner = self.at + vec2(left, (row + 1) as f32 * CELL_HEIGHT);
        Rect::from_min_size(corner, vec2(CELL_WIDTH, CELL_HEIGHT)).shrink(0.5)
    }

    fn draw(&self, ui: &Ui) {
        let tokens = Tokens::of(ui);
        let font = TextStyle::Small.resolve(ui.style());
        for column in 0..=SEVERITIES.len() {
            let text =
                SEVERITIES.get(column).map_or_else(|| "mean".to_owned(), |severity| severity.to_string());
            let place = self.cell(0, column).center() - vec2(0.0, CELL_HEIGHT);
            ui.painter().text(place, Align2::CENTER_CENTER, text, font.clone(), tokens.text_weak);
        }
        for (row, name) in self.names.iter().enumerate() {
            let middle = self.cell(row, 0).center().y;
            let at = pos2(self.at.x + NAMES_WIDTH - 6.0, middle);
            ui.painter().text(at, Align2::RIGHT_CENTER, name, font.clone(), tokens.text);
            for column in 0..=SEVERITIES.len() {
                let place = self.cell(row, column);
                let share = self.share(row, column);
                let (fill, colour, text) = match share {
                    Some(share) => {
                        (tokens::heat(share), tokens::on_heat(share), format!("{:.1}", 100.0 * share))
                    }
                    None => (tokens.sunken, tokens.text_weak, "–".to_owned()),
                };
                ui.painter().rect_filled(place, 1.0, fill);
                ui.painter().text(place.center(), Align2::CENTER_CENTER, text, font.clone(), colour);
            }
        }
    }

    /// What is said of the cell under the pointer, and of the whole to a screen reader.
    fn explain(&self, ui: &Ui, response: Response) {
        response.widget_info(|| {
            let means = self.names.iter().enumerate().map(|(row, name)| {
                format!(
                    "{name} {}",
                    self.share(row, SEVERITIES.len()).map_or_else(|| "–".to_owned(), format::share)
                )
            });
            let text = format!(
                "Corruption and severity map of {}, means: {}",
                self.mce.domain,
                means.collect::<Vec<_>>().join(", ")
            );
            WidgetInfo::labeled(Role::Image, ui.is_enabled(), text)
        });
        let Some(at) = response.hover_pos() else { return };
        let cells =
            (0..self.names.len()).flat_map(|row| (0..=SEVERITIES.len()).map(move |column| (row, column)));
        if let Some((row, column)) =
            cells.into_iter().find(|(row, column)| self.cell(*row, *column).contains(at))
        {
            response.on_hover_text_at_pointer(self.about(row, column));
        }
    }

    fn about(&self, row: usize, column: usize) -> String {
        let name = self.names[row];
        let domain = &self.mce.domain;
        match SEVERITIES.get(column) {
            Some(severity) => match self.row(row, *severity) {
                Some(found) => format!(
                    "{name} at severity {severity}, through {domain}: {} of {} right, top-5 {}, loss {} nats",
                    format::share(found.top1),
                    format::counted(found.images as u64, "image"),
                    format::share(found.top5),
                    format::significant(f64::from(found.loss))
                ),
                None => format!("{name} at severity {severity} was not measured"),
            },
            None => {
                let share = format::share(self.share(row, column).unwrap_or(f32::NAN));
                let kind = if self.errors { "wrong" } else { "right" };
                format!("{name}, mean over the measured severities, through {domain}: {share} {kind}")
            }
        }
    }
}
