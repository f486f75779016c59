//! Two images with a line between them, and maps over them, as pixels for a file: what the large view shows.

use crate::app::theme::tokens;
use crate::app::widgets::pictures::has_hard_pixels;

/// Smallest side of a file's picture, pixels; images are enlarged by a whole number to reach it.
const SIDE: usize = 1024;
/// Width of the line between the two images, pixels of the file.
const LINE: f32 = 3.0;

/// Images and maps to draw.
#[derive(Clone, Debug)]
pub struct Drawing {
    /// Side of the images, pixels.
    pub size: usize,
    /// RGB `[size, size, 3]`: left of the line, and right of it.
    pub images: [Vec<u8>; 2],
    /// Maps over them `[size, size]`, 0..1 on their colour scale, with their opacity 0..=1.
    pub maps: Option<([Vec<f32>; 2], f32)>,
    /// Where the line is, 0..=1 of the width; `None`: the first image alone.
    pub divider: Option<f32>,
}

impl Drawing {
    /// The side of the enlarged picture and its pixels, RGB `[side, side, 3]`.
    pub fn rgb(&self) -> (usize, Vec<u8>) {
        let factor = SIDE.div_ceil(self.size.max(1)).max(1);
        let side = self.size * factor;
        let line = self.divider.map(|share| share * side as f32);
        let mut rgb = Vec::with_capacity(side * side * 3);
        for y in 0..side {
            for x in 0..side {
                let from_line = line.map(|at| x as f32 + 0.5 - at);
                if from_line.is_some_and(|distance| distance.abs() < 0.5 * LINE) {
                    rgb.extend([255; 3]);
                    continue;
                }
                let which = usize::from(from_line.is_some_and(|distance| distance > 0.0));
                rgb.extend(self.pixel(which, x, y, factor));
            }
        }
        (side, rgb)
    }

    fn pixel(&self, which: usize, x: usize, y: usize, factor: usize) -> [u8; 3] {
        let image = &self.images[which];
        let is_hard = has_hard_pixels(self.size);
        let at = |x: usize, y: usize, c: usize| f32::from(image[(y * self.size + x) * 3 + c]);
        let colour = [0, 1, 2].map(|c| match is_hard {
            true => at(x / factor, y / factor, c),
            false => self.between(x, y, factor, |x, y| at(x, y, c)),
        });
        let Some((maps, opacity)) = &self.maps else { return colour.map(|value| value.round() as u8) };
        let score = self.between(x, y, factor, |x, y| maps[which][y * self.size + x]);
        let heat = tokens::heat(score);
        let mix = |c: usize, heat: u8| (colour[c] + opacity * (f32::from(heat) - colour[c])).round() as u8;
        [mix(0, heat.r()), mix(1, heat.g()), mix(2, heat.b())]
    }

    /// The value between the four pixels around a point of the enlarged picture (bilinear).
    fn between(&self, x: usize, y: usize, factor: usize, at: impl Fn(usize, usize) -> f32) -> f32 {
        let last = self.size - 1;
        let place = |v: usize| {
            let v = ((v as f32 + 0.5) / factor as f32 - 0.5).clamp(0.0, last as f32);
            (v as usize, (v as usize + 1).min(last), v.fract())
        };
        let ((x0, x1, right), (y0, y1, down)) = (place(x), place(y));
        let row = |y: usize| at(x0, y) + right * (at(x1, y) - at(x0, y));
        row(y0) + down * (row(y1) - row(y0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawing(size: usize) -> Drawing {
        let images = [vec![10; size * size * 3], vec![200; size * size * 3]];
        Drawing { size, images, maps: None, divider: Some(0.25) }
    }

    #[test]
    fn a_file_shows_both_images_and_the_line() {
        let (side, rgb) = drawing(32).rgb();
        assert_eq!((side, rgb.len()), (1024, 1024 * 1024 * 3));
        let at = |x: usize| rgb[(500 * side + x) * 3];
        assert_eq!([at(0), at(250), at(256), at(260), at(1023)], [10, 10, 255, 200, 200]);
        let large = drawing(224).rgb().0;
        assert!(large >= SIDE && large.is_multiple_of(224), "{large}");
    }

    #[test]
    fn a_map_lies_over_its_image_with_its_opacity() {
        let maps = Some(([vec![0.0; 16], vec![1.0; 16]], 0.5));
        let (side, rgb) = Drawing { maps, ..drawing(4) }.rgb();
        let half = |image: u8, heat: u8| (0.5 * (f32::from(image) + f32::from(heat))).round() as u8;
        let (cold, hot) = (tokens::heat(0.0), tokens::heat(1.0));
        let at = |x: usize| [0, 1, 2].map(|c| rgb[(9 * side + x) * 3 + c]);
        assert_eq!(at(3), [half(10, cold.r()), half(10, cold.g()), half(10, cold.b())]);
        assert_eq!(at(side - 3), [half(200, hot.r()), half(200, hot.g()), half(200, hot.b())]);
    }
}
