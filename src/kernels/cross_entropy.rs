//! Softmax cross-entropy with label smoothing and mixed labels, forward and backward in one pass, with top-1 and
//! top-5 hits; and the sums of those over the branches of a step.

use super::{GROUP, MAX_SEGMENTS, combinations, quads};
use crate::gpu::{Cost, Kernel, Launch, View, linear_grid};

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossShape {
    pub rows: usize,
    /// Without padding; the logits have `classes` rounded up to a multiple of 4.
    pub classes: usize,
    /// Label smoothing e: the target is (1 - e) · onehot + e / classes.
    pub smoothing: f32,
    /// Turns the gradient around: an attack towards a target then climbs like any other attack.
    pub negate: bool,
}

impl LossShape {
    pub fn padded_classes(&self) -> usize {
        self.classes.next_multiple_of(4)
    }
}

/// One row of the label table as the shader reads it: the loss is `lambda · CE(label_a) + (1 - lambda) · CE(label_b)`
/// and `weight` multiplies its gradient. Hits count against the label with the larger share, `label_a` of equal ones.
pub fn table_row(label_a: u32, label_b: u32, lambda: f32, weight: f32) -> [u32; 4] {
    [label_a, label_b, lambda.to_bits(), weight.to_bits()]
}

/// Classes above which a whole workgroup shares a row.
const ONE_THREAD_CLASSES: usize = 64;

/// Writes per row (loss, top-1 hit, top-5 hit, 0) to `results` `[rows, 4]`, and with `dlogits` the gradient of the weighted loss.
/// `table` holds a [`table_row`] a row. Equal logits rank by class number, lower first.
pub fn cross_entropy(
    shape: &LossShape,
    logits: View,
    table: View,
    results: View,
    dlogits: Option<View>,
) -> Launch {
    launch(shape, [logits, table, results], dlogits, None)
}

/// As [`cross_entropy`], with the gradient multiplied by the loss scale of `scale`, a `loss_scale::LossScale`.
pub fn scaled_cross_entropy(
    shape: &LossShape,
    logits: View,
    table: View,
    results: View,
    dlogits: View,
    scale: View,
) -> Launch {
    launch(shape, [logits, table, results], Some(dlogits), Some(scale))
}

fn launch(shape: &LossShape, views: [View; 3], dlogits: Option<View>, scale: Option<View>) -> Launch {
    let lanes = if shape.classes > ONE_THREAD_CLASSES { 64 } else { 1 };
    let constants = [
        ("LANES", lanes),
        ("GRADIENT", u32::from(dlogits.is_some())),
        ("SCALED", u32::from(scale.is_some())),
    ];
    let elements = (shape.rows * shape.padded_classes()) as u64;
    let sign = if shape.negate { -1.0_f32 } else { 1.0 };
    Launch {
        kernel: Kernel::new("cross_entropy", &constants),
        views: views.into_iter().chain(dlogits).chain(scale).collect(),
        params: vec![
            shape.rows as u32,
            shape.classes as u32,
            quads(shape.padded_classes()),
            shape.smoothing.to_bits(),
            sign.to_bits(),
        ],
        grid: linear_grid(shape.rows as u64 * u64::from(lanes), GROUP),
        cost: Cost { flops: elements * 20, bytes: elements * 4 * (1 + u64::from(dlogits.is_some())) },
    }
}

/// Sums of `results` over row segments `(first row, rows)`, at most [`MAX_SEGMENTS`]: `sums` gets (loss, top-1 hits,
/// top-5 hits, rows) a segment, written or added.
pub fn metrics(segments: &[(u32, u32)], results: View, sums: View, accumulate: bool) -> Launch {
    assert!((1..=MAX_SEGMENTS).contains(&segments.len()), "{} segments", segments.len());
    let mut params: Vec<u32> = segments.iter().flat_map(|(first, rows)| [*first, *rows, 0, 0]).collect();
    params.resize(4 * MAX_SEGMENTS, 0);
    let rows: u64 = segments.iter().map(|s| u64::from(s.1)).sum();
    Launch {
        kernel: Kernel::new(
            "metrics",
            &[("ACCUMULATE", u32::from(accumulate)), ("LANES", 64), ("WORKGROUP", 64)],
        ),
        views: vec![results, sums],
        params,
        grid: [segments.len() as u32, 1, 1],
        cost: Cost { flops: rows * 4, bytes: rows * 16 },
    }
}

/// Every kernel of this file with every combination of its constants.
pub fn permutations() -> Vec<Kernel> {
    const SWITCH: &[u32] = &[0, 1];
    [
        combinations("cross_entropy", &[("LANES", &[1, 64]), ("GRADIENT", &[0]), ("SCALED", &[0])]),
        combinations("cross_entropy", &[("LANES", &[1, 64]), ("GRADIENT", &[1]), ("SCALED", SWITCH)]),
        combinations("metrics", &[("ACCUMULATE", SWITCH), ("LANES", &[64]), ("WORKGROUP", &[64])]),
    ]
    .concat()
}
