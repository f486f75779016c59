//! Depthwise convolution in all directions equals the sums written out, on odd sizes.

use crate::support::{Buffers, assert_close, assert_same_bits, tolerance, uniform};
use dualprop::kernels::depthwise::{self, DepthwiseShape};
use dualprop::kernels::reference::depthwise as reference;

fn shape(
    images: usize,
    [in_h, in_w]: [usize; 2],
    channels: usize,
    [kernel, stride]: [usize; 2],
    [pad_top, pad_left, pad_bottom, pad_right]: [usize; 4],
) -> DepthwiseShape {
    let out = |size: usize, pads: usize| (size + pads - kernel) / stride + 1;
    let (out_h, out_w) = (out(in_h, pad_top + pad_bottom), out(in_w, pad_left + pad_right));
    DepthwiseShape { images, in_h, in_w, out_h, out_w, channels, kernel, stride, pad_top, pad_left }
}

fn shapes() -> Vec<DepthwiseShape> {
    vec![
        shape(1, [1, 1], 4, [3, 1], [1; 4]),
        shape(3, [1, 7], 12, [3, 1], [1; 4]),
        shape(2, [9, 7], 20, [3, 1], [1; 4]),
        shape(1, [3, 17], 68, [3, 1], [1; 4]),
        shape(2, [7, 9], 12, [3, 1], [0; 4]),
        shape(2, [8, 8], 12, [3, 2], [0, 0, 1, 1]),
        shape(3, [9, 7], 20, [3, 2], [1; 4]),
        shape(1, [3, 2], 64, [3, 2], [0, 1, 1, 0]),
        shape(1, [1, 1], 4, [5, 1], [2; 4]),
        shape(2, [7, 9], 12, [5, 1], [2; 4]),
        shape(1, [3, 3], 68, [5, 1], [2; 4]),
        shape(2, [8, 9], 20, [5, 2], [1, 2, 2, 2]),
        shape(1, [7, 7], 4, [5, 2], [2; 4]),
        shape(1, [2, 1], 12, [5, 2], [2; 4]),
        // More lines than one slice of the weight gradient holds.
        shape(2, [33, 5], 680, [3, 1], [1; 4]),
        shape(3, [31, 4], 676, [5, 2], [2; 4]),
    ]
}

/// x, dy and w of a shape.
fn tensors(s: &DepthwiseShape) -> [Vec<f32>; 3] {
    [
        uniform(s.images * s.in_h * s.in_w * s.channels, -1.0, 1.0, 1),
        uniform(s.images * s.out_h * s.out_w * s.channels, -1.0, 1.0, 2),
        uniform(s.kernel * s.kernel * s.channels, -1.0, 1.0, 3),
    ]
}

/// `values`, added to what was there.
fn added(values: &[f64], there: &[f32]) -> Vec<f32> {
    values.iter().zip(there).map(|(v, t)| (v + f64::from(*t)) as f32).collect()
}

#[test]
fn forward_equals_the_reference() {
    for s in shapes() {
        let [x, dy, w] = tensors(&s);
        let expected = added(&reference::forward(&s, &x, &w), &vec![0.0; dy.len()]);
        let mut buffers = Buffers::default();
        let [xv, wv] = [&x, &w].map(|t| buffers.add(t));
        let yv = buffers.scratch(expected.len());
        buffers.run(&[depthwise::forward(&s, xv, wv, yv)]);
        assert_close(buffers.get(yv), &expected, tolerance::SUM, &format!("{s:?}"));
    }
}

#[test]
fn data_gradient_equals_the_reference() {
    for s in shapes() {
        let [x, dy, w] = tensors(&s);
        let fresh = reference::data_gradient(&s, &dy, &w);
        for accumulate in [false, true] {
            let there = uniform(x.len(), -1.0, 1.0, 5);
            let start = if accumulate { there.clone() } else { vec![0.0; x.len()] };
            let mut buffers = Buffers::default();
            let [dyv, wv, dxv] = [&dy, &w, &there].map(|t| buffers.add(t));
            buffers.run(&[depthwise::data_gradient(&s, dyv, wv, dxv, accumulate)]);
            let what = format!("accumulate {accumulate} {s:?}");
            assert_close(buffers.get(dxv), &added(&fresh, &start), tolerance::SUM, &what);
        }
    }
}

#[test]
fn weight_gradient_equals_the_reference() {
    let mut several = 0;
    for s in shapes() {
        let [x, dy, w] = tensors(&s);
        let expected = added(&reference::weight_gradient(&s, &x, &dy), &w);
        let elements = depthwise::weight_gradient_partials(&s) as usize;
        several += usize::from(elements > w.len());
        let run = || {
            let mut buffers = Buffers::default();
            let [xv, dyv, dwv] = [&x, &dy, &w].map(|t| buffers.add(t));
            let partials = buffers.scratch(elements);
            buffers.run(&depthwise::weight_gradient(&s, xv, dyv, partials, dwv));
            buffers.get(dwv).to_vec()
        };
        let first = run();
        assert_close(&first, &expected, tolerance::SUM, &format!("{s:?}"));
        assert_same_bits(&run(), &first, &format!("{s:?}"));
    }
    assert!(several > 0, "no shape has more than one slice");
}
