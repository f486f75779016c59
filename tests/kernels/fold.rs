//! A batch norm with fixed statistics in the weights, the stores and the loads of the convolutions around it.

use crate::fusion::{IMAGES, activate, for_each, gated, slope};
use crate::support::{Buffers, assert_close, assert_same_bits, rounded, tolerance, uniform};
use dualprop::kernels::activation::{Activation, SlopeFrom};
use dualprop::kernels::fold::{self, FoldShape};
use dualprop::kernels::fusion::{Epilogue, Fusion, Prologue};

#[test]
fn weights_take_the_scale_and_the_shift_is_what_is_left() {
    for (rows, channels) in [(1, 4), (9, 12), (25, 68), (63, 20), (300, 256)] {
        let shape = FoldShape { rows, channels, eps: 1e-3 };
        let weights = uniform(rows * channels, -1.0, 1.0, 1);
        let parameters = uniform(2 * channels, -1.0, 1.0, 2);
        let running = uniform(2 * channels, 0.1, 2.0, 3);
        let scale = |c: usize| f64::from(parameters[c]) / f64::from(running[channels + c] + shape.eps).sqrt();
        let folded: Vec<f32> =
            weights.iter().enumerate().map(|(i, w)| (f64::from(*w) * scale(i % channels)) as f32).collect();
        let shift: Vec<f32> = (0..channels)
            .map(|c| (f64::from(parameters[channels + c]) - f64::from(running[c]) * scale(c)) as f32)
            .collect();
        let mut b = Buffers::default();
        let [w, p, r] = [&weights, &parameters, &running].map(|data| b.add(data));
        let (to, shift_to) = (b.scratch(weights.len()), b.scratch(channels));
        b.run(&[fold::fold(&shape, w, p, r, to, shift_to)]);
        assert_close(b.get(to), &folded, tolerance::ELEMENTWISE, &format!("{shape:?}"));
        assert_close(b.get(shift_to), &shift, tolerance::ELEMENTWISE, &format!("{shape:?}"));
        assert_same_bits(b.get(w), &weights, "the weights themselves");
    }
}

#[test]
fn forward_activates_on_load_and_shifts_and_activates_on_store() {
    for_each(|caps, element, layer, activation, what| {
        let [(in_pixels, in_c), (out_pixels, out_c)] = layer.sizes();
        let x = rounded(element, &uniform(IMAGES * in_pixels * in_c, -1.0, 1.0, 1));
        let w = uniform(layer.weights(), -1.0, 1.0, 2);
        let shift = uniform(out_c, -1.0, 1.0, 3);
        let mut b = Buffers::default();
        // What a folded batch norm leaves to a consumer: an activation whose slope needs its input, or a gate
        // alone.
        let gate = gated(layer, activation).then(|| uniform(IMAGES * in_c, 0.2, 1.0, 4));
        let left = match activation {
            Activation::Relu => Activation::Silu,
            Activation::Relu6 => Activation::HardSwish,
            _ => Activation::None,
        };
        let mut a: Vec<f32> = x.iter().map(|x| activate(left, *x)).collect();
        if let Some(gate) = &gate {
            for (i, value) in a.iter_mut().enumerate() {
                *value *= gate[i / (in_pixels * in_c) * in_c + i % in_c];
            }
        }
        let gate = gate.map(|gate| b.add(&gate));
        let prologue = match (left, gate) {
            (Activation::None, None) => Prologue::None,
            _ => Prologue::Folded { activation: left, gate },
        };
        let mut u = layer.expected_forward(&a, &w);
        for (i, value) in u.iter_mut().enumerate() {
            *value += shift[i % out_c];
        }
        let expected: Vec<f32> = u.iter().map(|u| activate(activation, *u)).collect();

        let xv = b.add_stored(element, &x);
        let [wv, shift] = [&w, &shift].map(|data| b.add(data));
        let [yv, kept] = [0; 2].map(|_| b.scratch_stored(element, out_pixels * out_c * IMAGES));
        let keeps = activation.slope_from() == SlopeFrom::Input;
        let epilogue = Epilogue::Shift { shift, activation, kept: keeps.then_some(kept) };
        let fusion = Fusion { prologue, epilogue, ..Fusion::NONE };
        b.run(&[layer.forward(caps, [xv, wv, yv], &fusion)]);
        let limit = tolerance::stored(element, tolerance::SUM);
        assert_close(b.get(yv), &expected, limit, what);
        if keeps {
            assert_close(b.get(kept), &u, limit, &format!("{what}, kept"));
        }
    });
}

#[test]
fn data_gradient_takes_the_slope_on_store() {
    for_each(|caps, element, layer, activation, what| {
        if activation == Activation::None {
            return;
        }
        let accumulate = activation == Activation::Silu;
        let [(in_pixels, in_c), (out_pixels, out_c)] = layer.sizes();
        let dy = rounded(element, &uniform(IMAGES * out_pixels * out_c, -1.0, 1.0, 1));
        let input = |stream| rounded(element, &uniform(IMAGES * in_pixels * in_c, -1.0, 1.0, stream));
        let (x, there) = (input(2), input(3));
        let w = uniform(layer.weights(), -1.0, 1.0, 4);
        let fresh = layer.expected_data_gradient(&dy, &w);
        let expected: Vec<f32> = (0..x.len())
            .map(|i| (fresh[i] + if accumulate { there[i] } else { 0.0 }) * slope(activation, x[i]))
            .collect();
        let mut b = Buffers::default();
        let [dyv, xv, dxv] = [&dy, &x, &there].map(|data| b.add_stored(element, data));
        let wv = b.add(&w);
        let fusion = Fusion { epilogue: Epilogue::Derivative { x: xv, activation }, ..Fusion::NONE };
        b.run(&[layer.data_gradient(caps, [dyv, wv, dxv], accumulate, &fusion)]);
        assert_close(b.get(dxv), &expected, tolerance::stored(element, tolerance::SUM), what);
    });
}
