//! Squeeze-and-excitation: the gating, and its two dense layers in one launch against the layers one by one.

use crate::pool::image_shapes;
use crate::support::{
    Buffers, assert_close, assert_padding_zero, elements, padded, rounded, tolerance, uniform,
};
use dualprop::gpu::Element;
use dualprop::kernels::activation::Activation::{self, HardSigmoid, Relu, Sigmoid, Silu};
use dualprop::kernels::conv::ConvShape;
use dualprop::kernels::fusion::Fusion;
use dualprop::kernels::reference::{activation, conv, squeeze_excite as reference};
use dualprop::kernels::squeeze_excite::{self, Excitation, ExciteShape, ExciteWeights};

#[test]
fn gating_and_its_gradients_match_the_reference() {
    elements().into_iter().for_each(check_gating);
}

fn check_gating(element: Element) {
    let limit = tolerance::stored(element, tolerance::ELEMENTWISE);
    for (shape, real) in image_shapes() {
        let what = format!("{element:?} {shape:?}");
        let rows = shape.images * shape.rows_per_image;
        let tensor = |stream| rounded(element, &padded(rows, shape.channels, real, -1.0, 1.5, stream));
        let (a, dy) = (tensor(1), tensor(2));
        // A sigmoid's gate is 1/2 in padded channels.
        let mut g = uniform(shape.images * shape.channels, 0.0, 1.0, 3);
        g.iter_mut().enumerate().filter(|(i, _)| i % shape.channels >= real).for_each(|(_, g)| *g = 0.5);
        let pooled = padded(shape.images, shape.channels, real, -1.0, 1.0, 4);
        let mut buffers = Buffers::default();
        let [va, vdy] = [&a, &dy].map(|data| buffers.add_stored(element, data));
        let [vg, vpooled] = [&g, &pooled].map(|data| buffers.add(data));
        let [y, da] = [0; 2].map(|_| buffers.scratch_stored(element, a.len()));
        let dg = buffers.scratch(g.len());
        buffers.run(&[
            squeeze_excite::channel_scale(&shape, va, vg, y, &Fusion::NONE),
            squeeze_excite::gate_gradient(&shape, vdy, va, dg, &Fusion::NONE),
            squeeze_excite::data_gradient(&shape, vdy, vg, vpooled, da, &Fusion::NONE),
        ]);
        let get = |view| buffers.get(view);
        assert_close(get(y), &reference::channel_scale(&shape, &a, &g), limit, &what);
        assert_close(get(dg), &reference::gate_gradient(&shape, &dy, &a), tolerance::SUM, &what);
        let expected = reference::data_gradient(&shape, &dy, &g, &pooled);
        assert_close(get(da), &expected, limit, &what);
        for view in [y, dg, da] {
            assert_padding_zero(get(view), shape.channels, real, &what);
        }
    }
}

/// One image and one vec4, more columns than a workgroup has, and sizes of EfficientNets.
const SHAPES: [(usize, usize, usize); 4] = [(1, 4, 4), (3, 96, 8), (2, 1152, 48), (2, 1100, 84)];

fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|v| *v as f32).collect()
}

#[test]
fn one_launch_gives_what_the_layers_do() {
    for sizes in SHAPES {
        check_layers(sizes, Silu, Sigmoid);
        check_layers(sizes, Relu, HardSigmoid);
    }
}

fn check_layers((images, channels, inner): (usize, usize, usize), hidden: Activation, gate: Activation) {
    let what = format!("{images} images, {channels} channels, {inner} squeezed, {hidden:?} and {gate:?}");
    let shape = ExciteShape { images, channels, inner, hidden, gate };
    let spread = |n: usize| 1.0 / (n as f32).sqrt();
    let weights = |stream, from: usize| uniform(channels * inner, -spread(from), spread(from), stream);
    let (pooled, d_gate) =
        (uniform(images * channels, -1.0, 1.0, 1), uniform(images * channels, -1.0, 1.0, 2));
    let (w1, w2) = (weights(3, channels), weights(4, inner));
    let (b1, b2) = (uniform(inner, -1.0, 1.0, 5), uniform(channels, -1.0, 1.0, 6));
    let first = ConvShape::dense(images, channels, inner);
    let second = ConvShape::dense(images, inner, channels);

    let hidden_raw = single(&conv::forward(&first, &pooled, &w1, Some(&b1)));
    let hidden = activation::forward(shape.hidden, &hidden_raw);
    let gate = activation::forward(shape.gate, &single(&conv::forward(&second, &hidden, &w2, Some(&b2))));
    let d_gate_raw = activation::backward(shape.gate, &gate, &d_gate);
    let d_hidden = single(&conv::data_gradient(&second, &d_gate_raw, &w2));
    let d_hidden_raw = activation::backward(shape.hidden, &hidden_raw, &d_hidden);
    let d_pooled = single(&conv::data_gradient(&first, &d_hidden_raw, &w1));

    let mut b = Buffers::default();
    let weights = ExciteWeights {
        reduce: b.add(&w1),
        reduce_bias: b.add(&b1),
        expand: b.add(&w2),
        expand_bias: b.add(&b2),
    };
    let e = Excitation {
        pooled: b.add(&pooled),
        hidden_raw: b.scratch(hidden_raw.len()),
        hidden: b.scratch(hidden.len()),
        gate: b.scratch(gate.len()),
    };
    let dg = b.add(&d_gate);
    let (dh, dp) = (b.scratch(hidden.len()), b.scratch(pooled.len()));
    b.run(&[
        squeeze_excite::excite(&shape, &weights, &e),
        squeeze_excite::excite_backward(&shape, &weights, &e, dg, dh, dp),
    ]);
    for (view, expected, name) in [
        (e.hidden_raw, &hidden_raw, "hidden before its activation"),
        (e.hidden, &hidden, "hidden"),
        (e.gate, &gate, "gate"),
        (dg, &d_gate_raw, "gradient before the gate's activation"),
        (dh, &d_hidden_raw, "gradient before the hidden activation"),
        (dp, &d_pooled, "gradient of the pooled"),
    ] {
        assert_close(b.get(view), expected, tolerance::SUM, &format!("{what}: {name}"));
    }
}
