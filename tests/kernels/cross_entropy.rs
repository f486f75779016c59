//! Softmax cross-entropy with smoothing and mixed labels, hits, and their sums.

use crate::support::{Buffers, assert_close, assert_padding_zero, plus, tolerance, uniform};
use dualprop::kernels::cross_entropy::{self, LossShape, table_row};
use dualprop::kernels::reference::cross_entropy::{self as reference, Target};
use dualprop::kernels::reference::random::random_u32;

fn targets(shape: &LossShape) -> Vec<Target> {
    let label = |row: usize, stream| random_u32(1, 2, stream, row as u32) as usize % shape.classes;
    let target = |row: usize| Target {
        label_a: label(row, 1),
        label_b: label(row, 2),
        lambda: [1.0, 0.3, 0.0][row % 3],
        weight: [0.1, 0.25][row % 2],
    };
    (0..shape.rows).map(target).collect()
}

fn table(targets: &[Target]) -> Vec<u32> {
    targets.iter().flat_map(|t| table_row(t.label_a as u32, t.label_b as u32, t.lambda, t.weight)).collect()
}

/// (results, dlogits) of the GPU; padding of the logits is poisoned with a large number.
fn gpu(shape: &LossShape, logits: &[f32], targets: &[Target], gradient: bool) -> (Vec<f32>, Vec<f32>) {
    let mut poisoned = logits.to_vec();
    for (i, value) in poisoned.iter_mut().enumerate() {
        if i % shape.padded_classes() >= shape.classes {
            *value = 1e30;
        }
    }
    let mut buffers = Buffers::default();
    let (logits, table) = (buffers.add(&poisoned), buffers.add_words(&table(targets)));
    let (results, dlogits) = (buffers.scratch(shape.rows * 4), buffers.scratch(poisoned.len()));
    let launch = cross_entropy::cross_entropy(shape, logits, table, results, gradient.then_some(dlogits));
    buffers.run(&[launch]);
    (buffers.get(results).to_vec(), buffers.get(dlogits).to_vec())
}

#[test]
fn loss_hits_and_gradient_match_the_reference() {
    for (rows, classes) in [(1, 1), (3, 2), (7, 3), (65, 10), (5, 63), (3, 64), (7, 65), (3, 1000)] {
        for (smoothing, negate) in [(0.0, false), (0.1, false), (0.1, true)] {
            let shape = LossShape { rows, classes, smoothing, negate };
            let what = format!("{shape:?}");
            // Large logits: exp would overflow without the shift.
            let logits = uniform(rows * shape.padded_classes(), -100.0, 120.0, 3);
            let targets = targets(&shape);
            let (expected, expected_gradient) = reference::cross_entropy(&shape, &logits, &targets);
            let (results, dlogits) = gpu(&shape, &logits, &targets, true);
            assert_close(&results, &expected, tolerance::SUM, &what);
            assert_close(&dlogits, &expected_gradient, tolerance::SUM, &what);
            assert_padding_zero(&dlogits, shape.padded_classes(), classes, &what);
            let (results, untouched) = gpu(&shape, &logits, &targets, false);
            assert_close(&results, &expected, tolerance::SUM, &what);
            assert!(untouched.iter().all(|v| *v == 777.0), "{what}: gradient not asked for");
        }
    }
}

/// TensorFlow's form of smoothing: logits 1, 2, 3, 4, target 3 of 4 classes, e = 0.1 give 0.590190.
#[test]
fn label_smoothing_is_the_papers_form() {
    let shape = LossShape { rows: 1, classes: 4, smoothing: 0.1, negate: false };
    let target = Target { label_a: 3, label_b: 0, lambda: 1.0, weight: 1.0 };
    let (results, _) = gpu(&shape, &[1.0, 2.0, 3.0, 4.0], &[target], false);
    assert!((results[0] - 0.590_190).abs() < 1e-6, "{}", results[0]);
}

#[test]
fn equal_logits_rank_by_class_number_and_nan_is_wrong() {
    let shape = LossShape { rows: 3, classes: 8, smoothing: 0.0, negate: false };
    let target = |label_a| Target { label_a, label_b: 0, lambda: 1.0, weight: 1.0 };
    let mut logits = vec![1.0; 24];
    let hits = |logits: &[f32]| {
        let (results, _) = gpu(&shape, logits, &[target(0), target(4), target(5)], false);
        results.chunks(4).map(|r| (r[1], r[2])).collect::<Vec<_>>()
    };
    assert_eq!(hits(&logits), [(1.0, 1.0), (0.0, 1.0), (0.0, 0.0)]);
    logits[0] = f32::NAN;
    assert_eq!(hits(&logits)[0], (0.0, 0.0));
}

/// Every row mixes classes 1 and 2, and the network says 2.
#[test]
fn a_mixed_row_counts_against_the_label_with_the_larger_share() {
    let target = |lambda| Target { label_a: 1, label_b: 2, lambda, weight: 1.0 };
    let targets = [1.0, 0.7, 0.5, 0.3, 0.0].map(target);
    for classes in [8, 65] {
        let shape = LossShape { rows: targets.len(), classes, smoothing: 0.0, negate: false };
        let mut row = vec![0.0; shape.padded_classes()];
        (row[1], row[2]) = (-1.0, 1.0);
        let (results, _) = gpu(&shape, &row.repeat(targets.len()), &targets, false);
        let hits: Vec<_> = results.chunks(4).map(|r| (r[1], r[2])).collect();
        assert_eq!(hits, [(0.0, 0.0), (0.0, 0.0), (0.0, 0.0), (1.0, 1.0), (1.0, 1.0)], "{classes} classes");
    }
}

#[test]
fn metrics_sum_each_segment() {
    let results = uniform(71 * 4, 0.0, 2.0, 1);
    let segments = [(0, 1), (1, 63), (64, 7)];
    let expected = reference::metrics(&segments, &results);
    let before = uniform(12, 0.0, 10.0, 2);
    for accumulate in [false, true] {
        let mut buffers = Buffers::default();
        let (view, sums) = (buffers.add(&results), buffers.add(&before));
        buffers.run(&[cross_entropy::metrics(&segments, view, sums, accumulate)]);
        let expected = if accumulate { plus(&expected, &before) } else { expected.clone() };
        assert_close(buffers.get(sums), &expected, tolerance::SUM, "sums");
        if !accumulate {
            assert_eq!([3, 7, 11].map(|i| buffers.get(sums)[i]), [1.0, 63.0, 7.0], "rows");
        }
    }
}
