//! How large pictures are: as large as suits the pane, or as the user chose.

use super::cards;
use super::pictures::has_hard_pixels;
use super::tips;
use crate::app::theme::tokens;
use egui::{Slider, Ui, Vec2};

/// Sides that can be chosen, points, and the least one that is taken unasked.
const CHOICES: std::ops::RangeInclusive<f32> = 64.0..=256.0;
const LEAST: f32 = 88.0;
/// In a pane too small for all cards, a picture's side is this share of its width, and so many fit below each
/// other.
const SHARE_OF_WIDTH: f32 = 0.1;
const ROWS_IN_SIGHT: f32 = 1.5;
/// How much larger than wanted a picture may become so that its pixels are whole.
const STRETCH: f32 = 1.1;
/// Between two sides that are tried, points.
const TRIED: f32 = 4.0;

/// The size of a pane's pictures.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct PictureSize {
    /// The side in points that the user chose; `None`: what suits the pane.
    chosen: Option<f32>,
    /// The side of the last frame, points.
    #[serde(skip)]
    shown: f32,
}

/// What is to have room.
#[derive(Clone, Copy, Debug)]
pub struct Cards {
    pub count: usize,
    /// Side of their images, pixels.
    pub size: usize,
    /// Views that predict beside the pictures.
    pub views: usize,
    /// Lines below them.
    pub lines: usize,
}

impl PictureSize {
    /// A side that stays, points.
    pub fn of(side: f32) -> Self {
        Self { chosen: Some(side), shown: side }
    }

    /// Draws the slider and the button that leaves the size to the pane. `name`: of the slider.
    pub fn ui(&mut self, ui: &mut Ui, name: &str) {
        ui.label("Size");
        ui.spacing_mut().slider_width = 70.0;
        let mut side = self.chosen.unwrap_or(self.shown);
        let slider = ui.add(Slider::new(&mut side, CHOICES).show_value(false)).accessible_name(name);
        if slider.changed() {
            self.chosen = Some(side);
        }
        tips::above(slider, "Side of a picture on screen");
        let help = "As large as suits the pane. The pixels of small images stay whole";
        if ui.selectable_label(self.chosen.is_none(), "Fit").on_hover_text(help).clicked() {
            self.chosen = None;
        }
    }

    /// The side of the pictures of cards in `room`, points.
    pub fn of_cards(&mut self, ui: &Ui, room: Vec2, cards: Cards) -> f32 {
        self.shown = match self.chosen {
            Some(side) => side,
            None => side_of_cards(room, cards, ui.pixels_per_point()),
        };
        self.shown
    }

    /// The side of pictures of `size` pixels, of which `columns` stand side by side in `room`, points.
    pub fn of_columns(&mut self, ui: &Ui, room: Vec2, columns: usize, size: usize) -> f32 {
        let wanted = (room.x / columns.max(1) as f32 - tokens::GAP).min(room.y / ROWS_IN_SIGHT);
        self.shown = match self.chosen {
            Some(side) => side,
            None if wanted < LEAST => whole_pixels(STRETCH * LEAST, size, ui.pixels_per_point()),
            None => whole_pixels(wanted, size, ui.pixels_per_point()),
        };
        self.shown
    }
}

fn side_of_cards(room: Vec2, cards: Cards, pixels_per_point: f32) -> f32 {
    let fits = |side: f32| {
        let rows = cards.count.div_ceil(cards::columns(room.x, side));
        rows as f32 * (cards::height(side, cards.views, cards.lines) + tokens::GAP) <= room.y
    };
    let tried = (0..).map(|n| *CHOICES.end() - n as f32 * TRIED).take_while(|side| *side >= LEAST);
    let all = tried.into_iter().find(|side| fits(*side));
    let around = cards::height(0.0, 0, cards.lines);
    let some = (SHARE_OF_WIDTH * room.x).min(room.y / ROWS_IN_SIGHT - around);
    if let Some(all) = all.filter(|all| *all >= some) {
        // All of them are seen; a larger size would push one out of sight.
        return whole_pixels(all, cards.size, pixels_per_point);
    }
    let some = some.clamp(LEAST, *CHOICES.end());
    let whole = whole_pixels(STRETCH * some, cards.size, pixels_per_point);
    // Whole pixels are not worth a column less.
    let columns = |side| cards::columns(room.x, side);
    if columns(whole) < columns(some) { whole_pixels(some, cards.size, pixels_per_point) } else { whole }
}

/// The largest side up to `wanted` points at which each pixel of a small image covers whole pixels of the
/// screen; what has no such side in reach gets `wanted`.
fn whole_pixels(wanted: f32, size: usize, pixels_per_point: f32) -> f32 {
    let wanted = wanted.clamp(LEAST, *CHOICES.end());
    let once = size as f32 / pixels_per_point;
    let times = (wanted / once).floor();
    if has_hard_pixels(size) && times * once >= LEAST { times * once } else { wanted }
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::vec2;

    const CARDS: Cards = Cards { count: 8, size: 32, views: 2, lines: 0 };

    #[test]
    fn pictures_grow_with_the_pane_by_whole_pixels() {
        let of = |x, y| side_of_cards(vec2(x, y), CARDS, 1.0);
        let sides = [(660.0, 230.0), (960.0, 270.0), (1330.0, 480.0), (1900.0, 950.0), (3800.0, 2000.0)];
        let sides = sides.map(|(x, y)| of(x, y));
        assert!(sides.is_sorted(), "{sides:?}");
        assert!(sides.iter().all(|side| side % 32.0 == 0.0), "{sides:?}");
        assert_eq!((sides[0], sides[4]), (96.0, 256.0));
        assert!(sides[2] >= 128.0 && sides[3] >= 160.0, "{sides:?}");
        assert_eq!(of(880.0, 270.0), LEAST, "96 points would leave one column of two");
        // Two pixels of the screen are a point.
        assert_eq!(side_of_cards(vec2(1330.0, 480.0), Cards { size: 48, ..CARDS }, 2.0) % 24.0, 0.0);
    }

    #[test]
    fn large_images_take_the_room_and_small_ones_never_shrink_for_their_pixels() {
        let large = Cards { size: 224, ..CARDS };
        assert_eq!(side_of_cards(vec2(1200.0, 480.0), large, 1.0), 132.0);
        // 64 points would be smaller than the least, 128 too large for the pane.
        assert_eq!(side_of_cards(vec2(880.0, 270.0), Cards { size: 64, ..CARDS }, 1.0), LEAST);
    }

    #[test]
    fn what_fits_stays_in_sight() {
        let one = Cards { count: 1, ..CARDS };
        let side = side_of_cards(vec2(1330.0, 480.0), one, 1.0);
        assert_eq!(side, 256.0, "one card has all the room");
        assert!(cards::height(side, 2, 0) < 480.0);
    }
}
