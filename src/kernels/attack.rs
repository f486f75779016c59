//! Start and step of the L∞ attacks, on pixels in 0..255 [images, rows_per_image, 4] with a zero fourth channel.
//! Whatever comes out is within epsilon of the clean pixel exactly, not up to rounding.

use super::{GROUP, STORED, combinations, image_grid};
use crate::gpu::{Cost, Kernel, Launch, View, linear_grid};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttackShape {
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

/// A uniform start within `epsilon` of the clean pixels, drawn from (seed, step, stream, image id, pixel). `ids`
/// holds a u32 an image, so the draw does not depend on which batch an image stands in.
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
    Launch {
        kernel: Kernel::new("attack_start", &[("RANDOM", u32::from(random))]),
        views,
        params: vec![
            shape.rows_per_image as u32,
            start.stream,
            start.epsilon.to_bits(),
            0,
            start.probability.to_bits(),
        ],
        grid: image_grid(shape.rows_per_image as u64, shape.images),
        cost: Cost { flops: if random { rows * 40 } else { 0 }, bytes: rows * 32 },
    }
}

/// How far a step moves and what it is clipped to, in pixel units (0..255).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttackStep {
    pub epsilon: f32,
    /// Length of a step: positive to raise the loss, negative to lower it (towards a target).
    pub size: f32,
    /// Clip to the ε-box; GD does not.
    pub project: bool,
}

/// `x_adv ← clip(clip(x_adv + size · sign(gradient), x - ε, x + ε), 0, 255)`, sign(0) = 0. The gradient of the
/// first pixel is row `gradient_row` of `gradient`, in either form; pixels are f32.
pub fn step(
    shape: &AttackShape,
    step: &AttackStep,
    x: View,
    gradient: View,
    gradient_row: usize,
    x_adv: View,
) -> Launch {
    let rows = shape.rows() as u64;
    Launch {
        kernel: Kernel::new(
            "attack_step",
            &[("PROJECT", u32::from(step.project)), gradient.element.constant()],
        ),
        views: vec![x, gradient, x_adv],
        params: vec![rows as u32, gradient_row as u32, step.size.to_bits(), step.epsilon.to_bits(), 0],
        grid: linear_grid(rows, GROUP),
        cost: Cost { flops: rows * 40, bytes: rows * (48 + 4 * gradient.element.bytes()) },
    }
}

/// Every kernel of this file with every combination of its constants.
pub fn permutations() -> Vec<Kernel> {
    const SWITCH: &[u32] = &[0, 1];
    [
        combinations("attack_start", &[("RANDOM", SWITCH)]),
        combinations("attack_step", &[("PROJECT", SWITCH), STORED]),
    ]
    .concat()
}
