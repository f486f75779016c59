//! Start and step of the L∞ attacks, on pixels in 0..255 [images, rows_per_image, 4] with a zero fourth
//! channel. Whatever comes out is within epsilon of the clean pixel exactly, not up to rounding.

use super::{GROUP, Permutation, STORED, combinations, image_grid, permuted};
use crate::gpu::{Cost, Kernel, Launch, View, linear_grid, params};

/// The pixels that an attack moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttackShape {
    /// Images of the batch.
    pub images: usize,
    /// Pixels of one image.
    pub rows_per_image: usize,
}

impl AttackShape {
    fn rows(&self) -> usize {
        self.images * self.rows_per_image
    }
}

/// What a random start draws.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RandomStart {
    /// Radius of the ball, pixel units.
    pub epsilon: f32,
    /// Chance of an image to start from noise; the others start at the clean pixels.
    pub probability: f32,
    /// Random stream of the noise; the one behind it decides which images get any.
    pub stream: u32,
}

params! {
    /// The numbers of `shaders/attack_start.wgsl`.
    struct StartParams {
        /// Pixels of one image.
        rows_per_image: u32,
        /// Random stream of the noise.
        stream: u32,
        /// Radius of the ball, pixel units.
        epsilon: f32,
        /// 0; see `shaders/lib/attack_ball.wgsl`.
        zero: u32,
        /// Chance of an image to start from noise.
        probability: f32,
    }
}

params! {
    /// The numbers of `shaders/attack_step.wgsl`.
    struct StepParams {
        /// Pixels of all images.
        rows: u32,
        /// Row of the gradient that belongs to the first pixel.
        gradient_row: u32,
        /// Length of the step, pixel units; negative to lower the loss.
        size: f32,
        /// Radius of the ball, pixel units.
        epsilon: f32,
        /// 0; see `shaders/lib/attack_ball.wgsl`.
        zero: u32,
    }
}

/// A uniform start within `epsilon` of the clean pixels, drawn from (seed, step, stream, image id, pixel).
/// `ids` holds a u32 an image, so the draw does not depend on which batch an image stands in.
pub fn random_start(shape: &AttackShape, start: &RandomStart, x: View, ids: View, x_adv: View) -> Launch {
    launch_start(shape, start, vec![x, x_adv, ids])
}

/// A start at the clean pixels.
pub fn plain_start(shape: &AttackShape, x: View, x_adv: View) -> Launch {
    let still = RandomStart { epsilon: 0.0, probability: 0.0, stream: 0 };
    launch_start(shape, &still, vec![x, x_adv])
}

fn launch_start(shape: &AttackShape, start: &RandomStart, views: Vec<View>) -> Launch {
    let random = views.len() == 3;
    let rows = shape.rows() as u64;
    let params = StartParams {
        rows_per_image: shape.rows_per_image as u32,
        stream: start.stream,
        epsilon: start.epsilon,
        zero: 0,
        probability: start.probability,
    };
    let kernel = Kernel::new("attack_start", &[("RANDOM", u32::from(random))]);
    let cost = Cost { flops: if random { rows * 40 } else { 0 }, bytes: rows * 32 };
    Launch::new(kernel, views, params, image_grid(shape.rows_per_image as u64, shape.images), cost)
}

/// How far a step moves and what it is clipped to, in pixel units (0..255).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttackStep {
    /// Radius of the box around the clean pixel.
    pub epsilon: f32,
    /// Length of a step: positive to raise the loss, negative to lower it (towards a target).
    pub size: f32,
    /// Clip to the ε-box; GD does not.
    pub project: bool,
}

/// `x_adv ← clip(clip(x_adv + size · sign(gradient), x - ε, x + ε), 0, 255)`, sign(0) = 0. The gradient of
/// the first pixel is row `gradient_row` of `gradient`, in either form; pixels are f32.
pub fn step(
    shape: &AttackShape,
    step: &AttackStep,
    x: View,
    gradient: View,
    gradient_row: usize,
    x_adv: View,
) -> Launch {
    let rows = shape.rows() as u64;
    let constants = [("PROJECT", u32::from(step.project)), gradient.element.constant()];
    let params = StepParams {
        rows: rows as u32,
        gradient_row: gradient_row as u32,
        size: step.size,
        epsilon: step.epsilon,
        zero: 0,
    };
    let cost = Cost { flops: rows * 40, bytes: rows * (48 + 4 * gradient.element.bytes()) };
    let views = vec![x, gradient, x_adv];
    Launch::new(Kernel::new("attack_step", &constants), views, params, linear_grid(rows, GROUP), cost)
}

/// Every kernel of this file with every combination of its constants.
pub fn permutations() -> Vec<Permutation> {
    const SWITCH: &[u32] = &[0, 1];
    [
        permuted::<StartParams>(combinations("attack_start", &[("RANDOM", SWITCH)]), |c| {
            2 + u32::from(c.is_set("RANDOM"))
        }),
        permuted::<StepParams>(combinations("attack_step", &[("PROJECT", SWITCH), STORED]), |_| 3),
    ]
    .concat()
}
