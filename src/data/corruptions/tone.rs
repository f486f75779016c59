//! Corruptions that change every pixel by itself: brightness, contrast and saturation.

use super::raster::to_byte;
use crate::config::ParameterSet;
use crate::data::hsv::{from_hsv, to_hsv};

/// Adds to HSV's value.
pub(super) fn brightness(rgb: &[u8], set: ParameterSet, level: usize) -> Vec<u8> {
    let added = match set {
        ParameterSet::ImageNetC => [0.1, 0.2, 0.3, 0.4, 0.5],
        ParameterSet::CifarC => [0.05, 0.1, 0.15, 0.2, 0.3],
    }[level];
    in_hsv(rgb, |[h, s, v]| [h, s, v + added])
}

/// Multiplies HSV's saturation and adds to it.
pub(super) fn saturate(rgb: &[u8], set: ParameterSet, level: usize) -> Vec<u8> {
    let (factor, added) = match set {
        ParameterSet::ImageNetC => [(0.3, 0.0), (0.1, 0.0), (2.0, 0.0), (5.0, 0.1), (20.0, 0.2)],
        ParameterSet::CifarC => [(0.3, 0.0), (0.1, 0.0), (1.5, 0.0), (2.0, 0.1), (2.5, 0.2)],
    }[level];
    in_hsv(rgb, |[h, s, v]| [h, s * factor + added, v])
}

fn in_hsv(rgb: &[u8], of: impl Fn([f32; 3]) -> [f32; 3]) -> Vec<u8> {
    let changed = rgb.chunks_exact(3).flat_map(|pixel| {
        let [h, s, v] = of(to_hsv([pixel[0], pixel[1], pixel[2]].map(|byte| f32::from(byte) / 255.0)));
        from_hsv([h, s.clamp(0.0, 1.0), v.clamp(0.0, 1.0)]).map(to_byte)
    });
    changed.collect()
}

/// Moves every channel towards its mean over the image.
pub(super) fn contrast(rgb: &[u8], set: ParameterSet, level: usize) -> Vec<u8> {
    let factor: f64 = match set {
        ParameterSet::ImageNetC => [0.4, 0.3, 0.2, 0.1, 0.05],
        ParameterSet::CifarC => [0.75, 0.5, 0.4, 0.3, 0.15],
    }[level];
    let mut sums = [0_u64; 3];
    for pixel in rgb.chunks_exact(3) {
        for (sum, byte) in sums.iter_mut().zip(pixel) {
            *sum += u64::from(*byte);
        }
    }
    let means = sums.map(|sum| sum as f64 / (rgb.len() / 3).max(1) as f64);
    // The 256 answers of each channel.
    let tables = means.map(|mean| {
        let of = |byte: usize| to_byte((((byte as f64 - mean) * factor + mean) / 255.0) as f32);
        std::array::from_fn::<u8, 256, _>(of)
    });
    let changed = rgb.chunks_exact(3).flat_map(|p| [0, 1, 2].map(|c| tables[c][usize::from(p[c])]));
    changed.collect()
}
