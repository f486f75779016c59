//! The lab's plots: the loss over the iterations of an attack, and accuracy over ε.

use crate::app::format;
use crate::app::model::kinds::DataKind;
use crate::app::panes::Names;
use crate::app::theme::tokens::{self, Tokens};
use crate::app::widgets::export::{self, ExportRequest, Table};
use crate::app::widgets::plots::{percent_y, plot};
use crate::session::inspect::{Looked, Sweep, Swept};
use egui::{Rect, RichText, Ui, vec2};
use egui_plot::{HoverPosition, Line, PlotPoint, PlotPoints, Points, Text, VLine};

/// The heading of a plot with its export menu.
fn heading_ui(
    ui: &mut Ui,
    title: &str,
    help: &str,
    height: f32,
    table: impl FnOnce() -> Table,
    exports: &mut Vec<ExportRequest>,
) {
    let area = Rect::from_min_size(ui.cursor().min, vec2(ui.available_width(), height + 28.0));
    ui.horizontal(|ui| {
        ui.label(RichText::new(title).strong().color(Tokens::of(ui).text_strong)).on_hover_text(help);
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            export::menu_ui(ui, title, area, table, exports);
        });
    });
}

/// One thin line an image and their mean.
pub fn losses_ui(ui: &mut Ui, looked: &Looked, height: f32, exports: &mut Vec<ExportRequest>) {
    let iterations = looked.items.first().map_or(0, |item| item.losses.len());
    let mean: Vec<f64> = (0..iterations)
        .map(|n| {
            let sum: f64 = looked.items.iter().map(|item| f64::from(item.losses[n])).sum();
            sum / looked.items.len() as f64
        })
        .collect();
    let help = "Cross-entropy against each image's class through the attacked domain, in nats: at the start of the \
                attack (after its random start, if any) and after each iteration. Thin: one image; thick: the mean.";
    let table = || {
        let names = looked.items.iter().map(|item| item.item.name.as_str());
        let mut table = Table::new(["iteration", "mean"].into_iter().chain(names));
        for (n, mean) in mean.iter().enumerate() {
            let losses = looked.items.iter().map(|item| item.losses[n].to_string());
            table.row([n.to_string(), mean.to_string()].into_iter().chain(losses));
        }
        table
    };
    heading_ui(ui, "Loss per iteration", help, height, table, exports);
    let tokens = Tokens::of(ui);
    let hover = |hover: &HoverPosition<'_>| {
        let (HoverPosition::NearDataPoint { position, .. } | HoverPosition::Elsewhere { position }) = hover;
        let n = (position.x.round().max(0.0) as usize).min(iterations.checked_sub(1)?);
        Some(format!("iteration {n}\nmean loss {} nats", format::significant(mean[n])))
    };
    let response = plot("losses", height, tokens).label_formatter(hover).show(ui, |plot| {
        for item in &looked.items {
            let points = item.losses.iter().enumerate().map(|(n, loss)| [n as f64, f64::from(*loss)]);
            let line = Line::new(item.item.name.clone(), PlotPoints::from_iter(points));
            plot.line(line.color(tokens.data_raw(DataKind::Attacked)).width(1.0).allow_hover(false));
        }
        let points = PlotPoints::from_iter(mean.iter().enumerate().map(|(n, loss)| [n as f64, *loss]));
        // The choice by image is drawn like a domain behind the others.
        let domains = looked.items.first().map_or(0, |item| item.item.views.len().saturating_sub(1));
        let dash = tokens::dash(looked.request.domain.place(domains));
        let line = Line::new("mean", points).color(tokens.data(DataKind::Attacked)).style(dash);
        plot.line(line.width(tokens::LINE_WIDTH));
    });
    response.response.accessible_name("Loss per iteration plot");
}

/// Accuracy after the attack over ε: one line a domain.
pub fn sweep_ui(
    ui: &mut Ui,
    names: Names<'_>,
    swept: &Swept,
    trained: f32,
    height: f32,
    exports: &mut Vec<ExportRequest>,
) {
    let help = "Top-1 accuracy in percent of the attacked images over ε in 1/255, each domain attacked and seen \
                through itself. The vertical line is the ε of the training attack.";
    heading_ui(ui, "Accuracy over ε", help, height, || sweep_table(names, swept), exports);
    let tokens = Tokens::of(ui);
    ui.horizontal_wrapped(|ui| {
        for domain in 0..names.domains.len() {
            let mark = ["━", "╌", "┈"][domain.min(2)];
            let text = RichText::new(format!("{mark} {}", names.domain(domain)));
            ui.label(text.small().color(tokens.data(DataKind::Attacked)));
        }
        let Sweep { split, images, attack, .. } = &swept.request;
        let about = format!(
            "step {}, {} of {split}, {}",
            swept.step,
            format::counted(*images as u64, "image"),
            attack.spec()
        );
        ui.label(RichText::new(about).small().color(tokens.text_weak));
    });
    let hover = |hover: &HoverPosition<'_>| {
        let (HoverPosition::NearDataPoint { position, .. } | HoverPosition::Elsewhere { position }) = hover;
        let distance = |epsilon: f32| (f64::from(epsilon) - position.x).abs();
        let nearest =
            swept.points.iter().min_by(|a, b| distance(a.epsilon).total_cmp(&distance(b.epsilon)))?;
        let mut text = format!("ε = {}/255", nearest.epsilon);
        for (domain, figures) in nearest.domains.iter().enumerate() {
            let success = figures.success.map_or_else(|| "–".to_owned(), format::share);
            text += &format!(
                "\n{}: {}, success {success}, at the bound {}",
                names.domain(domain),
                format::share(figures.accuracy),
                format::share(figures.at_bound)
            );
        }
        Some(text)
    };
    let plot =
        percent_y(plot("sweep", height, tokens)).label_formatter(hover).include_y(100.0).include_x(16.0);
    let response = plot.show(ui, |plot| {
        for domain in 0..names.domains.len() {
            let points: Vec<PlotPoint> = swept
                .points
                .iter()
                .filter_map(|point| {
                    let accuracy = point.domains.get(domain)?.accuracy;
                    Some(PlotPoint::new(f64::from(point.epsilon), 100.0 * f64::from(accuracy)))
                })
                .collect();
            let colour = tokens.data(DataKind::Attacked);
            let name = names.domain(domain);
            let line = Line::new(name, PlotPoints::Owned(points.clone()));
            plot.line(line.color(colour).style(tokens::dash(domain)).width(tokens::LINE_WIDTH));
            let marks = Points::new(name, PlotPoints::Owned(points)).color(colour);
            plot.points(marks.shape(tokens::marker(domain)).radius(2.6).allow_hover(false));
        }
        let line = VLine::new("training ε", f64::from(trained)).color(tokens.text_weak);
        plot.vline(line.allow_hover(false));
        let text = RichText::new(format!(" training ε {trained}")).small().color(tokens.text_weak);
        let place = PlotPoint::new(f64::from(trained), 100.0);
        plot.text(Text::new("training ε", place, text).anchor(egui::Align2::LEFT_TOP).allow_hover(false));
    });
    response.response.accessible_name("Accuracy over epsilon plot");
}

/// A row for each ε and domain.
fn sweep_table(names: Names<'_>, swept: &Swept) -> Table {
    let mut table =
        Table::new(["epsilon (1/255)", "domain", "accuracy (%)", "success (%)", "at the bound (%)"]);
    for point in &swept.points {
        for (domain, figures) in point.domains.iter().enumerate() {
            let percent = |share: f32| (100.0 * share).to_string();
            table.row([
                point.epsilon.to_string(),
                names.domain(domain).to_owned(),
                percent(figures.accuracy),
                figures.success.map_or_else(String::new, percent),
                percent(figures.at_bound),
            ]);
        }
    }
    table
}
