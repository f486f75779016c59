//! Small pictures in rows and columns with words beside and below them, as one picture. The letters are drawn
//! from embedded-graphics' bitmap fonts, so that the bytes are the same everywhere; they cover Latin-1, and
//! any other letter shows as a question mark.

use super::cam::resize_bilinear;
use embedded_graphics::mono_font::iso_8859_1::{FONT_6X13, FONT_6X13_BOLD};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::{
    DrawTarget, Drawable as _, OriginDimensions, Pixel, Point, RgbColor as _, Size,
};
use embedded_graphics::text::{Baseline, Text};
use std::convert::Infallible;

/// Width of a letter, pixels.
const LETTER: usize = 6;
/// Height of a line, pixels.
const LINE: usize = 14;
/// Distance between pictures, pixels.
const GAP: usize = 10;
/// Smallest side that pictures are shown at, pixels.
const SMALLEST_SIDE: usize = 128;
/// Letters of a row's label in a line.
const LABEL: usize = 22;

/// A picture with the lines below it.
#[derive(Clone, Debug, PartialEq)]
pub struct SheetCell {
    /// Side of the picture, pixels.
    pub side: usize,
    /// RGB `[side, side, 3]`.
    pub rgb: Vec<u8>,
    /// Lines below it; a line that is too long ends in two dots.
    pub lines: Vec<String>,
    /// What the picture is framed by.
    pub mark: Mark,
}

/// A frame that says in shape, and not in colour alone, how a prediction turned out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// No frame.
    None,
    /// A closed frame.
    Correct,
    /// A broken frame.
    Wrong,
}

/// A row: the lines beside it, and its cells from left to right.
#[derive(Clone, Debug, PartialEq)]
pub struct SheetRow {
    /// Lines at the left; the first is bold.
    pub label: Vec<String>,
    /// One for each column.
    pub cells: Vec<SheetCell>,
}

/// An RGB picture of any size.
#[derive(Clone, Debug, PartialEq)]
pub struct RgbPicture {
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    /// `[height, width, 3]`
    pub rgb: Vec<u8>,
}

/// Draws rows of equally many cells below a title. All pictures get the same side: the first multiple of the
/// largest one's from 128 pixels.
pub fn draw(title: &str, rows: &[SheetRow]) -> RgbPicture {
    let cells = || rows.iter().flat_map(|row| &row.cells);
    let largest = cells().map(|cell| cell.side).max().unwrap_or(1);
    let side = largest * SMALLEST_SIDE.div_ceil(largest);
    let columns = rows.iter().map(|row| row.cells.len()).max().unwrap_or(0);
    let below = |row: &SheetRow| row.cells.iter().map(|cell| cell.lines.len()).max().unwrap_or(0) * LINE;
    let left = 2 * GAP + LABEL * LETTER;
    let width = (left + columns * (side + GAP)).max(2 * GAP + title.chars().count() * LETTER);
    let head = 2 * GAP + LINE;
    let height = head + rows.iter().map(|row| side + below(row) + 2 * GAP).sum::<usize>();
    let mut picture = RgbPicture { width, height, rgb: vec![255; width * height * 3] };
    picture.text(title, GAP, GAP, &FONT_6X13_BOLD);
    let mut top = head;
    for row in rows {
        for (number, line) in row.label.iter().enumerate() {
            let font = if number == 0 { &FONT_6X13_BOLD } else { &FONT_6X13 };
            picture.text(&shortened(line, LABEL), GAP, top + number * LINE, font);
        }
        for (column, cell) in row.cells.iter().enumerate() {
            let x = left + column * (side + GAP);
            picture.paste(&scaled(cell, side), side, x, top);
            picture.frame(cell.mark, side, x, top);
            for (number, line) in cell.lines.iter().enumerate() {
                let text = shortened(line, side / LETTER);
                picture.text(&text, x, top + side + 4 + number * LINE, &FONT_6X13);
            }
        }
        top += side + below(row) + 2 * GAP;
    }
    picture
}

/// A cell's picture at another side: whole multiples repeat pixels, so that small images stay sharp.
fn scaled(cell: &SheetCell, side: usize) -> Vec<u8> {
    if side.is_multiple_of(cell.side) {
        let factor = side / cell.side;
        let source = |at: usize| (at / side / factor * cell.side + at % side / factor) * 3;
        return (0..side * side).flat_map(|at| cell.rgb[source(at)..source(at) + 3].to_vec()).collect();
    }
    let channels: [Vec<f32>; 3] = std::array::from_fn(|c| {
        let channel: Vec<f32> = cell.rgb.iter().skip(c).step_by(3).map(|byte| f32::from(*byte)).collect();
        resize_bilinear(&channel, cell.side, side)
    });
    (0..side * side).flat_map(|at| channels.each_ref().map(|channel| channel[at].round() as u8)).collect()
}

/// At most so many letters of a line.
fn shortened(line: &str, letters: usize) -> String {
    if line.chars().count() <= letters {
        return line.to_owned();
    }
    line.chars().take(letters.saturating_sub(2)).chain("..".chars()).collect()
}

impl RgbPicture {
    fn set(&mut self, x: usize, y: usize, colour: [u8; 3]) {
        if x < self.width && y < self.height {
            self.rgb[(y * self.width + x) * 3..][..3].copy_from_slice(&colour);
        }
    }

    fn text(&mut self, text: &str, x: usize, y: usize, font: &MonoFont<'_>) {
        let style = MonoTextStyle::new(font, Rgb888::BLACK);
        let place = Point::new(x as i32, y as i32);
        let Ok(_) = Text::with_baseline(text, place, style, Baseline::Top).draw(self);
    }

    fn paste(&mut self, rgb: &[u8], side: usize, x: usize, y: usize) {
        for (row, bytes) in rgb.chunks_exact(side * 3).enumerate() {
            let start = ((y + row) * self.width + x) * 3;
            self.rgb[start..start + side * 3].copy_from_slice(bytes);
        }
    }

    /// Draws a frame of three pixels around a picture.
    fn frame(&mut self, mark: Mark, side: usize, x: usize, y: usize) {
        let colour = match mark {
            Mark::None => return,
            Mark::Correct => [0, 90, 160],
            Mark::Wrong => [200, 60, 0],
        };
        for along in 0..side + 6 {
            if mark == Mark::Wrong && along / 8 % 2 == 1 {
                continue;
            }
            for depth in 0..3 {
                for (dx, dy) in
                    [(along, depth), (along, side + 5 - depth), (depth, along), (side + 5 - depth, along)]
                {
                    self.set(x + dx - 3, y + dy - 3, colour);
                }
            }
        }
    }
}

impl OriginDimensions for RgbPicture {
    fn size(&self) -> Size {
        Size::new(self.width as u32, self.height as u32)
    }
}

impl DrawTarget for RgbPicture {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        for Pixel(place, colour) in pixels {
            if let (Ok(x), Ok(y)) = (usize::try_from(place.x), usize::try_from(place.y)) {
                self.set(x, y, [colour.r(), colour.g(), colour.b()]);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(side: usize, shade: u8, mark: Mark) -> SheetCell {
        let lines = vec!["disc 93.1%".into(), "correct".into()];
        SheetCell { side, rgb: vec![shade; side * side * 3], lines, mark }
    }

    fn at(picture: &RgbPicture, x: usize, y: usize) -> [u8; 3] {
        picture.rgb[(y * picture.width + x) * 3..][..3].try_into().unwrap()
    }

    #[test]
    fn pictures_of_every_size_stand_in_rows_and_columns() {
        let row = |shade: u8| SheetRow {
            label: vec!["first".into(), "main".into()],
            cells: vec![cell(32, shade, Mark::None), cell(48, shade + 1, Mark::None)],
        };
        let picture = draw("Maps", &[row(10), row(20)]);
        // The first multiple of 48 from 128.
        let side = 144;
        let left = 2 * GAP + LABEL * LETTER;
        let step = side + 2 * LINE + 2 * GAP;
        for (row, shade) in [(0, 10), (1, 20)] {
            for column in 0..2 {
                let (x, y) = (left + column * (side + GAP), 2 * GAP + LINE + row * step);
                for (dx, dy) in [(0, 0), (side - 1, side - 1), (side / 2, 3)] {
                    assert_eq!(at(&picture, x + dx, y + dy), [shade + column as u8; 3]);
                }
                assert_eq!(at(&picture, x - 1, y), [255; 3]);
            }
        }
        assert_eq!(picture.rgb.len(), picture.width * picture.height * 3);
    }

    #[test]
    fn right_and_wrong_differ_in_shape() {
        let drawn = |mark| {
            let picture = draw("", &[SheetRow { label: Vec::new(), cells: vec![cell(128, 255, mark)] }]);
            picture.rgb.chunks_exact(3).map(|pixel| pixel != [255; 3]).collect::<Vec<bool>>()
        };
        let inked = |mark| drawn(mark).iter().filter(|inked| **inked).count();
        let (none, correct, wrong) = (inked(Mark::None), inked(Mark::Correct), inked(Mark::Wrong));
        assert!(none < wrong && wrong < correct, "{none} {wrong} {correct} pixels are inked");
    }

    #[test]
    fn long_lines_end_in_dots_and_letters_are_drawn() {
        assert_eq!(shortened("indigo bunting", 8), "indigo..");
        assert_eq!(shortened("tench", 8), "tench");
        let ink = |title: &str| draw(title, &[]).rgb.iter().filter(|byte| **byte == 0).count();
        assert!(ink("wombat") > ink("w") && ink("w") > 0 && ink("") == 0);
    }
}
