//! How far two domains' batch-norm statistics lie apart: each channel's running mean and variance is a Gaussian,
//! and a layer's distance is the symmetric Kullback–Leibler divergence averaged over its channels.

use crate::training::events::{BnDomain, BnLayer};

/// Variances below this count as this: a dead channel has a variance of about 0 and would divide by it.
const SMALLEST_VARIANCE: f64 = 1e-8;

/// Half of KL(a‖b) + KL(b‖a) of two Gaussians, in nats. 0 for equal ones; no upper end.
pub fn symmetric_kl(mean_a: f64, var_a: f64, mean_b: f64, var_b: f64) -> f64 {
    let (a, b) = (var_a.max(SMALLEST_VARIANCE), var_b.max(SMALLEST_VARIANCE));
    let shift = (mean_a - mean_b).powi(2);
    // The logarithms of the two directions cancel.
    0.25 * ((a + shift) / b + (b + shift) / a) - 0.5
}

/// The distance of each channel between two domains of a layer; empty when a domain is missing.
pub fn of_channels(layer: &BnLayer, a: usize, b: usize) -> Vec<f64> {
    let (Some(a), Some(b)) = (layer.domains.get(a), layer.domains.get(b)) else { return Vec::new() };
    let gaussians = |d: &BnDomain| -> Vec<(f64, f64)> {
        let pairs = d.running_mean.iter().zip(&d.running_var);
        pairs.map(|(&mean, &var)| (f64::from(mean), f64::from(var))).collect()
    };
    let pairs = gaussians(a).into_iter().zip(gaussians(b));
    pairs.map(|((mean_a, var_a), (mean_b, var_b))| symmetric_kl(mean_a, var_a, mean_b, var_b)).collect()
}

/// A layer's distance: the mean over its channels; `None` without channels.
pub fn of_layer(layer: &BnLayer, a: usize, b: usize) -> Option<f64> {
    let channels = of_channels(layer, a, b);
    let count = channels.len() as f64;
    (count > 0.0).then(|| channels.iter().sum::<f64>() / count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_is_symmetric_and_zero_only_for_equal_gaussians() {
        assert_eq!(symmetric_kl(0.3, 2.0, 0.3, 2.0), 0.0);
        let d = symmetric_kl(0.0, 1.0, 1.0, 2.0);
        assert!(d > 0.0);
        assert_eq!(d, symmetric_kl(1.0, 2.0, 0.0, 1.0));
    }

    #[test]
    fn it_agrees_with_the_integral() {
        // KL by the trapezoid rule over ±12 standard deviations.
        let (ma, va, mb, vb) = (0.2, 0.7, -0.5, 1.9);
        let density = |x: f64, m: f64, v: f64| {
            (-(x - m).powi(2) / (2.0 * v)).exp() / (std::f64::consts::TAU * v).sqrt()
        };
        let n = 40_000;
        let (low, high) = (-18.0, 18.0);
        let dx = (high - low) / f64::from(n);
        let integral: f64 = (0..=n)
            .map(|i| {
                let x = low + f64::from(i) * dx;
                let (p, q) = (density(x, ma, va), density(x, mb, vb));
                if p > 0.0 && q > 0.0 { 0.5 * (p - q) * (p / q).ln() * dx } else { 0.0 }
            })
            .sum();
        let closed = symmetric_kl(ma, va, mb, vb);
        assert!((integral - closed).abs() < 1e-6, "{integral} {closed}");
    }

    #[test]
    fn dead_channels_stay_finite() {
        assert!(symmetric_kl(0.0, 0.0, 1.0, 1.0).is_finite());
    }
}
