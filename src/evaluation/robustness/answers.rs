//! Accuracy among a part of a network's classes, as for ImageNet-A and ImageNet-R, which have 200 of
//! ImageNet's: the logits of the other classes do not count, as in the evaluation of Hendrycks et al.
//! (hendrycks/natural-adv-examples).

use crate::data::Dataset;
use crate::evaluation::inference::Outcome;
use std::collections::BTreeSet;

/// The classes that a set has images of, ascending.
pub fn classes_with_images(set: &dyn Dataset) -> Vec<usize> {
    let classes: BTreeSet<usize> = (0..set.len()).map(|index| set.label(index)).collect();
    classes.into_iter().collect()
}

/// Measures losses and hits again with `answers` (ascending, the labels among them) as the only classes. Of
/// equal logits the lower class ranks first, and a loss that is no number counts as wrong, as everywhere.
pub fn among(outcome: &mut Outcome, labels: &[u32], answers: &[usize]) {
    let classes = outcome.logits.len() / labels.len().max(1);
    for (image, label) in labels.iter().enumerate() {
        let row = &outcome.logits[image * classes..][..classes];
        let logits: Vec<f32> = answers.iter().map(|&class| row[class]).collect();
        let label = answers.partition_point(|&class| class < *label as usize);
        let one = Outcome::of_logits(logits, &[label as u32]);
        outcome.loss[image] = one.loss[0];
        outcome.top1[image] = one.top1[0];
        outcome.top5[image] = one.top5[0];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(logits: &[f32], label: u32, answers: &[usize]) -> (f32, bool, bool) {
        let mut outcome =
            Outcome { loss: vec![0.0], top1: vec![false], top5: vec![false], logits: logits.to_vec() };
        among(&mut outcome, &[label], answers);
        (outcome.loss[0], outcome.top1[0], outcome.top5[0])
    }

    #[test]
    fn classes_that_are_no_answers_do_not_count() {
        let logits = [9.0, 1.0, 8.0, 2.0, 7.0, 6.0, 5.0, 0.5];
        let (_, top1, top5) = measured(&logits, 3, &(0..8).collect::<Vec<_>>());
        assert!(!top1 && !top5);
        let (loss, top1, top5) = measured(&logits, 3, &[1, 3, 7]);
        let expected = ((1.0_f64 - 2.0).exp() + 1.0 + (0.5_f64 - 2.0).exp()).ln();
        assert!(top1 && top5 && (f64::from(loss) - expected).abs() < 1e-6, "{loss}");
    }

    #[test]
    fn of_equal_logits_the_lower_class_ranks_first_and_nan_is_wrong() {
        assert!(measured(&[1.0, 1.0, 1.0], 0, &[0, 2]).1);
        assert!(!measured(&[1.0, 1.0, 1.0], 2, &[0, 2]).1);
        assert!(!measured(&[f32::NAN, 1.0, 1.0], 0, &[0, 2]).1);
    }
}
