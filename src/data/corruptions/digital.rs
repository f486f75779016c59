//! What storing an image does to it: fewer pixels, and JPEG.

use crate::config::ParameterSet;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

/// Means over boxes of pixels, enlarged again by the nearest pixel.
pub(super) fn pixelate(rgb: &[u8], width: usize, height: usize, set: ParameterSet, level: usize) -> Vec<u8> {
    let scale: f64 = match set {
        ParameterSet::ImageNetC => [0.6, 0.5, 0.4, 0.3, 0.25],
        ParameterSet::CifarC => [0.95, 0.9, 0.85, 0.75, 0.65],
    }[level];
    let [across, down] =
        [width, height].map(|side| Boxes::new(side, ((side as f64 * scale) as usize).max(1)));
    // As Pillow does, which rounds in between: rows first.
    let narrow = across.of_rows(rgb, width);
    let small = down.of_columns(&narrow, across.len());
    let nearest = |at: usize, side: usize, boxes: &Boxes| ((2 * at + 1) * boxes.len() / (2 * side)) * 3;
    let mut out = Vec::with_capacity(rgb.len());
    for y in 0..height {
        let row = &small[nearest(y, height, &down) * across.len()..];
        for x in 0..width {
            out.extend_from_slice(&row[nearest(x, width, &across)..][..3]);
        }
    }
    out
}

/// The pixels that each pixel of a smaller row or column is the plain mean of: those whose middle lies in it,
/// as in Pillow's box filter. Parts of pixels do not count.
struct Boxes(Vec<std::ops::Range<usize>>);

impl Boxes {
    fn new(from: usize, to: usize) -> Self {
        let scale = from as f64 / to as f64;
        let boxes = (0..to).map(|i| {
            let centre = (i as f64 + 0.5) * scale;
            let within = |pixel: &usize| {
                let place = (*pixel as f64 + 0.5 - centre) / scale;
                place > -0.5 && place <= 0.5
            };
            let near = (centre - scale) as usize..from.min((centre + scale) as usize + 1);
            let first = near.clone().find(within).unwrap_or(near.start);
            first..near.rev().find(within).map_or(first + 1, |last| last + 1)
        });
        Self(boxes.collect())
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    /// Means of RGB bytes `[height, width, 3]` over the boxes of every row.
    fn of_rows(&self, rgb: &[u8], width: usize) -> Vec<u8> {
        let row = |row: &[u8]| self.0.iter().flat_map(|boxed| mean(row, boxed, 1, 0)).collect::<Vec<u8>>();
        rgb.chunks_exact(width * 3).flat_map(row).collect()
    }

    /// Means of RGB bytes `[height, width, 3]` over the boxes of every column.
    fn of_columns(&self, rgb: &[u8], width: usize) -> Vec<u8> {
        let row = |boxed| (0..width).flat_map(move |x| mean(rgb, boxed, width, x));
        self.0.iter().flat_map(row).collect()
    }
}

/// The mean over a box of pixels that stand `step` pixels apart from `start` on, rounded.
fn mean(rgb: &[u8], boxed: &std::ops::Range<usize>, step: usize, start: usize) -> [u8; 3] {
    [0, 1, 2].map(|channel| {
        let at = |i: usize| usize::from(rgb[(start + i * step) * 3 + channel]);
        let sum: usize = boxed.clone().map(at).sum();
        ((2 * sum + boxed.len()) / (2 * boxed.len())) as u8
    })
}

/// Writes a JPEG and reads it.
///
/// The benchmark's files come from libjpeg, whose tables and halved resolution of colour these have too; the
/// cosine transforms round otherwise.
pub(super) fn jpeg(rgb: &[u8], width: usize, height: usize, set: ParameterSet, level: usize) -> Vec<u8> {
    let quality = match set {
        ParameterSet::ImageNetC => [25, 18, 15, 10, 7],
        ParameterSet::CifarC => [80, 65, 58, 50, 40],
    }[level];
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, quality);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    let (wide, high) = (width.next_multiple_of(BLOCK), height.next_multiple_of(BLOCK));
    encoder
        .encode(&whole_blocks(rgb, width, height), wide as u16, high as u16, ColorType::Ycbcr)
        .expect("an image in memory can be written to memory");
    let read = image::load_from_memory_with_format(&file, image::ImageFormat::Jpeg);
    let read = read.expect("a JPEG just written can be read").into_rgb8().into_raw();
    read.chunks_exact(wide * 3).take(height).flat_map(|row| row[..width * 3].iter().copied()).collect()
}

/// Side of the squares of pixels that a JPEG with halved resolution of colour is made of.
const BLOCK: usize = 16;

/// Brightness and colour of every pixel (JFIF's YCbCr), continued to whole blocks by the last row and column,
/// the colour as its mean over squares of 2 by 2 pixels. The encoder takes one pixel of each square, libjpeg
/// the mean.
fn whole_blocks(rgb: &[u8], width: usize, height: usize) -> Vec<u8> {
    let converted = |at: usize| {
        let [r, g, b] = [0, 1, 2].map(|channel| f32::from(rgb[at * 3 + channel]));
        [
            0.299 * r + 0.587 * g + 0.114 * b,
            128.0 - 0.168_736 * r - 0.331_264 * g + 0.5 * b,
            128.0 + 0.5 * r - 0.418_688 * g - 0.081_312 * b,
        ]
        .map(|value| value.round().clamp(0.0, 255.0) as u8)
    };
    let (wide, high) = (width.next_multiple_of(BLOCK), height.next_multiple_of(BLOCK));
    let mut all = Vec::with_capacity(wide * high * 3);
    for y in 0..high {
        for x in 0..wide {
            all.extend(converted(y.min(height - 1) * width + x.min(width - 1)));
        }
    }
    for y in (0..high).step_by(2) {
        for x in (0..wide).step_by(2) {
            // libjpeg rounds up in every other square, so that no tint comes of it.
            let bias = if x % 4 == 0 { 1 } else { 2 };
            for channel in [1, 2] {
                let square = [0, 1, wide, wide + 1].map(|step| (y * wide + x + step) * 3 + channel);
                let sum: u16 = square.iter().map(|at| u16::from(all[*at])).sum();
                for at in square {
                    all[at] = ((sum + bias) / 4) as u8;
                }
            }
        }
    }
    all
}
