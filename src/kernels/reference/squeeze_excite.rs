//! The element-wise parts of squeeze-and-excitation.

use super::batch_norm::{activate, slope};
use crate::kernels::ImageShape;
use crate::kernels::batch_norm::Activation;
use crate::kernels::squeeze_excite::Nonlinearity;

/// Index into [images, channels] of element `i` of [images, rows, channels].
fn vector_index(shape: &ImageShape, i: usize) -> usize {
    i / (shape.rows_per_image * shape.channels) * shape.channels + i % shape.channels
}

pub fn channel_scale(shape: &ImageShape, a: &[f32], g: &[f32]) -> Vec<f32> {
    a.iter().enumerate().map(|(i, a)| a * g[vector_index(shape, i)]).collect()
}

pub fn gate_gradient(shape: &ImageShape, dy: &[f32], a: &[f32]) -> Vec<f32> {
    let mut sums = vec![0.0; shape.images * shape.channels];
    for (i, (dy, a)) in dy.iter().zip(a).enumerate() {
        sums[vector_index(shape, i)] += f64::from(*dy) * f64::from(*a);
    }
    sums.into_iter().map(|sum| sum as f32).collect()
}

pub fn data_gradient(shape: &ImageShape, dy: &[f32], g: &[f32], d_pooled: &[f32]) -> Vec<f32> {
    let value = |(i, dy): (usize, &f32)| {
        let at = vector_index(shape, i);
        dy * g[at] + d_pooled[at] / shape.rows_per_image as f32
    };
    dy.iter().enumerate().map(value).collect()
}

pub fn activation_forward(kind: Nonlinearity, x: &[f32]) -> Vec<f32> {
    let value = |x: f64| match kind {
        Nonlinearity::Silu => activate(Activation::Silu, x),
        Nonlinearity::Sigmoid => 1.0 / (1.0 + (-x).exp()),
    };
    x.iter().map(|x| value(f64::from(*x)) as f32).collect()
}

/// `stored` is the input of SiLU, the output of the sigmoid.
pub fn activation_backward(kind: Nonlinearity, stored: &[f32], dy: &[f32]) -> Vec<f32> {
    let factor = |s: f64| match kind {
        Nonlinearity::Silu => slope(Activation::Silu, s),
        Nonlinearity::Sigmoid => s * (1.0 - s),
    };
    stored.iter().zip(dy).map(|(s, dy)| (f64::from(*dy) * factor(f64::from(*s))) as f32).collect()
}
