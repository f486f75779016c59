//! Operations that map every byte by a table. Both conventions agree on these, given the same arguments.

use super::square::Square;

/// A table a channel.
pub(super) type Tables = [[u8; 256]; 3];

pub(super) fn map(image: &mut Square, tables: &Tables) {
    for pixel in image.rgb_mut().chunks_exact_mut(3) {
        for (byte, table) in pixel.iter_mut().zip(tables) {
            *byte = table[usize::from(*byte)];
        }
    }
}

/// The same table for every channel, from a function of the byte.
pub(super) fn map_all(image: &mut Square, f: impl Fn(u8) -> u8) {
    let table = table(f);
    for byte in image.rgb_mut() {
        *byte = table[usize::from(*byte)];
    }
}

pub(super) fn table(f: impl Fn(u8) -> u8) -> [u8; 256] {
    std::array::from_fn(|i| f(i as u8))
}

pub(super) fn invert(image: &mut Square) {
    map_all(image, |v| 255 - v);
}

/// Inverts bytes of at least `threshold`.
pub(super) fn solarize(image: &mut Square, threshold: f64) {
    map_all(image, |v| if f64::from(v) < threshold { v } else { 255 - v });
}

/// Keeps the `bits` highest bits of every byte.
pub(super) fn posterize(image: &mut Square, bits: u32) {
    let mask = !0u8 << (8 - bits.min(8)).min(7);
    map_all(image, |v| v & mask);
}

/// Spreads each channel's distribution evenly. With `n` pixels the step is (n − count of the highest value) /
/// 255; a channel whose step is 0 stays.
pub(super) fn equalize(image: &mut Square) {
    let counts = histograms(image);
    let tables = counts.map(|counts| {
        let pixels: u32 = counts.iter().sum();
        let highest = counts.iter().rfind(|&&count| count > 0).copied().unwrap_or(0);
        let step = (pixels - highest) / 255;
        if step == 0 {
            return table(|v| v);
        }
        let mut below = step / 2;
        counts.map(|count| {
            let value = (below / step).min(255) as u8;
            below += count;
            value
        })
    });
    map(image, &tables);
}

/// Least and greatest byte of each channel.
pub(super) fn extremes(image: &Square) -> [(u8, u8); 3] {
    histograms(image).map(|counts| {
        let lowest = counts.iter().position(|&count| count > 0).unwrap_or(0);
        let highest = counts.iter().rposition(|&count| count > 0).unwrap_or(0);
        (lowest as u8, highest as u8)
    })
}

fn histograms(image: &Square) -> [[u32; 256]; 3] {
    let mut counts = [[0; 256]; 3];
    for pixel in image.rgb().chunks_exact(3) {
        for (byte, counts) in pixel.iter().zip(&mut counts) {
            counts[usize::from(*byte)] += 1;
        }
    }
    counts
}
