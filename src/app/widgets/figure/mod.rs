//! Plots as data, to be drawn anew for print: what a pane shows, without what of it is only for a screen. A
//! pane makes a [`Figure`], which is laid out once for [`svg`] and [`png`].

mod layout;
pub mod png;
pub mod svg;
mod text;

pub use layout::Size;
pub(super) use text::width;

use crate::app::model::kinds::DataKind;
use crate::app::theme::tokens::{self, LIGHT};
use egui::Color32;
use egui_plot::{LineStyle, MarkerShape, PlotPoint};
use std::sync::Arc;

/// A plot of a run or a model.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What is drawn: `Training loss`.
    pub title: String,
    /// Of which run or model, at which step, of which images.
    pub subject: String,
    pub body: Body,
}

/// What a figure consists of.
#[derive(Clone, Debug)]
pub enum Body {
    Lines(Lines),
    Cells(Cells),
    Pictures(Pictures),
}

/// Values over a quantity.
#[derive(Clone, Debug)]
pub struct Lines {
    pub x: Axis,
    pub y: Axis,
    pub series: Vec<Series>,
    /// Places of the horizontal axis that are marked by a line with words.
    pub marks: Vec<(f64, String)>,
}

/// An axis.
#[derive(Clone, Debug)]
pub struct Axis {
    /// The quantity with its unit: `Training loss (nats)`.
    pub title: String,
    /// The values are decimal logarithms of what its numbers say.
    pub is_log: bool,
    /// What the axis spans at least.
    pub least: Vec<f64>,
}

/// One line, or one set of points or bars.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its words in the legend; without any it is not in it.
    pub name: String,
    pub colour: Color32,
    pub drawn: Drawn,
    /// `[x, y]`, in rising order of x.
    pub points: Vec<[f64; 2]>,
    /// `[x, lowest, highest]` of what a line is the mean of.
    pub band: Vec<[f64; 3]>,
}

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Drawn {
    Line {
        dash: LineStyle,
        marker: Option<MarkerShape>,
    },
    /// A line that stands behind others.
    Faint,
    Points(MarkerShape),
    Bars,
}

/// A grid of shares, as colours and words.
#[derive(Clone, Debug)]
pub struct Cells {
    pub x_title: String,
    pub y_title: String,
    pub columns: Vec<String>,
    pub rows: Vec<String>,
    /// Row by row: the place on the scale, 0..1 or NaN where nothing is known, and the words in the cell.
    pub cells: Vec<(f32, String)>,
    /// Cells are as wide as high.
    pub is_square: bool,
    /// What the colours mean with its unit, and the ends of their scale.
    pub scale: [String; 3],
}

/// Rows of pictures.
#[derive(Clone, Debug)]
pub struct Pictures {
    /// What stands above each column.
    pub heads: Vec<String>,
    pub rows: Vec<PictureRow>,
    /// What the colours of maps mean, and the ends of their scale.
    pub scale: Option<[String; 3]>,
}

/// Pictures side by side.
#[derive(Clone, Debug)]
pub struct PictureRow {
    /// What they show.
    pub title: String,
    pub pictures: Vec<Picture>,
    /// Lines behind them with their colours.
    pub words: Vec<(String, Color32)>,
}

/// An image of a figure.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Its side, pixels.
    pub size: usize,
    /// `[size, size, 3]`
    pub rgb: Arc<[u8]>,
    /// Lines below it with their colours.
    pub lines: Vec<(String, Color32)>,
}

impl Picture {
    /// The picture of `rgb`, `[size, size, 3]`.
    pub fn new(size: usize, rgb: &[u8]) -> Self {
        Self { size, rgb: rgb.into(), lines: Vec::new() }
    }

    /// The picture with `lines` below it.
    pub fn with(self, lines: Vec<(String, Color32)>) -> Self {
        Self { lines, ..self }
    }
}

impl Axis {
    /// An even axis that spans what is drawn.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), is_log: false, least: Vec::new() }
    }

    /// The axis, its values being logarithms where `is_log`.
    pub fn log(self, is_log: bool) -> Self {
        Self { is_log, ..self }
    }

    /// The axis, spanning `values` too.
    pub fn spanning(self, values: impl IntoIterator<Item = f64>) -> Self {
        Self { least: values.into_iter().collect(), ..self }
    }
}

impl Series {
    /// A line of a BN domain, dashed like all of that domain.
    pub fn of_domain(name: impl Into<String>, kind: DataKind, domain: usize, points: Vec<[f64; 2]>) -> Self {
        let drawn = Drawn::Line { dash: tokens::dash(domain), marker: None };
        Self { name: name.into(), colour: LIGHT.data(kind), drawn, points, band: Vec::new() }
    }

    /// The series with the marker of `domain` at each point.
    pub fn marked(mut self, domain: usize) -> Self {
        if let Drawn::Line { marker, .. } = &mut self.drawn {
            *marker = Some(tokens::marker(domain));
        }
        self
    }

    /// A thin pale line without words.
    pub fn faint(kind: DataKind, points: Vec<[f64; 2]>) -> Self {
        Self { name: String::new(), colour: LIGHT.data(kind), drawn: Drawn::Faint, points, band: Vec::new() }
    }
}

/// Points of a plot as those of a figure.
pub fn points(points: &[PlotPoint]) -> Vec<[f64; 2]> {
    points.iter().map(|point| [point.x, point.y]).collect()
}
