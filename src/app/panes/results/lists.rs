//! A measurement by class, and which classes are taken for which.

use super::ResultsView;
use crate::app::format;
use crate::app::panes::Names;
use crate::app::theme::tokens::Tokens;
use crate::session::inspect::MeasuredView;
use egui::{Align, Layout, ProgressBar, RichText, ScrollArea, Ui, vec2};

/// Widths of the columns, points.
const NAME_WIDTH: f32 = 190.0;
const COUNT_WIDTH: f32 = 70.0;
const BAR_WIDTH: f32 = 160.0;

/// Images, recall and precision of each class.
pub(super) fn classes_ui(ui: &mut Ui, names: Names<'_>, view: &mut ResultsView, shown: &MeasuredView) {
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
                ui.add(bar.text(RichText::new(format::share(recall)).small().color(strong)));
            }
            _ => drop(ui.label(format::share(confusion.precision(class)))),
        }
    });
}

/// Which classes are taken for which, most often first. The pair whose number was clicked, if one was.
pub(super) fn mistakes_ui(ui: &mut Ui, names: Names<'_>, shown: &MeasuredView) -> Option<(usize, usize)> {
    let confusion = &shown.confusion;
    let pairs = confusion.mistakes();
    if pairs.is_empty() {
        ui.weak("Every image was recognised.");
        return None;
    }
    let mut clicked = None;
    let columns = [
        (NAME_WIDTH, "Class", "The true class"),
        (NAME_WIDTH, "Taken for", "The class that was most probable instead"),
        (COUNT_WIDTH, "Images", "Images of the class that were taken for the other"),
        (COUNT_WIDTH, "Share", "Share of the class's images, in percent"),
    ];
    rows_ui(ui, columns, pairs.len(), |ui, row, column| {
        let (label, predicted, count) = pairs[row];
        if column == 2 {
            let link = ui.link(format::count(count.into())).on_hover_text("Show these images");
            let name = format!("{count} of {} taken for {}", names.class(label), names.class(predicted));
            if link.accessible_name(name).clicked() {
                clicked = Some((label, predicted));
            }
            return;
        }
        let text = match column {
            0 => names.class(label),
            1 => names.class(predicted),
            _ => format::share(count as f32 / confusion.of_class(label).0 as f32),
        };
        ui.add(egui::Label::new(text).truncate());
    });
    clicked
}

/// A table of which only the rows in sight are laid out. `columns` are (width, heading, help).
fn rows_ui<const N: usize>(
    ui: &mut Ui,
    columns: [(f32, &str, &str); N],
    rows: usize,
    mut cell: impl FnMut(&mut Ui, usize, usize),
) {
    let tokens = Tokens::of(ui);
    let height = ui.spacing().interact_size.y;
    let place = |ui: &mut Ui, width: f32, add: &mut dyn FnMut(&mut Ui)| {
        let layout = Layout::left_to_right(Align::Center);
        ui.allocate_ui_with_layout(vec2(width, height), layout, |ui| {
            ui.set_min_size(vec2(width, height));
            add(ui);
        });
    };
    ui.horizontal(|ui| {
        for (width, name, help) in columns {
            place(ui, width, &mut |ui| {
                ui.label(RichText::new(name).small().color(tokens.text_weak)).on_hover_text(help);
            });
        }
    });
    ScrollArea::both().auto_shrink(false).show_rows(ui, height, rows, |ui, range| {
        for row in range {
            let line = ui.horizontal(|ui| {
                for (column, (width, ..)) in columns.iter().enumerate() {
                    place(ui, *width, &mut |ui| cell(ui, row, column));
                }
            });
            let below = line.response.rect.bottom() + 0.5 * ui.spacing().item_spacing.y;
            ui.painter().hline(line.response.rect.x_range(), below, (0.5, tokens.line));
        }
    });
}
