//! Auto-PGD (Croce & Hein 2020, section 3): after each pass a decision for each image, then a step of its
//! own length with momentum. Pixels are 0..255, [images, rows_per_image, 4] with a zero fourth channel, f32.

use super::attack::AttackShape;
use super::{GROUP, Permutation, image_grid, permuted};
use crate::gpu::{BufferId, Cost, Kernel, Launch, VIEW_ALIGNMENT, View, linear_grid, params};

/// When Auto-PGD looks whether an image's step is still fit, in passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoints {
    /// Passes to the first one.
    pub first: u32,
    /// How many fewer lie before each later one.
    pub shrink: u32,
    /// The fewest between two.
    pub least: u32,
}

impl Checkpoints {
    /// The published ones of an attack of that many iterations: 22 % of them, each time 3 % fewer, at least
    /// 6 % (section 3.1).
    pub fn published(iterations: u32) -> Self {
        // Whole per cent, so that no rounding of a float decides.
        let share = |per_cent: u32| (per_cent * iterations / 100).max(1);
        Self { first: share(22), shrink: share(3), least: share(6) }
    }
}

/// What Auto-PGD keeps from its start to its last pass, in a buffer of [`ApgdState::bytes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApgdState {
    /// Numbers of each image, `[images, 12]`; zero before the first pass.
    pub records: View,
    /// The point before the current one, `[images, rows_per_image, 4]` as the next three.
    pub previous: View,
    /// The point with the highest loss.
    pub best: View,
    /// The sign of the gradient there.
    pub direction: View,
    /// What the attack returns: the last point that fooled the network, until there is one the best.
    pub result: View,
}

impl ApgdState {
    /// The state of an attack in `buffer`.
    pub fn new(shape: &AttackShape, buffer: BufferId) -> Self {
        let mut end = 0;
        let mut view = |floats| {
            let view = View::words(buffer, end, floats);
            end = (view.offset + view.size).next_multiple_of(VIEW_ALIGNMENT);
            view
        };
        let pixels = shape.images * shape.rows_per_image * 4;
        Self {
            records: view(shape.images * 12),
            previous: view(pixels),
            best: view(pixels),
            direction: view(pixels),
            result: view(pixels),
        }
    }

    /// Bytes of the buffer; fewer images never need more.
    pub fn bytes(shape: &AttackShape) -> u64 {
        let Self { result, .. } = Self::new(shape, BufferId(0));
        result.offset + result.size
    }
}

params! {
    /// The numbers of `shaders/apgd_check.wgsl`.
    struct CheckParams {
        /// Images of the batch.
        images: u32,
        /// Passes to the first checkpoint.
        window: f32,
        /// How many fewer lie before each later one.
        shrink: f32,
        /// The fewest between two.
        least: f32,
        /// Radius of the ball, pixel units.
        epsilon: f32,
    }
}

params! {
    /// The numbers of `shaders/apgd_step.wgsl`.
    struct StepParams {
        /// Pixels of one image.
        rows_per_image: u32,
        /// Radius of the ball, pixel units.
        epsilon: f32,
        /// 0; see `shaders/lib/attack_ball.wgsl`.
        zero: u32,
    }
}

/// Decides for each image from the `results` `[images, 4]` of a pass (loss, whether the label is the top
/// class): which points to keep, and at a checkpoint whether its step is halved. The first step is 2ε.
pub fn check(
    shape: &AttackShape,
    checkpoints: &Checkpoints,
    epsilon: f32,
    results: View,
    state: &ApgdState,
) -> Launch {
    let images = shape.images as u64;
    let params = CheckParams {
        images: shape.images as u32,
        window: checkpoints.first as f32,
        shrink: checkpoints.shrink as f32,
        least: checkpoints.least as f32,
        epsilon,
    };
    let cost = Cost { flops: images * 20, bytes: images * 112 };
    let views = vec![results, state.records];
    Launch::new(Kernel::new("apgd_check", &[]), views, params, linear_grid(images, GROUP), cost)
}

/// Keeps what [`check`] said and moves `x_adv` along the sign of `gradient`, three quarters of the way, and
/// a quarter of the last move further, within ε of `x` and the image range.
pub fn step(
    shape: &AttackShape,
    epsilon: f32,
    x: View,
    gradient: View,
    state: &ApgdState,
    x_adv: View,
) -> Launch {
    let rows = (shape.images * shape.rows_per_image) as u64;
    let params = StepParams { rows_per_image: shape.rows_per_image as u32, epsilon, zero: 0 };
    let views =
        vec![x, gradient, state.records, state.previous, state.best, state.direction, state.result, x_adv];
    let cost = Cost { flops: rows * 80, bytes: rows * 112 };
    let grid = image_grid(shape.rows_per_image as u64, shape.images);
    Launch::new(Kernel::new("apgd_step", &[]), views, params, grid, cost)
}

/// Every kernel of this file.
pub fn permutations() -> Vec<Permutation> {
    [
        permuted::<CheckParams>(vec![Kernel::new("apgd_check", &[])], |_| 2),
        permuted::<StepParams>(vec![Kernel::new("apgd_step", &[])], |_| 8),
    ]
    .concat()
}
