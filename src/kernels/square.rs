//! Proposals of the Square attack (Andriushchenko et al. 2020), which sees no gradient. Pixels are 0..255,
//! [images, rows_per_image, 4] with a zero fourth channel.

use super::attack::AttackShape;
use super::{Permutation, image_grid, permuted};
use crate::gpu::{BufferId, Cost, Kernel, Launch, VIEW_ALIGNMENT, View, params};

/// What is proposed for one image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proposal {
    /// First line of the square.
    pub row: u32,
    /// First pixel of its lines.
    pub column: u32,
    /// Pixels of a side; 0 proposes the best point itself.
    pub side: u32,
    /// Which channels go up; the others go down.
    pub up: [bool; 3],
    /// Whether the proposal before was better, and is the best point from now on.
    pub keep: bool,
}

impl Proposal {
    /// The row of the table as the shader reads it.
    pub fn words(&self) -> [u32; 4] {
        let bits = self.up.iter().chain([&self.keep]).enumerate().map(|(bit, set)| u32::from(*set) << bit);
        [self.row, self.column, self.side, bits.sum()]
    }
}

/// What the attack keeps between proposals, in a buffer of [`SquareState::bytes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SquareState {
    /// A [`Proposal`] an image, `[images, 4]` words.
    pub table: View,
    /// The best points, `[images, rows_per_image, 4]`.
    pub best: View,
}

impl SquareState {
    /// The state of an attack in `buffer`.
    pub fn new(shape: &AttackShape, buffer: BufferId) -> Self {
        let table = View::whole(buffer, shape.images * 4);
        let behind = table.size.next_multiple_of(VIEW_ALIGNMENT);
        Self { table, best: View::words(buffer, behind, shape.images * shape.rows_per_image * 4) }
    }

    /// Bytes of the buffer; fewer images never need more.
    pub fn bytes(shape: &AttackShape) -> u64 {
        let Self { best, .. } = Self::new(shape, BufferId(0));
        best.offset + best.size
    }
}

params! {
    /// The numbers of `shaders/square_propose.wgsl`.
    struct ProposeParams {
        /// Pixels of one image.
        rows_per_image: u32,
        /// Pixels of one line.
        width: u32,
        /// Radius of the ball, pixel units.
        epsilon: f32,
        /// 0; see `shaders/lib/attack_ball.wgsl`.
        zero: u32,
    }
}

/// Writes each image's proposal to `x_adv`: its best point with the square of the table moved by 2ε and
/// clipped to the ball around `x` and the image range. `width` is the pixels of a line.
pub fn propose(
    shape: &AttackShape,
    width: usize,
    epsilon: f32,
    x: View,
    state: &SquareState,
    x_adv: View,
) -> Launch {
    let rows = (shape.images * shape.rows_per_image) as u64;
    let params =
        ProposeParams { rows_per_image: shape.rows_per_image as u32, width: width as u32, epsilon, zero: 0 };
    let views = vec![x, state.table, state.best, x_adv];
    let grid = image_grid(shape.rows_per_image as u64, shape.images);
    let cost = Cost { flops: rows * 40, bytes: rows * 64 };
    Launch::new(Kernel::new("square_propose", &[]), views, params, grid, cost)
}

/// The kernel of this file.
pub fn permutations() -> Vec<Permutation> {
    permuted::<ProposeParams>(vec![Kernel::new("square_propose", &[])], |_| 4)
}
