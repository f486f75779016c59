//! The elastic transform: a small affine change, then every pixel moved by a smooth field.

use super::filter::gaussian;
use super::raster::{Border, Raster};
use crate::config::ParameterSet;

/// What an elastic transform draws, each evenly from −1..1.
pub(super) struct Draws {
    /// How far the three points that define the affine change go, x before y.
    pub(super) points: [[f32; 2]; 3],
    /// `[height, width]`: how far each pixel goes across and down, before smoothing.
    pub(super) fields: [Raster; 2],
}

/// The transform. Lengths are shares of the image's shorter side; with ImageNet-C they are 244/224 of what
/// they were meant to be, for its code says 244 where it means the side of 224.
pub(super) fn transform(image: &Raster, set: ParameterSet, level: usize, draws: &Draws) -> Raster {
    let side = image.width.min(image.height) as f32;
    let (unit, strengths) = match set {
        ParameterSet::ImageNetC => (
            side * (244.0 / 224.0),
            [(2.0, 0.7, 0.1), (2.0, 0.08, 0.2), (0.05, 0.01, 0.02), (0.07, 0.01, 0.02), (0.12, 0.01, 0.02)],
        ),
        ParameterSet::CifarC => (
            side,
            [(0.0, 0.0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)],
        ),
    };
    let (amount, sigma, affine) = strengths[level];
    let moved = warp(image, &draws.points, unit * affine);
    let [across, down] = draws
        .fields
        .each_ref()
        .map(|field| gaussian(field, unit * sigma, 3.0, Border::Reflect).map(|value| value * unit * amount));
    let mut out = image.black();
    let mut places = across.values.iter().zip(&down.values);
    for y in 0..image.height {
        for (x, pixel) in out.row_mut(y).chunks_exact_mut(3).enumerate() {
            let Some((dx, dy)) = places.next() else { break };
            sample(&moved, x as f32 + dx, y as f32 + dy, Border::Reflect, pixel);
        }
    }
    out
}

/// OpenCV's `warpAffine` for the change that takes three points around the middle to where `draws`, times
/// `reach` pixels, move them.
fn warp(image: &Raster, draws: &[[f32; 2]; 3], reach: f32) -> Raster {
    let (cx, cy) = ((image.width / 2) as f64, (image.height / 2) as f64);
    let size = (image.width.min(image.height) / 3) as f64;
    if size == 0.0 {
        // Fewer than three pixels: the points are one.
        return image.clone();
    }
    let from = [[cx + size, cy + size], [cx + size, cy - size], [cx - size, cy - size]];
    let mut to = from;
    for (point, draw) in to.iter_mut().zip(draws) {
        for (place, draw) in point.iter_mut().zip(draw) {
            *place += f64::from(draw * reach);
        }
    }
    // The change back: from a point of the result to one of the image.
    let [[ax, ay], [bx, by], [px, py]] = to;
    let (ux, uy, vx, vy) = (ax - bx, ay - by, px - bx, py - by);
    let area = ux * vy - uy * vx;
    if area.abs() < 1e-9 {
        return image.clone();
    }
    let mut out = image.black();
    for y in 0..image.height {
        for (x, pixel) in out.row_mut(y).chunks_exact_mut(3).enumerate() {
            let (dx, dy) = (x as f64 - bx, y as f64 - by);
            // Along the edges of the three points, of which the first is vertical in the image and the second
            // horizontal.
            let along = (dx * vy - dy * vx) / area;
            let across = (ux * dy - uy * dx) / area;
            let (x, y) = (from[1][0] - 2.0 * size * across, from[1][1] + 2.0 * size * along);
            sample(image, x as f32, y as f32, Border::Reflect101, pixel);
        }
    }
    out
}

/// The pixel at a place between pixels, by bilinear interpolation.
fn sample(image: &Raster, x: f32, y: f32, border: Border, out: &mut [f32]) {
    let (left, top) = (x.floor(), y.floor());
    let (right_weight, lower_weight) = (x - left, y - top);
    let column = |step: isize| border.index(left as isize + step, image.width) * 3;
    let row = |step: isize| image.row(border.index(top as isize + step, image.height));
    let ((a, b), (upper, lower)) = ((column(0), column(1)), (row(0), row(1)));
    for (channel, to) in out.iter_mut().enumerate() {
        let across = |row: &[f32]| {
            let (from, to) = (row[a + channel], row[b + channel]);
            from + (to - from) * right_weight
        };
        let (high, low) = (across(upper), across(lower));
        *to = high + (low - high) * lower_weight;
    }
}
