//! A figure as pixels, for where no vectors are taken. The letters are those of the window.

use super::layout::{Anchor, Shape, Sheet, Size, Words, lay_out};
use super::{Figure, Picture};
use crate::app::widgets::pictures::has_hard_pixels;
use anyhow::Context as _;
use egui::{Color32, FontDefinitions, FontFamily};
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder as _};
use skrifa::instance::{LocationRef, Size as FontSize};
use skrifa::outline::{DrawSettings, OutlinePen};
use skrifa::{FontRef, MetadataProvider as _};
use std::sync::Arc;
use vello_cpu::kurbo::{Affine, BezPath, Cap, Circle, Join, Point, Rect, Shape as _, Stroke};
use vello_cpu::peniko::color::PremulRgba8;
use vello_cpu::peniko::{Color, ImageQuality, ImageSampler};
use vello_cpu::{Image, ImageSource, PaintType, Pixmap, RenderContext, Resources};

/// Pixels of a point: 288 to the inch.
const SCALE: f64 = 4.0;
/// How much wider than its outline a bold letter is drawn, in units of its size; the window has no bold font.
const BOLD: f64 = 0.035;

/// The figure as a PNG file, on white or on nothing.
pub fn write(figure: &Figure, size: Size, is_transparent: bool) -> anyhow::Result<Vec<u8>> {
    let sheet = lay_out(figure, size);
    let pixels = |length: f64| u16::try_from((length * SCALE).ceil() as u64);
    let too_large = "the figure is too high for a picture; write it as SVG";
    let (width, height) = (pixels(sheet.width).context(too_large)?, pixels(sheet.height).context(too_large)?);
    let mut page = RenderContext::new(width, height);
    if !is_transparent {
        page.set_paint(ink(Color32::WHITE, 1.0));
        page.fill_rect(&Rect::new(0.0, 0.0, f64::from(width), f64::from(height)));
    }
    draw(&mut page, &sheet)?;
    page.flush();
    let mut made = Pixmap::new(width, height);
    page.render(&mut made, &mut Resources::new());
    let rgba: Vec<u8> = made.take_unpremultiplied().into_iter().flat_map(|p| [p.r, p.g, p.b, p.a]).collect();
    let mut bytes = Vec::new();
    let encoder = PngEncoder::new(&mut bytes);
    encoder.write_image(&rgba, width.into(), height.into(), ExtendedColorType::Rgba8)?;
    Ok(bytes)
}

fn ink(colour: Color32, opacity: f64) -> Color {
    let [r, g, b, _] = colour.to_array();
    Color::from_rgba8(r, g, b, (255.0 * opacity).round() as u8)
}

fn draw(page: &mut RenderContext, sheet: &Sheet) -> anyhow::Result<()> {
    let definitions = FontDefinitions::default();
    let names = definitions.families.get(&FontFamily::Proportional).into_iter().flatten();
    let names = names.map(String::as_str).chain(["Hack"]);
    let fonts = names.filter_map(|name| definitions.font_data.get(name));
    let fonts: Vec<FontRef<'_>> = fonts.filter_map(|font| FontRef::new((*font.font).as_ref()).ok()).collect();
    anyhow::ensure!(!fonts.is_empty(), "the window's fonts cannot be read");
    page.set_transform(Affine::scale(SCALE));
    for shape in &sheet.shapes {
        match shape {
            Shape::Line { points, stroke, .. } => {
                let mut style = Stroke::new(stroke.width).with_join(Join::Round);
                if !stroke.dash.is_empty() {
                    style = style.with_dashes(0.0, stroke.dash);
                }
                let cap = if stroke.has_round_ends { Cap::Round } else { Cap::Butt };
                page.set_stroke(style.with_caps(cap));
                page.set_paint(ink(stroke.colour, stroke.opacity));
                page.stroke_path(&path(points));
            }
            Shape::Area { points, colour, opacity } => {
                page.set_paint(ink(*colour, *opacity));
                let mut outline = path(points);
                outline.close_path();
                page.fill_path(&outline);
            }
            Shape::Rect { corner: [x, y], size: [width, height], colour } => {
                page.set_paint(ink(*colour, 1.0));
                page.fill_rect(&Rect::new(*x, *y, x + width, y + height));
            }
            Shape::Circle { centre: [x, y], radius, colour } => {
                page.set_paint(ink(*colour, 1.0));
                page.fill_path(&Circle::new((*x, *y), *radius).to_path(0.02));
            }
            Shape::Picture { corner: [x, y], side, picture } => {
                let sampler = ImageSampler {
                    quality: if has_hard_pixels(picture.size) {
                        ImageQuality::Low
                    } else {
                        ImageQuality::Medium
                    },
                    ..ImageSampler::default()
                };
                let scale = side / picture.size.max(1) as f64;
                let image = ImageSource::Pixmap(Arc::new(pixmap(picture)?));
                page.set_paint(PaintType::Image(Image { image, sampler }));
                page.set_paint_transform(Affine::translate((*x, *y)) * Affine::scale(scale));
                page.fill_rect(&Rect::new(*x, *y, x + side, y + side));
                page.reset_paint_transform();
            }
            Shape::Words(words) => draw_words(page, &fonts, words),
        }
    }
    Ok(())
}

/// The pixels of a picture.
fn pixmap(picture: &Picture) -> anyhow::Result<Pixmap> {
    let side = u16::try_from(picture.size).context("a picture of the figure is too large")?;
    let pixels =
        picture.rgb.as_chunks().0.iter().map(|[r, g, b]| PremulRgba8 { r: *r, g: *g, b: *b, a: 255 });
    let pixels: Vec<PremulRgba8> = pixels.collect();
    anyhow::ensure!(pixels.len() == picture.size * picture.size, "a picture of the figure lacks pixels");
    Ok(Pixmap::from_parts(pixels, side, side))
}

fn path(points: &[[f64; 2]]) -> BezPath {
    let mut path = BezPath::new();
    for (index, [x, y]) in points.iter().enumerate() {
        match index {
            0 => path.move_to((*x, *y)),
            _ => path.line_to((*x, *y)),
        }
    }
    path
}

/// Outlines of letters, `x` points from the start of their words; a font's y goes up.
struct Pen {
    path: BezPath,
    x: f64,
}

impl Pen {
    fn at(&self, x: f32, y: f32) -> Point {
        Point::new(self.x + f64::from(x), -f64::from(y))
    }
}

impl OutlinePen for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.path.move_to(self.at(x, y));
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.path.line_to(self.at(x, y));
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.path.quad_to(self.at(x1, y1), self.at(x, y));
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        self.path.curve_to(self.at(x1, y1), self.at(x2, y2), self.at(x, y));
    }

    fn close(&mut self) {
        self.path.close_path();
    }
}

/// Draws words, each letter in the first of `fonts` that has it.
fn draw_words(page: &mut RenderContext, fonts: &[FontRef<'_>], words: &Words) {
    let size = FontSize::new(words.size as f32);
    let mut pen = Pen { path: BezPath::new(), x: 0.0 };
    for c in words.text.chars() {
        let found = fonts.iter().find_map(|font| Some((font, font.charmap().map(c)?)));
        let Some((font, glyph)) = found else { continue };
        if let Some(outline) = font.outline_glyphs().get(glyph) {
            // A glyph that cannot be drawn is left out like one that no font has.
            let _ = outline.draw(DrawSettings::unhinted(size, LocationRef::default()), &mut pen);
        }
        let advance = font.glyph_metrics(size, LocationRef::default()).advance_width(glyph);
        pen.x += f64::from(advance.unwrap_or(0.0));
    }
    let shift = match words.anchor {
        Anchor::Start => 0.0,
        Anchor::Middle => -0.5 * pen.x,
        Anchor::End => -pen.x,
    };
    let turn = if words.is_upright { Affine::rotate(-std::f64::consts::FRAC_PI_2) } else { Affine::IDENTITY };
    let [x, y] = words.at;
    let place = Affine::translate((x, y)) * turn * Affine::translate((shift, 0.0));
    let letters = place * pen.path;
    page.set_paint(ink(words.colour, 1.0));
    page.fill_path(&letters);
    if words.is_bold {
        page.set_stroke(Stroke::new(BOLD * words.size));
        page.stroke_path(&letters);
    }
}
