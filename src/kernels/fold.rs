//! Batch norm with running statistics as part of the convolution before it: the launch that folds it into the
//! weights. The shift and the activation are epilogues ([`super::fusion`]), and so is the activation's slope
//! in the backward pass; [`super::activation::backward`] is the pass over the tensor where no epilogue can
//! take it.

use super::{GROUP, Permutation, permuted, quads};
use crate::gpu::{Cost, Kernel, Launch, View, linear_grid, params};

/// Rows that a thread takes with one scale.
const BLOCK_ROWS: usize = 8;

fn kernel() -> Kernel {
    Kernel::new("fold_batch_norm", &[("BLOCK_ROWS", BLOCK_ROWS as u32)])
}

params! {
    /// The numbers of `shaders/fold_batch_norm.wgsl`.
    struct FoldParams {
        /// Threads that have work.
        threads: u32,
        /// vec4s of a row of the weights.
        quads: u32,
        /// Rows of the weights.
        rows: u32,
        /// Added to the variance.
        eps: f32,
    }
}

/// A convolution's weights `[rows][channels]`, dense or depthwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FoldShape {
    /// Taps × input channels; taps alone of a depthwise convolution.
    pub rows: usize,
    /// Output channels; padded: a multiple of 4.
    pub channels: usize,
    /// Added to the variance.
    pub eps: f32,
}

/// `folded` = weights · scale by output channel, and `shift` `[channels]`, from the `[gamma | beta]` and
/// `[mean | variance]` of one domain.
pub fn fold(
    shape: &FoldShape,
    weights: View,
    parameters: View,
    running: View,
    folded: View,
    shift: View,
) -> Launch {
    let threads = shape.rows.div_ceil(BLOCK_ROWS) as u32 * quads(shape.channels);
    let elements = (shape.rows * shape.channels) as u64;
    let params =
        FoldParams { threads, quads: quads(shape.channels), rows: shape.rows as u32, eps: shape.eps };
    let views = vec![weights, parameters, running, folded, shift];
    let cost = Cost { flops: elements, bytes: elements * 8 };
    Launch::new(kernel(), views, params, linear_grid(u64::from(threads), GROUP), cost)
}

/// Every kernel of this file.
pub fn permutations() -> Vec<Permutation> {
    permuted::<FoldParams>(vec![kernel()], |_| 5)
}
