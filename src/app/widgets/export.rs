//! Any plot or table as a file: what is seen as PNG, its numbers as CSV. A pane offers both in one small menu
//! and says where it lies and what its numbers are; the window asks where to write.

use super::drawing::Drawing;
use crate::app::theme::icons::{self, Icon};
use egui::{ColorImage, Rect, Ui};
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
    Picture(Rect),
    /// CSV text.
    Table(String),
    /// Markdown text.
    Markdown(String),
    /// JSON text.
    Json(String),
    /// Images and maps, as the large view shows them.
    Drawing(Box<Drawing>),
    /// Square RGB pictures with the endings of their file names, written into one folder.
    Images(Vec<(String, usize, Vec<u8>)>),
}

/// A table of text cells with a heading row.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with its heading row.
    pub fn new<T: AsRef<str>>(headings: impl IntoIterator<Item = T>) -> Self {
        let mut table = Self::default();
        table.row(headings);
        table
    }

    /// Adds a row.
    pub fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.rows.push(cells.into_iter().map(|cell| cell.as_ref().to_owned()).collect());
    }

    /// The table as CSV text.
    pub fn into_text(self) -> String {
        let cell = |cell: &String| match cell.contains([',', '"', '\n', '\r']) {
            true => format!("\"{}\"", cell.replace('"', "\"\"")),
            false => cell.clone(),
        };
        let line = |row: &Vec<String>| row.iter().map(cell).collect::<Vec<_>>().join(",") + "\n";
        self.rows.iter().map(line).collect()
    }

    /// The table as Markdown text.
    pub fn into_markdown(self) -> String {
        // What a user wrote is text and nothing else.
        let cell = |cell: &String| {
            let mut text = String::with_capacity(cell.len());
            for c in cell.chars() {
                if matches!(c, '\\' | '|' | '*' | '_' | '`' | '<' | '[' | ']') {
                    text.push('\\');
                }
                text.push(if c.is_control() { ' ' } else { c });
            }
            text
        };
        let line =
            |row: &Vec<String>| format!("| {} |\n", row.iter().map(cell).collect::<Vec<_>>().join(" | "));
        let Some((head, rows)) = self.rows.split_first() else { return String::new() };
        let rule = format!("|{}\n", " --- |".repeat(head.len()));
        line(head) + &rule + &rows.iter().map(line).collect::<String>()
    }
}

/// The menu beside a plot or table called `name` that fills `area` of the window.
pub fn menu_ui(
    ui: &mut Ui,
    name: &str,
    area: Rect,
    table: impl FnOnce() -> Table,
    exports: &mut Vec<ExportRequest>,
) {
    let help = "Write what is seen here to a PNG file, or its numbers to a CSV file";
    items_ui(ui, (name, help), area, table, None, exports);
}

/// As [`menu_ui`], for figures that a command prints as JSON too.
pub fn menu_with_json_ui(
    ui: &mut Ui,
    name: &str,
    area: Rect,
    table: impl FnOnce() -> Table,
    json: impl Fn() -> String,
    exports: &mut Vec<ExportRequest>,
) {
    let help = "Write what is seen here to a PNG file, or all numbers to a CSV file or a JSON file";
    items_ui(ui, (name, help), area, table, Some(&json), exports);
}

/// As [`menu_ui`], for a table that people also hand on as text. `table` is told whether its figures are for
/// a program, without units and to all digits, or for people.
pub fn table_menu_ui(
    ui: &mut Ui,
    name: &str,
    area: Rect,
    table: impl Fn(bool) -> Table,
    exports: &mut Vec<ExportRequest>,
) {
    let response = ui.menu_button(icons::atom(Icon::Export, None), |ui| {
        let mut chosen = None;
        if ui.button("Copy as Markdown").clicked() {
            ui.copy_text(table(false).into_markdown());
            ui.close();
        }
        if ui.button("Copy as CSV").clicked() {
            ui.copy_text(table(true).into_text());
            ui.close();
        }
        if ui.button("Table (Markdown)…").clicked() {
            chosen = Some(Exported::Markdown(table(false).into_markdown()));
        }
        if ui.button("Numbers (CSV)…").clicked() {
            chosen = Some(Exported::Table(table(true).into_text()));
        }
        if ui.button("Picture (PNG)…").clicked() {
            chosen = Some(Exported::Picture(area));
        }
        if let Some(what) = chosen {
            exports.push(ExportRequest { name: name.to_owned(), what });
            ui.close();
        }
    });
    let help =
        "Copy the rows and columns that are shown, or write them to a file; or what is seen to a PNG file";
    response.response.accessible_name(format!("Export {name}")).on_hover_text(help);
}

fn items_ui(
    ui: &mut Ui,
    (name, help): (&str, &str),
    area: Rect,
    table: impl FnOnce() -> Table,
    json: Option<&dyn Fn() -> String>,
    exports: &mut Vec<ExportRequest>,
) {
    let response = ui.menu_button(icons::atom(Icon::Export, None), |ui| {
        let mut chosen = None;
        if ui.button("Picture (PNG)…").clicked() {
            chosen = Some(Exported::Picture(area));
        }
        if ui.button("Numbers (CSV)…").clicked() {
            chosen = Some(Exported::Table(table().into_text()));
        }
        if let Some(json) = json
            && ui.button("Numbers (JSON)…").on_hover_text("What `dualprop eval --json` prints").clicked()
        {
            chosen = Some(Exported::Json(json()));
        }
        if let Some(what) = chosen {
            exports.push(ExportRequest { name: name.to_owned(), what });
            ui.close();
        }
    });
    response.response.accessible_name(format!("Export {name}")).on_hover_text(help);
}

/// A button that exports what is seen of a pane whose contents are pictures.
pub fn picture_ui(ui: &mut Ui, name: &str, area: Rect, exports: &mut Vec<ExportRequest>) {
    let response = ui
        .button(icons::atom(Icon::Export, None))
        .on_hover_text("Write what is seen of this pane to a PNG file");
    if response.accessible_name(format!("Export {name}")).clicked() {
        exports.push(ExportRequest { name: name.to_owned(), what: Exported::Picture(area) });
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
    fn cells_with_commas_and_quotes_are_quoted() {
        let mut table = Table::new(["class", "images"]);
        table.row(["cat, \"tame\"", "3"]);
        assert_eq!(table.clone().into_text(), "class,images\n\"cat, \"\"tame\"\"\",3\n");
        table.row(["a|b\nc", "*4*"]);
        let markdown = "| class | images |\n| --- | --- |\n| cat, \"tame\" | 3 |\n| a\\|b c | \\*4\\* |\n";
        assert_eq!(table.into_markdown(), markdown);
    }

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
