//! How far an accuracy of few images can be trusted.

/// Images from which on an accuracy is shown without its interval: that of half right is ±5 points there.
const MANY: usize = 400;
/// The normal distribution's quantile of 95%, both sides.
const Z: f64 = 1.96;

/// Wilson's 95% interval of a share that was measured on `images`, both ends 0..1 (Wilson 1927).
fn wilson(share: f64, images: usize) -> [f64; 2] {
    let n = images.max(1) as f64;
    let shrink = 1.0 + Z * Z / n;
    let centre = (share + Z * Z / (2.0 * n)) / shrink;
    let half = Z / shrink * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    [(centre - half).max(0.0), (centre + half).min(1.0)]
}

/// ` (95%: 38 to 96%)` behind an accuracy of few images, nothing behind one of many or of an unknown number.
pub fn words(share: f32, images: usize) -> String {
    if images == 0 || images >= MANY {
        return String::new();
    }
    let [low, high] = wilson(f64::from(share), images);
    format!(" (95%: {:.0} to {:.0}%)", 100.0 * low, 100.0 * high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Figures of R's `binom.confint(x, n, methods = "wilson")`.
    #[test]
    fn few_images_have_a_wide_interval_and_many_need_none() {
        assert_eq!(words(0.8, 5), " (95%: 38 to 96%)");
        assert_eq!(words(1.0, 5), " (95%: 57 to 100%)");
        assert_eq!(words(0.0, 10), " (95%: 0 to 28%)");
        assert_eq!(words(0.5, 100), " (95%: 40 to 60%)");
        assert_eq!(words(0.5, 400), "");
        assert_eq!(words(0.5, 0), "");
    }
}
