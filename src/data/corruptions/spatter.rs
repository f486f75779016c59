//! Spatter: drops of water that refract the light, or of mud that cover the image.

use super::edges::{distance_to_edges, edges};
use super::filter::gaussian_nearest;
use super::raster::{Border, Raster};
use crate::config::ParameterSet;

/// What a severity means.
struct Strength {
    mean: f32,
    deviation: f32,
    /// Sigma of the liquid's blur, pixels.
    sigma: f32,
    threshold: f32,
    /// Water: its brightness. Mud: sigma of the drops' edges, pixels.
    amount: f32,
    mud: bool,
}

fn strength(set: ParameterSet, level: usize) -> Strength {
    let (mean, deviation, sigma, threshold, amount, mud) = match set {
        ParameterSet::ImageNetC => [
            (0.65, 0.3, 4.0, 0.69, 0.6, false),
            (0.65, 0.3, 3.0, 0.68, 0.6, false),
            (0.65, 0.3, 2.0, 0.68, 0.5, false),
            (0.65, 0.3, 1.0, 0.65, 1.5, true),
            (0.67, 0.4, 1.0, 0.65, 1.5, true),
        ],
        ParameterSet::CifarC => [
            (0.62, 0.1, 0.7, 0.7, 0.5, false),
            (0.65, 0.1, 0.8, 0.7, 0.5, false),
            (0.65, 0.3, 1.0, 0.69, 0.5, false),
            (0.65, 0.1, 0.7, 0.69, 0.6, true),
            (0.65, 0.1, 0.5, 0.68, 0.6, true),
        ],
    }[level];
    Strength { mean, deviation, sigma, threshold, amount, mud }
}

/// Pale turquoise.
const WATER: [f32; 3] = [175.0 / 255.0, 238.0 / 255.0, 238.0 / 255.0];
const MUD: [f32; 3] = [63.0 / 255.0, 42.0 / 255.0, 20.0 / 255.0];

/// Spatter; `normal` draws the noise that the drops are made of.
pub(super) fn spatter(
    image: &Raster,
    set: ParameterSet,
    level: usize,
    mut normal: impl FnMut() -> f32,
) -> Raster {
    let strength = strength(set, level);
    let noise = Raster::layer(image.width, image.height, || strength.mean + strength.deviation * normal());
    let liquid = gaussian_nearest(&noise, strength.sigma)
        .map(|value| if value < strength.threshold { 0.0 } else { value });
    let mut out = image.clone();
    let pixels = out.values.chunks_exact_mut(3);
    if strength.mud {
        let drops = liquid.map(|value| f32::from(value > strength.threshold));
        let cover = gaussian_nearest(&drops, strength.amount);
        for (pixel, cover) in pixels.zip(cover.values.into_iter().map(covering)) {
            for (value, mud) in pixel.iter_mut().zip(MUD) {
                *value = *value * (1.0 - cover) + mud * cover;
            }
        }
    } else {
        for (pixel, light) in pixels.zip(refraction(&liquid, strength.amount)) {
            for (value, water) in pixel.iter_mut().zip(WATER) {
                *value += water * light;
            }
        }
    }
    out
}

/// How far mud hides a pixel: thin edges of drops do not.
fn covering(thickness: f32) -> f32 {
    if thickness < 0.8 { 0.0 } else { thickness }
}

/// The light of the drops at every pixel: brighter towards the lower right of their edges; at most `amount`.
fn refraction(liquid: &Raster, amount: f32) -> Vec<f32> {
    let (width, height) = (liquid.width, liquid.height);
    let thickness: Vec<u8> = liquid.values.iter().map(|value| (value * 255.0) as u8).collect();
    let distances = distance_to_edges(&edges(&thickness, width, height), width, height);
    let near: Vec<f32> = distances.into_iter().map(|distance| distance.min(20.0)).collect();
    let slope: Vec<u8> = box_means(&near, width, height).into_iter().map(|mean| mean as u8).collect();
    let slope = equalized(&slope);
    /// Lit from the upper left, as a relief.
    const RELIEF: [[f32; 3]; 3] = [[-2.0, -1.0, 0.0], [-1.0, 1.0, 1.0], [0.0, 1.0, 2.0]];
    let lit = around(&slope.iter().map(|byte| f32::from(*byte)).collect::<Vec<_>>(), width, height, RELIEF);
    let lit: Vec<f32> = lit.into_iter().map(|value| value.clamp(0.0, 255.0)).collect();
    let soft = box_means(&lit, width, height).into_iter().map(f32::round_ties_even);
    let mut light: Vec<f32> = soft.zip(&thickness).map(|(soft, drop)| soft * f32::from(*drop)).collect();
    let highest = light.iter().copied().fold(0.0, f32::max);
    if highest > 0.0 {
        for value in &mut light {
            *value *= amount / highest;
        }
    }
    light
}

fn box_means(values: &[f32], width: usize, height: usize) -> Vec<f32> {
    around(values, width, height, [[1.0; 3]; 3]).into_iter().map(|sum| sum / 9.0).collect()
}

/// The correlation with a kernel of 3 by 3, mirrored at the borders.
fn around(values: &[f32], width: usize, height: usize, kernel: [[f32; 3]; 3]) -> Vec<f32> {
    let index = |at: usize, tap: usize, len| Border::Reflect101.index((at + tap) as isize - 1, len);
    let mut out = Vec::with_capacity(values.len());
    for y in 0..height {
        let rows = [0, 1, 2].map(|down| &values[index(y, down, height) * width..][..width]);
        for x in 0..width {
            let columns = [0, 1, 2].map(|right| index(x, right, width));
            let mut sum = 0.0;
            for (row, weights) in rows.iter().zip(kernel) {
                for (column, weight) in columns.iter().zip(weights) {
                    sum += row[*column] * weight;
                }
            }
            out.push(sum);
        }
    }
    out
}

/// OpenCV's `equalizeHist`: the darkest byte becomes 0, the brightest 255.
fn equalized(bytes: &[u8]) -> Vec<u8> {
    let mut counts = [0_usize; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    let Some(darkest) = counts.iter().position(|count| *count > 0) else { return Vec::new() };
    let others = bytes.len() - counts[darkest];
    if others == 0 {
        return bytes.to_vec();
    }
    let scale = 255.0 / others as f32;
    let mut sum = 0;
    let mut table = [0_u8; 256];
    for (entry, count) in table.iter_mut().zip(counts).skip(darkest + 1) {
        sum += count;
        *entry = (sum as f32 * scale).round_ties_even() as u8;
    }
    bytes.iter().map(|byte| table[usize::from(*byte)]).collect()
}
