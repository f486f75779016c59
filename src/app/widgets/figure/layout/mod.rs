//! Where everything of a figure lies on its sheet: heading, legend, axes with units. Lengths are in points of
//! print, 1/72 inch, so that text has the size that it says where a page takes the figure at its own width.

mod cells;
mod lines;
mod pictures;

use super::text::{cut, width, wrap};
use super::{Body, Drawn, Figure, Lines, Picture};
use crate::app::theme::tokens::LIGHT;
use egui::Color32;
use egui_plot::{LineStyle, MarkerShape};

const POINTS_PER_MM: f64 = 72.0 / 25.4;
/// Space around everything, and between neighbours.
const PAD: f64 = 4.0;
/// A legend's sample of a line.
const SAMPLE: f64 = 18.0;
/// Of a marker, from its middle.
const MARKER: f64 = 1.7;
const LINE_WIDTH: f64 = 1.1;

/// What a figure is to fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// A slide or a page of the web: 640 pixels wide, text of 10 pt.
    Screen,
    /// One of two columns of a paper: 85 mm wide, text of 8 pt.
    Column,
    /// The whole width of a paper's page: 170 mm, text of 8 pt.
    Page,
}

impl Size {
    fn width(self) -> f64 {
        match self {
            Self::Screen => 480.0,
            Self::Column => 85.0 * POINTS_PER_MM,
            Self::Page => 170.0 * POINTS_PER_MM,
        }
    }

    fn text(self) -> f64 {
        if self == Self::Screen { 10.0 } else { 8.0 }
    }

    /// The unit of the picture's width and height, and what a point is in it.
    pub(super) fn unit(self) -> (&'static str, f64) {
        if self == Self::Screen { ("px", 96.0 / 72.0) } else { ("mm", 1.0 / POINTS_PER_MM) }
    }
}

/// Where words lie by their place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stroke {
    pub(super) colour: Color32,
    /// 0..1.
    pub(super) opacity: f64,
    pub(super) width: f64,
    /// Lengths of dashes and gaps, in turn; none for whole lines.
    pub(super) dash: &'static [f64],
    pub(super) has_round_ends: bool,
}

/// What a sheet consists of. Places are `[x, y]` from the upper left corner.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// Straight pieces from point to point; `name` is said of a line of data.
    Line {
        points: Vec<[f64; 2]>,
        stroke: Stroke,
        name: String,
    },
    /// A filled outline.
    Area {
        points: Vec<[f64; 2]>,
        colour: Color32,
        opacity: f64,
    },
    Rect {
        corner: [f64; 2],
        size: [f64; 2],
        colour: Color32,
    },
    Circle {
        centre: [f64; 2],
        radius: f64,
        colour: Color32,
    },
    /// An image in a square.
    Picture {
        corner: [f64; 2],
        side: f64,
        picture: Picture,
    },
    Words(Words),
}

/// Words at a place of their baseline.
#[derive(Clone, Debug)]
pub(super) struct Words {
    pub(super) text: String,
    pub(super) at: [f64; 2],
    pub(super) anchor: Anchor,
    pub(super) size: f64,
    pub(super) colour: Color32,
    pub(super) is_bold: bool,
    /// Read from below.
    pub(super) is_upright: bool,
}

/// A figure with the place of everything.
#[derive(Debug)]
pub(super) struct Sheet {
    /// Width and height, points.
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) shapes: Vec<Shape>,
    /// Of the text, points.
    text: f64,
}

/// Lays a figure out.
pub(super) fn lay_out(figure: &Figure, size: Size) -> Sheet {
    let mut sheet = Sheet { width: size.width(), height: PAD, shapes: Vec::new(), text: size.text() };
    sheet.heading(figure);
    match &figure.body {
        Body::Lines(lines) => {
            sheet.legend(lines);
            lines::draw(&mut sheet, lines);
        }
        Body::Cells(cells) => cells::draw(&mut sheet, cells),
        Body::Pictures(pictures) => pictures::draw(&mut sheet, pictures),
    }
    sheet.height += PAD;
    sheet
}

/// While a figure is laid out, `height` is where the next thing below goes.
impl Sheet {
    fn words(&mut self, text: &str, x: f64, y: f64, anchor: Anchor, colour: Color32) {
        self.shapes.push(Shape::Words(Words {
            text: text.to_owned(),
            at: [x, y],
            anchor,
            size: self.text,
            colour,
            is_bold: false,
            is_upright: false,
        }));
    }

    /// Words that are read from below.
    fn upright(&mut self, text: &str, x: f64, y: f64, anchor: Anchor) {
        self.words(text, x, y, anchor, LIGHT.text);
        if let Some(Shape::Words(words)) = self.shapes.last_mut() {
            words.is_upright = true;
        }
    }

    /// A line that is no data.
    fn rule(&mut self, points: impl Into<Vec<[f64; 2]>>, width: f64, colour: Color32, dash: &'static [f64]) {
        let stroke = Stroke { colour, opacity: 1.0, width, dash, has_round_ends: false };
        self.shapes.push(Shape::Line { points: points.into(), stroke, name: String::new() });
    }

    fn rect(&mut self, corner: [f64; 2], size: [f64; 2], colour: Color32) {
        self.shapes.push(Shape::Rect { corner, size, colour });
    }

    /// The title, and below it what it is of.
    fn heading(&mut self, figure: &Figure) {
        let room = (self.width - 2.0 * PAD) / self.text;
        let line = 1.25 * self.text;
        // Bold letters are some tenth wider.
        for words in wrap(&figure.title, 0.9 * room) {
            self.height += line;
            self.words(&words, PAD, self.height - 0.25 * self.text, Anchor::Start, LIGHT.text_strong);
            if let Some(Shape::Words(words)) = self.shapes.last_mut() {
                words.is_bold = true;
            }
        }
        for words in wrap(&figure.subject, room) {
            self.height += line;
            self.words(&words, PAD, self.height - 0.25 * self.text, Anchor::Start, LIGHT.text_weak);
        }
        self.height += PAD;
    }

    /// The named series, in rows.
    fn legend(&mut self, lines: &Lines) {
        let row = 1.4 * self.text;
        let mut x = PAD;
        let named: Vec<_> = lines.series.iter().filter(|series| !series.name.is_empty()).collect();
        for series in &named {
            let most = (self.width - 2.0 * PAD - SAMPLE) / self.text - 1.0;
            let name = cut(&series.name, most);
            let wide = SAMPLE + 3.0 + width(&name) * self.text;
            if x > PAD && x + wide > self.width - PAD {
                (x, self.height) = (PAD, self.height + row);
            }
            let middle = self.height + 0.5 * row;
            let centre = [x + 0.5 * SAMPLE, middle];
            match series.drawn {
                Drawn::Line { dash, marker } => {
                    let points = vec![[x, middle], [x + SAMPLE, middle]];
                    let stroke = data_stroke(series.colour, dash);
                    self.shapes.push(Shape::Line { points, stroke, name: String::new() });
                    if let Some(shape) = marker {
                        self.marker(shape, centre, series.colour);
                    }
                }
                Drawn::Points(shape) => self.marker(shape, centre, series.colour),
                Drawn::Faint | Drawn::Bars => self.rect([x + 4.0, middle - 3.0], [10.0, 6.0], series.colour),
            }
            let baseline = middle + 0.35 * self.text;
            self.words(&name, x + SAMPLE + 3.0, baseline, Anchor::Start, LIGHT.text);
            x += wide + 1.2 * self.text;
        }
        if !named.is_empty() {
            self.height += row + PAD;
        }
    }

    fn marker(&mut self, shape: MarkerShape, [x, y]: [f64; 2], colour: Color32) {
        match shape {
            MarkerShape::Circle => {
                self.shapes.push(Shape::Circle { centre: [x, y], radius: MARKER, colour });
            }
            MarkerShape::Diamond => {
                let r = 1.35 * MARKER;
                let points = vec![[x, y - r], [x + r, y], [x, y + r], [x - r, y]];
                self.shapes.push(Shape::Area { points, colour, opacity: 1.0 });
            }
            MarkerShape::Up => {
                let r = 1.3 * MARKER;
                let points = vec![[x, y - r], [x + r, y + 0.8 * r], [x - r, y + 0.8 * r]];
                self.shapes.push(Shape::Area { points, colour, opacity: 1.0 });
            }
            _ => {
                let r = 0.9 * MARKER;
                self.rect([x - r, y - r], [2.0 * r, 2.0 * r], colour);
            }
        }
    }
}

/// The stroke of a line of data with a domain's dash.
fn data_stroke(colour: Color32, style: LineStyle) -> Stroke {
    let (dash, has_round_ends): (&[f64], bool) = match style {
        LineStyle::Solid => (&[], false),
        LineStyle::Dashed { length } if length > 10.0 => (&[8.0, 2.4], false),
        LineStyle::Dashed { .. } => (&[4.0, 2.4], false),
        LineStyle::Dotted { .. } => (&[0.1, 2.4], true),
    };
    Stroke { colour, opacity: 1.0, width: LINE_WIDTH, dash, has_round_ends }
}
