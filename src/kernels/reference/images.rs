//! From bytes to the network's input.

use crate::kernels::images::Normalization;

/// Bytes of RGB images as the words of a storage buffer, the last one padded with zeros.
pub fn pack_bytes(bytes: &[u8]) -> Vec<u32> {
    let word = |chunk: &[u8]| chunk.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte));
    bytes.chunks(4).map(word).collect()
}

/// Pixels `[images, size, size, 4]` from RGB bytes `[stored, size, size, 3]` and a placement (dx, dy, flip,
/// image) for each.
pub fn prepare(size: usize, bytes: &[u8], placements: &[[i32; 4]]) -> Vec<f32> {
    let mut pixels = Vec::new();
    let side = size as i32;
    for [dx, dy, flip, image] in placements {
        for y in 0..side {
            for x in 0..side {
                let (column, line) = (x + dx, y + dy);
                if (0..side).contains(&column) && (0..side).contains(&line) {
                    let column = if *flip != 0 { side - 1 - column } else { column };
                    let at = (*image as usize * size * size + (line * side + column) as usize) * 3;
                    pixels.extend(bytes[at..at + 3].iter().map(|b| f32::from(*b)));
                    pixels.push(0.0);
                } else {
                    pixels.extend([0.0; 4]);
                }
            }
        }
    }
    pixels
}

/// The network's input `[rows, 4]` from pixels `[rows, 4]` in 0..255.
pub fn normalize(normalization: &Normalization, pixels: &[f32]) -> Vec<f32> {
    let value = |(i, pixel): (usize, &f32)| {
        let c = i % 4;
        if c == 3 {
            return 0.0;
        }
        let (mean, std) = (f64::from(normalization.mean[c]), f64::from(normalization.std[c]));
        ((f64::from(*pixel) / 255.0 - mean) / std) as f32
    };
    pixels.iter().enumerate().map(value).collect()
}

/// `table`: source, partner and box `[x0, y0, x1, y1]` of each output image.
pub fn cutmix(size: usize, x: &[f32], table: &[(usize, usize, [usize; 4])]) -> Vec<f32> {
    let mut out = Vec::new();
    for (source, partner, [x0, y0, x1, y1]) in table {
        for line in 0..size {
            for column in 0..size {
                let inside = (*x0..*x1).contains(&column) && (*y0..*y1).contains(&line);
                let image = if inside { partner } else { source };
                let at = (image * size * size + line * size + column) * 4;
                out.extend_from_slice(&x[at..at + 4]);
            }
        }
    }
    out
}

/// `table`: (source, partner, lambda) of each output image.
pub fn mixup(floats_per_image: usize, x: &[f32], table: &[(usize, usize, f32)]) -> Vec<f32> {
    let mut out = Vec::new();
    for (source, partner, lambda) in table {
        for i in 0..floats_per_image {
            let (a, b) = (x[source * floats_per_image + i], x[partner * floats_per_image + i]);
            out.push(if *lambda < 1.0 { lambda * a + (1.0 - lambda) * b } else { a });
        }
    }
    out
}
