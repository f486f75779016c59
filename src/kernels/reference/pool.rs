//! Pooling.

use crate::kernels::ImageShape;
use crate::kernels::pool::MaxPoolShape;

/// y `[images, C]`, the mean over the rows of x `[images, rows, C]`.
pub fn global_average(shape: &ImageShape, x: &[f32]) -> Vec<f32> {
    let ones = vec![1.0; x.len()];
    super::squeeze_excite::gate_gradient(shape, x, &ones)
        .iter()
        .map(|sum| sum / shape.rows_per_image as f32)
        .collect()
}

/// dx `[images, rows, C]` from dy `[images, C]`.
pub fn global_average_backward(shape: &ImageShape, dy: &[f32]) -> Vec<f32> {
    let ImageShape { images, rows_per_image: rows, channels: c } = *shape;
    (0..images * rows * c).map(|i| dy[i / (rows * c) * c + i % c] / rows as f32).collect()
}

/// Input index of the first maximum of every output element.
fn winners(shape: &MaxPoolShape, x: &[f32]) -> Vec<usize> {
    let c = shape.channels;
    let mut winners = Vec::new();
    for image in 0..shape.images {
        for oh in 0..shape.out_height() {
            for ow in 0..shape.out_width() {
                for k in 0..c {
                    let mut best = None;
                    for i in 0..shape.kernel {
                        for j in 0..shape.kernel {
                            let row = (oh * shape.stride + i).wrapping_sub(shape.pad);
                            let col = (ow * shape.stride + j).wrapping_sub(shape.pad);
                            if row >= shape.height || col >= shape.width {
                                continue;
                            }
                            let at = ((image * shape.height + row) * shape.width + col) * c + k;
                            if best.is_none_or(|b| x[at] > x[b]) {
                                best = Some(at);
                            }
                        }
                    }
                    winners.push(best.expect("a window holds at least one input"));
                }
            }
        }
    }
    winners
}

/// y `[images, out_height, out_width, C]` from x `[images, height, width, C]`.
pub fn max_pool(shape: &MaxPoolShape, x: &[f32]) -> Vec<f32> {
    winners(shape, x).into_iter().map(|at| x[at]).collect()
}

/// dx `[images, height, width, C]` from x of that shape and dy `[images, out_height, out_width, C]`.
pub fn max_pool_backward(shape: &MaxPoolShape, x: &[f32], dy: &[f32]) -> Vec<f32> {
    let mut dx = vec![0.0; x.len()];
    for (at, dy) in winners(shape, x).into_iter().zip(dy) {
        dx[at] += dy;
    }
    dx
}
