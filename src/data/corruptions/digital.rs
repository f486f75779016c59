//! What storing an image does to it: fewer pixels, and JPEG.

use crate::config::ParameterSet;

/// Means over boxes of pixels, enlarged again by the nearest pixel.
pub(super) fn pixelate(rgb: &[u8], width: usize, height: usize, set: ParameterSet, level: usize) -> Vec<u8> {
    let scale: f64 = match set {
        ParameterSet::ImageNetC => [0.6, 0.5, 0.4, 0.3, 0.25],
        ParameterSet::CifarC => [0.95, 0.9, 0.85, 0.75, 0.65],
    }[level];
    let [across, down] =
        [width, height].map(|side| Boxes::new(side, ((side as f64 * scale) as usize).max(1)));
    // As Pillow does, which rounds in between: rows first.
    let narrow = across.means(rgb, 1, width, height);
    let small = down.means(&narrow, across.len(), across.len(), height);
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

    /// Means of RGB bytes `[height, width, 3]` over the boxes, in bytes: along rows with a `step` of 1, along
    /// columns with one of `width`.
    fn means(&self, rgb: &[u8], step: usize, width: usize, height: usize) -> Vec<u8> {
        let mean = |start: usize, boxed: &std::ops::Range<usize>| {
            [0, 1, 2].map(|channel| {
                let at = |i: usize| usize::from(rgb[(start + i * step) * 3 + channel]);
                let sum: usize = boxed.clone().map(at).sum();
                ((2 * sum + boxed.len()) / (2 * boxed.len())) as u8
            })
        };
        if step == 1 {
            (0..height).flat_map(|y| self.0.iter().flat_map(move |boxed| mean(y * width, boxed))).collect()
        } else {
            self.0.iter().flat_map(|boxed| (0..width).flat_map(move |x| mean(x, boxed))).collect()
        }
    }
}

/// Writes a JPEG and reads it.
///
/// The benchmark's files come from libjpeg, with the same tables, halved resolution of colour and another
/// rounding of the cosine transforms.
pub(super) fn jpeg(rgb: &[u8], width: usize, height: usize, set: ParameterSet, level: usize) -> Vec<u8> {
    let quality = match set {
        ParameterSet::ImageNetC => [25, 18, 15, 10, 7],
        ParameterSet::CifarC => [80, 65, 58, 50, 40],
    }[level];
    let mut file = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut file, quality);
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_2_2);
    encoder
        .encode(rgb, width as u16, height as u16, jpeg_encoder::ColorType::Rgb)
        .expect("an image in memory can be written to memory");
    image::load_from_memory_with_format(&file, image::ImageFormat::Jpeg)
        .expect("a JPEG just written can be read")
        .into_rgb8()
        .into_raw()
}
