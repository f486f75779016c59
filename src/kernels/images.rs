//! From the loader's bytes to the network's input: crop and flip, mixup, CutMix, normalisation. Pixels are
//! f32 in 0..255, [images, size, size, 4] with a zero fourth channel; attacks and mixup work on them before
//! normalisation. Only the normalised input may be f16.

use super::{GROUP, Permutation, STORED, combinations, image_grid, permuted};
use crate::gpu::{Cost, Kernel, Launch, View, linear_grid, params};

/// One entry of the placement table: stored image number `image`, flipped or not, then shifted by (dx, dy),
/// zeros beyond its edge.
pub fn placement(image: usize, dx: i32, dy: i32, flip: bool) -> [i32; 4] {
    [dx, dy, i32::from(flip), image as i32]
}

params! {
    /// The numbers of `shaders/prepare_images.wgsl` and `cutmix.wgsl`.
    struct SizeParams {
        /// Side of an image, pixels.
        size: u32,
    }
}

params! {
    /// The numbers of `shaders/normalize_images.wgsl`.
    struct NormalizeParams {
        /// 1 / (255 · std) of each colour channel; zero for the padded one.
        scale: [f32; 4],
        /// -mean / std of each colour channel; zero for the padded one.
        shift: [f32; 4],
        /// Pixels.
        rows: u32,
        /// Row of the input where the first pixel is written.
        out_row: u32,
    }
}

params! {
    /// The numbers of `shaders/mixup.wgsl`.
    struct MixupParams {
        /// Pixels of one image.
        rows_per_image: u32,
    }
}

/// `words` of u8 RGB [stored, size, size, 3], four bytes a word, to pixels. `placements` holds a
/// [`placement`] for each of `images`: pixel (x, y) is its flipped stored image at (x + dx, y + dy).
pub fn prepare(images: usize, size: usize, words: View, placements: View, pixels: View) -> Launch {
    let per_image = (size * size) as u64;
    let views = vec![words, placements, pixels];
    let cost = Cost { flops: 0, bytes: images as u64 * per_image * 19 };
    let params = SizeParams { size: size as u32 };
    Launch::new(Kernel::new("prepare_images", &[]), views, params, image_grid(per_image, images), cost)
}

/// Input normalisation, per colour channel: (pixel / 255 - mean) / std.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalization {
    /// Mean of each colour channel, of pixels in 0..1.
    pub mean: [f32; 3],
    /// Standard deviation of each colour channel, of pixels in 0..1.
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
    let params = NormalizeParams {
        scale: [scale(0), scale(1), scale(2), 0.0],
        shift: [shift(0), shift(1), shift(2), 0.0],
        rows: rows as u32,
        out_row: out_row as u32,
    };
    let kernel = Kernel::new("normalize_images", &[input.element.constant()]);
    let cost = Cost { flops: rows as u64 * 8, bytes: rows as u64 * (16 + 4 * input.element.bytes()) };
    Launch::new(kernel, vec![pixels, input], params, linear_grid(rows as u64, GROUP), cost)
}

/// One entry of the mixup table: `lambda * x[source] + (1 - lambda) * x[partner]`.
pub fn mixup_row(source: u32, partner: u32, lambda: f32) -> [u32; 4] {
    [source, partner, lambda.to_bits(), 0]
}

/// Mixes images of `rows_per_image` pixels; `table` holds a [`mixup_row`] for each of the `out_images`. With
/// lambda = 1 an image is copied exactly.
pub fn mixup(out_images: usize, rows_per_image: usize, x: View, table: View, out: View) -> Launch {
    let rows = (out_images * rows_per_image) as u64;
    let params = MixupParams { rows_per_image: rows_per_image as u32 };
    let grid = image_grid(rows_per_image as u64, out_images);
    let cost = Cost { flops: rows * 12, bytes: rows * 48 };
    Launch::new(Kernel::new("mixup", &[]), vec![x, table, out], params, grid, cost)
}

/// One entry of the CutMix table: the box `[x0, y0, x1, y1]` of `partner` in `source`, its ends excluded.
pub fn cutmix_rows(source: u32, partner: u32, corners: [u32; 4]) -> [[u32; 4]; 2] {
    [[source, partner, 0, 0], corners]
}

/// Puts a box of another image into each image; `table` holds [`cutmix_rows`] for each of the `out_images`.
pub fn cutmix(out_images: usize, size: usize, x: View, table: View, out: View) -> Launch {
    let per_image = (size * size) as u64;
    let params = SizeParams { size: size as u32 };
    let cost = Cost { flops: 0, bytes: out_images as u64 * per_image * 32 };
    let grid = image_grid(per_image, out_images);
    Launch::new(Kernel::new("cutmix", &[]), vec![x, table, out], params, grid, cost)
}

/// Every kernel of this file.
pub fn permutations() -> Vec<Permutation> {
    [
        permuted::<SizeParams>(combinations("prepare_images", &[]), |_| 3),
        permuted::<NormalizeParams>(combinations("normalize_images", &[STORED]), |_| 2),
        permuted::<MixupParams>(combinations("mixup", &[]), |_| 3),
        permuted::<SizeParams>(combinations("cutmix", &[]), |_| 3),
    ]
    .concat()
}
