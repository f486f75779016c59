//! What the plots of all panes share: look, axes with round numbers, and logarithmic axes (which egui_plot
//! lacks: the data is transformed, and these put the right numbers back).

use crate::app::format;
use crate::app::theme::tokens::Tokens;
use crate::app::widgets::figure::width;
use egui::{Rangef, RichText, vec2};
use egui_plot::{GridInput, GridMark, Plot};

/// Heights of a plot, points: at least, and from which its horizontal axis has a title.
const LOWEST: f32 = 80.0;
const LOW: f32 = 110.0;
/// Heights of the numbers below a plot and of the title below them, points.
const NUMBERS: f32 = 20.0;
const TITLE: f32 = 16.0;
/// Points of the unit that [`width`] counts letters of titles in.
const LETTER: f64 = 9.6;
/// Points between two marks that egui_plot takes as its finest step.
const FINEST: f32 = 10.0;
/// Points between two marks of an axis, at least.
const APART_X: f64 = 64.0;
const APART_Y: f64 = 30.0;
/// egui_plot draws marks and labels of small steps faintly; ours are all of one kind, so they claim a large
/// one.
const FULL_STRENGTH: f64 = 40.0;
/// Decades between which 2 and 5 are marked too.
const FEW_DECADES: f64 = 3.0;

/// A plot as all panes have it: it zooms with Ctrl and the wheel, drags, and a double click shows everything.
/// `axes`: what the horizontal and the vertical one show, with units; of them what `titles` leaves.
pub fn plot<'a>(id: &'a str, height: f32, axes: [&str; 2], tokens: &Tokens) -> Plot<'a> {
    let height = height.max(LOWEST);
    let [x, y] = titles(axes, height);
    let title = |words: &str| RichText::new(words).small().color(tokens.text_weak);
    let plot = Plot::new(id).height(height);
    let plot = if x.is_empty() { plot } else { plot.x_axis_label(title(x)) };
    let plot = if y.is_empty() { plot } else { plot.y_axis_label(title(y)) };
    plot.show_background(false)
        .grid_color(tokens.line)
        .grid_fade(0.6)
        .grid_spacing(Rangef::new(FINEST, 300.0))
        .x_grid_spacer(|input| even_marks(input, APART_X))
        .y_grid_spacer(|input| even_marks(input, APART_Y))
        .x_axis_formatter(|mark, _| whole_label(mark.value))
        .y_axis_formatter(|mark, _| short(mark.value))
        .allow_scroll(false)
        .show_y(false)
        .set_margin_fraction(vec2(0.02, 0.08))
        .include_x(0.0)
}

/// The titles that a plot of this height has room for. The vertical one stands on its side: where it is
/// longer than its axis it would run over what is above the plot, and its unit alone is left of it. A plot
/// that is lower than [`LOW`] has none below it.
fn titles([x, y]: [&str; 2], height: f32) -> [&str; 2] {
    let is_low = height < LOW;
    let room = f64::from(height - if is_low { NUMBERS } else { NUMBERS + TITLE });
    let unit = y.rsplit_once('(').map_or("", |(_, unit)| unit.trim_end_matches(')'));
    let fits = |words: &&str| width(words) * LETTER <= room;
    [if is_low { "" } else { x }, [y, unit].into_iter().find(fits).unwrap_or_default()]
}

/// The same with an axis whose values are decimal logarithms.
pub fn log_y(plot: Plot<'_>) -> Plot<'_> {
    plot.y_grid_spacer(log_marks).y_axis_formatter(|mark, _| format::plain(10f64.powf(mark.value)))
}

/// The same with a vertical axis of percent, from 0 to what is drawn, at least 1 and without marks above 100.
pub fn percent_y(plot: Plot<'_>) -> Plot<'_> {
    plot.include_y(0.0)
        .include_y(1.0)
        .y_grid_spacer(percent_marks)
        .y_axis_formatter(|mark, _| format!("{}%", short(mark.value)))
}

/// Marks of an axis from `low` to `high` over `length` points, at least `apart` from each other, and their
/// numbers. Where `is_log` the values are decimal logarithms, the numbers what they are of.
pub fn marks((low, high): (f64, f64), length: f64, apart: f64, is_log: bool) -> Vec<(f64, String)> {
    let base_step_size = (high - low) / length * f64::from(FINEST);
    let input = GridInput { bounds: (low, high), base_step_size };
    let marks = if is_log { log_marks(input) } else { even_marks(input, apart) };
    let words = |value: f64| if is_log { format::plain(10f64.powf(value)) } else { short(value) };
    marks.into_iter().map(|mark| (mark.value, words(mark.value))).collect()
}

fn percent_marks(input: GridInput) -> Vec<GridMark> {
    let mut marks = even_marks(input, APART_Y);
    marks.retain(|mark| (0.0..=100.0).contains(&mark.value));
    marks
}

fn short(value: f64) -> String {
    // Rounding of sums of steps: 0.30000000000000004 is meant as 0.3.
    let rounded = (value * 1e9).round() / 1e9;
    if (1e-3..1e5).contains(&rounded.abs()) || rounded == 0.0 {
        rounded.to_string()
    } else {
        format::significant(value)
    }
}

fn whole_label(value: f64) -> String {
    if value < 0.0 || value.fract() != 0.0 {
        String::new()
    } else if value >= 10_000.0 {
        format!("{}k", value / 1000.0)
    } else {
        format!("{value}")
    }
}

/// Marks at multiples of 1, 2 or 5 times a power of ten, at least `apart` points from each other.
fn even_marks(input: GridInput, apart: f64) -> Vec<GridMark> {
    let (low, high) = input.bounds;
    let finest = input.base_step_size * apart / f64::from(FINEST);
    if !(low.is_finite() && high.is_finite() && finest > 0.0) || (high - low) / finest > 1000.0 {
        return Vec::new();
    }
    let power = 10f64.powf(finest.log10().floor());
    let step = [1.0, 2.0, 5.0].into_iter().map(|n| n * power).find(|step| *step >= finest);
    let step = step.unwrap_or(10.0 * power);
    let first = (low / step).ceil() as i64;
    let last = (high / step).floor() as i64;
    let mark = |n: i64| GridMark { value: n as f64 * step, step_size: step * FULL_STRENGTH };
    (first..=last).map(mark).collect()
}

/// Marks of a logarithmic axis: decades, with 2 and 5 between them when few are seen, and even steps of the
/// value itself where fewer than three of those are in sight.
fn log_marks(input: GridInput) -> Vec<GridMark> {
    let (low, high) = input.bounds;
    if !(low.is_finite() && high.is_finite()) || high - low > 60.0 {
        return Vec::new();
    }
    let digits: &[f64] = if high - low < FEW_DECADES { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let decades = low.floor() as i32..=high.ceil() as i32;
    let values = decades.flat_map(|decade| digits.iter().map(move |digit| f64::from(decade) + digit.log10()));
    let seen: Vec<f64> = values.filter(|value| (low..=high).contains(value)).collect();
    if seen.len() < 3 {
        let (from, to) = (10f64.powf(low), 10f64.powf(high));
        let spread = GridInput {
            bounds: (from, to),
            base_step_size: input.base_step_size * (to - from) / (high - low),
        };
        let mut marks = even_marks(spread, APART_Y);
        marks.iter_mut().for_each(|mark| mark.value = mark.value.log10());
        return marks;
    }
    seen.into_iter().map(|value| GridMark { value, step_size: FULL_STRENGTH }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(marks: Vec<GridMark>) -> Vec<f64> {
        marks.into_iter().map(|mark| (mark.value * 1e6).round() / 1e6).collect()
    }

    #[test]
    fn titles_are_no_longer_than_their_axes() {
        let axes = ["Optimizer steps", "Top-1 accuracy (%)"];
        assert_eq!(titles(axes, 300.0), axes);
        assert_eq!(titles(axes, 120.0), ["Optimizer steps", "%"]);
        assert_eq!(titles(axes, 109.0), ["", "%"]);
        assert_eq!(titles(["Channel", "Running mean (units of the input)"], LOWEST), ["", ""]);
    }

    #[test]
    fn marks_are_round_and_inside() {
        // 400 steps on 400 points: 64 points apart asks for steps of 100.
        let input = GridInput { bounds: (-8.0, 408.0), base_step_size: 10.0 };
        assert_eq!(values(even_marks(input, APART_X)), [0.0, 100.0, 200.0, 300.0, 400.0]);
        let input = GridInput { bounds: (-0.5, 1.6), base_step_size: 0.02 };
        let decimal = |mark: f64| (10f64.powf(mark) * 100.0).round() / 100.0;
        let marks: Vec<f64> = log_marks(input).into_iter().map(|mark| decimal(mark.value)).collect();
        assert_eq!(marks, [0.5, 1.0, 2.0, 5.0, 10.0, 20.0]);
        let input = GridInput { bounds: (-6.0, 118.0), base_step_size: 5.0 };
        assert_eq!(values(percent_marks(input)), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        let input = GridInput { bounds: (0.35, 0.45), base_step_size: 0.005 };
        assert!(values(log_marks(input)).len() >= 2, "an axis without numbers says nothing");
    }
}
