//! The end of a residual block.

use super::activation::{activate, slope};
use super::random::{random_unit, step_key};
use crate::gpu::StepUniform;
use crate::kernels::activation::Activation;
use crate::kernels::residual::ResidualShape;

/// Factor of each image's branch: 0 or 1 / keep.
pub fn masks(shape: &ResidualShape, step: &StepUniform) -> Vec<f32> {
    let keep = 1.0 - shape.drop_rate;
    let key = step_key(step.step, step.micro);
    let mask = |image: u32| {
        let u = random_unit(step.seed, key, shape.stream, shape.image_offset + image);
        (keep + u).floor() * (1.0 / keep)
    };
    (0..shape.images as u32).map(|image| if shape.drop_rate > 0.0 { mask(image) } else { 1.0 }).collect()
}

/// y `[images, rows, C]` from shortcut and branch of that shape and the drop-path masks of the step.
pub fn forward(
    shape: &ResidualShape,
    activation: Activation,
    step: &StepUniform,
    shortcut: &[f32],
    branch: &[f32],
) -> Vec<f32> {
    let masks = masks(shape, step);
    let per_image = shape.rows_per_image * shape.channels;
    let sum = |i: usize| f64::from(shortcut[i]) + f64::from(masks[i / per_image]) * f64::from(branch[i]);
    (0..shortcut.len()).map(|i| activate(activation, sum(i)) as f32).collect()
}

/// (gradient of the branch, gradient of the shortcut); `y` is the output.
pub fn backward(
    shape: &ResidualShape,
    activation: Activation,
    step: &StepUniform,
    y: &[f32],
    dy: &[f32],
) -> (Vec<f32>, Vec<f32>) {
    let masks = masks(shape, step);
    let per_image = shape.rows_per_image * shape.channels;
    let g: Vec<f32> = dy.iter().zip(y).map(|(dy, y)| dy * slope(activation, f64::from(*y)) as f32).collect();
    let branch = g.iter().enumerate().map(|(i, g)| g * masks[i / per_image]).collect();
    (branch, g)
}
