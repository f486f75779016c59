//! The strip of layers: how far the domains lie apart in each, for the screen, for print and as numbers.

use super::{Part, ShownStatistics};
use crate::app::format;
use crate::app::panes::Shared;
use crate::app::theme::tokens::{LIGHT, Tokens};
use crate::app::widgets::figure::{Axis, Body, Drawn, Figure, Lines, Series};
use crate::app::widgets::table::Table;
use crate::training::bn_distance as distance;
use crate::training::events::BnLayer;
use egui::{Key, Rect, Sense, Stroke, StrokeKind, Ui, WidgetInfo, vec2};

const STRIP_HEIGHT: f32 = 84.0;

/// One bar a layer in network order. Click or arrow keys choose; returns the chosen layer.
pub(super) fn ui(ui: &mut Ui, layers: &[BnLayer], distances: &[f64], chosen: usize) -> usize {
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
    let text = format!("{}: {} nats", layers[named].name, format::significant(distances[named]));
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

/// Whose statistics they are, for what leaves the window.
pub(super) fn caption(source: &ShownStatistics<'_>, shared: &Shared<'_>) -> String {
    match source.is_opened {
        true => format!("{}, step {}", shared.study.caption(), source.step),
        false => shared.run.caption(),
    }
}

/// The strip for print. `whose`: whose statistics they are.
pub(super) fn figure(
    source: &ShownStatistics<'_>,
    distances: &[f64],
    part: Part,
    other: usize,
    whose: &str,
) -> Figure {
    let bars = Series {
        name: String::new(),
        colour: LIGHT.data(source.kind(other)),
        drawn: Drawn::Bars,
        points: distances.iter().enumerate().map(|(layer, distance)| [layer as f64, *distance]).collect(),
        band: Vec::new(),
    };
    Figure {
        title: format!("BN distance {} to {} by layer", source.names.domain(0), source.names.domain(other)),
        subject: whose.to_owned(),
        body: Body::Lines(Lines {
            x: Axis::new("BN layer, from input to output (number)"),
            y: Axis::new(format!("Distance, {} (nats)", part.name())),
            series: vec![bars],
            marks: Vec::new(),
        }),
    }
}

/// The distances with their parts, a row a layer.
pub(super) fn table(source: &ShownStatistics<'_>, other: usize) -> Table {
    let mut table = Table::new(["layer", "distance (nats)", "of means", "of variances"]);
    for layer in source.layers {
        let Some(distance) = distance::of_layer(layer, 0, other) else { continue };
        let figures = [distance.total(), distance.of_means, distance.of_variances].map(|v| v.to_string());
        table.row(std::iter::once(layer.name.clone()).chain(figures));
    }
    table
}
