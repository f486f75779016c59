//! The element-wise parts of squeeze-and-excitation.

use crate::pool::image_shapes;
use crate::support::{
    Buffers, ELEMENTS, assert_close, assert_padding_zero, padded, plus, rounded, tolerance, uniform,
};
use dualprop::gpu::Element;
use dualprop::kernels::fusion::Fusion;
use dualprop::kernels::reference::squeeze_excite as reference;
use dualprop::kernels::squeeze_excite::{self, Nonlinearity};

#[test]
fn gating_and_its_gradients_match_the_reference() {
    ELEMENTS.into_iter().for_each(check_gating);
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

#[test]
fn small_activations_match_the_reference() {
    for kind in [Nonlinearity::Silu, Nonlinearity::Sigmoid] {
        for elements in [4, 28, 252, 260] {
            // Far tails too: neither an infinity nor a NaN may appear.
            let mut x = uniform(elements, -6.0, 6.0, 1);
            x[0] = -200.0;
            x[1] = 200.0;
            let dy = uniform(elements, -1.0, 1.0, 2);
            let before = uniform(elements, -1.0, 1.0, 3);
            for accumulate in [false, true] {
                let what = format!("{kind:?} {elements} accumulate {accumulate}");
                let mut buffers = Buffers::default();
                let [vx, vdy, dx] = [&x, &dy, &before].map(|data| buffers.add(data));
                let y = buffers.scratch(elements);
                let stored = if kind == Nonlinearity::Silu { vx } else { y };
                buffers.run(&[
                    squeeze_excite::activation_forward(kind, elements, vx, y),
                    squeeze_excite::activation_backward(kind, elements, stored, vdy, dx, accumulate),
                ]);
                let forward = reference::activation_forward(kind, &x);
                assert_close(&buffers.get(y)[2..], &forward[2..], tolerance::EXPONENTIAL, &what);
                assert_close(&buffers.get(y)[..2], &forward[..2], tolerance::EXPONENTIAL, &what);
                let mut expected = reference::activation_backward(kind, buffers.get(stored), &dy);
                if accumulate {
                    expected = plus(&expected, &before);
                }
                assert_close(buffers.get(dx), &expected, tolerance::EXPONENTIAL, &what);
            }
        }
    }
}
