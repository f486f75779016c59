//! Activations by themselves, and the corners of their slopes.

use crate::support::{Buffers, assert_close, assert_same_bits, elements, rounded, tolerance, uniform};
use dualprop::kernels::activation::{self, Activation, SlopeFrom};
use dualprop::kernels::reference::activation as reference;

const ALL: [Activation; 6] = [
    Activation::Relu,
    Activation::Silu,
    Activation::Sigmoid,
    Activation::Relu6,
    Activation::HardSwish,
    Activation::HardSigmoid,
];

#[test]
fn both_directions_match_the_reference() {
    for activation in ALL {
        for elements in [4, 28, 252, 260] {
            // Far tails too: neither an infinity nor a NaN may appear.
            let mut x = uniform(elements, -8.0, 8.0, 1);
            x[0] = -200.0;
            x[1] = 200.0;
            let dy = uniform(elements, -1.0, 1.0, 2);
            let what = format!("{activation:?} {elements}");
            let mut buffers = Buffers::default();
            let [vx, vdy] = [&x, &dy].map(|data| buffers.add(data));
            let [y, dx] = [0; 2].map(|_| buffers.scratch(elements));
            let kept = if activation.slope_from() == SlopeFrom::Input { vx } else { y };
            buffers.run(&[
                activation::forward(activation, elements, vx, y),
                activation::backward(activation, elements, kept, vdy, dx),
            ]);
            // The tail of a SiLU at 200 would hide the others.
            let forward = reference::forward(activation, &x);
            assert_close(&buffers.get(y)[2..], &forward[2..], tolerance::EXPONENTIAL, &what);
            assert_close(&buffers.get(y)[..2], &forward[..2], tolerance::EXPONENTIAL, &what);
            let expected = reference::backward(activation, buffers.get(kept), &dy);
            assert_close(buffers.get(dx), &expected, tolerance::EXPONENTIAL, &what);
        }
    }
}

#[test]
fn maps_in_either_storage_take_the_slope() {
    for element in elements() {
        for activation in [Activation::Relu, Activation::Silu, Activation::Relu6, Activation::HardSwish] {
            let n = 4 * 65 * 63;
            let x = rounded(element, &uniform(n, -4.0, 7.0, 1));
            let dy = rounded(element, &uniform(n, -2.0, 2.0, 2));
            let expected = reference::backward(activation, &x, &dy);
            let mut b = Buffers::default();
            let [xv, dyv] = [&x, &dy].map(|data| b.add_stored(element, data));
            let dx = b.scratch_stored(element, n);
            b.run(&[activation::backward(activation, n, xv, dyv, dx)]);
            let limit = tolerance::stored(element, tolerance::EXPONENTIAL);
            assert_close(b.get(dx), &expected, limit, &format!("{element:?} {activation:?}"));
        }
    }
}

/// Inputs at the corners with PyTorch's slopes there, of float32 tensors.
const CORNERS: [(Activation, [f32; 4], [f32; 4]); 4] = [
    (Activation::Relu, [-1.0, 0.0, 1e-30, 1.0], [0.0, 0.0, 1.0, 1.0]),
    (Activation::Relu6, [0.0, 1e-30, 5.9999995, 6.0], [0.0, 1.0, 1.0, 0.0]),
    (Activation::HardSwish, [-3.0, 0.0, 3.0, 4.0], [0.0, 0.5, 1.0, 1.0]),
    (Activation::HardSigmoid, [-3.0, -1.5, 1.5, 3.0], [0.0, 1.0 / 6.0, 1.0 / 6.0, 0.0]),
];

#[test]
fn slopes_at_corners_are_pytorchs() {
    for (activation, x, slopes) in CORNERS {
        let mut b = Buffers::default();
        let [vx, dy] = [x, [1.0; 4]].map(|data| b.add(&data));
        let [y, dx] = [0; 2].map(|_| b.scratch(4));
        let kept = if activation.slope_from() == SlopeFrom::Input { vx } else { y };
        b.run(&[
            activation::forward(activation, 4, vx, y),
            activation::backward(activation, 4, kept, dy, dx),
        ]);
        assert_same_bits(b.get(dx), &slopes, &format!("{activation:?}"));
        for (x, slope) in x.into_iter().zip(slopes) {
            assert_eq!(reference::slope(activation, f64::from(x)) as f32, slope, "{activation:?} at {x}");
        }
    }
}
