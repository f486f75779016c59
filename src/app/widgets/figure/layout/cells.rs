//! The body of a figure of a grid: colours on one scale, with words where there is room for them.

use super::{Anchor, PAD, Sheet};
use crate::app::theme::tokens::{self, LIGHT};
use crate::app::widgets::figure::Cells;
use crate::app::widgets::figure::text::{cut, width};
use egui::Color32;

/// Height of a row that has room for words, and the largest side of a square cell, in units of the text.
const ROW: f64 = 1.6;
const LARGEST: f64 = 3.6;
/// Height of all rows at most, as a share of the figure's width.
const HEIGHT: f64 = 0.75;
/// Letters of a name that are shown.
const NAME: f64 = 12.0;
const SCALE_STEPS: usize = 48;

/// Draws the scale, names and cells below what is on the sheet.
pub(super) fn draw(sheet: &mut Sheet, cells: &Cells) {
    let size = sheet.text;
    let (rows, columns) = (cells.rows.len().max(1) as f64, cells.columns.len().max(1) as f64);
    let longest =
        |names: &[String]| names.iter().map(|name| width(name).min(NAME)).fold(0.0, f64::max) * size;
    let left = 2.0 * PAD + 1.4 * size + longest(&cells.rows);
    let room = sheet.width - left - 2.0 * PAD;
    let (cell_width, cell_height) = if cells.is_square {
        let side = (room / columns).min(LARGEST * size);
        (side, side)
    } else {
        // A few rows are as high together as the title beside them is long.
        let least = (width(&cells.y_title) + 1.0) * size / rows;
        (room / columns, (ROW * size).min(HEIGHT * sheet.width / rows).max(least))
    };
    scale(sheet, &cells.scale, left, room);
    // Names that would lie over each other stand upright.
    let is_upright = longest(&cells.columns) > 0.95 * cell_width;
    let names_height = if is_upright { longest(&cells.columns) + PAD } else { 1.3 * size };
    sheet.height += size;
    let middle = left + 0.5 * columns * cell_width;
    sheet.words(&cells.x_title, middle, sheet.height, Anchor::Middle, LIGHT.text);
    sheet.height += PAD + names_height;
    let (top, bottom) = (sheet.height, sheet.height + rows * cell_height);
    let every = |room: f64| ((1.05 * size / room).ceil() as usize).max(1);
    let stride = if is_upright { every(cell_width) } else { 1 };
    for (index, name) in cells.columns.iter().enumerate().step_by(stride) {
        let x = left + (index as f64 + 0.5) * cell_width;
        match is_upright {
            true => sheet.upright(&cut(name, NAME), x + 0.35 * size, top - 3.0, Anchor::Start),
            false => sheet.words(name, x, top - 3.0, Anchor::Middle, LIGHT.text),
        }
    }
    for (index, name) in cells.rows.iter().enumerate().step_by(every(cell_height)) {
        let y = top + (index as f64 + 0.5) * cell_height + 0.35 * size;
        sheet.words(&cut(name, NAME), left - 3.0, y, Anchor::End, LIGHT.text);
    }
    sheet.upright(&cells.y_title, PAD + size, 0.5 * (top + bottom), Anchor::Middle);
    for (row, line) in cells.cells.chunks(cells.columns.len().max(1)).enumerate() {
        row_of_cells(sheet, line, [left, top + row as f64 * cell_height], [cell_width, cell_height]);
    }
    sheet.height = bottom + PAD;
}

fn row_of_cells(
    sheet: &mut Sheet,
    cells: &[(f32, String)],
    [left, top]: [f64; 2],
    [width_of, height]: [f64; 2],
) {
    let size = sheet.text;
    let gap = if width_of.min(height) > size { 0.4 } else { 0.0 };
    let mut column = 0;
    while column < cells.len() {
        let colour = colour(cells[column].0);
        // Neighbours of one colour are one rectangle: a long history has more cells than anyone can tell
        // apart.
        let alike = cells[column..].iter().take_while(|(share, _)| self::colour(*share) == colour).count();
        let span = if gap > 0.0 { 1 } else { alike };
        let corner = [left + column as f64 * width_of + gap, top + gap];
        sheet.rect(corner, [span as f64 * width_of - 2.0 * gap, height - 2.0 * gap], colour);
        column += span;
    }
    for (column, (share, words)) in cells.iter().enumerate() {
        if !words.is_empty() && height > 1.1 * size && width(words) * size < width_of {
            let x = left + (column as f64 + 0.5) * width_of;
            let colour = if share.is_nan() { LIGHT.text } else { tokens::on_heat(*share) };
            sheet.words(words, x, top + 0.5 * height + 0.35 * size, Anchor::Middle, colour);
        }
    }
}

fn colour(share: f32) -> Color32 {
    if share.is_nan() { LIGHT.line } else { tokens::heat(share) }
}

/// The colours from end to end, between the words for the ends.
pub(super) fn scale(sheet: &mut Sheet, [title, low, high]: &[String; 3], left: f64, room: f64) {
    let size = sheet.text;
    let y = sheet.height + size;
    let part = (0.35 * room).min(10.0 * size) / SCALE_STEPS as f64;
    sheet.words(low, left, y, Anchor::Start, LIGHT.text);
    let mut x = left + width(low) * size + 3.0;
    for step in 0..SCALE_STEPS {
        let share = step as f32 / (SCALE_STEPS - 1) as f32;
        // Each lies over the rest of the one before, so that no ground shows between two.
        let rest = part * (SCALE_STEPS - step) as f64;
        sheet.rect([x + step as f64 * part, y - 0.8 * size], [rest, 0.9 * size], colour(share));
    }
    x += part * SCALE_STEPS as f64 + 3.0;
    sheet.words(high, x, y, Anchor::Start, LIGHT.text);
    x += width(high) * size + size;
    let (title, x, y) = match width(title) <= (sheet.width - PAD - x) / size {
        true => (title.clone(), x, y),
        false => (cut(title, (sheet.width - PAD - left) / size), left, y + 1.3 * size),
    };
    sheet.words(&title, x, y, Anchor::Start, LIGHT.text);
    sheet.height = y + 0.5 * size + PAD;
}
