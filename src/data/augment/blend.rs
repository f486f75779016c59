//! Operations that move an image away from or towards a poorer version of itself: grey, flat, black or
//! smooth.

use super::square::Square;

/// Replaces each byte v by poor + factor · (v − poor), in single precision, cut to 0..255 and rounded down.
pub(super) fn blend(image: &mut Square, poor: &[u8], factor: f32) {
    for (byte, &poor) in image.rgb_mut().iter_mut().zip(poor) {
        *byte = mix(poor, *byte, factor);
    }
}

/// [`blend`] with one pixel's worth of poorer bytes, computed from the pixel.
pub(super) fn blend_pixels(image: &mut Square, factor: f32, poor: impl Fn([u8; 3]) -> u8) {
    for pixel in image.rgb_mut().chunks_exact_mut(3) {
        let grey = poor([pixel[0], pixel[1], pixel[2]]);
        for byte in pixel {
            *byte = mix(grey, *byte, factor);
        }
    }
}

/// [`blend`] with the same poorer byte everywhere.
pub(super) fn blend_flat(image: &mut Square, factor: f32, poor: u8) {
    super::lookup::map_all(image, |v| mix(poor, v, factor));
}

fn mix(poor: u8, value: u8, factor: f32) -> u8 {
    // The conversion cuts to 0..255.
    (f32::from(poor) + factor * (f32::from(value) - f32::from(poor))) as u8
}

/// The image after a 3×3 filter of ones around a five, divided by 13 in whole numbers after adding
/// `rounding`. The border stays as it is.
pub(super) fn smooth(image: &Square, rounding: u32) -> Vec<u8> {
    let (side, rgb) = (image.side(), image.rgb());
    let mut out = rgb.to_vec();
    let stride = side * 3;
    for y in 1..side.saturating_sub(1) {
        let rows = [
            &rgb[(y - 1) * stride..][..stride],
            &rgb[y * stride..][..stride],
            &rgb[(y + 1) * stride..][..stride],
        ];
        for i in 3..stride - 3 {
            let ones: u32 = rows
                .iter()
                .map(|row| u32::from(row[i - 3]) + u32::from(row[i]) + u32::from(row[i + 3]))
                .sum();
            out[y * stride + i] = ((ones + 4 * u32::from(rows[1][i]) + rounding) / 13) as u8;
        }
    }
    out
}
