//! A node's output as its consumers read it, and places in the arenas.

use super::params::ALIGN;
use crate::gpu::{BufferId, View};
use crate::kernels::activation::Activation;

/// A node's output `[N, H, W, C]` as its consumers read it.
#[derive(Clone, Copy)]
pub(super) enum Value {
    /// The output is stored.
    Stored(View),
    /// The output is `act(scale * x + shift)`, times the gate of the image where there is one. It is computed
    /// on each read and never stored.
    Normalized {
        /// What is stored, `[N, H, W, C]`.
        x: View,
        /// Scale and shift of each segment; without a state x is scaled and shifted already.
        state: Option<View>,
        activation: Activation,
        /// `[N, C]`
        gate: Option<View>,
    },
}

/// The view of `floats` numbers of an arena from `offset` on, where a tensor of the arena begins.
pub(super) fn float_range(buffer: BufferId, offset: usize, floats: usize) -> View {
    debug_assert_eq!(offset % ALIGN, 0);
    View::words(buffer, offset as u64 * 4, floats)
}
