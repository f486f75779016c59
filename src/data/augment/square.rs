//! The image that policies work on.

/// A square RGB image in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Square {
    side: usize,
    /// `[side, side, 3]`.
    rgb: Vec<u8>,
}

impl Square {
    /// # Panics
    /// Unless `rgb` holds side · side · 3 bytes.
    pub fn new(side: usize, rgb: Vec<u8>) -> Self {
        assert_eq!(rgb.len(), side * side * 3, "a square image of {side} pixels a side");
        Self { side, rgb }
    }

    /// Pixels.
    pub fn side(&self) -> usize {
        self.side
    }

    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    pub fn into_rgb(self) -> Vec<u8> {
        self.rgb
    }

    pub(super) fn rgb_mut(&mut self) -> &mut [u8] {
        &mut self.rgb
    }

    /// Colours the rows `top..bottom` and columns `left..right`; what lies outside the image is left out.
    pub(super) fn fill(&mut self, [left, top, right, bottom]: [i64; 4], colour: [u8; 3]) {
        let clip = |v: i64| v.clamp(0, self.side as i64) as usize;
        let (left, right) = (clip(left), clip(right));
        for y in clip(top)..clip(bottom) {
            let row = &mut self.rgb[y * self.side * 3..][..self.side * 3];
            for pixel in row[left * 3..right.max(left) * 3].chunks_exact_mut(3) {
                pixel.copy_from_slice(&colour);
            }
        }
    }
}
