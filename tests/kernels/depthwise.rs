//! Depthwise convolution in all directions equals the sums written out, on odd sizes.

use crate::support::{
    Buffers, assert_close, assert_same_bits, elements, families, rounded, tolerance, uniform,
};
use dualprop::gpu::{Caps, Element};
use dualprop::kernels::depthwise::{self, DepthwiseShape};
use dualprop::kernels::fusion::Fusion;
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
fn tensors(element: Element, s: &DepthwiseShape) -> [Vec<f32>; 3] {
    let activations =
        |pixels: usize, stream| rounded(element, &uniform(s.images * pixels * s.channels, -1.0, 1.0, stream));
    [
        activations(s.in_h * s.in_w, 1),
        activations(s.out_h * s.out_w, 2),
        uniform(s.kernel * s.kernel * s.channels, -1.0, 1.0, 3),
    ]
}

/// Every shape, stored in both ways, as both kinds of adapters cut it.
fn cases() -> impl Iterator<Item = (Caps, Element, DepthwiseShape)> {
    let with = |caps: Caps, element| shapes().into_iter().map(move |s| (caps.clone(), element, s));
    families()
        .into_iter()
        .flat_map(move |caps| elements().into_iter().flat_map(move |element| with(caps.clone(), element)))
}

/// `values`, added to what was there.
fn added(values: &[f64], there: &[f32]) -> Vec<f32> {
    values.iter().zip(there).map(|(v, t)| (v + f64::from(*t)) as f32).collect()
}

#[test]
fn forward_equals_the_reference() {
    for (caps, element, s) in cases() {
        let [x, dy, w] = tensors(element, &s);
        let expected = added(&reference::forward(&s, &x, &w), &vec![0.0; dy.len()]);
        let mut buffers = Buffers::default();
        let (xv, wv) = (buffers.add_stored(element, &x), buffers.add(&w));
        let yv = buffers.scratch_stored(element, expected.len());
        buffers.run(&[depthwise::forward(&caps, &s, xv, wv, yv, &Fusion::NONE)]);
        let limit = tolerance::stored(element, tolerance::SUM);
        assert_close(buffers.get(yv), &expected, limit, &format!("{caps:?} {element:?} {s:?}"));
    }
}

#[test]
fn data_gradient_equals_the_reference() {
    for (caps, element, s) in cases() {
        let [x, dy, w] = tensors(element, &s);
        let fresh = reference::data_gradient(&s, &dy, &w);
        for accumulate in [false, true] {
            let there = rounded(element, &uniform(x.len(), -1.0, 1.0, 5));
            let start = if accumulate { there.clone() } else { vec![0.0; x.len()] };
            let mut buffers = Buffers::default();
            let [dyv, dxv] = [&dy, &there].map(|t| buffers.add_stored(element, t));
            let wv = buffers.add(&w);
            buffers.run(&[depthwise::data_gradient(&caps, &s, dyv, wv, dxv, accumulate, &Fusion::NONE)]);
            let what = format!("{caps:?} {element:?} accumulate {accumulate} {s:?}");
            let limit = tolerance::stored(element, tolerance::SUM);
            assert_close(buffers.get(dxv), &added(&fresh, &start), limit, &what);
        }
    }
}

#[test]
fn weight_gradient_equals_the_reference() {
    let mut several = 0;
    for (caps, element, s) in cases() {
        let [x, dy, w] = tensors(element, &s);
        let expected = added(&reference::weight_gradient(&s, &x, &dy), &w);
        let elements = depthwise::weight_gradient_partials(&caps, &s) as usize;
        several += usize::from(elements > w.len());
        let run = || {
            let mut buffers = Buffers::default();
            let [xv, dyv] = [&x, &dy].map(|t| buffers.add_stored(element, t));
            let dwv = buffers.add(&w);
            let partials = buffers.scratch(elements);
            buffers.run(&depthwise::weight_gradient(&caps, &s, xv, dyv, partials, dwv, &Fusion::NONE));
            buffers.get(dwv).to_vec()
        };
        let first = run();
        let what = format!("{caps:?} {element:?} {s:?}");
        assert_close(&first, &expected, tolerance::SUM, &what);
        assert_same_bits(&run(), &first, &what);
    }
    assert!(several > 0, "no shape has more than one slice");
}
