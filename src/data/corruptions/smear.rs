//! ImageMagick's motion blur, which motion blur and snow use.

use super::filter::add_scaled;
use super::raster::Raster;

/// Smears an image along `angle` (degrees, from the x axis towards the y axis): one side of a normal kernel
/// of `sigma` pixels with 2 · `radius` + 1 taps, each a shift by whole pixels. The border's pixels continue
/// the image.
pub(super) fn smear(image: &Raster, radius: usize, sigma: f64, angle: f64) -> Raster {
    let taps = 2 * radius + 1;
    let weights: Vec<f64> = (0..taps).map(|i| (-((i * i) as f64) / (2.0 * sigma * sigma)).exp()).collect();
    let sum: f64 = weights.iter().sum();
    let (sin, cos) = angle.to_radians().sin_cos();
    let mut out = image.black();
    for (tap, weight) in weights.into_iter().enumerate() {
        // Halves are rounded down, as ImageMagick does.
        let step = |part: f64| (tap as f64 * part - 0.5).ceil() as isize;
        add_shifted(&mut out, image, step(cos), step(sin), (weight / sum) as f32);
    }
    out
}

/// Adds `weight` times the image's pixel at (x + right, y + down) to pixel (x, y).
fn add_shifted(out: &mut Raster, image: &Raster, right: isize, down: isize, weight: f32) {
    let (width, channels) = (image.width as isize, image.channels);
    let last = image.height as isize - 1;
    // Pixels of a row whose source lies inside.
    let first_inside = (-right).clamp(0, width) as usize;
    let behind_inside = ((width - right).clamp(0, width) as usize).max(first_inside);
    for y in 0..image.height {
        let source = image.row((y as isize + down).clamp(0, last) as usize);
        let target = out.row_mut(y);
        if first_inside < behind_inside {
            let from = (first_inside as isize + right) as usize;
            let inside = &mut target[first_inside * channels..behind_inside * channels];
            add_scaled(inside, &source[from * channels..], weight);
        }
        for pixel in target[..first_inside * channels].chunks_exact_mut(channels) {
            add_scaled(pixel, &source[..channels], weight);
        }
        for pixel in target[behind_inside * channels..].chunks_exact_mut(channels) {
            add_scaled(pixel, &source[source.len() - channels..], weight);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smear_is_the_mean_of_shifted_images_whose_borders_go_on() {
        let mut next = 0.0;
        let image = Raster::layer(7, 5, || {
            next += 1.0;
            next / 35.0
        });
        for (right, down) in [(0, 0), (2, 1), (-3, 4), (9, -7), (-8, 0)] {
            let mut out = image.black();
            add_shifted(&mut out, &image, right, down, 1.0);
            for y in 0..5_isize {
                for x in 0..7_isize {
                    let from = (y + down).clamp(0, 4) * 7 + (x + right).clamp(0, 6);
                    assert_eq!(out.values[(y * 7 + x) as usize], image.values[from as usize]);
                }
            }
        }
        let flat = smear(&Raster::layer(8, 8, || 0.5), 20, 15.0, 33.0);
        assert!(flat.values.iter().all(|value| (value - 0.5).abs() < 1e-5));
    }
}
