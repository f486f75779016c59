//! The channels of one BN layer: running mean and variance, or γ and β, of each domain.

use super::{ChannelScale, ShownStatistics};
use crate::app::format;
use crate::app::model::kinds::DataKind;
use crate::app::panes::Names;
use crate::app::theme::tokens::{self, Tokens};
use crate::app::widgets::export::{ExportRequest, Menu};
use crate::app::widgets::figure::{self, Axis, Body, Figure, Lines};
use crate::app::widgets::plots::{log_y, plot};
use crate::app::widgets::table::Table;
use crate::training::bn_distance as distance;
use crate::training::events::{BnDomain, BnLayer};
use egui::{Align, Layout, RichText, Ui};
use egui_plot::{HoverPosition, PlotBounds, PlotPoint, PlotPoints, Points};
use std::ops::RangeInclusive;

/// Ends of the fixed scales: means and β, decimal logarithms of running variances, γ.
const FIXED_MEAN: (f64, f64) = (-3.0, 3.0);
const FIXED_LOG_VAR: (f64, f64) = (-4.0, 2.0);
const FIXED_GAMMA: (f64, f64) = (-1.0, 3.0);

/// The title of the horizontal axis.
const CHANNELS: &str = "Channel (place)";

type Value = fn(&BnDomain, usize) -> Option<f64>;

/// One of the two plots side by side.
struct Quantity {
    title: &'static str,
    /// The title of the vertical axis, with its unit.
    axis: &'static str,
    help: &'static str,
    value: Value,
    fixed: (f64, f64),
    log: bool,
}

fn at(values: &[f32], channel: usize) -> Option<f64> {
    values.get(channel).map(|value| f64::from(*value)).filter(|value| value.is_finite())
}

const STATISTICS: [Quantity; 2] = [
    Quantity {
        title: "Running mean",
        axis: "Running mean (units of the input)",
        help: "Running mean of each channel in each domain, in the units of the convolution's output.",
        value: |d, channel| at(&d.running_mean, channel),
        fixed: FIXED_MEAN,
        log: false,
    },
    Quantity {
        title: "Running variance (log)",
        axis: "Running variance (units²)",
        help: "Running variance of each channel in each domain (the unbiased one), on a logarithmic axis.",
        value: |d, channel| at(&d.running_var, channel).map(f64::log10).filter(|v| v.is_finite()),
        fixed: FIXED_LOG_VAR,
        log: true,
    },
];

const AFFINE: [Quantity; 2] = [
    Quantity {
        title: "γ",
        axis: "γ (no unit)",
        help: "Learned scale of each channel in each domain, after normalisation. No unit.",
        value: |d, channel| at(&d.gamma, channel),
        fixed: FIXED_GAMMA,
        log: false,
    },
    Quantity {
        title: "β",
        axis: "β (no unit)",
        help: "Learned shift of each channel in each domain, after normalisation. No unit.",
        value: |d, channel| at(&d.beta, channel),
        fixed: FIXED_MEAN,
        log: false,
    },
];

/// How the channels are drawn.
#[derive(Clone, Copy, Debug)]
pub struct Drawing {
    pub affine: bool,
    pub scale: ChannelScale,
    /// By falling distance to domain `other` instead of by index.
    pub sorted: bool,
    pub other: usize,
}

/// Two plots side by side. `whose`: whose statistics they are; `exports`: where what is to be written goes.
pub fn ui(
    ui: &mut Ui,
    source: &ShownStatistics<'_>,
    chosen: usize,
    drawing: Drawing,
    height: f32,
    (whose, exports): (&str, &mut Vec<ExportRequest>),
) {
    let layer = &source.layers[chosen];
    let order = order(layer, drawing.other, drawing.sorted);
    let [first, second] = if drawing.affine { AFFINE } else { STATISTICS };
    let (order, scale) = (order.as_slice(), drawing.scale);
    let drawn = |of| ChannelPlot { layer, order, of, scale, height };
    ui.columns_const(|[left, right]| {
        let table = || table(source.names, layer);
        for (ui, of) in [(left, &first), (right, &second)] {
            let plot = drawn(of);
            channel_plot(ui, source, &plot, |ui| {
                let name = format!("{} of {}", of.title, layer.name);
                let figure = || plot.figure(source, whose);
                Menu::new(&name).figure(&figure).table(&table).ui(ui, exports);
            });
        }
    });
}

/// A row a channel with all that each domain keeps of it.
fn table(names: Names<'_>, layer: &BnLayer) -> Table {
    type Part = (&'static str, fn(&BnDomain) -> &[f32]);
    const PARTS: [Part; 4] = [
        ("running mean", |domain| &domain.running_mean),
        ("running variance", |domain| &domain.running_var),
        ("gamma", |domain| &domain.gamma),
        ("beta", |domain| &domain.beta),
    ];
    let columns = || layer.domains.iter().enumerate().flat_map(|domain| PARTS.map(|part| (domain, part)));
    let headings = columns().map(|((index, _), (what, _))| format!("{} {what}", names.domain(index)));
    let mut table = Table::new(std::iter::once("channel".to_owned()).chain(headings));
    for channel in 0..layer.domains.first().map_or(0, |domain| domain.running_mean.len()) {
        let cell = |values: &[f32]| values.get(channel).map_or_else(String::new, f32::to_string);
        let cells = columns().map(|((_, domain), (_, values))| cell(values(domain)));
        table.row(std::iter::once(channel.to_string()).chain(cells));
    }
    table
}

fn order(layer: &BnLayer, other: usize, sorted: bool) -> Vec<usize> {
    let distances = distance::of_channels(layer, 0, other);
    let mut order: Vec<usize> = (0..distances.len()).collect();
    if sorted {
        order.sort_by(|&a, &b| distances[b].total().total_cmp(&distances[a].total()));
    }
    order
}

/// What the axis spans, with a margin.
fn span(
    source: &ShownStatistics<'_>,
    layer: &BnLayer,
    scale: ChannelScale,
    of: &Quantity,
) -> RangeInclusive<f64> {
    let layers = match scale {
        ChannelScale::Fixed => return of.fixed.0..=of.fixed.1,
        ChannelScale::Layer => std::slice::from_ref(layer),
        ChannelScale::Network => source.layers,
    };
    let domains = layers.iter().flat_map(|layer| &layer.domains);
    let values = domains.flat_map(|d| (0..d.running_mean.len()).filter_map(|channel| (of.value)(d, channel)));
    let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
    if low > high {
        return of.fixed.0..=of.fixed.1;
    }
    let margin = ((high - low) * 0.08).max(1e-3);
    low - margin..=high + margin
}

/// Mark and colour of each domain.
pub fn domain_marks_ui(ui: &mut Ui, names: Names<'_>, data: &[DataKind], count: usize) {
    let tokens = Tokens::of(ui);
    for (index, kind) in data.iter().enumerate().take(count) {
        let mark = tokens::mark(index);
        let text = RichText::new(format!("{mark} {}", names.domain(index)));
        ui.label(text.small().color(tokens.data(*kind)));
    }
}

/// One quantity of a layer's channels, drawn by domain.
struct ChannelPlot<'a> {
    layer: &'a BnLayer,
    /// Channels from left to right.
    order: &'a [usize],
    of: &'a Quantity,
    scale: ChannelScale,
    /// Height of the plot, points.
    height: f32,
}

impl ChannelPlot<'_> {
    /// The places and values of a domain's channels.
    fn points(&self, domain: &BnDomain) -> Vec<[f64; 2]> {
        let order = self.order.iter().enumerate();
        order.filter_map(|(x, &channel)| Some([x as f64, (self.of.value)(domain, channel)?])).collect()
    }

    fn figure(&self, source: &ShownStatistics<'_>, whose: &str) -> Figure {
        let Self { layer, of, scale, .. } = *self;
        let range = span(source, layer, scale, of);
        let series = layer.domains.iter().enumerate().map(|(index, domain)| figure::Series {
            name: source.names.domain(index).to_owned(),
            colour: tokens::LIGHT.data(source.kind(index)),
            drawn: figure::Drawn::Points(tokens::marker(index)),
            points: self.points(domain),
            band: Vec::new(),
        });
        Figure {
            title: format!("{} of {}", of.title.trim_end_matches(" (log)"), layer.name),
            subject: whose.to_owned(),
            body: Body::Lines(Lines {
                x: Axis::new(CHANNELS),
                y: Axis::new(of.axis).log(of.log).spanning([*range.start(), *range.end()]),
                series: series.collect(),
                marks: Vec::new(),
            }),
        }
    }
}

/// Draws a quantity; `corner` goes to the right of its title.
fn channel_plot(
    ui: &mut Ui,
    source: &ShownStatistics<'_>,
    drawn: &ChannelPlot<'_>,
    corner: impl FnOnce(&mut Ui),
) {
    let ChannelPlot { layer, order, of, scale, height } = *drawn;
    let tokens = Tokens::of(ui);
    let range = span(source, layer, scale, of);
    ui.horizontal(|ui| {
        ui.label(RichText::new(of.title).small().color(tokens.text)).on_hover_text(of.help);
        domain_marks_ui(ui, source.names, &source.data, layer.domains.len());
        ui.with_layout(Layout::right_to_left(Align::Center), corner);
    });
    let (shown, log) = (order.to_vec(), of.log);
    let hover = move |hover: &HoverPosition<'_>| {
        let HoverPosition::NearDataPoint { plot_name, position, .. } = hover else { return None };
        let channel = shown.get(position.x.round() as usize)?;
        let value = if log { 10f64.powf(position.y) } else { position.y };
        Some(format!("{plot_name}, channel {channel}\n{}", format::significant(value)))
    };
    let titles = [CHANNELS, of.axis];
    let mut plot =
        plot(of.title, height, titles, tokens).allow_zoom(false).allow_drag(false).label_formatter(hover);
    if log {
        plot = log_y(plot);
    }
    let last = order.len().saturating_sub(1) as f64;
    let response = plot.show(ui, |plot| {
        let margin = (last * 0.02).max(0.5);
        let (low, high) = ([-margin, *range.start()], [last + margin, *range.end()]);
        plot.set_plot_bounds(PlotBounds::from_min_max(low, high));
        for (index, domain) in layer.domains.iter().enumerate() {
            let points = drawn.points(domain).into_iter().map(PlotPoint::from).collect();
            let points = Points::new(source.names.domain(index), PlotPoints::Owned(points));
            let points = points.color(tokens.data(source.kind(index))).shape(tokens::marker(index));
            plot.points(points.radius(if order.len() > 200 { 1.8 } else { 2.8 }));
        }
    });
    response.response.accessible_name(format!("{} plot", of.title));
}
