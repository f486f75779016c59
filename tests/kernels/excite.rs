//! Squeeze-and-excitation's two dense layers in one launch give the numbers of the layers one by one.

use crate::support::{Buffers, assert_close, tolerance, uniform};
use dualprop::kernels::conv::ConvShape;
use dualprop::kernels::excite::{self, Excitation, ExciteShape, ExciteWeights};
use dualprop::kernels::reference::{conv, squeeze_excite as activations};
use dualprop::kernels::squeeze_excite::Nonlinearity::{Sigmoid, Silu};

/// One image and one vec4, more columns than a workgroup has, and sizes of EfficientNets.
const SHAPES: [(usize, usize, usize); 4] = [(1, 4, 4), (3, 96, 8), (2, 1152, 48), (2, 1100, 84)];

fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|v| *v as f32).collect()
}

#[test]
fn both_directions_match_the_reference() {
    for (images, channels, inner) in SHAPES {
        let what = format!("{images} images, {channels} channels, {inner} squeezed");
        let spread = |n: usize| 1.0 / (n as f32).sqrt();
        let weights = |stream, from: usize| uniform(channels * inner, -spread(from), spread(from), stream);
        let (pooled, d_gate) =
            (uniform(images * channels, -1.0, 1.0, 1), uniform(images * channels, -1.0, 1.0, 2));
        let (w1, w2) = (weights(3, channels), weights(4, inner));
        let (b1, b2) = (uniform(inner, -1.0, 1.0, 5), uniform(channels, -1.0, 1.0, 6));
        let first = ConvShape::dense(images, channels, inner);
        let second = ConvShape::dense(images, inner, channels);

        let hidden_raw = single(&conv::forward(&first, &pooled, &w1, Some(&b1)));
        let hidden = activations::activation_forward(Silu, &hidden_raw);
        let gate = activations::activation_forward(
            Sigmoid,
            &single(&conv::forward(&second, &hidden, &w2, Some(&b2))),
        );
        let d_gate_raw = activations::activation_backward(Sigmoid, &gate, &d_gate);
        let d_hidden = single(&conv::data_gradient(&second, &d_gate_raw, &w2));
        let d_hidden_raw = activations::activation_backward(Silu, &hidden_raw, &d_hidden);
        let d_pooled = single(&conv::data_gradient(&first, &d_hidden_raw, &w1));

        let mut b = Buffers::default();
        let shape = ExciteShape { images, channels, inner };
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
        b.run(&[excite::forward(&shape, &weights, &e), excite::backward(&shape, &weights, &e, dg, dh, dp)]);
        for (view, expected, name) in [
            (e.hidden_raw, &hidden_raw, "hidden before the SiLU"),
            (e.hidden, &hidden, "hidden"),
            (e.gate, &gate, "gate"),
            (dg, &d_gate_raw, "gradient before the sigmoid"),
            (dh, &d_hidden_raw, "gradient before the SiLU"),
            (dp, &d_pooled, "gradient of the pooled"),
        ] {
            assert_close(b.get(view), expected, tolerance::SUM, &format!("{what}: {name}"));
        }
    }
}
