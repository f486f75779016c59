//! Operations as EfficientNet's TensorFlow code computes them (tensorflow/tpu, models/official/efficientnet,
//! autoaugment.py), its oddities included: `Posterize` always leaves one bit, because TensorFlow shifts a
//! byte by at most 7; `Contrast` blends towards the number of pixels divided by 256 instead of the mean grey;
//! `Solarize` and `Posterize` grow weaker with the level.
//!
//! Levels beyond 10 overshoot. A threshold above 255 then inverts nothing and eight or more kept bits change
//! nothing: the code leaves both to how TensorFlow turns such numbers into bytes.

use super::blend::{blend, blend_flat, blend_pixels, smooth};
use super::lookup;
use super::operation::{Action, GREY, Operation, PixelReach};
use super::sample::sample;
use super::square::Square;
use std::f64::consts::PI;

/// `reach` in pixels of this image.
pub(super) fn apply(action: &Action, reach: PixelReach, image: &mut Square) {
    let level = f64::from(action.level) / 10.0;
    let signed = |v: f64| (if action.negative { -v } else { v }) as f32;
    let factor = (level * 1.8 + 0.1) as f32;
    match action.operation {
        Operation::ShearX => transform(image, [1.0, signed(level * 0.3), 0.0, 0.0, 1.0, 0.0]),
        Operation::ShearY => transform(image, [1.0, 0.0, 0.0, signed(level * 0.3), 1.0, 0.0]),
        Operation::TranslateX => {
            transform(image, [1.0, 0.0, signed(level * reach.translate), 0.0, 1.0, 0.0]);
        }
        Operation::TranslateY => {
            transform(image, [1.0, 0.0, 0.0, 0.0, 1.0, signed(level * reach.translate)]);
        }
        Operation::Rotate => rotate(image, signed(level * 30.0 * (PI / 180.0))),
        Operation::AutoContrast => autocontrast(image),
        Operation::Equalize => lookup::equalize(image),
        Operation::Invert => lookup::invert(image),
        Operation::Posterize => lookup::posterize(image, (level * 4.0) as u32),
        Operation::Solarize => lookup::solarize(image, (level * 256.0).trunc()),
        Operation::SolarizeAdd => {
            let addition = (level * 110.0).min(255.0) as u8;
            lookup::map_all(image, |v| if v < 128 { v.saturating_add(addition) } else { v });
        }
        Operation::Color => blend_pixels(image, factor, grey),
        Operation::Contrast => {
            let flat = (image.side() * image.side() / 256).min(255) as u8;
            blend_flat(image, factor, flat);
        }
        Operation::Brightness => blend_flat(image, factor, 0),
        Operation::Sharpness => {
            let smooth = smooth(image, 0);
            blend(image, &smooth, factor);
        }
        Operation::Cutout => {
            let half = (level * reach.cutout) as i64;
            let [x, y] = action.centre.map(i64::from);
            image.fill([x - half, y - half, x + half, y + half], GREY);
        }
    }
}

/// Luma of Rec. 601 in single precision over 0..1, and back to a byte as TensorFlow converts images.
fn grey(pixel: [u8; 3]) -> u8 {
    let [red, green, blue] = pixel.map(|v| f32::from(v) * (1.0 / 255.0));
    ((red * 0.2989 + green * 0.587 + blue * 0.114) * 255.5) as u8
}

/// Stretches each channel to 0..255.
fn autocontrast(image: &mut Square) {
    let tables = lookup::extremes(image).map(|(low, high)| {
        if high <= low {
            return lookup::table(|v| v);
        }
        let scale = 255.0 / (f32::from(high) - f32::from(low));
        let offset = -f32::from(low) * scale;
        lookup::table(|v| (f32::from(v) * scale + offset).clamp(0.0, 255.0) as u8)
    });
    lookup::map(image, &tables);
}

/// Turns the image about its centre, by radians.
fn rotate(image: &mut Square, angle: f32) {
    let (sin, cos) = (f64::from(angle).sin() as f32, f64::from(angle).cos() as f32);
    let last = (image.side() - 1) as f32;
    let dx = (last - (cos * last - sin * last)) / 2.0;
    let dy = (last - (sin * last + cos * last)) / 2.0;
    transform(image, [cos, -sin, dx, sin, cos, dy]);
}

/// Output(x, y) = input(a·x + b·y + c, d·x + e·y + f) in pixel numbers, halves rounded away from zero.
fn transform(image: &mut Square, [a, b, c, d, e, f]: [f32; 6]) {
    let side = image.side();
    sample(image, |x, y| {
        let (x, y) = (x as f32, y as f32);
        let (x, y) = (pixel(a * x + b * y + c)?, pixel(d * x + e * y + f)?);
        (x < side && y < side).then_some((x, y))
    });
}

/// The nearest pixel number; `None` below 0. Without `f32::round`, which is a function call on plain x86-64.
fn pixel(place: f32) -> Option<usize> {
    (place > -0.5).then(|| (f64::from(place) + 0.5) as usize)
}
