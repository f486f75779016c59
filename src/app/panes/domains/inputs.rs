//! How the inputs of a BN layer are distributed once they are normalised by each domain's running statistics,
//! for clean and attacked images: around 0 with a spread of 1 where the statistics describe the data.

use super::DomainsView;
use crate::app::format;
use crate::app::model::kinds::DataKind;
use crate::app::panes::Shared;
use crate::app::panes::look::{self, LookView};
use crate::app::theme::tokens::{self, Tokens};
use crate::app::widgets::export::Menu;
use crate::app::widgets::figure::{Axis, Body, Figure, Lines, Series};
use crate::app::widgets::plots::plot;
use crate::app::widgets::table::Table;
use crate::session::inspect::{BINS, Distribution, DistributionRequest, Distributions, RANGE, Request};
use egui::{ComboBox, RichText, Ui};
use egui_plot::{HoverPosition, Line, PlotPoints, VLine};

/// Draws the view of normalised inputs.
pub fn ui(ui: &mut Ui, shared: &mut Shared<'_>, view: &mut DomainsView, look: &mut LookView) {
    let text = "How a BN layer's inputs are distributed after normalisation, of clean and attacked images through \
                each domain. Choose a model to look into.";
    let Some(info) = shared.study.info.clone() else {
        return look::nothing_open_ui(ui, shared, "No model is open", text);
    };
    look::model_bar_ui(ui, shared, None);
    let layers = &info.bn_layers;
    let chosen = layers.iter().position(|layer| layer.name == view.layer).unwrap_or(0);
    let Some(layer) = layers.get(chosen) else { return };
    let channels = layer.domains.first().map_or(0, |domain| domain.running_mean.len());
    view.channel = view.channel.filter(|channel| *channel < channels);
    ui.horizontal_wrapped(|ui| {
        ui.label("Layer");
        let combo = ComboBox::from_id_salt("input layer").selected_text(&layer.name).width(150.0);
        let response = combo.show_ui(ui, |ui| {
            for layer in layers {
                ui.selectable_value(&mut view.layer, layer.name.clone(), &layer.name);
            }
        });
        response.response.accessible_name("Layer of the inputs");
        let mut all = view.channel.is_none();
        let help = "Values of all channels together, instead of one";
        if ui.checkbox(&mut all, "All channels").on_hover_text(help).changed() {
            view.channel = if all { None } else { Some(0) };
        }
        if let Some(channel) = &mut view.channel {
            ui.add(egui::DragValue::new(channel).range(0..=channels.saturating_sub(1)).prefix("channel "))
                .accessible_name("Channel")
                .on_hover_text(format!("Channel of the layer, 0 to {}", channels.saturating_sub(1)));
        }
        if let Some(found) = &shared.study.distributions {
            let names = look::names(&info);
            let what = match found.request.channel {
                Some(channel) => format!("{}, channel {channel}", layer.name),
                None => format!("{}, all channels", layer.name),
            };
            let model = shared.study.caption();
            let (figure, table) = (|| figure(names, found, &what, &model), || table(names, found));
            Menu::new("BN inputs").figure(&figure).table(&table).ui(ui, shared.exports);
        }
    });
    let request = DistributionRequest {
        layer: chosen,
        channel: view.channel,
        images: look.images(&info),
        attack: look.attack.clone(),
        seed: look.seed,
    };
    let can_show = !info.splits.is_empty() || !look.files.is_empty();
    let study = shared.study;
    if can_show && !study.distributing && !study.has_asked_distributions(&request) {
        shared.study_requests.push(Request::Distributions(request));
    }
    match &shared.study.distributions {
        Some(found) => histogram_ui(ui, shared, look::names(&info), found),
        None if shared.study.fault.is_none() && can_show => drop(ui.spinner()),
        None => {}
    }
}

fn centre(bin: usize) -> f64 {
    f64::from(RANGE) * (2.0 * (bin as f64 + 0.5) / BINS as f64 - 1.0)
}

fn name(names: crate::app::panes::Names<'_>, line: &Distribution) -> String {
    format!("{}, {}", names.domain(line.domain), kind(line).label())
}

fn kind(line: &Distribution) -> DataKind {
    if line.attacked { DataKind::Attacked } else { DataKind::Clean }
}

fn table(names: crate::app::panes::Names<'_>, found: &Distributions) -> Table {
    let heading = std::iter::once("normalised input".to_owned());
    let mut table = Table::new(heading.chain(found.lines.iter().map(|line| name(names, line))));
    for bin in 0..BINS {
        let shares = found.lines.iter().map(|line| line.shares[bin].to_string());
        table.row(std::iter::once(centre(bin).to_string()).chain(shares));
    }
    table
}

/// The titles of the axes.
const TITLES: [&str; 2] = ["Normalised input (standard deviations)", "Share of values (%)"];

fn figure(names: crate::app::panes::Names<'_>, found: &Distributions, what: &str, model: &str) -> Figure {
    let series = found.lines.iter().map(|line| {
        let points = (0..BINS).map(|bin| [centre(bin), 100.0 * f64::from(line.shares[bin])]);
        Series::of_domain(name(names, line), kind(line), line.domain, points.collect())
    });
    Figure {
        title: format!("Normalised inputs of {what}"),
        subject: format!("{model}, step {}", found.step),
        body: Body::Lines(Lines {
            x: Axis::new(TITLES[0]).spanning([-f64::from(RANGE), f64::from(RANGE)]),
            y: Axis::new(TITLES[1]).spanning([0.0]),
            series: series.collect(),
            marks: Vec::new(),
        }),
    }
}

fn histogram_ui(
    ui: &mut Ui,
    shared: &Shared<'_>,
    names: crate::app::panes::Names<'_>,
    found: &Distributions,
) {
    let tokens = Tokens::of(ui);
    ui.horizontal_wrapped(|ui| {
        for line in &found.lines {
            let mark = tokens::line_mark(line.domain);
            let text = format!(
                "{mark} {}: mean {}, deviation {}",
                name(names, line),
                format::significant(f64::from(line.mean)),
                format::significant(f64::from(line.deviation))
            );
            ui.label(RichText::new(text).small().color(tokens.data(kind(line)))).on_hover_text(
                "Of the layer's inputs after normalisation by this domain's running statistics, before γ and β. No \
                 unit: standard deviations of the statistics. 0 and 1 where the statistics describe the data.",
            );
        }
        if shared.study.distributing {
            ui.spinner();
        }
    });
    let hover = |hover: &HoverPosition<'_>| {
        let (HoverPosition::NearDataPoint { position, .. } | HoverPosition::Elsewhere { position }) = hover;
        let place = (position.x / f64::from(RANGE) + 1.0) / 2.0 * BINS as f64;
        let bin = (0.0..BINS as f64).contains(&place).then_some(place as usize)?;
        let mut text = format!("normalised input {:.2}", centre(bin));
        for line in &found.lines {
            text += &format!("\n{}: {}", name(names, line), format::share(line.shares[bin]));
        }
        Some(text)
    };
    let plot = plot("bn inputs", ui.available_height(), TITLES, tokens)
        .label_formatter(hover)
        .include_x(-f64::from(RANGE))
        .include_x(f64::from(RANGE))
        .include_y(0.0)
        .x_axis_formatter(|mark, _| format!("{}", mark.value))
        .y_axis_formatter(|mark, _| format!("{}%", mark.value));
    let response = plot.show(ui, |plot| {
        plot.vline(VLine::new("0", 0.0).color(tokens.line).allow_hover(false));
        for line in &found.lines {
            let points = (0..BINS).map(|bin| [centre(bin), 100.0 * f64::from(line.shares[bin])]);
            let drawn = Line::new(name(names, line), PlotPoints::from_iter(points));
            let drawn = drawn.color(tokens.data(kind(line))).style(tokens::dash(line.domain));
            plot.line(drawn.width(tokens::LINE_WIDTH).allow_hover(false));
        }
    });
    response.response.accessible_name("BN inputs plot");
}
