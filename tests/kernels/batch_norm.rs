//! Batch norm over row segments, forward, backward and running statistics.

use crate::support::{
    Buffers, assert_close, assert_padding_zero, assert_same_bits, elements, padded, tolerance, uniform,
};
use dualprop::gpu::{Caps, Element, Form, Launch, View};
use dualprop::kernels::activation::Activation;
use dualprop::kernels::batch_norm::{self, BnShape, Partials, Segment};
use dualprop::kernels::fusion::NormGradient;
use dualprop::kernels::reference::batch_norm::{self as reference, BackwardInput};

/// The form with all choices of lanes. `fusion` runs the passes over the slices in the other one.
const CAPS: &Caps = &Caps::plain(Form::Tiles);

const ACTIVATIONS: [Activation; 5] =
    [Activation::None, Activation::Relu, Activation::Silu, Activation::Relu6, Activation::HardSwish];

/// Domains in the parameter view; one of them, number 1, is never used.
const DOMAINS: u32 = 4;

fn shape(channels: usize, segment_rows: &[(u32, u32)]) -> BnShape {
    let mut first_row = 0;
    let segments = segment_rows
        .iter()
        .map(|(rows, domain)| {
            let segment = Segment { first_row, rows: *rows, domain: *domain };
            first_row += rows;
            segment
        })
        .collect();
    BnShape {
        channels,
        rows: first_row as usize,
        segments,
        domain_stride: (2 * channels).next_multiple_of(64) as u32,
        eps: 1e-3,
        momentum: 0.1,
    }
}

/// Odd sizes, several domains with very different row counts, sizes on both sides of every choice of lanes.
fn shapes() -> Vec<(BnShape, usize)> {
    vec![
        (shape(4, &[(1, 0)]), 3),
        (shape(4, &[(3, 0), (7, 2)]), 1),
        (shape(8, &[(1, 3), (63, 0), (7, 2)]), 7),
        (shape(68, &[(65, 2), (1, 0), (640, 3)]), 65),
        (shape(12, &[(5000, 0), (7, 2)]), 10),
        (shape(4, &[(20_011, 0), (129, 2), (63, 3)]), 3),
        (shape(260, &[(300, 2)]), 259),
    ]
}

struct Layer {
    buffers: Buffers,
    x: View,
    dy: View,
    parameters: View,
    running: View,
    partials: View,
    state: View,
    coefs: View,
    y: View,
    dx: View,
    gradient: View,
}

fn parameter_elements(shape: &BnShape) -> usize {
    (shape.domain_stride * DOMAINS) as usize
}

/// Input in [low, high), zero in padded channels; gamma and beta differ by domain, beta zero in padded
/// channels.
fn layer(shape: &BnShape, real: usize, low: f32, high: f32) -> Layer {
    stored_layer(Element::F32, shape, real, low, high)
}

fn stored_layer(element: Element, shape: &BnShape, real: usize, low: f32, high: f32) -> Layer {
    let (rows, c) = (shape.rows, shape.channels);
    let mut buffers = Buffers::default();
    let mut parameters = uniform(parameter_elements(shape), 0.5, 1.5, 3);
    let mut running = uniform(parameter_elements(shape), 0.5, 1.5, 4);
    for domain in 0..DOMAINS as usize {
        let at = domain * shape.domain_stride as usize;
        parameters[at + c + real..at + 2 * c].fill(0.0);
        running[at + real..at + c].fill(0.0);
    }
    let elements = parameter_elements(shape);
    Layer {
        x: buffers.add_stored(element, &padded(rows, c, real, low, high, 1)),
        dy: buffers.add_stored(element, &padded(rows, c, real, -1.0, 1.0, 2)),
        parameters: buffers.add(&parameters),
        running: buffers.add(&running),
        partials: buffers.scratch(shape.slices(CAPS).elements(c)),
        state: buffers.scratch(shape.state_elements()),
        coefs: buffers.scratch(shape.coefs_elements()),
        y: buffers.scratch_stored(element, rows * c),
        dx: buffers.add_stored(element, &padded(rows, c, real, -1.0, 1.0, 5)),
        gradient: buffers.add(&uniform(elements, -1.0, 1.0, 6)),
        buffers,
    }
}

impl Layer {
    fn finalize(&self, shape: &BnShape, update_running: bool) -> Launch {
        let (slices, l) = (shape.slices(CAPS), self);
        batch_norm::finalize_batch(
            CAPS,
            shape,
            Partials { slices: &slices, sums: l.partials },
            l.parameters,
            update_running.then_some(l.running),
            l.state,
        )
    }

    fn backward_finalize(&self, shape: &BnShape, gradient: Option<View>, batch_statistics: bool) -> Launch {
        let (slices, l) = (shape.slices(CAPS), self);
        batch_norm::backward_finalize(
            CAPS,
            shape,
            Partials { slices: &slices, sums: l.partials },
            l.state,
            l.coefs,
            gradient,
            batch_statistics,
        )
    }

    fn norm_gradient(&self) -> NormGradient {
        NormGradient { x: self.x, coefs: self.coefs }
    }

    fn copy(&self, view: View) -> Vec<f32> {
        self.buffers.get(view).to_vec()
    }
}

/// Every shape in both forms of storage.
fn cases() -> impl Iterator<Item = (Element, BnShape, usize)> {
    elements().into_iter().flat_map(|element| shapes().into_iter().map(move |(s, real)| (element, s, real)))
}

#[test]
fn training_forward_matches_the_reference() {
    for (element, shape, real) in cases() {
        for activation in ACTIVATIONS {
            let mut l = stored_layer(element, &shape, real, -1.0, 3.0);
            let mut running = l.copy(l.running);
            l.buffers.run(&[
                batch_norm::statistics(CAPS, &shape, l.x, l.partials),
                l.finalize(&shape, true),
                batch_norm::apply(&shape, activation, l.x, l.state, l.y),
            ]);
            let x = l.buffers.get(l.x);
            let moments = reference::batch_moments(&shape, x);
            let y = reference::forward(&shape, activation, &moments, l.buffers.get(l.parameters), x);
            let what = format!("{element:?} {shape:?} {activation:?}");
            let limit = tolerance::stored(element, tolerance::SUM);
            assert_close(l.buffers.get(l.y), &y, limit, &what);
            assert_padding_zero(l.buffers.get(l.y), shape.channels, real, &what);
            reference::update_running(&shape, &moments, &mut running);
            assert_close(l.buffers.get(l.running), &running, tolerance::ELEMENTWISE, &what);
        }
    }
}

#[test]
fn evaluation_uses_the_running_statistics_of_each_domain() {
    for (element, shape, real) in cases() {
        let mut l = stored_layer(element, &shape, real, -1.0, 3.0);
        l.buffers.run(&[
            batch_norm::finalize_running(&shape, l.parameters, l.running, l.state),
            batch_norm::apply(&shape, Activation::Silu, l.x, l.state, l.y),
        ]);
        let moments = reference::running_moments(&shape, l.buffers.get(l.running));
        let parameters = l.buffers.get(l.parameters);
        let y = reference::forward(&shape, Activation::Silu, &moments, parameters, l.buffers.get(l.x));
        let limit = tolerance::stored(element, tolerance::EXPONENTIAL);
        assert_close(l.buffers.get(l.y), &y, limit, &format!("{element:?} {shape:?}"));
        assert_padding_zero(l.buffers.get(l.y), shape.channels, real, "y");
    }
}

/// The variance of numbers whose mean is ten thousand times their spread: E[x²] - E[x]² would be all
/// rounding.
#[test]
fn variance_survives_a_large_mean() {
    let shape = shape(12, &[(5000, 0), (7, 2), (640, 3)]);
    // A slow drift on top, so that the slices' means differ.
    let mut l = layer(&shape, 12, 0.0, 1.0);
    let x: Vec<f32> = l.copy(l.x).iter().enumerate().map(|(i, v)| 1e4 + v + (i / 12) as f32 * 1e-3).collect();
    l.x = l.buffers.add(&x);
    l.buffers.run(&[batch_norm::statistics(CAPS, &shape, l.x, l.partials), l.finalize(&shape, false)]);
    let c = shape.channels;
    for (s, moments) in reference::batch_moments(&shape, &x).iter().enumerate() {
        for k in 0..c {
            let state = &l.buffers.get(l.state)[s * 4 * c..];
            let rstd = 1.0 / (moments.variance[k] + f64::from(shape.eps)).sqrt();
            let error = (f64::from(state[c + k]) / rstd - 1.0).abs();
            // One float at 1e4 is 1e-3: the slice means carry that rounding, which is 1e-6 of the squared
            // drift.
            assert!(error < 1e-3, "segment {s} channel {k}: rstd {} for {rstd}", state[c + k]);
        }
    }
}

/// Gradients of the reference itself are held to finite differences in f64 below.
#[test]
fn backward_matches_the_reference() {
    for (element, shape, real) in cases() {
        for (activation, accumulate) in ACTIVATIONS.into_iter().flat_map(|a| [(a, false), (a, true)]) {
            let mut l = stored_layer(element, &shape, real, -1.0, 3.0);
            let (before_dx, mut gradient) = (l.copy(l.dx), l.copy(l.gradient));
            l.buffers.run(&[
                batch_norm::statistics(CAPS, &shape, l.x, l.partials),
                l.finalize(&shape, false),
                batch_norm::backward_reduce(CAPS, &shape, activation, l.x, l.state, l.dy, l.partials),
                l.backward_finalize(&shape, Some(l.gradient), true),
                batch_norm::backward_apply(
                    &shape,
                    activation,
                    l.norm_gradient(),
                    l.state,
                    l.dy,
                    l.dx,
                    accumulate,
                ),
            ]);
            let get = |view| l.buffers.get(view);
            let moments = reference::batch_moments(&shape, get(l.x));
            let mut dx = reference::backward(
                &shape,
                activation,
                &moments,
                BackwardInput { parameters: get(l.parameters), x: get(l.x), dy: get(l.dy) },
                &mut gradient,
                true,
            );
            if accumulate {
                dx = crate::support::plus(&dx, &before_dx);
            }
            let what = format!("{element:?} {shape:?} {activation:?} accumulate {accumulate}");
            let limit = tolerance::stored(element, tolerance::BATCH_NORM_BACKWARD);
            assert_close(get(l.dx), &dx, limit, &what);
            assert_close(get(l.gradient), &gradient, tolerance::BATCH_NORM_BACKWARD, &what);
            if !accumulate {
                assert_padding_zero(get(l.dx), shape.channels, real, &what);
            }
        }
    }
}

/// With running statistics the mean and variance are constants of the loss: both ways of saying so agree.
#[test]
fn backward_with_running_statistics_matches_the_reference() {
    for (element, shape, real) in cases() {
        for accumulate in [false, true] {
            let mut l = stored_layer(element, &shape, real, -1.0, 3.0);
            let (before_dx, mut gradient) = (l.copy(l.dx), l.copy(l.gradient));
            let frozen = l.buffers.add_stored(element, &before_dx);
            let silu = Activation::Silu;
            l.buffers.run(&[
                batch_norm::finalize_running(&shape, l.parameters, l.running, l.state),
                batch_norm::backward_reduce(CAPS, &shape, silu, l.x, l.state, l.dy, l.partials),
                l.backward_finalize(&shape, Some(l.gradient), false),
                batch_norm::backward_apply(&shape, silu, l.norm_gradient(), l.state, l.dy, l.dx, accumulate),
                batch_norm::backward_apply_frozen(&shape, silu, l.x, l.state, l.dy, frozen, accumulate),
            ]);
            let get = |view| l.buffers.get(view);
            let moments = reference::running_moments(&shape, get(l.running));
            let mut dx = reference::backward(
                &shape,
                silu,
                &moments,
                BackwardInput { parameters: get(l.parameters), x: get(l.x), dy: get(l.dy) },
                &mut gradient,
                false,
            );
            if accumulate {
                dx = crate::support::plus(&dx, &before_dx);
            }
            let what = format!("{element:?} {shape:?} accumulate {accumulate}");
            let limit = tolerance::stored(element, tolerance::EXPONENTIAL);
            assert_close(get(l.dx), &dx, limit, &what);
            assert_close(get(frozen), &dx, limit, &what);
            assert_close(get(l.gradient), &gradient, tolerance::BATCH_NORM_BACKWARD, &what);
        }
    }
}

#[test]
fn an_attack_pass_writes_no_gradient_and_no_running_statistic() {
    let shape = shape(8, &[(63, 0), (7, 2)]);
    let mut l = layer(&shape, 8, -1.0, 3.0);
    let (running, gradient, parameters) = (l.copy(l.running), l.copy(l.gradient), l.copy(l.parameters));
    l.buffers.run(&[
        batch_norm::statistics(CAPS, &shape, l.x, l.partials),
        l.finalize(&shape, false),
        batch_norm::backward_reduce(CAPS, &shape, Activation::Relu, l.x, l.state, l.dy, l.partials),
        l.backward_finalize(&shape, None, true),
        batch_norm::backward_apply(&shape, Activation::Relu, l.norm_gradient(), l.state, l.dy, l.dx, false),
    ]);
    assert_same_bits(l.buffers.get(l.running), &running, "running statistics");
    assert_same_bits(l.buffers.get(l.gradient), &gradient, "gradients");
    assert_same_bits(l.buffers.get(l.parameters), &parameters, "parameters");
}

/// One infinite activation makes the batch statistics of its channel useless, and those of no other.
#[test]
fn an_overflow_leaves_the_running_statistics_of_its_channel_alone() {
    for (element, rows) in elements().into_iter().flat_map(|e| [(e, 63), (e, 5000)]) {
        let shape = shape(8, &[(rows, 0), (7, 2)]);
        for bad in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
            let mut l = stored_layer(element, &shape, 8, -1.0, 3.0);
            let running = l.copy(l.running);
            let mut x = l.copy(l.x);
            x[8 * 40 + 5] = bad;
            l.x = l.buffers.add_stored(element, &x);
            l.buffers.run(&[batch_norm::statistics(CAPS, &shape, l.x, l.partials), l.finalize(&shape, true)]);
            let after = l.buffers.get(l.running);
            assert!(after.iter().all(|v| v.is_finite()), "{element:?} {rows} rows, {bad}");
            for channel in 0..8 {
                for at in [channel, 8 + channel] {
                    assert_eq!(after[at] == running[at], channel == 5, "{element:?} {bad} channel {channel}");
                }
            }
        }
    }
}

/// A step on some domains leaves every bit of the others, and a domain's results do not depend on who else is
/// in the batch.
#[test]
fn domains_stay_apart_exactly() {
    elements().into_iter().for_each(check_domains_stay_apart);
}

fn check_domains_stay_apart(element: Element) {
    let joint = shape(8, &[(63, 0), (7, 2)]);
    let alone = shape(8, &[(63, 0)]);
    let run = |shape: &BnShape| {
        let mut l = stored_layer(element, shape, 8, -1.0, 3.0);
        let (running, gradient) = (l.copy(l.running), l.copy(l.gradient));
        l.buffers.run(&[
            batch_norm::statistics(CAPS, shape, l.x, l.partials),
            l.finalize(shape, true),
            batch_norm::apply(shape, Activation::Silu, l.x, l.state, l.y),
            batch_norm::backward_reduce(CAPS, shape, Activation::Silu, l.x, l.state, l.dy, l.partials),
            l.backward_finalize(shape, Some(l.gradient), true),
            batch_norm::backward_apply(
                shape,
                Activation::Silu,
                l.norm_gradient(),
                l.state,
                l.dy,
                l.dx,
                false,
            ),
        ]);
        (l, running, gradient)
    };
    let (both, running, gradient) = run(&joint);
    let (one, ..) = run(&alone);
    let stride = joint.domain_stride as usize;
    for domain in [1, 3] {
        let part = domain * stride..(domain + 1) * stride;
        assert_same_bits(&both.buffers.get(both.running)[part.clone()], &running[part.clone()], "running");
        assert_same_bits(&both.buffers.get(both.gradient)[part.clone()], &gradient[part], "gradient");
    }
    // The block is larger than its content; the rest is nobody's.
    let used = 2 * joint.channels;
    for domain in [0, 2] {
        let rest = domain * stride + used..(domain + 1) * stride;
        assert_same_bits(&both.buffers.get(both.running)[rest.clone()], &running[rest], "block padding");
        let part = domain * stride..domain * stride + used;
        assert_ne!(both.buffers.get(both.running)[part.clone()], running[part], "domain {domain} moved");
    }
    let rows = 63 * 8;
    assert_same_bits(&both.buffers.get(both.y)[..rows], &one.buffers.get(one.y)[..rows], "y");
    assert_same_bits(&both.buffers.get(both.dx)[..rows], &one.buffers.get(one.dx)[..rows], "dx");
    for (a, b) in [(both.running, one.running), (both.gradient, one.gradient)] {
        assert_same_bits(&both.buffers.get(a)[..stride], &one.buffers.get(b)[..stride], "domain 0");
    }
}

/// More workgroups than one grid dimension holds: they go on in z, and cover the longest segment.
#[test]
fn large_tensors_fold_their_grid() {
    let shape = shape(1024, &[(3_000_000, 0), (7, 2)]);
    let mut buffers = Buffers::default();
    let view = buffers.scratch(4);
    let [x, y, z] = batch_norm::apply(&shape, Activation::None, view, view, view).grid;
    assert_eq!(y, 2);
    assert!(x <= 65_535 && z > 1, "{x} {z}");
    assert!(u64::from(x) * u64::from(z) * 64 >= 3_000_000 / 4 * 256);
}

/// The reference against finite differences: loss = Σ y · weight.
#[test]
fn the_reference_gradient_is_the_derivative() {
    let shape = shape(4, &[(5, 0), (9, 2)]);
    let l = layer(&shape, 4, -1.0, 3.0);
    let (x, weight, parameters) = (l.copy(l.x), l.copy(l.dy), l.copy(l.parameters));
    let loss = |x: &[f32], parameters: &[f32]| -> f64 {
        let moments = reference::batch_moments(&shape, x);
        let y = reference::forward(&shape, Activation::Silu, &moments, parameters, x);
        y.iter().zip(&weight).map(|(y, w)| f64::from(*y) * f64::from(*w)).sum()
    };
    let moments = reference::batch_moments(&shape, &x);
    let mut gradient = vec![0.0; parameters.len()];
    let dx = reference::backward(
        &shape,
        Activation::Silu,
        &moments,
        BackwardInput { parameters: &parameters, x: &x, dy: &weight },
        &mut gradient,
        true,
    );
    // The outputs are rounded to f32, so a wide difference beats a narrow one; it is exact to second order.
    let h = 1e-2_f32;
    let derivative = |at: usize, of_x: bool| {
        let mut moved = [x.clone(), parameters.clone()];
        let target = usize::from(!of_x);
        let start = moved[target][at];
        moved[target][at] = start + h;
        let up = loss(&moved[0], &moved[1]);
        moved[target][at] = start - h;
        (up - loss(&moved[0], &moved[1])) / (2.0 * f64::from(h))
    };
    for (at, dx) in dx.iter().enumerate() {
        assert!((derivative(at, true) - f64::from(*dx)).abs() < 1e-3, "dx {at}");
    }
    for at in [0, 3, 4, 7].into_iter().flat_map(|i| [i, i + 2 * shape.domain_stride as usize]) {
        assert!((derivative(at, false) - f64::from(gradient[at])).abs() < 1e-3, "parameter {at}");
    }
}
