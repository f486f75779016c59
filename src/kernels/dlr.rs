//! The targeted difference of logits ratio (Croce & Hein 2020, equation 7): a loss for attacks that neither a
//! shift nor a factor of the logits changes, so that its gradient does not vanish where softmax saturates.

use super::cross_entropy::LossShape;
use super::{GROUP, Permutation, permuted, quads};
use crate::gpu::{Cost, Kernel, Launch, View, linear_grid, params};

/// The fewest classes that the ratio is defined for: it has the fourth largest logit in it.
pub const LEAST_CLASSES: usize = 4;

params! {
    /// The numbers of `shaders/dlr_loss.wgsl`.
    struct DlrParams {
        /// Rows of the logits.
        rows: u32,
        /// Classes without padding.
        classes: u32,
        /// vec4s of a row.
        quads: u32,
    }
}

/// Writes per row (loss, top-1 hit, top-5 hit, 0) to `results` `[rows, 4]` and the gradient of the loss to
/// `d_logits`. `table` holds (label, target, …) a row, as [`super::cross_entropy::table_row`] makes it; the
/// hits are the label's. Smoothing and sign of the shape take no part.
pub fn targeted(shape: &LossShape, logits: View, table: View, results: View, d_logits: View) -> Launch {
    assert!(shape.classes >= LEAST_CLASSES, "{} classes", shape.classes);
    let params = DlrParams {
        rows: shape.rows as u32,
        classes: shape.classes as u32,
        quads: quads(shape.padded_classes()),
    };
    let elements = (shape.rows * shape.padded_classes()) as u64;
    let cost = Cost { flops: elements * 16, bytes: elements * 8 };
    let views = vec![logits, table, results, d_logits];
    let grid = linear_grid(shape.rows as u64, GROUP);
    Launch::new(Kernel::new("dlr_loss", &[]), views, params, grid, cost)
}

/// The kernel of this file.
pub fn permutations() -> Vec<Permutation> {
    permuted::<DlrParams>(vec![Kernel::new("dlr_loss", &[])], |_| 4)
}
