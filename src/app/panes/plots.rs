//! What the plots of all panes share: look, axes with whole numbers, logarithmic axes (which egui_plot lacks: the
//! data is transformed, and these put the right numbers back).

use crate::app::format;
use crate::app::tokens::Tokens;
use egui::vec2;
use egui_plot::{GridInput, GridMark, Plot};

/// A plot as all curves have it: it zooms with Ctrl and the wheel, drags, and a double click shows everything.
pub fn plot<'a>(id: &'a str, height: f32, tokens: &Tokens) -> Plot<'a> {
    Plot::new(id)
        .height(height.max(80.0))
        .show_background(false)
        .grid_color(tokens.line)
        .grid_fade(0.6)
        .allow_scroll(false)
        .set_margin_fraction(vec2(0.02, 0.08))
        .x_axis_formatter(|mark, _| whole_label(mark.value))
        .include_x(0.0)
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

/// Marks of an axis whose values are logarithms: decades, with 2 and 5 between them when few decades are seen, or
/// even steps when less than one is.
pub fn log_marks(input: GridInput) -> Vec<GridMark> {
    let (low, high) = input.bounds;
    if !(low.is_finite() && high.is_finite()) || high - low > 40.0 {
        return Vec::new();
    }
    let mut marks = Vec::new();
    for decade in low.floor() as i32..=high.ceil() as i32 {
        marks.push(GridMark { value: f64::from(decade), step_size: 1.0 });
        if high - low < 4.0 {
            let between = (2..10).map(|n| f64::from(n).log10());
            marks.extend(between.map(|l| GridMark { value: f64::from(decade) + l, step_size: 0.3 }));
        }
    }
    marks
}

/// The value of a mark of a logarithmic axis.
pub fn log_label(mark: GridMark) -> String {
    format::significant(10f64.powf(mark.value))
}
