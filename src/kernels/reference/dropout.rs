//! Dropout; the same map forward and backward.

use super::random::{random_unit4, step_key};
use crate::gpu::StepUniform;
use crate::kernels::dropout::DropoutShape;

/// `[images, features]`: input times the mask of the step, divided by 1 - rate.
pub fn apply(shape: &DropoutShape, step: &StepUniform, input: &[f32]) -> Vec<f32> {
    let key = step_key(step.step, step.micro);
    let first = shape.image_offset as usize * shape.features;
    let scale = 1.0 / (1.0 - shape.rate);
    let value = |(i, v): (usize, &f32)| {
        let element = first + i;
        let u = random_unit4(step.seed, key, shape.stream, (element / 4) as u32)[element % 4];
        if u >= shape.rate { v * scale } else { 0.0 }
    };
    input.iter().enumerate().map(value).collect()
}
