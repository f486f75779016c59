//! Gradient of a dense layer's bias: `db[c] += Σ_row dy[row, c]`.

use super::fusion::Fusion;
use super::{ImageShape, Permutation, pool};
use crate::gpu::{Launch, View};

/// Adds the column sums of `dy` `[rows, channels]` to `db` `[channels]`.
pub fn column_sum(rows: usize, channels: usize, dy: View, db: View) -> Launch {
    let shape = ImageShape { images: 1, rows_per_image: rows, channels };
    pool::image_sum(&shape, dy, None, db, 1.0, true, &Fusion::NONE)
}

/// None of its own: the kernel is `image_sum`, which `pool` lists.
pub fn permutations() -> Vec<Permutation> {
    Vec::new()
}
