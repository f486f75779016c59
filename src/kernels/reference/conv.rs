//! Plain CPU version of `kernels::conv`, in f64.

use crate::kernels::conv::ConvShape;

/// Calls `f(input pixel, tap, output pixel)` for every pair of pixels that a tap joins.
fn for_each_tap(s: &ConvShape, mut f: impl FnMut(usize, usize, usize)) {
    for image in 0..s.images {
        for oh in 0..s.out_h {
            for ow in 0..s.out_w {
                for tap in 0..s.kernel * s.kernel {
                    let (ih, iw) = (oh * s.stride + tap / s.kernel, ow * s.stride + tap % s.kernel);
                    if ih < s.pad_top || iw < s.pad_left {
                        continue;
                    }
                    let (ih, iw) = (ih - s.pad_top, iw - s.pad_left);
                    if ih >= s.in_h || iw >= s.in_w {
                        continue;
                    }
                    let input = (image * s.in_h + ih) * s.in_w + iw;
                    f(input, tap, (image * s.out_h + oh) * s.out_w + ow);
                }
            }
        }
    }
}

/// Calls `f(index in x, index in w, index in y)` for every product of the convolution.
fn for_each_product(s: &ConvShape, mut f: impl FnMut(usize, usize, usize)) {
    for_each_tap(s, |input, tap, output| {
        for i in 0..s.in_c {
            for o in 0..s.out_c {
                f(input * s.in_c + i, (tap * s.in_c + i) * s.out_c + o, output * s.out_c + o);
            }
        }
    });
}

/// y `[images, out_h, out_w, out_c]` from x `[images, in_h, in_w, in_c]`, w `[kernel²][in_c][out_c]` and bias
/// `[out_c]`.
pub fn forward(s: &ConvShape, x: &[f32], w: &[f32], bias: Option<&[f32]>) -> Vec<f64> {
    let mut y: Vec<f64> = (0..s.images * s.out_h * s.out_w * s.out_c)
        .map(|i| bias.map_or(0.0, |b| f64::from(b[i % s.out_c])))
        .collect();
    for_each_product(s, |i, k, o| y[o] += f64::from(x[i]) * f64::from(w[k]));
    y
}

/// dx `[images, in_h, in_w, in_c]` from dy `[images, out_h, out_w, out_c]` and w `[kernel²][in_c][out_c]`.
pub fn data_gradient(s: &ConvShape, dy: &[f32], w: &[f32]) -> Vec<f64> {
    let mut dx = vec![0.0; s.images * s.in_h * s.in_w * s.in_c];
    for_each_product(s, |i, k, o| dx[i] += f64::from(dy[o]) * f64::from(w[k]));
    dx
}

/// dw `[kernel²][in_c][out_c]` from x `[images, in_h, in_w, in_c]` and dy `[images, out_h, out_w, out_c]`.
pub fn weight_gradient(s: &ConvShape, x: &[f32], dy: &[f32]) -> Vec<f64> {
    let mut dw = vec![0.0; s.kernel * s.kernel * s.in_c * s.out_c];
    for_each_product(s, |i, k, o| dw[k] += f64::from(x[i]) * f64::from(dy[o]));
    dw
}
