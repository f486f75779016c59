//! Plain CPU version of `kernels::depthwise`, in f64.

use crate::kernels::depthwise::DepthwiseShape;

/// Calls `f(input index, weight index, output index)` for every product of the convolution.
fn for_each_product(shape: &DepthwiseShape, mut f: impl FnMut(usize, usize, usize)) {
    let s = shape;
    for image in 0..s.images {
        for oh in 0..s.out_h {
            for ow in 0..s.out_w {
                for kh in 0..s.kernel {
                    for kw in 0..s.kernel {
                        let (ih, iw) = (oh * s.stride + kh, ow * s.stride + kw);
                        if ih < s.pad_top || iw < s.pad_left {
                            continue;
                        }
                        let (ih, iw) = (ih - s.pad_top, iw - s.pad_left);
                        if ih >= s.in_h || iw >= s.in_w {
                            continue;
                        }
                        for c in 0..s.channels {
                            f(
                                ((image * s.in_h + ih) * s.in_w + iw) * s.channels + c,
                                (kh * s.kernel + kw) * s.channels + c,
                                ((image * s.out_h + oh) * s.out_w + ow) * s.channels + c,
                            );
                        }
                    }
                }
            }
        }
    }
}

/// y `[images, out_h, out_w, C]` from x `[images, in_h, in_w, C]` and w `[kernel²][C]`.
pub fn forward(shape: &DepthwiseShape, x: &[f32], w: &[f32]) -> Vec<f64> {
    let mut y = vec![0.0; shape.images * shape.out_h * shape.out_w * shape.channels];
    for_each_product(shape, |i, k, o| y[o] += f64::from(x[i]) * f64::from(w[k]));
    y
}

/// dx `[images, in_h, in_w, C]` from dy `[images, out_h, out_w, C]` and w `[kernel²][C]`.
pub fn data_gradient(shape: &DepthwiseShape, dy: &[f32], w: &[f32]) -> Vec<f64> {
    let mut dx = vec![0.0; shape.images * shape.in_h * shape.in_w * shape.channels];
    for_each_product(shape, |i, k, o| dx[i] += f64::from(dy[o]) * f64::from(w[k]));
    dx
}

/// dw `[kernel²][C]` from x `[images, in_h, in_w, C]` and dy `[images, out_h, out_w, C]`.
pub fn weight_gradient(shape: &DepthwiseShape, x: &[f32], dy: &[f32]) -> Vec<f64> {
    let mut dw = vec![0.0; shape.kernel * shape.kernel * shape.channels];
    for_each_product(shape, |i, k, o| dw[k] += f64::from(x[i]) * f64::from(dy[o]));
    dw
}
