//! Weather: snow, frost and fog.

use super::enlarge::centre_zoom;
use super::plasma::plasma;
use super::raster::Raster;
use super::smear::smear;
use crate::config::ParameterSet;

/// Snow: flakes out of normal noise, enlarged and smeared along `angle` (degrees; the benchmark draws it
/// evenly from −135..−45), over a whitened image, once as they are and once turned by 180°. `normal` draws
/// the noise.
pub(super) fn snow(
    image: &Raster,
    set: ParameterSet,
    level: usize,
    mut normal: impl FnMut() -> f32,
    angle: f64,
) -> Raster {
    let (mean, deviation, zoom, threshold, radius, sigma, kept) = match set {
        ParameterSet::ImageNetC => [
            (0.1, 0.3, 3.0, 0.5, 10, 4.0, 0.8),
            (0.2, 0.3, 2.0, 0.5, 12, 4.0, 0.7),
            (0.55, 0.3, 4.0, 0.9, 12, 8.0, 0.7),
            (0.55, 0.3, 4.5, 0.85, 12, 8.0, 0.65),
            (0.55, 0.3, 2.5, 0.85, 12, 12.0, 0.55),
        ],
        ParameterSet::CifarC => [
            (0.1, 0.2, 1.0, 0.6, 8, 3.0, 0.95),
            (0.1, 0.2, 1.0, 0.5, 10, 4.0, 0.9),
            (0.15, 0.3, 1.75, 0.55, 10, 4.0, 0.9),
            (0.25, 0.3, 2.25, 0.6, 12, 6.0, 0.85),
            (0.3, 0.3, 1.25, 0.65, 14, 12.0, 0.8),
        ],
    }[level];
    let noise = Raster::layer(image.width, image.height, || mean + deviation * normal());
    // The benchmark hands flakes to ImageMagick and back as images of 8 bits.
    let flakes = centre_zoom(&noise, zoom)
        .map(|value| if value < threshold { 0.0 } else { (value.clamp(0.0, 1.0) * 255.0).floor() / 255.0 });
    let flakes = smear(&flakes, radius, sigma, angle).map(|value| (value * 255.0).round() / 255.0);
    let mut out = image.clone();
    let turned = flakes.values.iter().rev();
    let pixels = out.values.chunks_exact_mut(3).zip(image.grey());
    for ((pixel, grey), (flake, turned)) in pixels.zip(flakes.values.iter().zip(turned)) {
        for value in pixel {
            let whitened = value.max(grey * 1.5 + 0.5);
            *value = kept * *value + (1.0 - kept) * whitened + flake + turned;
        }
    }
    out
}

/// Adds the part of a picture of frost, RGB, that begins at pixel (left, top), in the benchmark's
/// proportions.
pub(super) fn frost(
    image: &Raster,
    set: ParameterSet,
    level: usize,
    picture: &Raster,
    (left, top): (usize, usize),
) -> Raster {
    let (of_image, of_frost) = match set {
        ParameterSet::ImageNetC => [(1.0, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)],
        ParameterSet::CifarC => [(1.0, 0.2), (1.0, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)],
    }[level];
    let mut out = image.clone();
    for y in 0..image.height {
        let ice = &picture.row(top + y)[left * 3..];
        for (value, ice) in out.row_mut(y).iter_mut().zip(ice) {
            *value = of_image * *value + of_frost * ice;
        }
    }
    out
}

/// Side of the cloud that fog over an image of this size is cut from.
fn fog_side(width: usize, height: usize) -> usize {
    width.max(height).next_power_of_two().max(2)
}

/// Adds the top left corner of a fractal cloud, and darkens the image so far that its brightest value may
/// keep its place. `draw` draws evenly from −1..1.
pub(super) fn fog(image: &Raster, set: ParameterSet, level: usize, draw: impl FnMut() -> f64) -> Raster {
    let (amount, decay) = match set {
        ParameterSet::ImageNetC => [(1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4)],
        ParameterSet::CifarC => [(0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75)],
    }[level];
    let side = fog_side(image.width, image.height);
    let cloud = plasma(side, decay, draw);
    let highest = image.values.iter().copied().fold(0.0, f32::max);
    let dimmed = highest / (highest + amount);
    let mut out = image.clone();
    for y in 0..image.height {
        for (pixel, thickness) in out.row_mut(y).chunks_exact_mut(3).zip(&cloud[y * side..]) {
            for value in pixel {
                *value = (*value + amount * thickness) * dimmed;
            }
        }
    }
    out
}
