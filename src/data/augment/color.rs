//! Colour distortion as Inception's preprocessing does it: brightness, saturation, hue and contrast, each
//! drawn anew, in this order and in floating point, rounded and clipped once at the end (facts: slim's
//! Inception code).

use super::Showing;
use super::square::Square;
use crate::data::hsv::{from_hsv, to_hsv};
use crate::data::random::Purpose;

/// One draw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Color {
    /// Added to every channel, in 0..1 units.
    pub brightness: f32,
    /// Multiplies HSV's saturation.
    pub saturation: f32,
    /// Added to HSV's hue, in turns.
    pub hue: f32,
    /// Multiplies each channel's distance from its mean over the image.
    pub contrast: f32,
}

impl Color {
    /// What leaves an image as it is.
    pub const NONE: Self = Self { brightness: 0.0, saturation: 1.0, hue: 0.0, contrast: 1.0 };

    pub(super) fn draw(showing: &Showing) -> Self {
        let mut random = showing.random(Purpose::Color);
        Self {
            brightness: random.range(-32.0 / 255.0, 32.0 / 255.0),
            saturation: random.range(0.5, 1.5),
            hue: random.range(-0.2, 0.2),
            contrast: random.range(0.5, 1.5),
        }
    }

    pub fn apply(&self, image: &mut Square) {
        let mut pixels: Vec<[f32; 3]> = image
            .rgb()
            .chunks_exact(3)
            .map(|p| {
                let [r, g, b] = [p[0], p[1], p[2]].map(|v| f32::from(v) / 255.0 + self.brightness);
                let [h, s, v] = to_hsv([r, g, b]);
                from_hsv([(h + self.hue).rem_euclid(1.0), (s * self.saturation).clamp(0.0, 1.0), v])
            })
            .collect();
        let count = pixels.len().max(1) as f64;
        for channel in 0..3 {
            let mean = (pixels.iter().map(|p| f64::from(p[channel])).sum::<f64>() / count) as f32;
            for pixel in &mut pixels {
                pixel[channel] = mean + (pixel[channel] - mean) * self.contrast;
            }
        }
        for (to, pixel) in image.rgb_mut().chunks_exact_mut(3).zip(pixels) {
            to.copy_from_slice(&pixel.map(|v| (v * 255.0).round().clamp(0.0, 255.0) as u8));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Square {
        // Corners of the colour cube, greys and odd mixtures.
        let rgb = [
            [255, 0, 0],
            [0, 255, 0],
            [0, 0, 255],
            [255, 255, 0],
            [0, 255, 255],
            [255, 0, 255],
            [0, 0, 0],
            [255, 255, 255],
            [17, 130, 201],
        ];
        Square::new(3, rgb.concat())
    }

    fn distorted(color: Color) -> Vec<u8> {
        let mut image = image();
        color.apply(&mut image);
        image.into_rgb()
    }

    #[test]
    fn no_distortion_keeps_every_byte() {
        assert_eq!(distorted(Color::NONE), image().rgb());
    }

    #[test]
    fn a_third_of_a_turn_moves_the_channels_round() {
        let turned = distorted(Color { hue: 1.0 / 3.0, ..Color::NONE });
        for (after, before) in turned.chunks(3).zip(image().rgb().chunks(3)) {
            assert_eq!(after, [before[2], before[0], before[1]]);
        }
    }

    #[test]
    fn saturation_brightness_and_contrast_do_what_their_names_say() {
        for pixel in distorted(Color { saturation: 0.0, ..Color::NONE }).chunks(3) {
            assert!(pixel[0] == pixel[1] && pixel[1] == pixel[2], "{pixel:?} is no grey");
        }
        let brighter = distorted(Color { brightness: 10.0 / 255.0, ..Color::NONE });
        assert_eq!(&brighter[24..], [27, 140, 211]);
        let flat = distorted(Color { contrast: 0.0, ..Color::NONE });
        let mean = |c: usize| {
            let sum: f64 = image().rgb().iter().skip(c).step_by(3).map(|v| f64::from(*v)).sum();
            (sum / 9.0).round() as u8
        };
        assert!(flat.chunks(3).all(|p| p == [mean(0), mean(1), mean(2)]));
    }
}
