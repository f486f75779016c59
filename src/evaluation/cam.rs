//! From the raw class activation map of a network to what people look at: resized, scaled, coloured, laid
//! over the image. The raw maps come from `activation_map.rs`.

/// Resizes a square map bilinearly, as PyTorch's `interpolate(mode="bilinear", align_corners=False)`: pixel
/// centres at half-integers, sources outside the map take its border. `from` and `to` are sides in pixels.
pub fn resize_bilinear(map: &[f32], from: usize, to: usize) -> Vec<f32> {
    if map.len() != from * from || from == 0 {
        return vec![0.0; to * to];
    }
    let weights: Vec<(usize, usize, f32)> = (0..to)
        .map(|i| {
            let source = ((i as f32 + 0.5) * from as f32 / to as f32 - 0.5).max(0.0);
            let low = (source as usize).min(from - 1);
            (low, (low + 1).min(from - 1), source - low as f32)
        })
        .collect();
    blend(map, from, &weights)
}

/// Blends a square map of side `from` between neighbours, in both directions alike: (lower, upper, share of
/// the upper) for each pixel of a side of the result.
pub(super) fn blend(map: &[f32], from: usize, weights: &[(usize, usize, f32)]) -> Vec<f32> {
    let mut resized = Vec::with_capacity(weights.len().pow(2));
    for &(top, bottom, down) in weights {
        for &(left, right, across) in weights {
            let row = |y: usize| map[y * from + left] * (1.0 - across) + map[y * from + right] * across;
            resized.push(row(top) * (1.0 - down) + row(bottom) * down);
        }
    }
    resized
}

/// Scales values to 0..1; a constant map gives zeros.
pub fn min_max(values: &[f32]) -> Vec<f32> {
    let low = values.iter().copied().fold(f32::INFINITY, f32::min);
    let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let span = high - low;
    let scale = |v: &f32| if span > 0.0 && span.is_finite() { (v - low) / span } else { 0.0 };
    values.iter().map(scale).collect()
}

/// Stations of the colour scale at equal distances: dark blue, violet, red, orange, pale yellow. Lightness
/// rises all the way, so it reads in grey and without telling red from green.
const HEAT: [[f32; 3]; 5] = [
    [8.0, 12.0, 48.0],
    [96.0, 24.0, 128.0],
    [196.0, 48.0, 96.0],
    [248.0, 140.0, 48.0],
    [255.0, 248.0, 190.0],
];

/// Colour of a value 0..1; values outside take the nearest end.
pub fn heat_color(value: f32) -> [u8; 3] {
    let last = HEAT.len() - 1;
    let value = if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) };
    let place = value * last as f32;
    let low = (place as usize).min(last - 1);
    let part = place - low as f32;
    std::array::from_fn(|c| (HEAT[low][c] * (1.0 - part) + HEAT[low + 1][c] * part).round() as u8)
}

/// RGB picture of a map with values 0..1.
pub fn heatmap(map: &[f32]) -> Vec<u8> {
    map.iter().flat_map(|v| heat_color(*v)).collect()
}

/// The mean of an RGB image and its heatmap.
pub fn overlay(image: &[u8], map: &[f32]) -> Vec<u8> {
    image.iter().zip(heatmap(map)).map(|(a, b)| a.midpoint(b)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From `torch.nn.functional.interpolate(x, size=(4, 4), mode="bilinear", align_corners=False)` on
    /// `[[0, 1], [2, 3]]`.
    #[test]
    fn resizing_follows_pytorch() {
        #[rustfmt::skip]
        let expected = [
            0.0, 0.25, 0.75, 1.0,
            0.5, 0.75, 1.25, 1.5,
            1.5, 1.75, 2.25, 2.5,
            2.0, 2.25, 2.75, 3.0,
        ];
        assert_eq!(resize_bilinear(&[0.0, 1.0, 2.0, 3.0], 2, 4), expected);
        assert_eq!(resize_bilinear(&[5.0], 1, 3), [5.0; 9]);
        assert_eq!(resize_bilinear(&[0.0, 2.0, 4.0, 6.0], 2, 1), [3.0]);
    }

    #[test]
    fn scaling_ends_at_0_and_1_and_a_constant_map_is_zero() {
        assert_eq!(min_max(&[-2.0, 0.0, 2.0]), [0.0, 0.5, 1.0]);
        assert_eq!(min_max(&[7.0; 4]), [0.0; 4]);
    }

    #[test]
    fn colours_grow_lighter() {
        let lightness = |v: f32| {
            let [r, g, b] = heat_color(v).map(f32::from);
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        assert!((0..100).all(|i| lightness(i as f32 / 100.0) < lightness((i + 1) as f32 / 100.0)));
        assert_eq!(heat_color(f32::NAN), heat_color(0.0));
        assert_eq!(overlay(&[0, 0, 0], &[1.0]), [127, 124, 95]);
    }
}
