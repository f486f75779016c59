//! The body of a figure of pictures: rows of them under heads, with a title above each row and words behind
//! it. A wide sheet has several rows side by side.

use super::{Anchor, PAD, Shape, Sheet, cells};
use crate::app::theme::tokens::LIGHT;
use crate::app::widgets::figure::text::{cut, width, wrap};
use crate::app::widgets::figure::{PictureRow, Pictures};

/// Side of a picture in units of the text: so much is wanted before another row stands beside, and where
/// lines stand below it.
const WANTED: f64 = 6.0;
const WANTED_FOR_LINES: f64 = 7.5;
/// The largest side, points.
const LARGEST: f64 = 84.0;
/// Between two pictures, and around a row.
const GAP: f64 = 3.0;
const ROW_GAP: f64 = 8.0;
/// Room for the words behind a row, in units of the text.
const WORDS: f64 = 9.5;
/// Lines of a head at most, and of one that stands upright its letters.
const HEAD_LINES: usize = 2;
const UPRIGHT: f64 = 14.0;

/// Where a row's parts lie from its left end, points.
struct Columns {
    side: f64,
    words: f64,
}

/// Draws the scale, if there is one, and the rows below what is on the sheet.
pub(super) fn draw(sheet: &mut Sheet, pictures: &Pictures) {
    let room = sheet.width - 2.0 * PAD;
    if let Some(scale) = &pictures.scale {
        cells::scale(sheet, scale, PAD, room);
    }
    let count = pictures.heads.len().max(1) as f64;
    let longest = pictures.rows.iter().flat_map(|row| &row.words).map(|(words, _)| width(words));
    let words = match longest.fold(0.0, f64::max) {
        0.0 => 0.0,
        longest => (longest.min(WORDS) + 0.5) * sheet.text,
    };
    let has_lines =
        pictures.rows.iter().flat_map(|row| &row.pictures).any(|picture| !picture.lines.is_empty());
    let wanted = if has_lines { WANTED_FOR_LINES } else { WANTED };
    let least = count * (wanted * sheet.text + GAP) + words;
    let beside = ((room + ROW_GAP) / (least + ROW_GAP)).floor().clamp(1.0, pictures.rows.len().max(1) as f64);
    let of_one = (room - (beside - 1.0) * ROW_GAP) / beside;
    let columns = Columns { side: ((of_one - words) / count - GAP).clamp(1.0, LARGEST), words };
    let lefts: Vec<f64> = (0..beside as usize).map(|n| PAD + n as f64 * (of_one + ROW_GAP)).collect();
    heads(sheet, pictures, &lefts, &columns);
    for rows in pictures.rows.chunks(lefts.len()) {
        let top = sheet.height;
        let mut bottom = top;
        for (row, left) in rows.iter().zip(&lefts) {
            sheet.height = top;
            draw_row(sheet, row, *left, &columns);
            bottom = bottom.max(sheet.height);
        }
        sheet.height = bottom + ROW_GAP;
    }
}

/// The words above the columns, once above each row that stands side by side.
fn heads(sheet: &mut Sheet, pictures: &Pictures, lefts: &[f64], columns: &Columns) {
    let (size, line) = (sheet.text, 1.15 * sheet.text);
    let longest = pictures.heads.iter().flat_map(|head| head.split(' ')).map(width).fold(0.0, f64::max);
    if longest > (columns.side + GAP) / size {
        // A word would be cut: all stand upright.
        let heads: Vec<String> = pictures.heads.iter().map(|head| cut(head, UPRIGHT)).collect();
        sheet.height += heads.iter().map(|head| width(head)).fold(0.0, f64::max) * size + PAD;
        for left in lefts {
            for (index, head) in heads.iter().enumerate() {
                let x = left + index as f64 * (columns.side + GAP) + 0.5 * columns.side + 0.35 * size;
                sheet.upright(head, x, sheet.height - PAD, Anchor::Start);
            }
        }
        return;
    }
    let lines_of = |head: &String| {
        let mut lines = wrap(head, columns.side / size);
        lines.truncate(HEAD_LINES);
        lines
    };
    let heads: Vec<Vec<String>> = pictures.heads.iter().map(lines_of).collect();
    let most = heads.iter().map(Vec::len).max().unwrap_or(0);
    for left in lefts {
        for (index, lines) in heads.iter().enumerate() {
            let x = left + index as f64 * (columns.side + GAP);
            for (number, words) in lines.iter().enumerate() {
                let y = sheet.height + (most - lines.len() + number + 1) as f64 * line;
                let words = cut(words, (columns.side + GAP) / size);
                sheet.words(&words, x, y - 0.3 * size, Anchor::Start, LIGHT.text_weak);
            }
        }
    }
    sheet.height += most as f64 * line + PAD;
}

fn draw_row(sheet: &mut Sheet, row: &PictureRow, left: f64, columns: &Columns) {
    let size = sheet.text;
    if !row.title.is_empty() {
        sheet.height += 1.2 * size;
        let room = row.pictures.len() as f64 * (columns.side + GAP) + columns.words;
        let title = cut(&row.title, room / size);
        sheet.words(&title, left, sheet.height - 0.3 * size, Anchor::Start, LIGHT.text_strong);
    }
    let (top, line) = (sheet.height, 1.2 * size);
    let mut x = left;
    for picture in &row.pictures {
        sheet.shapes.push(Shape::Picture { corner: [x, top], side: columns.side, picture: picture.clone() });
        for (number, (words, colour)) in picture.lines.iter().enumerate() {
            let y = top + columns.side + (number + 1) as f64 * line - 0.2 * size;
            sheet.words(&cut(words, columns.side / size), x, y, Anchor::Start, *colour);
        }
        x += columns.side + GAP;
    }
    for (number, (words, colour)) in row.words.iter().enumerate() {
        let y = top + (number + 1) as f64 * line - 0.2 * size;
        sheet.words(&cut(words, columns.words / size), x, y, Anchor::Start, *colour);
    }
    let below = row.pictures.iter().map(|picture| picture.lines.len()).max().unwrap_or(0);
    sheet.height = top + (columns.side + below as f64 * line).max(row.words.len() as f64 * line);
}
