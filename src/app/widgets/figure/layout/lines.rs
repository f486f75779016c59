//! The body of a figure of lines, points or bars over an axis.

use super::{Anchor, LINE_WIDTH, PAD, Shape, Sheet, Stroke, data_stroke};
use crate::app::theme::tokens::LIGHT;
use crate::app::widgets::figure::text::width;
use crate::app::widgets::figure::{Axis, Drawn, Lines, Series};
use crate::app::widgets::plots;
use egui_plot::MarkerShape;

/// Height of the plot as a share of the figure's width.
const HEIGHT: f64 = 0.52;
/// Above and below what is drawn, as a share of its span.
const MARGIN: f64 = 0.04;
/// Letters between two marks of an axis.
const APART_X: f64 = 5.5;
const APART_Y: f64 = 2.6;
const FAINT_OPACITY: f64 = 0.4;
const BAND_OPACITY: f64 = 0.18;
/// Width of a bar, of that of its place.
const BAR: f64 = 0.8;

/// Where the values of an axis lie on the sheet.
struct Place {
    low: f64,
    high: f64,
    /// Of `low` and `high`, points.
    from: f64,
    to: f64,
}

impl Place {
    fn at(&self, value: f64) -> f64 {
        self.from + (value - self.low) / (self.high - self.low) * (self.to - self.from)
    }
}

/// What an axis spans: the finite `values` with a margin, but none beyond an end that the axis asks for.
fn span(axis: &Axis, values: impl Iterator<Item = f64>) -> (f64, f64) {
    let all = values.filter(|value| value.is_finite()).chain(axis.least.iter().copied());
    let (low, high) = all.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
    if low > high {
        return (0.0, 1.0);
    }
    let margin = MARGIN * if high > low { high - low } else { low.abs().max(1.0) };
    let is_asked = |end: f64| axis.least.contains(&end) && high > low;
    (if is_asked(low) { low } else { low - margin }, if is_asked(high) { high } else { high + margin })
}

/// Draws axes, bands, series and marks below what is on the sheet.
pub(super) fn draw(sheet: &mut Sheet, lines: &Lines) {
    let points = || lines.series.iter().flat_map(|series| &series.points);
    let bands = || lines.series.iter().flat_map(|series| &series.band);
    let has_bars = lines.series.iter().any(|series| series.drawn == Drawn::Bars);
    let xs = points().map(|[x, _]| *x).chain(bands().map(|[x, ..]| *x));
    let (x_low, x_high) = span(&lines.x, xs.chain(lines.marks.iter().map(|(at, _)| *at)));
    let ys = points().map(|[_, y]| *y).chain(bands().flat_map(|[_, low, high]| [*low, *high]));
    let (y_low, y_high) = span(&lines.y, ys.chain(has_bars.then_some(0.0)));
    let y_low = if has_bars { 0.0 } else { y_low };
    let size = sheet.text;
    let height = HEIGHT * sheet.width;
    let y_marks = plots::marks((y_low, y_high), height, APART_Y * size, lines.y.is_log);
    let widest = y_marks.iter().map(|(_, words)| width(words)).fold(0.0, f64::max) * size;
    let (left, right) = (2.0 * PAD + 1.3 * size + widest, sheet.width - 2.0 * PAD);
    let x_marks = plots::marks((x_low, x_high), right - left, APART_X * size, lines.x.is_log);
    let (top, bottom) = (sheet.height, sheet.height + height);
    let x = Place { low: x_low, high: x_high, from: left, to: right };
    let y = Place { low: y_low, high: y_high, from: bottom, to: top };
    for (value, words) in &y_marks {
        let at = y.at(*value);
        sheet.rule([[left, at], [right, at]], 0.5, LIGHT.line, &[]);
        sheet.words(words, left - 3.0, at + 0.35 * size, Anchor::End, LIGHT.text);
    }
    for (value, words) in &x_marks {
        let at = x.at(*value);
        sheet.rule([[at, bottom], [at, bottom + 2.5]], 0.6, LIGHT.text, &[]);
        sheet.words(words, at, bottom + 3.0 + size, Anchor::Middle, LIGHT.text);
    }
    for (at, words) in &lines.marks {
        mark(sheet, x.at(*at), (top, bottom), right, words);
    }
    for series in &lines.series {
        band(sheet, series, &x, &y);
    }
    for series in &lines.series {
        one(sheet, series, &x, &y);
    }
    sheet.rule([[left, top], [left, bottom], [right, bottom]], 0.8, LIGHT.text, &[]);
    let below = bottom + 3.0 + 2.5 * size;
    sheet.words(&lines.x.title, 0.5 * (left + right), below, Anchor::Middle, LIGHT.text);
    sheet.upright(&lines.y.title, PAD + size, 0.5 * (top + bottom), Anchor::Middle);
    sheet.height = below + 0.3 * size;
}

/// A dashed line down the plot, with its words on the side where there is room.
fn mark(sheet: &mut Sheet, at: f64, (top, bottom): (f64, f64), right: f64, words: &str) {
    sheet.rule([[at, top], [at, bottom]], 0.8, LIGHT.text_weak, &[2.0, 2.0]);
    let fits = at + 3.0 + width(words) * sheet.text < right;
    let (x, anchor) = if fits { (at + 3.0, Anchor::Start) } else { (at - 3.0, Anchor::End) };
    sheet.words(words, x, top + sheet.text, anchor, LIGHT.text_weak);
}

fn band(sheet: &mut Sheet, series: &Series, x: &Place, y: &Place) {
    if series.band.is_empty() {
        return;
    }
    let above = series.band.iter().map(|[at, _, high]| [*at, *high]);
    let below = series.band.iter().rev().map(|[at, low, _]| [*at, *low]);
    let points = placed(above.chain(below), x, y);
    sheet.shapes.push(Shape::Area { points, colour: series.colour, opacity: BAND_OPACITY });
}

/// The finite points where they lie on the sheet.
fn placed(points: impl Iterator<Item = [f64; 2]>, x: &Place, y: &Place) -> Vec<[f64; 2]> {
    let finite = points.filter(|point| point.iter().all(|value| value.is_finite()));
    finite.map(|[a, b]| [x.at(a), y.at(b)]).collect()
}

fn one(sheet: &mut Sheet, series: &Series, x: &Place, y: &Place) {
    let points = placed(series.points.iter().copied(), x, y);
    let colour = series.colour;
    let marked = match series.drawn {
        // A line of one point would not be seen.
        Drawn::Line { marker, .. } => marker.or((points.len() == 1).then_some(MarkerShape::Circle)),
        Drawn::Points(shape) => Some(shape),
        Drawn::Faint | Drawn::Bars => None,
    };
    let stroke = match series.drawn {
        Drawn::Line { dash, .. } => Some(data_stroke(colour, dash)),
        Drawn::Faint => {
            let width = 0.5 * LINE_WIDTH;
            Some(Stroke { colour, opacity: FAINT_OPACITY, width, dash: &[], has_round_ends: false })
        }
        Drawn::Points(_) | Drawn::Bars => None,
    };
    if let Some(stroke) = stroke {
        let (points, name) = (points.clone(), series.name.clone());
        sheet.shapes.push(Shape::Line { points, stroke, name });
    }
    if series.drawn == Drawn::Bars {
        let wide = (x.to - x.from) / (x.high - x.low) * BAR;
        for [a, b] in &points {
            sheet.rect([a - 0.5 * wide, *b], [wide, (y.from - b).max(0.0)], colour);
        }
    }
    for (shape, at) in marked.into_iter().flat_map(|shape| points.iter().map(move |at| (shape, *at))) {
        sheet.marker(shape, at, colour);
    }
}
