//! The targeted difference of logits ratio and its gradient.

use crate::support::{Buffers, assert_close, assert_padding_zero, tolerance, uniform};
use dualprop::kernels::cross_entropy::{LossShape, table_row};
use dualprop::kernels::dlr;
use dualprop::kernels::reference::dlr as reference;
use dualprop::kernels::reference::random::random_u32;

fn aims(shape: &LossShape) -> Vec<(usize, usize)> {
    let aim = |row: usize| {
        let label = random_u32(1, 2, 1, row as u32) as usize % shape.classes;
        (label, (label + 1 + row % (shape.classes - 1)) % shape.classes)
    };
    (0..shape.rows).map(aim).collect()
}

/// (results, dlogits) of the GPU; padding of the logits is poisoned with a large number.
fn gpu(shape: &LossShape, logits: &[f32], aims: &[(usize, usize)]) -> (Vec<f32>, Vec<f32>) {
    let mut poisoned = logits.to_vec();
    for (i, value) in poisoned.iter_mut().enumerate() {
        if i % shape.padded_classes() >= shape.classes {
            *value = 1e30;
        }
    }
    let table: Vec<u32> = aims.iter().flat_map(|(y, t)| table_row(*y as u32, *t as u32, 1.0, 1.0)).collect();
    let mut buffers = Buffers::default();
    let (logits, table) = (buffers.add(&poisoned), buffers.add_words(&table));
    let (results, d_logits) = (buffers.scratch(shape.rows * 4), buffers.scratch(poisoned.len()));
    buffers.run(&[dlr::targeted(shape, logits, table, results, d_logits)]);
    (buffers.get(results).to_vec(), buffers.get(d_logits).to_vec())
}

#[test]
fn loss_hits_and_gradient_match_the_reference() {
    for (rows, classes) in [(1, 4), (3, 5), (65, 10), (7, 63), (3, 1000)] {
        let shape = LossShape { rows, classes, smoothing: 0.0, negate: false };
        let logits = uniform(rows * shape.padded_classes(), -10.0, 12.0, 3);
        let aims = aims(&shape);
        let (expected, expected_gradient) = reference::targeted(&shape, &logits, &aims);
        let (results, d_logits) = gpu(&shape, &logits, &aims);
        assert_close(&results, &expected, tolerance::SUM, &format!("{shape:?}"));
        assert_close(&d_logits, &expected_gradient, tolerance::SUM, &format!("{shape:?}"));
        assert_padding_zero(&d_logits, shape.padded_classes(), classes, "gradient");
    }
}

/// The reference's gradient is written down; that it is the loss's own is held by differences.
#[test]
fn the_references_gradient_is_that_of_its_loss() {
    let shape = LossShape { rows: 9, classes: 7, smoothing: 0.0, negate: false };
    let logits = uniform(9 * 8, -3.0, 3.0, 5);
    let aims = aims(&shape);
    let (_, gradient) = reference::targeted(&shape, &logits, &aims);
    for (at, slope) in gradient.iter().enumerate().filter(|(at, _)| at % 8 < 7) {
        let loss = |by: f32| {
            let mut moved = logits.clone();
            moved[at] += by;
            reference::targeted(&shape, &moved, &aims).0[at / 8 * 4]
        };
        let difference = (loss(1e-3) - loss(-1e-3)) / 2e-3;
        assert!((difference - slope).abs() < 2e-3 * slope.abs().max(1.0), "{at}: {difference} and {slope}");
    }
}

/// Where softmax gives exactly one and zero, the ratio still has a gradient.
#[test]
fn a_factor_of_the_logits_changes_the_loss_by_nothing() {
    let shape = LossShape { rows: 5, classes: 10, smoothing: 0.0, negate: false };
    let logits = uniform(5 * 12, -2.0, 2.0, 4);
    let aims = aims(&shape);
    let scaled: Vec<f32> = logits.iter().map(|z| z * 1e4).collect();
    let ((plain, slopes), (large, small)) = (gpu(&shape, &logits, &aims), gpu(&shape, &scaled, &aims));
    assert_close(&large, &plain, tolerance::SUM, "loss");
    let back: Vec<f32> = small.iter().map(|slope| slope * 1e4).collect();
    assert_close(&back, &slopes, tolerance::SUM, "gradient");
}

#[test]
fn equal_logits_rank_by_class_number_and_nan_is_wrong() {
    let shape = LossShape { rows: 3, classes: 8, smoothing: 0.0, negate: false };
    let mut logits = vec![1.0; 24];
    // All equal ones have no ratio: one class stands out below the others.
    [7, 15, 23].iter().for_each(|at| logits[*at] = -1.0);
    let hits = |logits: &[f32]| {
        let (results, _) = gpu(&shape, logits, &[(0, 1), (4, 1), (5, 1)]);
        results.chunks(4).map(|r| (r[1], r[2])).collect::<Vec<_>>()
    };
    assert_eq!(hits(&logits), [(1.0, 1.0), (0.0, 1.0), (0.0, 0.0)]);
    logits[0] = f32::NAN;
    assert_eq!(hits(&logits)[0], (0.0, 0.0));
}
