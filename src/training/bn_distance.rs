//! How far two domains' batch-norm statistics lie apart: each channel's running mean and variance is a
//! Gaussian, and a layer's distance is the symmetric Kullback–Leibler divergence averaged over its channels.

use crate::training::events::{BnDomain, BnLayer};

/// Variances below this count as this: a dead channel has a variance of about 0 and would divide by it.
const SMALLEST_VARIANCE: f64 = 1e-8;

/// A distance in its two parts, which add up to it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Distance {
    /// What the means' difference alone would give, nats.
    pub of_means: f64,
    /// What the variances' ratio alone would give, nats.
    pub of_variances: f64,
}

impl Distance {
    /// Half of KL(a‖b) + KL(b‖a) of two Gaussians, in nats. 0 for equal ones; no upper end.
    pub fn of_gaussians(mean_a: f64, var_a: f64, mean_b: f64, var_b: f64) -> Self {
        let (a, b) = (var_a.max(SMALLEST_VARIANCE), var_b.max(SMALLEST_VARIANCE));
        // The logarithms of the two directions cancel.
        Self {
            of_means: 0.25 * (mean_a - mean_b).powi(2) * (1.0 / a + 1.0 / b),
            of_variances: 0.25 * (a / b + b / a) - 0.5,
        }
    }

    /// The whole distance, nats.
    pub fn total(self) -> f64 {
        self.of_means + self.of_variances
    }
}

/// The distance of each channel between two domains of a layer; empty when a domain is missing.
pub fn of_channels(layer: &BnLayer, a: usize, b: usize) -> Vec<Distance> {
    let (Some(a), Some(b)) = (layer.domains.get(a), layer.domains.get(b)) else { return Vec::new() };
    let gaussians = |d: &BnDomain| -> Vec<(f64, f64)> {
        let pairs = d.running_mean.iter().zip(&d.running_var);
        pairs.map(|(&mean, &var)| (f64::from(mean), f64::from(var))).collect()
    };
    let pairs = gaussians(a).into_iter().zip(gaussians(b));
    pairs
        .map(|((mean_a, var_a), (mean_b, var_b))| Distance::of_gaussians(mean_a, var_a, mean_b, var_b))
        .collect()
}

/// A layer's distance: the mean over its channels; `None` without channels.
pub fn of_layer(layer: &BnLayer, a: usize, b: usize) -> Option<Distance> {
    let channels = of_channels(layer, a, b);
    let count = channels.len() as f64;
    (count > 0.0).then(|| Distance {
        of_means: channels.iter().map(|c| c.of_means).sum::<f64>() / count,
        of_variances: channels.iter().map(|c| c.of_variances).sum::<f64>() / count,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_is_symmetric_and_zero_only_for_equal_gaussians() {
        assert_eq!(Distance::of_gaussians(0.3, 2.0, 0.3, 2.0), Distance::default());
        let d = Distance::of_gaussians(0.0, 1.0, 1.0, 2.0);
        assert!(d.of_means > 0.0 && d.of_variances > 0.0);
        assert_eq!(d, Distance::of_gaussians(1.0, 2.0, 0.0, 1.0));
        assert_eq!(Distance::of_gaussians(5.0, 1.0, 5.0, 2.0).of_means, 0.0);
        assert_eq!(Distance::of_gaussians(0.0, 2.0, 1.0, 2.0).of_variances, 0.0);
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
        let closed = Distance::of_gaussians(ma, va, mb, vb).total();
        assert!((integral - closed).abs() < 1e-6, "{integral} {closed}");
    }

    #[test]
    fn dead_channels_stay_finite() {
        assert!(Distance::of_gaussians(0.0, 0.0, 1.0, 1.0).total().is_finite());
    }
}
