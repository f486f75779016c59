//! Start, momentum and step of the L∞ attacks, on pixels in 0..255 [images, rows_per_image, 4] with a zero
//! fourth channel. Whatever comes out is within epsilon of the clean pixel exactly, not up to rounding.

use super::{GROUP, Permutation, STORED, combinations, image_grid, permuted};
use crate::gpu::{BufferId, Cost, Kernel, Launch, VIEW_ALIGNMENT, View, linear_grid, params};

/// The pixels that an attack moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttackShape {
    /// Images of the batch.
    pub images: usize,
    /// Pixels of one image.
    pub rows_per_image: usize,
}

/// Slices that the sum over an image's gradient has at most: each thread of the second pass adds all of them.
const MOST_SLICES: usize = 16;

/// Pixels that a slice of that sum has at least, where the image has as many.
const SLICE_ROWS: usize = 256;

/// Threads that share a slice of that sum.
const SLICE_LANES: u32 = 64;

impl AttackShape {
    fn rows(&self) -> usize {
        self.images * self.rows_per_image
    }

    /// Pixels of a slice; the image alone decides it, so a sum does not depend on the batch.
    fn slice_rows(&self) -> usize {
        self.rows_per_image.div_ceil(MOST_SLICES).max(SLICE_ROWS)
    }

    fn slices(&self) -> usize {
        self.rows_per_image.div_ceil(self.slice_rows())
    }
}

/// What an attack with momentum keeps from its start to its last iteration, in a buffer of
/// [`Momentum::bytes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Momentum {
    /// The accumulated gradient `[images, rows_per_image, 4]`, f32 with a zero fourth channel; the start
    /// clears it.
    pub gradient: View,
    /// Sums of the newest gradient `[images, slices]`, which every iteration writes anew.
    pub sums: View,
}

impl Momentum {
    /// The momentum of an attack in `buffer`.
    pub fn new(shape: &AttackShape, buffer: BufferId) -> Self {
        let gradient = View::whole(buffer, shape.rows() * 4);
        let behind = gradient.size.next_multiple_of(VIEW_ALIGNMENT);
        Self { gradient, sums: View::words(buffer, behind, shape.images * shape.slices()) }
    }

    /// Bytes of the buffer; fewer images never need more.
    pub fn bytes(shape: &AttackShape) -> u64 {
        let Self { sums, .. } = Self::new(shape, BufferId(0));
        sums.offset + sums.size
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
    /// The numbers of `shaders/attack_gradient_sums.wgsl`.
    struct SumsParams {
        /// Pixels of one image.
        rows_per_image: u32,
        /// Row of the gradient that belongs to the first pixel.
        gradient_row: u32,
        /// Pixels of a slice.
        slice_rows: u32,
        /// Slices of an image.
        slices: u32,
    }
}

params! {
    /// The numbers of `shaders/attack_momentum.wgsl`.
    struct MomentumParams {
        /// Pixels of one image.
        rows_per_image: u32,
        /// Row of the gradient that belongs to the first pixel.
        gradient_row: u32,
        /// Slices of an image.
        slices: u32,
        /// Share of the momentum that stays.
        decay: f32,
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

/// `momentum ← decay · momentum + gradient / mean |gradient|`, the mean over the pixels and three channels of
/// each image; a step then goes along the momentum in place of the gradient. An image whose gradient is zero
/// everywhere, or not finite somewhere, adds nothing. A factor on the gradient, such as the loss scale,
/// cancels. The gradient of the first pixel is row `gradient_row` of `gradient`, in either form.
pub fn accumulate(
    shape: &AttackShape,
    decay: f32,
    gradient: View,
    gradient_row: usize,
    momentum: &Momentum,
) -> [Launch; 2] {
    let rows = shape.rows() as u64;
    let read = rows * 4 * gradient.element.bytes();
    let rows_per_image = shape.rows_per_image as u32;
    let gradient_row = gradient_row as u32;
    let slices = shape.slices() as u32;
    let sums = Launch::new(
        Kernel::new(
            "attack_gradient_sums",
            &[("LANES", SLICE_LANES), ("WORKGROUP", SLICE_LANES), gradient.element.constant()],
        ),
        vec![gradient, momentum.sums],
        SumsParams { rows_per_image, gradient_row, slice_rows: shape.slice_rows() as u32, slices },
        [slices, shape.images as u32, 1],
        Cost { flops: rows * 6, bytes: read },
    );
    let add = Launch::new(
        Kernel::new("attack_momentum", &[gradient.element.constant()]),
        vec![gradient, momentum.sums, momentum.gradient],
        MomentumParams { rows_per_image, gradient_row, slices, decay },
        image_grid(shape.rows_per_image as u64, shape.images),
        Cost { flops: rows * 12, bytes: read + rows * 32 },
    );
    [sums, add]
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
    const LANES: &[u32] = &[SLICE_LANES];
    let sums = [("LANES", LANES), ("WORKGROUP", LANES), STORED];
    [
        permuted::<StartParams>(combinations("attack_start", &[("RANDOM", SWITCH)]), |c| {
            2 + u32::from(c.is_set("RANDOM"))
        }),
        permuted::<StepParams>(combinations("attack_step", &[("PROJECT", SWITCH), STORED]), |_| 3),
        permuted::<SumsParams>(combinations("attack_gradient_sums", &sums), |_| 2),
        permuted::<MomentumParams>(combinations("attack_momentum", &[STORED]), |_| 3),
    ]
    .concat()
}
