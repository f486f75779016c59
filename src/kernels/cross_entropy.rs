//! Softmax cross-entropy with label smoothing and mixed labels, forward and backward in one pass, with top-1
//! and top-5 hits; and the sums of those over the branches of a step.

use super::{GROUP, MAX_SEGMENTS, Permutation, combinations, permuted, quads};
use crate::gpu::{Cost, Kernel, Launch, View, linear_grid, params};

/// The logits `[rows, classes]` and what the loss of a row is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossShape {
    /// Images of the batch.
    pub rows: usize,
    /// Without padding; the logits have `classes` rounded up to a multiple of 4.
    pub classes: usize,
    /// Label smoothing e: the target is (1 - e) · onehot + e / classes.
    pub smoothing: f32,
    /// Turns the gradient around: an attack towards a target then climbs like any other attack.
    pub negate: bool,
}

impl LossShape {
    /// Floats of a row of the logits.
    pub fn padded_classes(&self) -> usize {
        self.classes.next_multiple_of(4)
    }
}

/// One row of the label table as the shader reads it: the loss is `lambda · CE(label_a) + (1 - lambda) ·
/// CE(label_b)` and `weight` multiplies its gradient. Hits count against the label with the larger share,
/// `label_a` of equal ones.
pub fn table_row(label_a: u32, label_b: u32, lambda: f32, weight: f32) -> [u32; 4] {
    [label_a, label_b, lambda.to_bits(), weight.to_bits()]
}

params! {
    /// The numbers of `shaders/cross_entropy.wgsl`.
    struct LossParams {
        /// Rows of the logits.
        rows: u32,
        /// Classes without padding.
        classes: u32,
        /// vec4s of a row.
        quads: u32,
        /// Label smoothing.
        smoothing: f32,
        /// 1, or -1 where the gradient is turned around.
        sign: f32,
    }
}

params! {
    /// A row segment as `shaders/metrics.wgsl` knows it.
    struct RowSegment {
        /// The first row.
        first_row: u32,
        /// Rows of the segment.
        rows: u32,
        ; padding: [u32; 2],
    }
}

params! {
    /// The numbers of `shaders/metrics.wgsl`.
    struct MetricsParams {
        /// The segments; those beyond the grid are zero.
        segments: [RowSegment; MAX_SEGMENTS],
    }
}

/// Classes above which a whole workgroup shares a row.
const ONE_THREAD_CLASSES: usize = 64;

/// Writes per row (loss, top-1 hit, top-5 hit, 0) to `results` `[rows, 4]`, and with `dlogits` the gradient
/// of the weighted loss. `table` holds a [`table_row`] a row. Equal logits rank by class number, lower first.
pub fn cross_entropy(
    shape: &LossShape,
    logits: View,
    table: View,
    results: View,
    dlogits: Option<View>,
) -> Launch {
    launch(shape, [logits, table, results], dlogits, None)
}

/// As [`cross_entropy`], with the gradient multiplied by the loss scale of `scale`, a
/// `loss_scale::LossScale`.
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
    let params = LossParams {
        rows: shape.rows as u32,
        classes: shape.classes as u32,
        quads: quads(shape.padded_classes()),
        smoothing: shape.smoothing,
        sign,
    };
    let cost = Cost { flops: elements * 20, bytes: elements * 4 * (1 + u64::from(dlogits.is_some())) };
    let grid = linear_grid(shape.rows as u64 * u64::from(lanes), GROUP);
    let views = views.into_iter().chain(dlogits).chain(scale).collect();
    Launch::new(Kernel::new("cross_entropy", &constants), views, params, grid, cost)
}

/// Sums of `results` over row segments `(first row, rows)`, at most [`MAX_SEGMENTS`]: `sums` gets (loss,
/// top-1 hits, top-5 hits, rows) a segment, written or added.
pub fn metrics(segments: &[(u32, u32)], results: View, sums: View, accumulate: bool) -> Launch {
    assert!((1..=MAX_SEGMENTS).contains(&segments.len()), "{} segments", segments.len());
    let mut params = MetricsParams::default();
    for (place, (first_row, rows)) in params.segments.iter_mut().zip(segments) {
        *place = RowSegment { first_row: *first_row, rows: *rows, padding: [0; 2] };
    }
    let rows: u64 = segments.iter().map(|s| u64::from(s.1)).sum();
    let constants = [("ACCUMULATE", u32::from(accumulate)), ("LANES", 64), ("WORKGROUP", 64)];
    let cost = Cost { flops: rows * 4, bytes: rows * 16 };
    let grid = [segments.len() as u32, 1, 1];
    Launch::new(Kernel::new("metrics", &constants), vec![results, sums], params, grid, cost)
}

/// Every kernel of this file with every combination of its constants.
pub fn permutations() -> Vec<Permutation> {
    const SWITCH: &[u32] = &[0, 1];
    let losses = [
        combinations("cross_entropy", &[("LANES", &[1, 64]), ("GRADIENT", &[0]), ("SCALED", &[0])]),
        combinations("cross_entropy", &[("LANES", &[1, 64]), ("GRADIENT", &[1]), ("SCALED", SWITCH)]),
    ];
    let metrics = combinations("metrics", &[("ACCUMULATE", SWITCH), ("LANES", &[64]), ("WORKGROUP", &[64])]);
    [
        permuted::<LossParams>(losses.concat(), |c| {
            3 + u32::from(c.is_set("GRADIENT")) + u32::from(c.is_set("SCALED"))
        }),
        permuted::<MetricsParams>(metrics, |_| 2),
    ]
    .concat()
}
