//! From one row of logits `[classes]` to probabilities: the best guesses and the cross-entropy of a label.

use crate::training::events::Guess;

/// The largest logit and the sum of exp(logit − largest), which cannot overflow.
fn normaliser(logits: &[f32]) -> (f32, f64) {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    (largest, logits.iter().map(|logit| f64::from(logit - largest).exp()).sum())
}

/// The `count` most probable classes with their probabilities (0..1), best first; of equal logits the lower
/// class first.
pub fn top_classes(logits: &[f32], count: usize) -> Vec<(usize, f64)> {
    let (largest, sum) = normaliser(logits);
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
    let probability = |class: usize| f64::from(logits[class] - largest).exp() / sum;
    order.into_iter().take(count).map(|class| (class, probability(class))).collect()
}

/// [`top_classes`] as events and files carry them.
pub fn top_guesses(logits: &[f32], count: usize) -> Vec<Guess> {
    top_classes(logits, count).into_iter().map(|(class, p)| Guess { class, p: p as f32 }).collect()
}

/// Cross-entropy of the logits against class `label`, nats.
pub fn cross_entropy(logits: &[f32], label: usize) -> f32 {
    let (largest, sum) = normaliser(logits);
    (sum.ln() - f64::from(logits[label] - largest)) as f32
}

/// How many classes come before class `label`; of equal logits the lower class first.
pub fn rank(logits: &[f32], label: usize) -> usize {
    let before = |&(class, logit): &(usize, &f32)| {
        *logit > logits[label] || (*logit == logits[label] && class < label)
    };
    logits.iter().enumerate().filter(before).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_sorted_and_sum_to_one() {
        let found = top_classes(&[1000.0, 1001.0, 1000.0], 3);
        assert_eq!(found.iter().map(|(class, _)| *class).collect::<Vec<_>>(), [1, 0, 2]);
        assert!((found.iter().map(|(_, p)| p).sum::<f64>() - 1.0).abs() < 1e-12);
        assert_eq!(top_guesses(&[0.0, 1.0, 2.0], 2).iter().map(|g| g.class).collect::<Vec<_>>(), [2, 1]);
    }

    #[test]
    fn a_labels_cross_entropy_is_minus_the_logarithm_of_its_probability() {
        let logits = [0.5, -3.0, 2.0, 700.0];
        for (class, p) in top_classes(&logits, 4).into_iter().filter(|(_, p)| *p > 0.0) {
            assert!((f64::from(cross_entropy(&logits, class)) + p.ln()).abs() < 1e-3, "class {class}");
        }
    }
}
