//! L∞ attacks. The bounds of the ball are bit-equal to `shaders/lib/attack_ball.wgsl`.

use super::random::{random_u32, random_unit4, step_key};
use crate::gpu::StepUniform;
use crate::kernels::attack::{AttackShape, AttackStep, RandomStart};

/// Smallest f32 that is at least x - epsilon, and at least 0.
pub fn ball_low(x: f32, epsilon: f32) -> f32 {
    let low = x - epsilon;
    let outside = low > 0.0 && low - x < -epsilon;
    f32::from_bits(low.to_bits().wrapping_add(u32::from(outside))).max(0.0)
}

/// Largest f32 that is at most x + epsilon, and at most 255.
pub fn ball_high(x: f32, epsilon: f32) -> f32 {
    let high = x + epsilon;
    let outside = high - x.max(epsilon) > x.min(epsilon);
    f32::from_bits(high.to_bits().wrapping_sub(u32::from(outside))).min(255.0)
}

/// `value` moved into the ball around `x` and the image range.
pub fn into_ball(value: f32, x: f32, epsilon: f32) -> f32 {
    value.max(ball_low(x, epsilon)).min(ball_high(x, epsilon))
}

/// x_adv `[images, rows_per_image, 4]` from x of that shape and the `ids` `[images]`; see
/// [`crate::kernels::attack::random_start`].
pub fn random_start(
    shape: &AttackShape,
    start: &RandomStart,
    step: &StepUniform,
    x: &[f32],
    ids: &[u32],
) -> Vec<f32> {
    let key = step_key(step.step, step.micro);
    let value = |(i, x): (usize, &f32)| {
        let (pixel, channel) = (i / 4, i % 4);
        if channel == 3 {
            return 0.0;
        }
        let RandomStart { epsilon, probability, stream } = *start;
        let id = ids[pixel / shape.rows_per_image];
        if random_unit4(step.seed, key, stream + 1, id)[0] >= probability {
            return *x;
        }
        let image_key = random_u32(step.seed, key, stream, id);
        let u = random_unit4(image_key, key, stream, (pixel % shape.rows_per_image) as u32)[channel];
        into_ball(x + (2.0 * u - 1.0) * epsilon, *x, epsilon)
    };
    x.iter().enumerate().map(value).collect()
}

/// `gradient` starts at the first pixel's row; see [`crate::kernels::attack::accumulate`].
pub fn accumulate(shape: &AttackShape, decay: f32, gradient: &[f32], momentum: &mut [f32]) {
    let image = shape.rows_per_image * 4;
    for (gradient, momentum) in gradient.chunks(image).zip(momentum.chunks_mut(image)) {
        let colours = || gradient.iter().enumerate().filter(|(i, _)| i % 4 != 3);
        let sum: f64 = colours().map(|(_, g)| f64::from(g.abs())).sum();
        let mean = (sum / (shape.rows_per_image * 3) as f64) as f32;
        for (i, m) in momentum.iter_mut().enumerate() {
            let added = if mean.is_normal() { gradient[i] / mean } else { 0.0 };
            *m = if i % 4 == 3 { 0.0 } else { decay * *m + added };
        }
    }
}

/// `gradient` starts at the first pixel's row.
pub fn step(step: &AttackStep, x: &[f32], gradient: &[f32], x_adv: &mut [f32]) {
    for i in 0..x.len() {
        if i % 4 == 3 {
            x_adv[i] = 0.0;
            continue;
        }
        let g = gradient[i];
        let sign = f32::from(g > 0.0) - f32::from(g < 0.0);
        let moved = x_adv[i] + step.size * sign;
        x_adv[i] = if step.project { into_ball(moved, x[i], step.epsilon) } else { moved.clamp(0.0, 255.0) };
    }
}
