//! Cutout: hides a square at a random place (DeVries and Taylor 2017). The square's centre is uniform over
//! the image, so that part of it may lie outside.

use super::Showing;
use super::square::Square;
use crate::data::random::Purpose;

/// What [`Cutout`] hides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cutout {
    /// Side of the square, pixels.
    pub size: usize,
    /// Its colour: the input's mean, which normalisation turns into zero.
    pub colour: [u8; 3],
}

impl Cutout {
    pub fn new(size: usize, mean: [f32; 3]) -> Self {
        Self { size, colour: mean.map(|m| (255.0 * m).round() as u8) }
    }

    /// Hides one square of `image`.
    pub fn apply(&self, image: &mut Square, showing: &Showing) {
        let mut random = showing.random(Purpose::Cutout);
        let side = image.side() as u32;
        let (x, y) = (i64::from(random.below(side)), i64::from(random.below(side)));
        let before = (self.size / 2) as i64;
        let (left, top) = (x - before, y - before);
        image.fill([left, top, left + self.size as i64, top + self.size as i64], self.colour);
    }
}
