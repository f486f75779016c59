//! A fingerprint of what a picture shows, which survives re-encoding and resizing.
//!
//! It has two parts. The **hash** is that of PDQ (Facebook 2019, "The TMK+PDQF Video-Hashing Algorithm and
//! the PDQ Image-Hashing Algorithm"), a descendant of the DCT hash of pHash (Zauner 2010): the picture is
//! taken down to 64×64 grey pixels whatever its proportions, of its discrete cosine transform the 16×16
//! lowest frequencies but the constant ones are kept, and each gives a bit, whether it is above the median.
//! Copies differ in few of these 256 bits, other pictures in about 128. The hash says nothing of brightness,
//! contrast or colour, so pictures of one outline share it; the **thumbnail**, 8×8 cells of luminance and 4×4
//! of each colour difference, then tells them apart.
//!
//! Mirrored, turned, cropped and recoloured copies have other fingerprints: those are other pictures.

use crate::data::Picture;
use std::f32::consts::PI;
use std::sync::LazyLock;

/// Side of the grey picture that is transformed.
const SIDE: usize = 64;

/// Frequencies a side that are kept, from 1 on.
const KEPT: usize = 16;

/// Cells a side of the thumbnail's luminance, and of its colour differences.
const CELLS: usize = 8;
const COLOUR_CELLS: usize = 4;

/// Parts of a hash that are looked up; see [`Fingerprint::part`].
pub(super) const PARTS: usize = 16;

/// Most bits in which the hashes of copies differ; half of PDQ's own tolerance, 31, as thumbnails are
/// compared too.
const MOST_BITS: u32 = 24;

/// Most difference between the thumbnails of copies, the root of the mean square over the cells: this share
/// of the luminance's own standard deviation, or so many steps of 255 where that is more.
const CELL_SHARE: f32 = 0.1;
const CELL_STEPS: f32 = 2.0;

/// Least standard deviation of the luminance cells, in steps of 255. A plainer picture has no fingerprint:
/// its hash would be one of noise.
const LEAST_CONTRAST: f32 = 3.0;

/// `[KEPT, SIDE]` values of the cosine transform's basis.
static COSINES: LazyLock<Vec<f32>> = LazyLock::new(|| {
    let angle = |i: usize| (2 * (i % SIDE) + 1) as f32 * (i / SIDE + 1) as f32 * PI / (2 * SIDE) as f32;
    (0..KEPT * SIDE).map(|i| angle(i).cos()).collect()
});

/// See the top of this module. It takes 132 bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fingerprint {
    pub(super) hash: [u64; 4],
    luminance: [u8; CELLS * CELLS],
    /// Blue, then red.
    colours: [u8; 2 * COLOUR_CELLS * COLOUR_CELLS],
    /// Standard deviation of the luminance cells.
    contrast: f32,
}

impl Fingerprint {
    /// Of a picture; `None` where it is nearly of one colour.
    pub(super) fn of(picture: &Picture) -> anyhow::Result<Option<Self>> {
        let small = picture.squashed(SIDE)?;
        // BT.601, as JPEG has them.
        let channel = |weights: [f32; 3], offset: f32| -> Vec<f32> {
            let value = |p: &[u8; 3]| offset + (0..3).map(|c| weights[c] * f32::from(p[c])).sum::<f32>();
            small.as_chunks().0.iter().map(value).collect()
        };
        let grey = channel([0.299, 0.587, 0.114], 0.0);
        let luminance: [u8; CELLS * CELLS] = cells(&grey, CELLS).try_into().unwrap_or([0; CELLS * CELLS]);
        let contrast = deviation(&luminance);
        if contrast < LEAST_CONTRAST {
            return Ok(None);
        }
        let mut colours = cells(&channel([-0.1687, -0.3313, 0.5], 128.0), COLOUR_CELLS);
        colours.extend(cells(&channel([0.5, -0.4187, -0.0813], 128.0), COLOUR_CELLS));
        let colours = colours.try_into().unwrap_or([0; 2 * COLOUR_CELLS * COLOUR_CELLS]);
        Ok(Some(Self { hash: hash(&grey), luminance, colours, contrast }))
    }

    /// Part `number` of the hash: every sixteenth bit, so that each part has high and low frequencies. Two
    /// hashes that differ in fewer than [`PARTS`] bits share one.
    pub(super) fn part(&self, number: usize) -> u16 {
        let bit = |i: usize| {
            let at = i * PARTS + number;
            ((self.hash[at / 64] >> (at % 64)) & 1) as u16
        };
        (0..16).fold(0, |part, i| part | bit(i) << i)
    }

    /// Number of bits in which two hashes differ, 0 to 256.
    pub(super) fn distance(&self, other: &Self) -> u32 {
        self.hash.iter().zip(&other.hash).map(|(a, b)| (a ^ b).count_ones()).sum()
    }

    /// Whether two pictures are taken for copies of each other.
    pub(super) fn is_alike(&self, other: &Self) -> bool {
        if self.distance(other) > MOST_BITS {
            return false;
        }
        let most = (CELL_SHARE * self.contrast.min(other.contrast)).max(CELL_STEPS);
        root_mean_square(&self.luminance, &other.luminance) <= most
            && root_mean_square(&self.colours, &other.colours) <= most
    }
}

/// The hash of a grey picture `[SIDE, SIDE]`.
fn hash(grey: &[f32]) -> [u64; 4] {
    let rows = COSINES.chunks_exact(SIDE);
    // `[SIDE, KEPT]`, then `[KEPT, KEPT]`.
    let across: Vec<f32> = grey
        .chunks_exact(SIDE)
        .flat_map(|row| rows.clone().map(move |cosines| dot(cosines, row.iter())))
        .collect();
    let column = |u: usize| across[u..].iter().step_by(KEPT);
    let values: Vec<f32> =
        rows.clone().flat_map(|cosines| (0..KEPT).map(move |u| dot(cosines, column(u)))).collect();
    let mut sorted = values.clone();
    sorted.sort_unstable_by(f32::total_cmp);
    let median = (sorted[values.len() / 2 - 1] + sorted[values.len() / 2]) / 2.0;
    let mut hash = [0; 4];
    for (i, value) in values.iter().enumerate() {
        hash[i / 64] |= u64::from(*value > median) << (i % 64);
    }
    hash
}

fn dot<'a>(cosines: &[f32], values: impl Iterator<Item = &'a f32>) -> f32 {
    cosines.iter().zip(values).map(|(cosine, value)| cosine * value).sum()
}

/// The means of `count`×`count` cells of a channel `[SIDE, SIDE]`.
fn cells(channel: &[f32], count: usize) -> Vec<u8> {
    let side = SIDE / count;
    let mean = |cell: usize| {
        let (top, left) = (cell / count * side, cell % count * side);
        let rows = channel.chunks_exact(SIDE).skip(top).take(side);
        let sum: f32 = rows.flat_map(|row| &row[left..left + side]).sum();
        (sum / (side * side) as f32).round() as u8
    };
    (0..count * count).map(mean).collect()
}

fn deviation(values: &[u8]) -> f32 {
    let count = values.len() as f32;
    let mean = values.iter().map(|v| f32::from(*v)).sum::<f32>() / count;
    (values.iter().map(|v| (f32::from(*v) - mean).powi(2)).sum::<f32>() / count).sqrt()
}

fn root_mean_square(a: &[u8], b: &[u8]) -> f32 {
    let sum: u32 = a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(*b)).pow(2)).sum();
    (sum as f32 / a.len() as f32).sqrt()
}
