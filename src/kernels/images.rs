//! From the loader's bytes to the network's input: crop and flip, mixup, CutMix, normalisation. Pixels are f32 in 0..255,
//! [images, size, size, 4] with a zero fourth channel; attacks and mixup work on them before normalisation. Only the
//! normalised input may be f16.

use super::{GROUP, STORED, combinations, image_grid};
use crate::gpu::{Cost, Kernel, Launch, View, linear_grid};

/// One entry of the placement table: stored image number `image`, flipped or not, then shifted by (dx, dy), zeros beyond
/// its edge.
pub fn placement(image: usize, dx: i32, dy: i32, flip: bool) -> [i32; 4] {
    [dx, dy, i32::from(flip), image as i32]
}

/// `words` of u8 RGB [stored, size, size, 3], four bytes a word, to pixels. `placements` holds a [`placement`] for each
/// of `images`: pixel (x, y) is its flipped stored image at (x + dx, y + dy).
pub fn prepare(images: usize, size: usize, words: View, placements: View, pixels: View) -> Launch {
    let per_image = (size * size) as u64;
    Launch {
        kernel: Kernel::new("prepare_images", &[]),
        views: vec![words, placements, pixels],
        params: vec![size as u32],
        grid: image_grid(per_image, images),
        cost: Cost { flops: 0, bytes: images as u64 * per_image * 19 },
    }
}

/// Input normalisation, per colour channel: (pixel / 255 - mean) / std.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalization {
    pub mean: [f32; 3],
    pub std: [f32; 3],
}

/// `rows` pixels to the network's input, written from row `out_row` of `input` on.
pub fn normalize(
    rows: usize,
    normalization: &Normalization,
    pixels: View,
    input: View,
    out_row: usize,
) -> Launch {
    let Normalization { mean, std } = *normalization;
    let scale = |c: usize| (1.0 / (255.0 * f64::from(std[c]))) as f32;
    let shift = |c: usize| (-f64::from(mean[c]) / f64::from(std[c])) as f32;
    let numbers = [scale(0), scale(1), scale(2), 0.0, shift(0), shift(1), shift(2), 0.0];
    let params = numbers.map(f32::to_bits).into_iter().chain([rows as u32, out_row as u32]).collect();
    Launch {
        kernel: Kernel::new("normalize_images", &[input.element.constant()]),
        views: vec![pixels, input],
        params,
        grid: linear_grid(rows as u64, GROUP),
        cost: Cost { flops: rows as u64 * 8, bytes: rows as u64 * (16 + 4 * input.element.bytes()) },
    }
}

/// One entry of the mixup table: `lambda * x[source] + (1 - lambda) * x[partner]`.
pub fn mixup_row(source: u32, partner: u32, lambda: f32) -> [u32; 4] {
    [source, partner, lambda.to_bits(), 0]
}

/// Mixes images of `rows_per_image` pixels; `table` holds a [`mixup_row`] for each of the `out_images`. With
/// lambda = 1 an image is copied exactly.
pub fn mixup(out_images: usize, rows_per_image: usize, x: View, table: View, out: View) -> Launch {
    let rows = (out_images * rows_per_image) as u64;
    Launch {
        kernel: Kernel::new("mixup", &[]),
        views: vec![x, table, out],
        params: vec![rows_per_image as u32],
        grid: image_grid(rows_per_image as u64, out_images),
        cost: Cost { flops: rows * 12, bytes: rows * 48 },
    }
}

/// One entry of the CutMix table: the box `[x0, y0, x1, y1]` of `partner` in `source`, its ends excluded.
pub fn cutmix_rows(source: u32, partner: u32, corners: [u32; 4]) -> [[u32; 4]; 2] {
    [[source, partner, 0, 0], corners]
}

/// Puts a box of another image into each image; `table` holds [`cutmix_rows`] for each of the `out_images`.
pub fn cutmix(out_images: usize, size: usize, x: View, table: View, out: View) -> Launch {
    let per_image = (size * size) as u64;
    Launch {
        kernel: Kernel::new("cutmix", &[]),
        views: vec![x, table, out],
        params: vec![size as u32],
        grid: image_grid(per_image, out_images),
        cost: Cost { flops: 0, bytes: out_images as u64 * per_image * 32 },
    }
}

/// Every kernel of this file.
pub fn permutations() -> Vec<Kernel> {
    [
        combinations("prepare_images", &[]),
        combinations("normalize_images", &[STORED]),
        combinations("mixup", &[]),
        combinations("cutmix", &[]),
    ]
    .concat()
}
