//! BN domains: how far the domains' running statistics lie apart, layer by layer, and the channels of one layer.

use super::plots::{log_y, plot};
use super::{Shared, once_there};
use crate::app::chrome;
use crate::app::format;
use crate::app::model::RunView;
use crate::app::tokens::{self, Tokens};
use crate::training::bn_distance as distance;
use crate::training::events::{BnDomain, BnLayer, Snapshot};
use egui::{ComboBox, Key, Rect, RichText, ScrollArea, Sense, Stroke, StrokeKind, Ui, WidgetInfo, vec2};
use egui_plot::{HoverPosition, PlotBounds, PlotPoint, PlotPoints, Points};
use std::ops::RangeInclusive;

const STRIP_HEIGHT: f32 = 84.0;
const CAPTION_HEIGHT: f32 = 24.0;
/// Below this the pane scrolls.
const LEAST_PLOT_HEIGHT: f32 = 110.0;
/// Ends of the fixed scales: running means, and decimal logarithms of running variances.
const FIXED_MEAN: (f64, f64) = (-3.0, 3.0);
const FIXED_LOG_VAR: (f64, f64) = (-4.0, 2.0);

/// What the channel plots' axes span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum ChannelScale {
    #[default]
    Layer,
    Network,
    Fixed,
}

/// How the domains are drawn.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct DomainsView {
    /// Name of the chosen layer; the one furthest apart when it is unknown.
    pub layer: String,
    pub scale: ChannelScale,
    /// Channels by falling distance instead of by index.
    pub sorted: bool,
    /// Distance of `main` to this domain; 0 stands for the first auxiliary one.
    pub other: usize,
    #[serde(skip)]
    strip: Strip,
}

/// Distances of all layers, made again for each snapshot.
#[derive(Debug, Default)]
struct Strip {
    made_for: Option<(u64, usize)>,
    distances: Vec<f64>,
}

pub fn ui(ui: &mut Ui, shared: &mut Shared<'_>, view: &mut DomainsView) {
    let run = shared.run;
    let Some(snapshot) = run.snapshot.clone().filter(|snapshot| !snapshot.bn_layers.is_empty()) else {
        let text = format!(
            "The distance between the domains' batch-norm statistics, layer by layer. {}",
            once_there(run)
        );
        chrome::empty_ui(ui, "No statistics yet", &text, run, &[], shared.queue);
        return;
    };
    let domains = snapshot.bn_layers.iter().map(|layer| layer.domains.len()).max().unwrap_or(0);
    if domains < 2 {
        let text = format!(
            "Method “{}” trains one BN domain, so there is nothing to compare. AdvProp and MixProp have two.",
            run.method
        );
        chrome::empty_ui(ui, "One domain only", &text, run, &[], shared.queue);
        return;
    }
    let other = if (1..domains).contains(&view.other) { view.other } else { 1 };
    let wanted = Some((run.snapshot_generation, other));
    if view.strip.made_for != wanted {
        let layers = snapshot.bn_layers.iter();
        view.strip.distances = layers.map(|l| distance::of_layer(l, 0, other).unwrap_or(0.0)).collect();
        view.strip.made_for = wanted;
    }
    let bottom = ui.max_rect().bottom();
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        let chosen = chosen_layer(&snapshot, view);
        let chosen = header_ui(ui, run, &snapshot, view, chosen, other, domains);
        let chosen = strip_ui(ui, &snapshot, &view.strip.distances, chosen);
        view.layer.clone_from(&snapshot.bn_layers[chosen].name);
        let height = bottom - ui.cursor().top() - CAPTION_HEIGHT;
        channels_ui(ui, run, &snapshot, view, chosen, other, height.max(LEAST_PLOT_HEIGHT));
    });
}

fn chosen_layer(snapshot: &Snapshot, view: &DomainsView) -> usize {
    let named = snapshot.bn_layers.iter().position(|layer| layer.name == view.layer);
    let furthest = || {
        let distances = view.strip.distances.iter().enumerate();
        distances.max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(index, _)| index)
    };
    named.unwrap_or_else(furthest).min(snapshot.bn_layers.len() - 1)
}

/// The controls above the strip; returns the layer that the picker chose.
fn header_ui(
    ui: &mut Ui,
    run: &RunView,
    snapshot: &Snapshot,
    view: &mut DomainsView,
    chosen: usize,
    other: usize,
    domains: usize,
) -> usize {
    let mut chosen = chosen;
    ui.horizontal_wrapped(|ui| {
        let name = |domain: usize| run.domains.get(domain).map_or("?", String::as_str);
        let title = format!("Distance {} to {}", name(0), name(other));
        let title = RichText::new(title).strong().color(Tokens::of(ui).text_strong);
        ui.label(title).on_hover_text(
            "Symmetric Kullback–Leibler divergence, ½(KL(a‖b) + KL(b‖a)), between the Gaussians that a \
             channel's running mean and variance describe in the two domains, averaged over the layer's \
             channels. In nats; 0 where the domains coincide.",
        );
        ui.label(RichText::new(format!("step {}", snapshot.step)).color(Tokens::of(ui).text_weak));
        if domains > 2 {
            let combo = ComboBox::from_id_salt("other").selected_text(name(other)).width(70.0);
            let response = combo.show_ui(ui, |ui| {
                for domain in 1..domains {
                    ui.selectable_value(&mut view.other, domain, name(domain));
                }
            });
            response.response.accessible_name("Domain to compare with main");
        }
        ui.add_space(tokens::GAP);
        ui.label("Layer");
        let layers = &snapshot.bn_layers;
        let combo = ComboBox::from_id_salt("layer").selected_text(&layers[chosen].name).width(170.0);
        let response = combo.show_ui(ui, |ui| {
            for (index, layer) in layers.iter().enumerate() {
                ui.selectable_value(&mut chosen, index, &layer.name);
            }
        });
        response.response.accessible_name("Layer").on_hover_text("BN layer whose channels are shown below");
        ui.label("Scale");
        let combo = ComboBox::from_id_salt("scale").width(80.0).selected_text(scale_name(view.scale));
        let response = combo.show_ui(ui, |ui| {
            for scale in [ChannelScale::Layer, ChannelScale::Network, ChannelScale::Fixed] {
                ui.selectable_value(&mut view.scale, scale, scale_name(scale));
            }
        });
        response
            .response
            .accessible_name("Channel scale")
            .on_hover_text("What the axes of the channel plots span: this layer, all layers, or fixed ends");
        ui.checkbox(&mut view.sorted, "By distance")
            .on_hover_text("Order the channels by falling distance instead of by their index");
    });
    chosen
}

fn scale_name(scale: ChannelScale) -> &'static str {
    match scale {
        ChannelScale::Layer => "layer",
        ChannelScale::Network => "network",
        ChannelScale::Fixed => "fixed",
    }
}

/// One bar a layer in network order. Click or arrow keys choose; returns the chosen layer.
fn strip_ui(ui: &mut Ui, snapshot: &Snapshot, distances: &[f64], chosen: usize) -> usize {
    let tokens = Tokens::of(ui);
    let count = distances.len();
    let size = vec2(ui.available_width(), STRIP_HEIGHT);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    let largest = distances.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let slot = rect.width() / count as f32;
    let bar = |index: usize| {
        let height = (distances[index] / largest) as f32 * (rect.height() - 18.0);
        let left = rect.left() + slot * index as f32;
        let gap = (slot * 0.15).min(2.0);
        let top = rect.bottom() - height.max(1.5);
        Rect::from_x_y_ranges(left + gap..=left + slot - gap, top..=rect.bottom())
    };
    let hovered = response.hover_pos().map(|at| (((at.x - rect.left()) / slot) as usize).min(count - 1));
    let painter = ui.painter();
    painter.rect_filled(rect, 4.0, tokens.sunken);
    for index in 0..count {
        let fill = if index == chosen {
            tokens.accent
        } else if hovered == Some(index) {
            tokens.text
        } else {
            tokens.text_weak.gamma_multiply(0.7)
        };
        painter.rect_filled(bar(index), 1.5, fill);
    }
    let named = hovered.unwrap_or(chosen);
    let text = format!("{}: {} nats", snapshot.bn_layers[named].name, format::significant(distances[named]));
    let at = rect.left_top() + vec2(6.0, 3.0);
    let font = egui::TextStyle::Small.resolve(ui.style());
    painter.text(at, egui::Align2::LEFT_TOP, &text, font.clone(), tokens.text_strong);
    let top = format!("highest {} nats", format::significant(largest));
    let at = rect.right_top() + vec2(-6.0, 3.0);
    painter.text(at, egui::Align2::RIGHT_TOP, top, font, tokens.text_weak);
    if response.has_focus() {
        painter.rect_stroke(rect, 4.0, Stroke::new(1.0, tokens.accent), StrokeKind::Inside);
    }
    response
        .widget_info(|| WidgetInfo::slider(ui.is_enabled(), chosen as f64, format!("Layer strip, {text}")));
    let mut chosen = match hovered.filter(|_| response.clicked()) {
        Some(index) => {
            response.request_focus();
            index
        }
        None => chosen,
    };
    if response.has_focus() {
        ui.memory_mut(|memory| {
            let arrows = egui::EventFilter { horizontal_arrows: true, ..egui::EventFilter::default() };
            memory.set_focus_lock_filter(response.id, arrows);
        });
        let (left, right) = ui.input(|i| (i.key_pressed(Key::ArrowLeft), i.key_pressed(Key::ArrowRight)));
        chosen = if left { chosen.saturating_sub(1) } else { chosen };
        chosen = if right { (chosen + 1).min(count - 1) } else { chosen };
    }
    response.on_hover_text_at_pointer(format!("{text}\nLayers from input to output; click for its channels"));
    chosen
}

fn channels_ui(
    ui: &mut Ui,
    run: &RunView,
    snapshot: &Snapshot,
    view: &DomainsView,
    chosen: usize,
    other: usize,
    height: f32,
) {
    let layer = &snapshot.bn_layers[chosen];
    let order = order(layer, other, view.sorted);
    ui.columns_const(|[left, right]| {
        let mean = |d: &BnDomain, channel: usize| d.running_mean.get(channel).map(|v| f64::from(*v));
        let text = (
            "Running mean",
            "Running mean of each channel in each domain, in the units of the convolution's output.",
        );
        let range = span(snapshot, layer, view.scale, &mean, FIXED_MEAN);
        channel_plot(left, run, layer, &order, text, &mean, range, false, height);
        let log_var = |d: &BnDomain, channel: usize| {
            let var = d.running_var.get(channel).map(|v| f64::from(*v).log10());
            var.filter(|v| v.is_finite())
        };
        let text = (
            "Running variance (log)",
            "Running variance of each channel in each domain (the unbiased one), on a logarithmic axis.",
        );
        let range = span(snapshot, layer, view.scale, &log_var, FIXED_LOG_VAR);
        channel_plot(right, run, layer, &order, text, &log_var, range, true, height);
    });
}

fn order(layer: &BnLayer, other: usize, sorted: bool) -> Vec<usize> {
    let distances = distance::of_channels(layer, 0, other);
    let mut order: Vec<usize> = (0..distances.len()).collect();
    if sorted {
        order.sort_by(|&a, &b| distances[b].total_cmp(&distances[a]));
    }
    order
}

type Value<'a> = dyn Fn(&BnDomain, usize) -> Option<f64> + 'a;

/// What the axis spans, with a margin.
fn span(
    snapshot: &Snapshot,
    layer: &BnLayer,
    scale: ChannelScale,
    value: &Value<'_>,
    fixed: (f64, f64),
) -> RangeInclusive<f64> {
    let layers = match scale {
        ChannelScale::Fixed => return fixed.0..=fixed.1,
        ChannelScale::Layer => std::slice::from_ref(layer),
        ChannelScale::Network => &snapshot.bn_layers,
    };
    let domains = layers.iter().flat_map(|layer| &layer.domains);
    let values = domains.flat_map(|d| (0..d.running_mean.len()).filter_map(|channel| value(d, channel)));
    let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
    if low > high {
        return fixed.0..=fixed.1;
    }
    let margin = ((high - low) * 0.08).max(1e-3);
    low - margin..=high + margin
}

fn channel_plot(
    ui: &mut Ui,
    run: &RunView,
    layer: &BnLayer,
    order: &[usize],
    (title, help): (&str, &str),
    value: &Value<'_>,
    range: RangeInclusive<f64>,
    log: bool,
    height: f32,
) {
    let tokens = Tokens::of(ui);
    ui.horizontal(|ui| {
        ui.label(RichText::new(title).small().color(tokens.text)).on_hover_text(help);
        for (index, name) in run.domains.iter().enumerate().take(layer.domains.len()) {
            let colour = tokens.data(run.domain_data(index));
            let mark = ["●", "◆", "■"][index.min(2)];
            ui.label(RichText::new(format!("{mark} {name}")).small().color(colour));
        }
    });
    let shown = order.to_vec();
    let hover = move |hover: &HoverPosition<'_>| {
        let HoverPosition::NearDataPoint { plot_name, position, .. } = hover else { return None };
        let channel = shown.get(position.x.round() as usize)?;
        let value = if log { 10f64.powf(position.y) } else { position.y };
        Some(format!("{plot_name}, channel {channel}\n{}", format::significant(value)))
    };
    let mut plot = plot(title, height, tokens).allow_zoom(false).allow_drag(false).label_formatter(hover);
    if log {
        plot = log_y(plot);
    }
    let last = order.len().saturating_sub(1) as f64;
    let response = plot.show(ui, |plot| {
        let margin = (last * 0.02).max(0.5);
        plot.set_plot_bounds(PlotBounds::from_min_max(
            [-margin, *range.start()],
            [last + margin, *range.end()],
        ));
        for (index, domain) in layer.domains.iter().enumerate() {
            let points = order
                .iter()
                .enumerate()
                .filter_map(|(x, &channel)| Some(PlotPoint::new(x as f64, value(domain, channel)?)));
            let name = run.domains.get(index).map_or("?", String::as_str);
            let points = Points::new(name, PlotPoints::Owned(points.collect()));
            let points = points.color(tokens.data(run.domain_data(index))).shape(tokens::marker(index));
            plot.points(points.radius(if order.len() > 200 { 1.8 } else { 2.8 }));
        }
    });
    response.response.accessible_name(format!("{title} plot"));
}
