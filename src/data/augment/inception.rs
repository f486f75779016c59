//! The random window of Inception-style training: a part of the image of random area and aspect, resized to a
//! square.
//!
//! `inception` means this crop as EfficientNet's code draws it, by TensorFlow's
//! `sample_distorted_bounding_box` with the whole image as the object: aspect uniform in 3/4..4/3, area 8% to
//! 100% of which at least 10% must remain (the code's `min_object_covered`), 10 tries, else the central
//! square. Inception's colour changes are no part of that code and not of this either; mirroring is `flip`.
//! The window is resized by Pillow's antialiased bicubic filter.

use super::Showing;
use crate::data::random::{Purpose, Random};
use crate::data::{CropWindow, Picture};

const TRIES: usize = 10;
const AREA: [f64; 2] = [0.08, 1.0];
const ASPECT: [f32; 2] = [3.0 / 4.0, 4.0 / 3.0];
/// Share of the image that the window must hold.
const LEAST_COVERED: f64 = 0.1;
/// The central square's side as a share of the shorter side.
const CENTRE: f64 = 0.875;

/// Cuts a random window out of `picture` and resizes it to `[size, size, 3]`.
pub(super) fn frame(picture: &Picture, size: usize, showing: &Showing) -> anyhow::Result<Vec<u8>> {
    let mut random = showing.random(Purpose::InceptionCrop);
    let (width, height) = (picture.width(), picture.height());
    let window =
        (0..TRIES).find_map(|_| draw(width, height, &mut random)).unwrap_or_else(|| central(width, height));
    picture.crop_bicubic(window, size)
}

/// One try; `None` where the drawn aspect does not fit.
fn draw(width: usize, height: usize, random: &mut Random) -> Option<CropWindow> {
    let aspect = f64::from(random.range(ASPECT[0], ASPECT[1]));
    let whole = (width * height) as f64;
    let [least, most] = AREA.map(|share| (share * whole / aspect).sqrt().round_ties_even() as usize);
    let most = most.min(((width as f64 + 0.5) / aspect) as usize).min(height);
    let least = least.min(most);
    let window_height = least + random.below((most - least + 1) as u32) as usize;
    let window_width = (window_height as f64 * aspect).round_ties_even() as usize;
    let share = (window_width * window_height) as f64 / whole;
    if window_width > width || window_width * window_height == 0 || share < LEAST_COVERED.max(AREA[0]) {
        return None;
    }
    let left = random.below((width - window_width + 1) as u32) as usize;
    let top = random.below((height - window_height + 1) as u32) as usize;
    Some(CropWindow { left, top, width: window_width, height: window_height })
}

fn central(width: usize, height: usize) -> CropWindow {
    let side = ((CENTRE * width.min(height) as f64) as usize).max(1);
    let offset = |length: usize| (length - side).div_ceil(2);
    CropWindow { left: offset(width), top: offset(height), width: side, height: side }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_lie_inside_and_keep_area_and_aspect() {
        for (width, height) in [(500, 375), (300, 300), (64, 400), (9, 7)] {
            let mut random = Random::new(Purpose::InceptionCrop, [1, 2, 3]);
            let (mut found, mut shares) = (0, [f64::MAX, 0.0]);
            for _ in 0..2000 {
                let Some(window) = draw(width, height, &mut random) else { continue };
                found += 1;
                assert!(window.left + window.width <= width && window.top + window.height <= height);
                let share = (window.width * window.height) as f64 / (width * height) as f64;
                shares = [shares[0].min(share), shares[1].max(share)];
                assert!((0.1..=1.0).contains(&share), "{window:?} of {width}×{height}");
                // Half a pixel of rounding.
                let aspect = window.width as f64 / window.height as f64;
                let slack = 0.51 / window.height as f64;
                assert!((0.75 - slack..=4.0 / 3.0 + slack).contains(&aspect), "{window:?}");
            }
            assert!(found > 500, "{found} of 2000 tries fit {width}×{height}");
            if width.min(height) > 100 {
                assert!(shares[0] < 0.12 && shares[1] > 0.9, "areas reach from {shares:?}");
            }
        }
    }

    #[test]
    fn an_image_that_no_window_fits_gives_its_central_square() {
        // A window of at most 4/3 · 4 pixels' width covers less than a tenth.
        let mut random = Random::new(Purpose::InceptionCrop, [4, 5, 6]);
        assert!((0..1000).all(|_| draw(100, 4, &mut random).is_none()));
        let window = central(101, 40);
        assert_eq!((window.left, window.top, window.width, window.height), (33, 3, 35, 35));
    }
}
