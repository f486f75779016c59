//! Linear filters: the separable normal kernel of SciPy and scikit-image, and small kernels of any shape.

use super::raster::{Border, Raster};

/// SciPy's `gaussian_filter`: a normal kernel of `sigma` pixels, cut off at `truncate` sigmas, rows then
/// columns. A sigma of 0 leaves the image as it is.
pub(super) fn gaussian(image: &Raster, sigma: f32, truncate: f32, border: Border) -> Raster {
    let radius = (truncate * sigma + 0.5) as usize;
    if radius == 0 {
        return image.clone();
    }
    let kernel = normal_kernel(2 * radius + 1, f64::from(sigma));
    columns(&rows(image, &kernel, border), &kernel, border)
}

/// scikit-image's `filters.gaussian` with its defaults: 4 sigmas, the border's pixel again.
pub(super) fn gaussian_nearest(image: &Raster, sigma: f32) -> Raster {
    gaussian(image, sigma, 4.0, Border::Nearest)
}

/// A normal kernel of odd length whose sum is 1.
pub(super) fn normal_kernel(len: usize, sigma: f64) -> Vec<f32> {
    let centre = (len / 2) as f64;
    let weights: Vec<f64> =
        (0..len).map(|i| (-(i as f64 - centre).powi(2) / (2.0 * sigma * sigma)).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| (weight / sum) as f32).collect()
}

/// Adds `weight` times `source` to `target`.
pub(super) fn add_scaled(target: &mut [f32], source: &[f32], weight: f32) {
    for (to, from) in target.iter_mut().zip(source) {
        *to += weight * from;
    }
}

fn rows(image: &Raster, kernel: &[f32], border: Border) -> Raster {
    let mut out = image.black();
    let mut padded = Padded::new(image, kernel.len() / 2, border);
    for y in 0..image.height {
        let source = padded.fill(image.row(y));
        let target = out.row_mut(y);
        for (tap, weight) in kernel.iter().enumerate() {
            add_scaled(target, &source[tap * image.channels..], *weight);
        }
    }
    out
}

fn columns(image: &Raster, kernel: &[f32], border: Border) -> Raster {
    let mut out = image.black();
    let radius = (kernel.len() / 2) as isize;
    // A kernel longer than the image meets every row many times over, in which case its weights are added up
    // first.
    let mut of_row = vec![0.0; image.height];
    for y in 0..image.height {
        of_row.fill(0.0);
        for (tap, weight) in kernel.iter().enumerate() {
            of_row[border.index(y as isize + tap as isize - radius, image.height)] += weight;
        }
        let (first, last) = (y.saturating_sub(radius as usize), (y + radius as usize).min(image.height - 1));
        // Reflections stay within the kernel's reach, so that no other row has a weight.
        for (row, weight) in (first..=last).zip(&of_row[first..=last]) {
            add_scaled(out.row_mut(y), image.row(row), *weight);
        }
    }
    out
}

/// A row with as many pixels of its continuation on either side as a kernel reaches.
struct Padded {
    /// The pixel of the row for each of the padded row.
    sources: Vec<usize>,
    channels: usize,
    values: Vec<f32>,
}

impl Padded {
    fn new(image: &Raster, radius: usize, border: Border) -> Self {
        let radius = radius as isize;
        let width = image.width as isize;
        let sources: Vec<usize> = (-radius..width + radius).map(|x| border.index(x, image.width)).collect();
        let values = vec![0.0; sources.len() * image.channels];
        Self { sources, channels: image.channels, values }
    }

    fn fill(&mut self, row: &[f32]) -> &[f32] {
        for (to, x) in self.values.chunks_exact_mut(self.channels).zip(&self.sources) {
            to.copy_from_slice(&row[x * self.channels..][..self.channels]);
        }
        &self.values
    }
}

/// OpenCV's `filter2D`: the correlation with a square kernel of odd side, centred, with mirrored borders.
pub(super) fn correlate(image: &Raster, kernel: &[f32]) -> Raster {
    let side = kernel.len().isqrt();
    let radius = side / 2;
    let mut padded = Padded::new(image, radius, Border::Reflect101);
    let rows: Vec<Vec<f32>> = (0..image.height).map(|y| padded.fill(image.row(y)).to_vec()).collect();
    let mut out = image.black();
    for y in 0..image.height {
        for (down, weights) in kernel.chunks_exact(side).enumerate() {
            let row = (y + down) as isize - radius as isize;
            let source = &rows[Border::Reflect101.index(row, image.height)];
            for (right, weight) in weights.iter().enumerate().filter(|(_, weight)| **weight != 0.0) {
                add_scaled(out.row_mut(y), &source[right * image.channels..], *weight);
            }
        }
    }
    out
}
