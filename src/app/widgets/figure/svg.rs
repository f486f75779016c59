//! A figure as SVG text.

use super::Figure;
use super::layout::{Anchor, Shape, Size, Stroke, Words, lay_out};
use crate::app::widgets::export::png;
use crate::app::widgets::pictures::has_hard_pixels;
use crate::report::escape;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use egui::Color32;
use std::fmt::Write as _;

/// The figure as a file's text, on white or on nothing.
pub fn write(figure: &Figure, size: Size, is_transparent: bool) -> String {
    let sheet = lay_out(figure, size);
    let (unit, scale) = size.unit();
    let (width, height) = (n(sheet.width), n(sheet.height));
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}{unit}\" height=\"{}{unit}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"Helvetica, Arial, sans-serif\">\n<title>{}</title>\n\
         <desc>{}. Made by DualProp {}.</desc>\n",
        n(sheet.width * scale),
        n(sheet.height * scale),
        escape(&figure.title),
        escape(&figure.subject),
        env!("CARGO_PKG_VERSION"),
    );
    if !is_transparent {
        let white = hex(Color32::WHITE);
        let _ = writeln!(text, "<rect width=\"{width}\" height=\"{height}\" fill=\"{white}\"/>");
    }
    for shape in &sheet.shapes {
        // Writing to a string cannot fail.
        let _ = element(&mut text, shape);
    }
    text + "</svg>\n"
}

/// A length with as many digits as print shows.
fn n(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn hex(colour: Color32) -> String {
    let [r, g, b, _] = colour.to_array();
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// Points as SVG has them: `12.5,3 14,7`.
fn list(points: &[[f64; 2]]) -> String {
    let words: Vec<String> = points.iter().map(|[x, y]| format!("{},{}", n(*x), n(*y))).collect();
    words.join(" ")
}

fn element(text: &mut String, shape: &Shape) -> std::fmt::Result {
    match shape {
        Shape::Line { points, stroke, name } if name.is_empty() => {
            let points: Vec<String> = points.iter().map(|[x, y]| format!("{} {}", n(*x), n(*y))).collect();
            writeln!(text, "<path d=\"M{}\" {}/>", points.join("L"), attributes(stroke))
        }
        Shape::Line { points, stroke, name } => {
            let (points, name) = (list(points), escape(name));
            writeln!(
                text,
                "<polyline points=\"{points}\" {}><title>{name}</title></polyline>",
                attributes(stroke)
            )
        }
        Shape::Area { points, colour, opacity } => {
            let (points, colour) = (list(points), hex(*colour));
            writeln!(text, "<polygon points=\"{points}\" fill=\"{colour}\" fill-opacity=\"{opacity}\"/>")
        }
        Shape::Rect { corner: [x, y], size: [width, height], colour } => writeln!(
            text,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\"/>",
            n(*x),
            n(*y),
            n(*width),
            n(*height),
            hex(*colour)
        ),
        Shape::Circle { centre: [x, y], radius, colour } => writeln!(
            text,
            "<circle cx=\"{}\" cy=\"{}\" r=\"{}\" fill=\"{}\"/>",
            n(*x),
            n(*y),
            n(*radius),
            hex(*colour)
        ),
        Shape::Picture { corner: [x, y], side, picture } => {
            let (size, rgb) = (picture.size, &picture.rgb);
            // A picture that cannot be written is left out; only one without pixels is such.
            let Ok(file) = png(rgb, size, size) else { return Ok(()) };
            let rendering = if has_hard_pixels(size) { " image-rendering=\"pixelated\"" } else { "" };
            let (x, y, side) = (n(*x), n(*y), n(*side));
            writeln!(
                text,
                "<image x=\"{x}\" y=\"{y}\" width=\"{side}\" height=\"{side}\"{rendering} \
                 href=\"data:image/png;base64,{}\"/>",
                BASE64_STANDARD.encode(file)
            )
        }
        Shape::Words(words) => write_words(text, words),
    }
}

fn attributes(stroke: &Stroke) -> String {
    let Stroke { colour, opacity, width, dash, has_round_ends } = stroke;
    let mut text = format!(
        "fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" stroke-linejoin=\"round\"",
        hex(*colour),
        n(*width)
    );
    if *opacity < 1.0 {
        let _ = write!(text, " stroke-opacity=\"{}\"", n(*opacity));
    }
    if !dash.is_empty() {
        let dash: Vec<String> = dash.iter().map(|length| n(*length)).collect();
        let _ = write!(text, " stroke-dasharray=\"{}\"", dash.join(" "));
    }
    if *has_round_ends {
        text += " stroke-linecap=\"round\"";
    }
    text
}

fn write_words(text: &mut String, words: &Words) -> std::fmt::Result {
    let Words { text: said, at: [x, y], anchor, size, colour, is_bold, is_upright } = words;
    let (x, y) = (n(*x), n(*y));
    let anchor = match anchor {
        Anchor::Start => "",
        Anchor::Middle => " text-anchor=\"middle\"",
        Anchor::End => " text-anchor=\"end\"",
    };
    let weight = if *is_bold { " font-weight=\"bold\"" } else { "" };
    let turn = if *is_upright { format!(" transform=\"rotate(-90 {x} {y})\"") } else { String::new() };
    let (size, colour, said) = (n(*size), hex(*colour), escape(said));
    writeln!(
        text,
        "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\" fill=\"{colour}\"{anchor}{weight}{turn}>{said}</text>"
    )
}
