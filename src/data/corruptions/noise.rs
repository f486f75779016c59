//! Noise, drawn anew for every channel of every pixel.

use super::raster::to_byte;
use crate::config::ParameterSet;
use crate::data::random::Random;
use rand_distr::Poisson;

/// Adds normal noise.
pub(super) fn gaussian(rgb: &[u8], set: ParameterSet, level: usize, random: &mut Random) -> Vec<u8> {
    gaussian_with(rgb, set, level, || random.normal())
}

/// As [`gaussian`], with the noise of standard deviation 1 handed in.
pub(super) fn gaussian_with(
    rgb: &[u8],
    set: ParameterSet,
    level: usize,
    mut normal: impl FnMut() -> f32,
) -> Vec<u8> {
    let sigma = match set {
        ParameterSet::ImageNetC => [0.08, 0.12, 0.18, 0.26, 0.38],
        ParameterSet::CifarC => [0.04, 0.06, 0.08, 0.09, 0.10],
    }[level];
    rgb.iter().map(|byte| to_byte(f32::from(*byte) / 255.0 + sigma * normal())).collect()
}

/// Adds normal noise in proportion to the pixel.
pub(super) fn speckle(rgb: &[u8], set: ParameterSet, level: usize, random: &mut Random) -> Vec<u8> {
    speckle_with(rgb, set, level, || random.normal())
}

/// As [`speckle`], with the noise of standard deviation 1 handed in.
pub(super) fn speckle_with(
    rgb: &[u8],
    set: ParameterSet,
    level: usize,
    mut normal: impl FnMut() -> f32,
) -> Vec<u8> {
    let sigma = match set {
        ParameterSet::ImageNetC => [0.15, 0.2, 0.35, 0.45, 0.6],
        ParameterSet::CifarC => [0.06, 0.1, 0.12, 0.16, 0.2],
    }[level];
    let noisy = rgb.iter().map(|byte| {
        let value = f32::from(*byte) / 255.0;
        to_byte(value + value * sigma * normal())
    });
    noisy.collect()
}

/// Replaces every value by a Poisson draw, with so many photons for white.
pub(super) fn shot(rgb: &[u8], set: ParameterSet, level: usize, random: &mut Random) -> Vec<u8> {
    let photons: f32 = match set {
        ParameterSet::ImageNetC => [60.0, 25.0, 12.0, 5.0, 3.0],
        ParameterSet::CifarC => [500.0, 250.0, 100.0, 75.0, 50.0],
    }[level];
    // Black has no distribution: a mean of 0 draws 0.
    let of_byte: [Option<Poisson<f32>>; 256] =
        std::array::from_fn(|byte| Poisson::new(byte as f32 / 255.0 * photons).ok());
    let noisy = rgb.iter().map(|byte| match &of_byte[usize::from(*byte)] {
        Some(poisson) => to_byte(random.draw(poisson) / photons),
        None => 0,
    });
    noisy.collect()
}

/// Salt and pepper: a share of the values becomes 0 or 255 with even chances.
pub(super) fn impulse(rgb: &[u8], set: ParameterSet, level: usize, random: &mut Random) -> Vec<u8> {
    let amount = match set {
        ParameterSet::ImageNetC => [0.03, 0.06, 0.09, 0.17, 0.27],
        ParameterSet::CifarC => [0.01, 0.02, 0.03, 0.05, 0.07],
    }[level];
    let noisy = rgb.iter().map(|byte| match random.chance(amount) {
        true if random.chance(0.5) => 255,
        true => 0,
        false => *byte,
    });
    noisy.collect()
}
