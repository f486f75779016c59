//! The targeted difference of logits ratio.

use crate::kernels::cross_entropy::LossShape;

/// (results [rows, 4], dlogits [rows, padded classes]) for the (label, target) of each row; see
/// [`crate::kernels::dlr::targeted`].
pub fn targeted(shape: &LossShape, logits: &[f32], aims: &[(usize, usize)]) -> (Vec<f32>, Vec<f32>) {
    let (k, padded) = (shape.classes, shape.padded_classes());
    let (mut results, mut gradient) = (Vec::new(), vec![0.0; logits.len()]);
    for (row, (label, target)) in aims.iter().enumerate() {
        let z: Vec<f64> = logits[row * padded..row * padded + k].iter().map(|v| f64::from(*v)).collect();
        let mut order: Vec<usize> = (0..k).collect();
        order.sort_by(|a, b| z[*b].total_cmp(&z[*a]));
        let [first, _, third, fourth] = [0, 1, 2, 3].map(|rank| order[rank]);
        let range = (z[first] - 0.5 * (z[third] + z[fourth])).max(1e-12);
        let loss = (z[*target] - z[*label]) / range;
        let rank = order.iter().position(|class| class == label).unwrap_or(k);
        results.extend([loss as f32, f32::from(rank < 1), f32::from(rank < 5), 0.0]);
        let mut slopes = vec![0.0; k];
        slopes[*target] += 1.0 / range;
        slopes[*label] -= 1.0 / range;
        slopes[first] -= loss / range;
        slopes[third] += 0.5 * loss / range;
        slopes[fourth] += 0.5 * loss / range;
        slopes.iter().enumerate().for_each(|(class, slope)| gradient[row * padded + class] = *slope as f32);
    }
    (results, gradient)
}
