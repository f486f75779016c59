//! Enlargements by bilinear interpolation.

use super::raster::Raster;

/// One axis of an enlargement: the two pixels of the source for each of the target, and the weight of the
/// second.
struct Axis(Vec<(usize, usize, f32)>);

impl Axis {
    /// SciPy's `zoom` of the pixels `start..start + len`: their first and last stay the first and the last.
    fn corner_to_corner(start: usize, len: usize, to: usize, shown: std::ops::Range<usize>) -> Self {
        let step = if to > 1 { (len - 1) as f64 / (to - 1) as f64 } else { 0.0 };
        Self(shown.map(|i| Self::at(start, len, i as f64 * step)).collect())
    }

    /// OpenCV's `resize`: pixels are areas, and their outer edges stay the edges.
    fn edge_to_edge(len: usize, to: usize) -> Self {
        let scale = len as f64 / to as f64;
        Self((0..to).map(|i| Self::at(0, len, ((i as f64 + 0.5) * scale - 0.5).max(0.0))).collect())
    }

    fn at(start: usize, len: usize, place: f64) -> (usize, usize, f32) {
        let low = (place as usize).min(len - 1);
        (start + low, start + (low + 1).min(len - 1), (place - low as f64) as f32)
    }
}

fn interpolate(image: &Raster, across: &Axis, down: &Axis) -> Raster {
    let (width, height, channels) = (across.0.len(), down.0.len(), image.channels);
    let mut values = Vec::with_capacity(width * height * channels);
    let mut mixed = vec![0.0; image.stride()];
    for (upper, lower, weight) in &down.0 {
        for (to, (a, b)) in mixed.iter_mut().zip(image.row(*upper).iter().zip(image.row(*lower))) {
            *to = a + (b - a) * weight;
        }
        for (left, right, weight) in &across.0 {
            for channel in 0..channels {
                let (a, b) = (mixed[left * channels + channel], mixed[right * channels + channel]);
                values.push(a + (b - a) * weight);
            }
        }
    }
    Raster { width, height, channels, values }
}

/// The middle of an image, enlarged by `factor` (at least 1) to the image's own size: the centre's
/// ceil(side / factor) pixels, enlarged as SciPy does, the surplus cut off evenly.
pub(super) fn centre_zoom(image: &Raster, factor: f64) -> Raster {
    let axis = |len: usize| {
        let part = (len as f64 / factor).ceil() as usize;
        let enlarged = ((part as f64 * factor).round_ties_even() as usize).max(len);
        let trim = (enlarged - len) / 2;
        Axis::corner_to_corner((len - part) / 2, part, enlarged, trim..trim + len)
    };
    interpolate(image, &axis(image.width), &axis(image.height))
}

/// The whole image at another size, as OpenCV's `resize` interpolates it: where it shrinks, pixels are left
/// out.
pub(super) fn resize(image: &Raster, width: usize, height: usize) -> Raster {
    interpolate(image, &Axis::edge_to_edge(image.width, width), &Axis::edge_to_edge(image.height, height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zoom_keeps_the_size_and_the_middle() {
        let mut next = -1.0;
        let ramp = Raster::layer(9, 1, || {
            next += 1.0;
            next
        });
        assert_eq!(centre_zoom(&ramp, 1.0).values, ramp.values);
        let zoomed = centre_zoom(&ramp, 2.0).values;
        assert_eq!((zoomed.len(), zoomed[0]), (9, 2.0));
        // Every fifth pixel: what OpenCV's resize by 0.2 leaves.
        let small = resize(&Raster { width: 3, height: 3, ..ramp }, 1, 1);
        assert_eq!(small.values, [4.0]);
    }
}
