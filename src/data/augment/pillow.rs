//! Operations as torchvision's AutoAugment computes them through Pillow, with nearest-pixel sampling and grey
//! filling. Here `Posterize` and `Solarize` grow stronger with the level, from 8 bits to 4 and from threshold
//! 255 to 0.

use super::blend::{blend, blend_flat, blend_pixels, smooth};
use super::lookup;
use super::operation::{Action, Operation};
use super::sample::{sample, shift};
use super::square::Square;

/// Highest level.
const TOP: u8 = 9;

/// The argument of a level, evenly spaced from `first` at 0 to `last` at [`TOP`]. In single precision and
/// from the nearer end, as PyTorch's `linspace`: where the exact value is whole or a pixel's product is,
/// rounding decides.
fn argument(first: f32, last: f32, level: u8) -> f64 {
    let step = (last - first) / f32::from(TOP);
    f64::from(if level <= TOP / 2 {
        first + step * f32::from(level)
    } else {
        last - step * f32::from(TOP - level.min(TOP))
    })
}

pub(super) fn apply(action: &Action, image: &mut Square) {
    let level = action.level;
    let signed = |v: f64| if action.negative { -v } else { v };
    let upto = |last: f64| signed(argument(0.0, last as f32, level));
    let factor = || (1.0 + upto(0.9)) as f32;
    let side = image.side() as f64;
    match action.operation {
        Operation::ShearX => affine(image, [1.0, upto(0.3), 0.0, 0.0, 1.0, 0.0]),
        Operation::ShearY => affine(image, [1.0, 0.0, 0.0, upto(0.3), 1.0, 0.0]),
        Operation::TranslateX => shift(image, -(upto(150.0 / 331.0 * side) as i64), 0),
        Operation::TranslateY => shift(image, 0, -(upto(150.0 / 331.0 * side) as i64)),
        Operation::Rotate => {
            let (sin, cos) = upto(30.0).to_radians().sin_cos();
            let centre = side / 2.0;
            let (dx, dy) = (centre - cos * centre + sin * centre, centre - sin * centre - cos * centre);
            affine(image, [cos, -sin, dx, sin, cos, dy]);
        }
        Operation::AutoContrast => autocontrast(image),
        Operation::Equalize => lookup::equalize(image),
        Operation::Invert => lookup::invert(image),
        Operation::Posterize => lookup::posterize(image, argument(8.0, 4.0, level).round() as u32),
        Operation::Solarize => lookup::solarize(image, argument(255.0, 0.0, level)),
        Operation::Color => blend_pixels(image, factor(), luma),
        Operation::Contrast => {
            let sum: u64 = image.rgb().chunks_exact(3).map(|p| u64::from(luma([p[0], p[1], p[2]]))).sum();
            blend_flat(image, factor(), (sum as f64 / (side * side) + 0.5) as u8);
        }
        Operation::Brightness => blend_flat(image, factor(), 0),
        Operation::Sharpness => {
            let smooth = smooth(image, 6);
            blend(image, &smooth, factor());
        }
        Operation::SolarizeAdd | Operation::Cutout => {}
    }
}

/// Luma of Rec. 601 in Pillow's whole numbers.
fn luma([red, green, blue]: [u8; 3]) -> u8 {
    ((u32::from(red) * 19_595 + u32::from(green) * 38_470 + u32::from(blue) * 7_471 + 0x8000) >> 16) as u8
}

/// Stretches each channel to 0..255.
fn autocontrast(image: &mut Square) {
    let tables = lookup::extremes(image).map(|(low, high)| {
        if high <= low {
            return lookup::table(|v| v);
        }
        let scale = 255.0 / (f64::from(high) - f64::from(low));
        let offset = -f64::from(low) * scale;
        lookup::table(|v| (f64::from(v) * scale + offset).clamp(0.0, 255.0) as u8)
    });
    lookup::map(image, &tables);
}

/// Output(x, y) = input(a·x + b·y + c, d·x + e·y + f) between pixel centres, in 16.16 fixed point as Pillow
/// does it: the rounding of the matrix shows along edges.
fn affine(image: &mut Square, [a, b, c, d, e, f]: [f64; 6]) {
    let fixed = |v: f64| (v * 65_536.0 + 0.5).floor() as i64;
    let matrix = [a, b, c + 0.5 * (a + b), d, e, f + 0.5 * (d + e)].map(fixed);
    let [a, b, c, d, e, f] = matrix;
    let side = image.side() as i64;
    sample(image, |x, y| {
        let (x, y) = (x as i64, y as i64);
        let (x, y) = ((a * x + b * y + c) >> 16, (d * x + e * y + f) >> 16);
        ((0..side).contains(&x) && (0..side).contains(&y)).then_some((x as usize, y as usize))
    });
}
