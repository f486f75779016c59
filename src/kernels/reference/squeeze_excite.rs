//! The element-wise parts of squeeze-and-excitation.

use crate::kernels::ImageShape;

/// Index into [images, channels] of element `i` of [images, rows, channels].
fn vector_index(shape: &ImageShape, i: usize) -> usize {
    i / (shape.rows_per_image * shape.channels) * shape.channels + i % shape.channels
}

/// y `[images, rows, C]` from a of that shape and the gate g `[images, C]`.
pub fn channel_scale(shape: &ImageShape, a: &[f32], g: &[f32]) -> Vec<f32> {
    a.iter().enumerate().map(|(i, a)| a * g[vector_index(shape, i)]).collect()
}

/// dg `[images, C]` from dy and a `[images, rows, C]`.
pub fn gate_gradient(shape: &ImageShape, dy: &[f32], a: &[f32]) -> Vec<f32> {
    let mut sums = vec![0.0; shape.images * shape.channels];
    for (i, (dy, a)) in dy.iter().zip(a).enumerate() {
        sums[vector_index(shape, i)] += f64::from(*dy) * f64::from(*a);
    }
    sums.into_iter().map(|sum| sum as f32).collect()
}

/// da `[images, rows, C]` from dy of that shape, the gate g `[images, C]` and d_pooled `[images, C]`.
pub fn data_gradient(shape: &ImageShape, dy: &[f32], g: &[f32], d_pooled: &[f32]) -> Vec<f32> {
    let value = |(i, dy): (usize, &f32)| {
        let at = vector_index(shape, i);
        dy * g[at] + d_pooled[at] / shape.rows_per_image as f32
    };
    dy.iter().enumerate().map(value).collect()
}
