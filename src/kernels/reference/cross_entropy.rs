//! Softmax cross-entropy with label smoothing and mixed labels.

use crate::kernels::cross_entropy::LossShape;

/// One row's labels; the meaning of `kernels::cross_entropy::table_row`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    /// First class.
    pub label_a: usize,
    /// Second class.
    pub label_b: usize,
    /// Share of the first class.
    pub lambda: f32,
    /// Multiplies the gradient of the row.
    pub weight: f32,
}

/// (results [rows, 4], dlogits [rows, padded classes]).
pub fn cross_entropy(shape: &LossShape, logits: &[f32], targets: &[Target]) -> (Vec<f32>, Vec<f32>) {
    let padded = shape.padded_classes();
    let k = shape.classes;
    let smoothing = f64::from(shape.smoothing);
    let sign = if shape.negate { -1.0 } else { 1.0 };
    let mut results = Vec::new();
    let mut gradient = vec![0.0; logits.len()];
    for (row, target) in targets.iter().enumerate() {
        let z: Vec<f64> = logits[row * padded..row * padded + k].iter().map(|v| f64::from(*v)).collect();
        let top = z.iter().copied().fold(f64::MIN, f64::max);
        let log_sum = top + z.iter().map(|v| (v - top).exp()).sum::<f64>().ln();
        let lambda = f64::from(target.lambda);
        let wanted = |class: usize| {
            smoothing / k as f64
                + (1.0 - smoothing)
                    * (lambda * f64::from(class == target.label_a)
                        + (1.0 - lambda) * f64::from(class == target.label_b))
        };
        let loss: f64 = (0..k).map(|class| wanted(class) * (log_sum - z[class])).sum();
        let counted = if target.lambda < 0.5 { target.label_b } else { target.label_a };
        let before = |class: &usize| z[*class] > z[counted] || (z[*class] == z[counted] && *class < counted);
        let rank = (0..k).filter(before).count();
        results.extend([loss as f32, f32::from(rank < 1), f32::from(rank < 5), 0.0]);
        for class in 0..k {
            let share = (z[class] - log_sum).exp();
            gradient[row * padded + class] =
                (sign * f64::from(target.weight) * (share - wanted(class))) as f32;
        }
    }
    (results, gradient)
}

/// (sum of losses, top-1 hits, top-5 hits, rows) of each segment (first row, rows).
pub fn metrics(segments: &[(u32, u32)], results: &[f32]) -> Vec<f32> {
    let mut sums = Vec::new();
    for (first, rows) in segments {
        let part = &results[*first as usize * 4..(*first + *rows) as usize * 4];
        let sum = |k: usize| part.iter().skip(k).step_by(4).map(|v| f64::from(*v)).sum::<f64>() as f32;
        sums.extend([sum(0), sum(1), sum(2), *rows as f32]);
    }
    sums
}
