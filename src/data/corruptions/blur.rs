//! Blurs: normal kernel, glass, defocus, motion and zoom.

use super::enlarge::centre_zoom;
use super::filter::{add_scaled, correlate, gaussian_nearest, normal_kernel};
use super::raster::{Border, Raster};
use super::smear::smear;
use crate::config::ParameterSet;

/// A normal kernel.
pub(super) fn gaussian(image: &Raster, set: ParameterSet, level: usize) -> Raster {
    let sigma = match set {
        ParameterSet::ImageNetC => [1.0, 2.0, 3.0, 4.0, 6.0],
        ParameterSet::CifarC => [0.4, 0.6, 0.7, 0.8, 1.0],
    }[level];
    gaussian_nearest(image, sigma)
}

/// Frosted glass: a blur, pixels replaced by near ones, the same blur again. `offset` draws evenly from
/// `-reach..reach`, the upper bound left out, first a step across, then one down.
///
/// The benchmark's code means to exchange two pixels, but NumPy's views make it a copy: the near pixel keeps
/// its value. Pixels that a step of `reach` to the left or upwards would lead out of the image stay, which
/// are more than are in danger of it.
pub(super) fn glass(
    image: &Raster,
    set: ParameterSet,
    level: usize,
    mut offset: impl FnMut(usize) -> isize,
) -> Raster {
    let (sigma, reach, rounds) = match set {
        ParameterSet::ImageNetC => [(0.7, 1, 2), (0.9, 2, 1), (1.0, 2, 3), (1.1, 3, 2), (1.5, 4, 2)],
        ParameterSet::CifarC => [(0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)],
    }[level];
    let (width, height) = (image.width, image.height);
    let mut rgb = gaussian_nearest(image, sigma).into_bytes();
    for _ in 0..rounds {
        for y in (reach + 1..(height + 1).saturating_sub(reach)).rev() {
            for x in (reach + 1..(width + 1).saturating_sub(reach)).rev() {
                let from_x = x.strict_add_signed(offset(reach));
                let from_y = y.strict_add_signed(offset(reach));
                let from = (from_y * width + from_x) * 3;
                rgb.copy_within(from..from + 3, (y * width + x) * 3);
            }
        }
    }
    gaussian_nearest(&Raster::from_rgb(&rgb, width, height), sigma)
}

/// A lens out of focus: a disk whose edge is softened.
pub(super) fn defocus(image: &Raster, set: ParameterSet, level: usize) -> Raster {
    let (radius, softness) = match set {
        ParameterSet::ImageNetC => [(3.0, 0.1), (4.0, 0.5), (6.0, 0.5), (8.0, 0.5), (10.0, 0.5)],
        ParameterSet::CifarC => [(0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1)],
    }[level];
    correlate(image, &disk(radius, softness))
}

/// A disk of this radius, pixels, on a square grid of odd side, with sum 1 before its edge is softened by a
/// normal kernel of 3 by 3 taps, or 5 by 5 for a radius above 8.
fn disk(radius: f64, softness: f64) -> Vec<f32> {
    let (reach, taps) = if radius <= 8.0 { (8, 3) } else { (radius as i32, 5) };
    let inside = |x: i32, y: i32| f64::from(x * x + y * y) <= radius * radius;
    let side = 2 * reach as usize + 1;
    let mut grid = (-reach..=reach).flat_map(|y| (-reach..=reach).map(move |x| (x, y)));
    let mut disk = Raster::layer(side, side, || grid.next().map_or(0.0, |(x, y)| f32::from(inside(x, y))));
    let sum: f32 = disk.values.iter().sum();
    disk = disk.map(|value| value / sum);
    let kernel = normal_kernel(taps, softness);
    let mut soft = disk.black();
    for y in 0..side {
        for x in 0..side {
            soft.values[y * side + x] = tap_sum(&disk, &kernel, x, y);
        }
    }
    soft.values
}

/// The sum over the square of `kernel` by itself around (x, y).
fn tap_sum(image: &Raster, kernel: &[f32], x: usize, y: usize) -> f32 {
    let index = |at: usize, tap: usize, len| {
        Border::Reflect101.index((at + tap) as isize - (kernel.len() / 2) as isize, len)
    };
    let mut sum = 0.0;
    for (down, vertical) in kernel.iter().enumerate() {
        let row = image.row(index(y, down, image.height));
        for (right, horizontal) in kernel.iter().enumerate() {
            sum += vertical * horizontal * row[index(x, right, image.width)];
        }
    }
    sum
}

/// A smear along `angle`, degrees; the benchmark draws it evenly from −45..45.
pub(super) fn motion(image: &Raster, set: ParameterSet, level: usize, angle: f64) -> Raster {
    let (radius, sigma) = match set {
        ParameterSet::ImageNetC => [(10, 3.0), (15, 5.0), (15, 8.0), (15, 12.0), (20, 15.0)],
        ParameterSet::CifarC => [(6, 1.0), (6, 1.5), (6, 2.0), (8, 2.0), (9, 2.5)],
    }[level];
    smear(image, radius, sigma, angle)
}

/// The mean of the image and of its middle at growing magnifications, of which 1 is the first.
pub(super) fn zoom(image: &Raster, set: ParameterSet, level: usize) -> Raster {
    let (end, step) = match set {
        ParameterSet::ImageNetC => [(1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)],
        ParameterSet::CifarC => [(1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)],
    }[level];
    let factors = arange(1.0, end, step);
    let share = 1.0 / (factors.len() + 1) as f32;
    let mut out = image.clone();
    for factor in &factors {
        add_scaled(&mut out.values, &centre_zoom(image, *factor).values, 1.0);
    }
    out.map(|sum| sum * share)
}

/// NumPy's `arange`, whose rounding decides whether the end belongs to it: 1.11 does for (1, 1.11, 0.01).
fn arange(start: f64, end: f64, step: f64) -> Vec<f64> {
    let count = ((end - start) / step).ceil() as usize;
    let delta = (start + step) - start;
    (0..count).map(|i| start + i as f64 * delta).collect()
}
