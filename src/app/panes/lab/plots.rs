//! The lab's plots: the loss over the iterations of an attack, and accuracy over ε.

use crate::app::format;
use crate::app::model::kinds::DataKind;
use crate::app::panes::Names;
use crate::app::theme::tokens::{self, Tokens};
use crate::app::widgets::export::{ExportRequest, Menu};
use crate::app::widgets::figure::{Axis, Body, Figure, Lines, Series};
use crate::app::widgets::plots::{percent_y, plot};
use crate::app::widgets::table::Table;
use crate::session::inspect::{Looked, LookedItem, Sweep, SweepPoint, Swept};
use egui::{RichText, Ui};
use egui_plot::{HoverPosition, Line, PlotPoint, PlotPoints, Points, Text, VLine};

/// Titles of the axes: of the loss over iterations, and of accuracy over ε.
const LOSSES: [&str; 2] = ["Iteration of the attack", "Loss (nats)"];
const SWEEP: [&str; 2] = ["ε of the attack (1/255)", "Top-1 accuracy (%)"];

/// The heading of a plot with its export menu.
fn heading_ui(ui: &mut Ui, title: &str, help: &str, menu: Menu<'_>, exports: &mut Vec<ExportRequest>) {
    ui.horizontal(|ui| {
        ui.label(RichText::new(title).strong().color(Tokens::of(ui).text_strong)).on_hover_text(help);
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            menu.ui(ui, exports);
        });
    });
}

/// One thin line an image and their mean. `model`: the name of what is attacked.
pub fn losses_ui(ui: &mut Ui, model: &str, looked: &Looked, height: f32, exports: &mut Vec<ExportRequest>) {
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
    let figure = || losses_figure(model, looked, &mean);
    let menu = Menu::new("Loss per iteration").figure(&figure).table(&table);
    heading_ui(ui, "Loss per iteration", help, menu, exports);
    let tokens = Tokens::of(ui);
    let hover = |hover: &HoverPosition<'_>| {
        let (HoverPosition::NearDataPoint { position, .. } | HoverPosition::Elsewhere { position }) = hover;
        let n = (position.x.round().max(0.0) as usize).min(iterations.checked_sub(1)?);
        Some(format!("iteration {n}\nmean loss {} nats", format::significant(mean[n])))
    };
    let response = plot("losses", height, LOSSES, tokens).label_formatter(hover).show(ui, |plot| {
        for item in &looked.items {
            let points = item.losses.iter().enumerate().map(|(n, loss)| [n as f64, f64::from(*loss)]);
            let line = Line::new(item.item.name.clone(), PlotPoints::from_iter(points));
            plot.line(line.color(tokens.data_raw(DataKind::Attacked)).width(1.0).allow_hover(false));
        }
        let points = PlotPoints::from_iter(mean.iter().enumerate().map(|(n, loss)| [n as f64, *loss]));
        let dash = tokens::dash(drawn_domain(looked));
        let line = Line::new("mean", points).color(tokens.data(DataKind::Attacked)).style(dash);
        plot.line(line.width(tokens::LINE_WIDTH));
    });
    response.response.accessible_name("Loss per iteration plot");
}

/// The attacked domain; the choice by image is drawn like a domain behind the others.
fn drawn_domain(looked: &Looked) -> usize {
    let domains = looked.items.first().map_or(0, |item| item.item.views.len().saturating_sub(1));
    looked.request.domain.place(domains)
}

fn losses_figure(model: &str, looked: &Looked, mean: &[f64]) -> Figure {
    let over = |losses: &mut dyn Iterator<Item = f64>| {
        losses.enumerate().map(|(n, loss)| [n as f64, loss]).collect::<Vec<[f64; 2]>>()
    };
    let of_image = |item: &LookedItem| {
        Series::faint(DataKind::Attacked, over(&mut item.losses.iter().map(|loss| f64::from(*loss))))
    };
    let mean = over(&mut mean.iter().copied());
    let name = format!("mean of {}", format::counted(looked.items.len() as u64, "image"));
    let mean = Series::of_domain(name, DataKind::Attacked, drawn_domain(looked), mean);
    Figure {
        title: "Loss per iteration of the attack".to_owned(),
        subject: format!("{model}, step {}, {}; thin: one image", looked.step, looked.request.attack.spec()),
        body: Body::Lines(Lines {
            x: Axis::new(LOSSES[0]),
            y: Axis::new(LOSSES[1]),
            series: looked.items.iter().map(of_image).chain(std::iter::once(mean)).collect(),
            marks: Vec::new(),
        }),
    }
}

/// Top-1 over ε of a place in `Through::all`, percent.
fn swept_points(swept: &Swept, place: usize) -> Vec<[f64; 2]> {
    let point = |point: &SweepPoint| {
        let accuracy = point.views.get(place)?.accuracy;
        Some([f64::from(point.epsilon), 100.0 * f64::from(accuracy)])
    };
    swept.points.iter().filter_map(point).collect()
}

fn sweep_figure(model: &str, names: Names<'_>, swept: &Swept, trained: f32) -> Figure {
    let Sweep { split, images, attack, .. } = &swept.request;
    let series = (0..names.domains.len()).map(|domain| {
        let points = swept_points(swept, domain);
        Series::of_domain(names.domain(domain), DataKind::Attacked, domain, points).marked(domain)
    });
    let images = format::counted(*images as u64, "image");
    Figure {
        title: "Accuracy over the attack's ε".to_owned(),
        subject: format!("{model}, step {}, {images} of {split}, {}", swept.step, attack.spec()),
        body: Body::Lines(Lines {
            x: Axis::new(SWEEP[0]),
            y: Axis::new(SWEEP[1]).spanning([0.0]),
            series: series.collect(),
            marks: vec![(f64::from(trained), format!("training ε {trained}"))],
        }),
    }
}

/// Accuracy after the attack over ε: one line a domain, and one for the choice by image. `model`: the name of
/// what is attacked; `names`: with the choice by image.
pub fn sweep_ui(
    ui: &mut Ui,
    model: &str,
    names: Names<'_>,
    swept: &Swept,
    trained: f32,
    height: f32,
    exports: &mut Vec<ExportRequest>,
) {
    let help = "Top-1 accuracy in percent of the attacked images over ε in 1/255, each domain attacked and seen \
                through itself; auto: each image through the domain that fits it, under the worst of these attacks. \
                The vertical line is the ε of the training attack.";
    let (figure, table) = (|| sweep_figure(model, names, swept, trained), || sweep_table(names, swept));
    let menu = Menu::new("Accuracy over ε").figure(&figure).table(&table);
    heading_ui(ui, "Accuracy over ε", help, menu, exports);
    let tokens = Tokens::of(ui);
    ui.horizontal_wrapped(|ui| {
        for domain in 0..names.domains.len() {
            let mark = tokens::line_mark(domain);
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
        for (domain, figures) in nearest.views.iter().enumerate() {
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
    let plot = percent_y(plot("sweep", height, SWEEP, tokens))
        .label_formatter(hover)
        .include_y(100.0)
        .include_x(16.0);
    let response = plot.show(ui, |plot| {
        for domain in 0..names.domains.len() {
            let points: Vec<PlotPoint> =
                swept_points(swept, domain).into_iter().map(PlotPoint::from).collect();
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
        for (domain, figures) in point.views.iter().enumerate() {
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
