//! Means over seeds.

use serde::Serialize;

/// A figure over the runs of a group.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// Mean of the runs that have it.
    pub mean: f64,
    /// Sample standard deviation (n − 1 below the root); `None` of a single run.
    pub spread: Option<f64>,
    /// Runs that have it.
    pub n: usize,
}

impl Figure {
    /// The figure of these values, one a run; `None` without any. Values that are no finite number count as
    /// not measured.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        let n = values.len();
        if n == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Some(Self { mean, spread: (n > 1).then(|| (squares / (n - 1) as f64).sqrt()), n })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Python's `statistics.mean` and `statistics.stdev`.
    #[test]
    fn the_spread_is_the_sample_standard_deviation() {
        let figure = Figure::of([1.0, 2.0, 4.0, f64::NAN]).expect("three values");
        assert_eq!(figure.n, 3);
        assert!((figure.mean - 2.333_333_333).abs() < 1e-8);
        assert!((figure.spread.expect("three values") - 1.527_525_231_6).abs() < 1e-9);
        assert_eq!(Figure::of([5.0]), Some(Figure { mean: 5.0, spread: None, n: 1 }));
        assert_eq!(Figure::of([f64::NAN]), None);
    }
}
