//! How well class activation maps find the object, in numbers, for sets that know which pixels show it
//! ([`Dataset::mask`]). The maps are those of the true class, as usual in weakly supervised localisation
//! (*GT-known*, Choe et al. 2020): a wrong prediction alone costs nothing.
//!
//! [`Dataset::mask`]: crate::data::Dataset::mask

use super::activation_map::{self, CamMethod};
use super::feature_grid::FeatureGrid;
use crate::data::Dataset;
use crate::graph::Network;
use serde::{Deserialize, Serialize};

/// The share of a map's maximum from which a pixel belongs to the found box, as in Zhou et al. 2016, section
/// 3. It is fixed so that figures of different models can be compared; MaxBoxAcc (Choe et al. 2020) takes for
/// each model the threshold that suits it best.
pub const BOX_THRESHOLD: f32 = 0.2;

/// How well one map, or on average several, finds the object; all figures are 0..1 and higher is better.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Localisation {
    /// Share of the map's positive values that lies on the object (Wang et al. 2020, *energy-based pointing
    /// game*, with the object's pixels in place of its box).
    pub energy: f64,
    /// Intersection over union of two boxes: around the largest connected part of the map that reaches
    /// [`BOX_THRESHOLD`], and around the object.
    pub box_iou: f64,
    /// Whether the map's maximum lies on the object (Zhang et al. 2016, *pointing game*, without tolerance).
    /// Maps are constant beyond their outermost cells: of several largest pixels, the share on the object.
    pub pointing: f64,
}

impl Localisation {
    /// Measures a map at the image's size against the object's mask, both `[S, S]` row by row. A map without
    /// a positive value points nowhere: all its figures are 0.
    pub fn of(map: &[f32], mask: &[bool]) -> Self {
        debug_assert_eq!(map.len(), mask.len());
        let side = map.len().isqrt();
        let largest = map.iter().copied().fold(0.0, f32::max);
        if largest <= 0.0 || !largest.is_finite() {
            return Self::default();
        }
        let sum_where = |value: fn(f32, f32) -> f64| {
            map.iter().zip(mask).fold((0.0, 0.0), |(all, inside), (score, on)| {
                let value = value(*score, largest);
                (all + value, inside + if *on { value } else { 0.0 })
            })
        };
        let (energy, energy_inside) = sum_where(|score, _| f64::from(score.max(0.0)));
        let (peaks, peaks_inside) = sum_where(|score, largest| f64::from(u8::from(score == largest)));
        let reached: Vec<bool> = map.iter().map(|score| *score >= BOX_THRESHOLD * largest).collect();
        let found = Frame::of(&largest_part(&reached, side), side);
        let object = (0..mask.len()).filter(|at| mask[*at]).collect::<Vec<_>>();
        let box_iou = found.zip(Frame::of(&object, side)).map_or(0.0, |(a, b)| a.iou(b));
        Self { energy: energy_inside / energy, box_iou, pointing: peaks_inside / peaks }
    }
}

/// Sums of figures over images. They are kept as the bits of their numbers: JSON readers may round a number's
/// last digit, and a measurement that was ended goes on with the same bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LocalisationSums {
    energy_bits: u64,
    box_iou_bits: u64,
    pointing_bits: u64,
}

impl LocalisationSums {
    /// Adds the figures of one image.
    pub fn add(&mut self, found: Localisation) {
        let add = |bits: &mut u64, value: f64| *bits = (f64::from_bits(*bits) + value).to_bits();
        add(&mut self.energy_bits, found.energy);
        add(&mut self.box_iou_bits, found.box_iou);
        add(&mut self.pointing_bits, found.pointing);
    }

    /// The means over `images`.
    pub fn mean(&self, images: usize) -> Localisation {
        let mean = |bits: u64| f64::from_bits(bits) / images as f64;
        Localisation {
            energy: mean(self.energy_bits),
            box_iou: mean(self.box_iou_bits),
            pointing: mean(self.pointing_bits),
        }
    }
}

/// Makes the maps of images that have been through a network, and measures them.
#[derive(Clone, Copy)]
pub struct Localiser<'a> {
    /// How maps are made.
    pub method: CamMethod,
    /// The network's parameter arena.
    pub params: &'a [f32],
}

impl Localiser<'_> {
    /// Adds the figures of the images that are numbered `indices` of `set` and gave these features, `[n, h,
    /// w, C]` with C padded to four.
    pub fn measure(
        &self,
        network: &Network,
        features: &[f32],
        set: &dyn Dataset,
        indices: &[usize],
        sums: &mut LocalisationSums,
    ) {
        let labels: Vec<usize> = indices.iter().map(|index| set.label(*index)).collect();
        let grid = FeatureGrid::of(network);
        let maps = activation_map::maps(network, self.params, features, &labels, self.method);
        for (index, map) in indices.iter().zip(maps) {
            if let Some(mask) = set.mask(*index, network.image_size) {
                sums.add(Localisation::of(&grid.resize(&map, network.image_size), &mask));
            }
        }
    }
}

/// A box in pixels; the ends belong to it.
#[derive(Clone, Copy)]
struct Frame {
    left: usize,
    right: usize,
    top: usize,
    bottom: usize,
}

impl Frame {
    /// The smallest box around pixels of an image of this side.
    fn of(pixels: &[usize], side: usize) -> Option<Self> {
        let columns = || pixels.iter().map(|at| at % side);
        let rows = || pixels.iter().map(|at| at / side);
        Some(Self {
            left: columns().min()?,
            right: columns().max()?,
            top: rows().min()?,
            bottom: rows().max()?,
        })
    }

    fn area(self) -> f64 {
        ((self.right + 1 - self.left) * (self.bottom + 1 - self.top)) as f64
    }

    /// Intersection over union.
    fn iou(self, other: Self) -> f64 {
        let overlap = |low: usize, high: usize| (high + 1).saturating_sub(low) as f64;
        let both = overlap(self.left.max(other.left), self.right.min(other.right))
            * overlap(self.top.max(other.top), self.bottom.min(other.bottom));
        both / (self.area() + other.area() - both)
    }
}

/// The pixels of the largest connected part, diagonal neighbours counted as connected; of equal parts the
/// first.
fn largest_part(reached: &[bool], side: usize) -> Vec<usize> {
    let mut open = reached.to_vec();
    let mut largest = Vec::new();
    for start in 0..open.len() {
        if !std::mem::take(&mut open[start]) {
            continue;
        }
        let mut part = vec![start];
        let mut next = 0;
        while let Some(&at) = part.get(next) {
            let (row, column) = (at / side, at % side);
            for y in row.saturating_sub(1)..=(row + 1).min(side - 1) {
                for x in column.saturating_sub(1)..=(column + 1).min(side - 1) {
                    if std::mem::take(&mut open[y * side + x]) {
                        part.push(y * side + x);
                    }
                }
            }
            next += 1;
        }
        if part.len() > largest.len() {
            largest = part;
        }
    }
    largest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid<T>(side: usize, of: impl Fn(usize, usize) -> T) -> Vec<T> {
        (0..side * side).map(|at| of(at % side, at / side)).collect()
    }

    fn is(found: Localisation, energy: f64, box_iou: f64, pointing: f64) {
        let expected = [energy, box_iou, pointing];
        let found = [found.energy, found.box_iou, found.pointing];
        let near = expected.iter().zip(found).all(|(a, b)| (a - b).abs() < 1e-6);
        assert!(near, "{found:?} instead of {expected:?}");
    }

    #[test]
    fn a_map_that_is_the_mask_is_perfect_and_its_opposite_is_not() {
        let mask = grid(8, |x, y| (2..5).contains(&x) && (1..7).contains(&y));
        let map: Vec<f32> = mask.iter().map(|on| if *on { 0.3 } else { -1.0 }).collect();
        is(Localisation::of(&map, &mask), 1.0, 1.0, 1.0);
        let opposite: Vec<f32> = map.iter().map(|score| -score).collect();
        // The box around everything else is the whole image.
        is(Localisation::of(&opposite, &mask), 0.0, 18.0 / 64.0, 0.0);
    }

    #[test]
    fn the_figures_of_a_shifted_map_are_those_counted_by_hand() {
        // Mask: columns 0 to 3 of 4 rows. Map: 1 in columns 2 to 5 of the same rows, 4 at one pixel on the
        // mask.
        let mask = grid(8, |x, y| x < 4 && y < 4);
        let map = grid(8, |x, y| match (x, y) {
            (2, 0) => 4.0,
            (2..6, 0..4) => 1.0,
            _ => 0.0,
        });
        is(Localisation::of(&map, &mask), 11.0 / 19.0, 8.0 / 24.0, 1.0);
    }

    #[test]
    fn the_box_is_around_the_largest_connected_part_above_the_threshold() {
        let mask = grid(10, |x, y| x < 3 && y < 3);
        // The mask's pixels on a diagonal, a single larger peak far off, and a haze below the threshold.
        let map = grid(10, |x, y| match (x, y) {
            (9, 9) => 1.0,
            _ if x == y && x < 3 => 0.21,
            _ => 0.19,
        });
        let found = Localisation::of(&map, &mask);
        assert!((found.box_iou - 1.0).abs() < 1e-9 && found.pointing == 0.0, "{found:?}");
    }

    #[test]
    fn equal_peaks_share_the_point_and_an_empty_map_has_none() {
        let mask = grid(4, |x, _| x < 1);
        let flat = vec![2.0; 16];
        is(Localisation::of(&flat, &mask), 0.25, 0.25, 0.25);
        for nothing in [0.0, -1.0, f32::NAN] {
            is(Localisation::of(&[nothing; 16], &mask), 0.0, 0.0, 0.0);
        }
    }
}
