//! Any plot or table as a file or on the clipboard: the plot drawn anew as SVG or PNG, its numbers as CSV,
//! Markdown, LaTeX or JSON. A pane offers them in one small menu; the window asks where to write.

use super::drawing::Drawing;
use crate::app::theme::icons::{self, Icon};
use crate::app::widgets::figure::{Figure, Size};
use crate::app::widgets::table::{Table, TableFormat};
use egui::containers::menu::{MenuButton, MenuConfig};
use egui::{ColorImage, Id, PopupCloseBehavior, Rect, Ui};
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder as _};

/// Something that a user asked to export.
#[derive(Clone, Debug)]
pub struct ExportRequest {
    /// File name without ending.
    pub name: String,
    pub what: Exported,
}

/// What is exported.
#[derive(Clone, Debug)]
pub enum Exported {
    /// A part of the window, points.
    Seen(Rect),
    /// A plot, drawn anew.
    Figure {
        figure: Box<Figure>,
        size: Size,
        is_transparent: bool,
        /// Pixels instead of SVG.
        is_png: bool,
    },
    Table(Table, TableFormat),
    /// JSON text.
    Json(String),
    /// Images and maps, as the large view shows them.
    Drawing(Box<Drawing>),
    /// Square RGB pictures with the endings of their file names, written into one folder.
    Images(Vec<(String, usize, Vec<u8>)>),
}

/// The figures that a menu offers: words, the size, whether it is made of pixels.
const FIGURES: [(&str, Size, bool); 4] = [
    ("Figure (SVG)…", Size::Screen, false),
    ("Figure for a column, 85 mm (SVG)…", Size::Column, false),
    ("Figure for a page, 170 mm (SVG)…", Size::Page, false),
    ("Figure (PNG)…", Size::Screen, true),
];
const TABLES: [(TableFormat, &str); 3] =
    [(TableFormat::Csv, "CSV"), (TableFormat::Markdown, "Markdown"), (TableFormat::Latex, "LaTeX")];

/// The menu beside a plot or a table, with what it can write.
pub struct Menu<'a> {
    name: &'a str,
    figure: Option<&'a dyn Fn() -> Figure>,
    seen: Option<Rect>,
    table: Option<&'a dyn Fn() -> Table>,
    readable: Option<&'a dyn Fn() -> Table>,
    json: Option<&'a dyn Fn() -> String>,
}

impl<'a> Menu<'a> {
    /// An empty menu; `name` is that of the plot, and of its files.
    pub fn new(name: &'a str) -> Self {
        Self { name, figure: None, seen: None, table: None, readable: None, json: None }
    }

    /// Offers the plot as a figure.
    pub fn figure(self, figure: &'a dyn Fn() -> Figure) -> Self {
        Self { figure: Some(figure), ..self }
    }

    /// Offers the part `area` of the window as it is: for what consists of pictures or of rows.
    pub fn seen(self, area: Rect) -> Self {
        Self { seen: Some(area), ..self }
    }

    /// Offers the numbers.
    pub fn table(self, table: &'a dyn Fn() -> Table) -> Self {
        Self { table: Some(table), ..self }
    }

    /// Offers a shorter table where it is written for people.
    pub fn readable(self, table: &'a dyn Fn() -> Table) -> Self {
        Self { readable: Some(table), ..self }
    }

    /// Offers what a command prints as JSON too.
    pub fn json(self, json: &'a dyn Fn() -> String) -> Self {
        Self { json: Some(json), ..self }
    }

    /// Draws the button; what is chosen goes to `exports`, a copied table to the clipboard.
    pub fn ui(self, ui: &mut Ui, exports: &mut Vec<ExportRequest>) {
        // A tick for the ground must not close it.
        let config = MenuConfig::new().close_behavior(PopupCloseBehavior::CloseOnClickOutside);
        let button = MenuButton::new(icons::atom(Icon::Export, None)).config(config);
        let (response, _) = button.ui(ui, |ui| {
            ui.set_min_width(230.0);
            if let Some((name, what)) = self.items_ui(ui) {
                exports.push(ExportRequest { name, what });
                ui.close();
            }
        });
        let help = "Write it to a file: drawn anew for print, or its numbers. Or copy the numbers";
        response.accessible_name(format!("Export {}", self.name)).on_hover_text(help);
    }

    fn items_ui(&self, ui: &mut Ui) -> Option<(String, Exported)> {
        let mut chosen = None;
        if let Some(figure) = self.figure {
            chosen = self.figures_ui(ui, figure);
        }
        if let Some(area) = self.seen
            && ui.button("As on screen (PNG)…").clicked()
        {
            chosen = Some((self.name.to_owned(), Exported::Seen(area)));
        }
        let Some(table) = self.table else { return chosen };
        let of = |format: TableFormat| match (format, self.readable) {
            (TableFormat::Csv, _) | (_, None) => table(),
            (_, Some(readable)) => readable(),
        };
        ui.separator();
        for (format, word) in TABLES {
            if ui.button(format!("Numbers ({word})…")).clicked() {
                chosen = Some((self.name.to_owned(), Exported::Table(of(format), format)));
            }
        }
        if let Some(json) = self.json
            && ui.button("Numbers (JSON)…").on_hover_text("What `dualprop eval --json` prints").clicked()
        {
            chosen = Some((self.name.to_owned(), Exported::Json(json())));
        }
        ui.separator();
        for (format, word) in TABLES {
            if ui.button(format!("Copy numbers ({word})")).clicked() {
                ui.ctx().copy_text(of(format).text(format));
                ui.close();
            }
        }
        chosen
    }

    fn figures_ui(&self, ui: &mut Ui, figure: &dyn Fn() -> Figure) -> Option<(String, Exported)> {
        let id = Id::unique("transparent ground");
        let mut is_transparent = ui.data(|data| data.get_temp(id).unwrap_or(false));
        let help =
            "Nothing behind the figure instead of white, for slides and pages with a ground of their own";
        if ui.checkbox(&mut is_transparent, "Transparent ground").on_hover_text(help).changed() {
            ui.data_mut(|data| data.insert_temp(id, is_transparent));
        }
        let mut chosen = None;
        for (words, size, is_png) in FIGURES {
            let help = match size {
                Size::Screen => "Drawn anew from all data, in the light theme's colours",
                _ => "Drawn anew with text of 8 pt, fit to print; a browser makes a PDF of it",
            };
            if ui.button(words).on_hover_text(help).clicked() {
                let name = match size {
                    Size::Screen => self.name.to_owned(),
                    Size::Column => format!("{} 85 mm", self.name),
                    Size::Page => format!("{} 170 mm", self.name),
                };
                let figure = Box::new(figure());
                chosen = Some((name, Exported::Figure { figure, size, is_transparent, is_png }));
            }
        }
        chosen
    }
}

/// A button that exports what is seen of a pane whose contents are pictures.
pub fn picture_ui(ui: &mut Ui, name: &str, area: Rect, exports: &mut Vec<ExportRequest>) {
    let response = ui
        .button(icons::atom(Icon::Export, None))
        .on_hover_text("Write what is seen of this pane to a PNG file");
    if response.accessible_name(format!("Export {name}")).clicked() {
        exports.push(ExportRequest { name: name.to_owned(), what: Exported::Seen(area) });
    }
}

/// The part of a picture of the whole window that `area` covers, as PNG bytes. `scale`: pixels a point.
pub fn crop_png(window: &ColorImage, area: Rect, scale: f32) -> anyhow::Result<Vec<u8>> {
    let [width, height] = window.size;
    let clamp = |value: f32, most: usize| (value.max(0.0).round() as usize).min(most);
    let (left, right) = (clamp(area.left() * scale, width), clamp(area.right() * scale, width));
    let (top, bottom) = (clamp(area.top() * scale, height), clamp(area.bottom() * scale, height));
    anyhow::ensure!(left < right && top < bottom, "the plot is not on screen");
    let rows = window.pixels.chunks_exact(width).take(bottom).skip(top);
    let rgb: Vec<u8> =
        rows.flat_map(|row| &row[left..right]).flat_map(|pixel| [pixel.r(), pixel.g(), pixel.b()]).collect();
    png(&rgb, right - left, bottom - top)
}

/// RGB bytes as PNG.
pub fn png(rgb: &[u8], width: usize, height: usize) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let (width, height) = (u32::try_from(width)?, u32::try_from(height)?);
    PngEncoder::new(&mut bytes).write_image(rgb, width, height, ExtendedColorType::Rgb8)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::{pos2, vec2};

    #[test]
    fn a_crop_is_the_area_in_pixels() {
        let mut window = ColorImage::filled([8, 6], crate::app::theme::tokens::DARK.panel);
        window.pixels[2 * 8 + 4] = crate::app::theme::tokens::DARK.accent;
        let area = Rect::from_min_size(pos2(2.0, 1.0), vec2(2.0, 2.0));
        let bytes = crop_png(&window, area, 2.0).expect("inside");
        let picture = image::load_from_memory(&bytes).expect("a PNG").into_rgb8();
        assert_eq!(picture.dimensions(), (4, 4));
        let accent = crate::app::theme::tokens::DARK.accent;
        assert_eq!(picture.get_pixel(0, 0).0, [accent.r(), accent.g(), accent.b()]);
        assert!(crop_png(&window, Rect::NOTHING, 1.0).is_err());
    }
}
