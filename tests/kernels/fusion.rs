//! A convolution with a batch norm taken into its loads and stores gives the numbers of the passes one by
//! one.

use crate::support::{Buffers, assert_close, elements, forms, rounded, tolerance, uniform};
use dualprop::gpu::{Caps, Element, Launch, View};
use dualprop::kernels::activation::{Activation, SlopeFrom};
use dualprop::kernels::batch_norm::{self, BnShape, Partials, Segment};
use dualprop::kernels::conv::{self, ConvShape};
use dualprop::kernels::depthwise::{self, DepthwiseShape};
use dualprop::kernels::fusion::{Epilogue, Fusion, NormGradient, Prologue, Slices};
use dualprop::kernels::reference;

/// The activations that every layer takes in turn, and those that every third layer takes as well.
const ACTIVATIONS: [Activation; 3] = [Activation::None, Activation::Relu, Activation::Silu];
const MORE_ACTIVATIONS: [Activation; 2] = [Activation::HardSwish, Activation::Relu6];

/// Images of the batch norm segments: of very different sizes, so that strips end within and at segments.
const SEGMENTS: [usize; 3] = [1, 3, 2];
pub(crate) const IMAGES: usize = 6;

/// One of the two convolutions.
#[derive(Clone, Debug)]
pub(crate) enum Layer {
    Dense(ConvShape),
    Depthwise(DepthwiseShape),
}
use Layer::{Dense, Depthwise};

fn layers() -> Vec<Layer> {
    let conv = |[in_h, in_w]: [usize; 2], [in_c, out_c]: [usize; 2], kernel, stride: usize| {
        let pad = (kernel - 1) / 2;
        let out = |size: usize| (size + 2 * pad - kernel) / stride + 1;
        let (out_h, out_w) = (out(in_h), out(in_w));
        let (pad_top, pad_left) = (pad, pad);
        Dense(ConvShape {
            images: IMAGES,
            in_h,
            in_w,
            in_c,
            out_h,
            out_w,
            out_c,
            kernel,
            stride,
            pad_top,
            pad_left,
        })
    };
    let depthwise = |[in_h, in_w]: [usize; 2], channels, kernel, stride: usize| {
        let pad = (kernel - 1) / 2;
        let out = |size: usize| (size + 2 * pad - kernel) / stride + 1;
        let (out_h, out_w) = (out(in_h), out(in_w));
        let (pad_top, pad_left) = (pad, pad);
        Depthwise(DepthwiseShape {
            images: IMAGES,
            in_h,
            in_w,
            out_h,
            out_w,
            channels,
            kernel,
            stride,
            pad_top,
            pad_left,
        })
    };
    vec![
        conv([5, 7], [20, 68], 1, 1),
        conv([13, 11], [68, 12], 1, 1),
        conv([1, 1], [64, 40], 1, 1),
        conv([7, 5], [12, 20], 3, 1),
        conv([9, 8], [12, 20], 3, 2),
        conv([6, 5], [20, 12], 1, 2),
        depthwise([9, 7], 20, 3, 1),
        depthwise([8, 9], 12, 3, 2),
        depthwise([7, 13], 12, 5, 1),
        depthwise([9, 6], 68, 5, 2),
        depthwise([1, 1], 4, 3, 1),
    ]
}

impl Layer {
    /// Pixels of an image and channels of x, then of y.
    pub(crate) fn sizes(&self) -> [(usize, usize); 2] {
        match self {
            Dense(s) => [(s.in_h * s.in_w, s.in_c), (s.out_h * s.out_w, s.out_c)],
            Depthwise(s) => [(s.in_h * s.in_w, s.channels), (s.out_h * s.out_w, s.channels)],
        }
    }

    pub(crate) fn weights(&self) -> usize {
        match self {
            Dense(s) => s.kernel * s.kernel * s.in_c * s.out_c,
            Depthwise(s) => s.kernel * s.kernel * s.channels,
        }
    }

    pub(crate) fn forward(&self, caps: &Caps, [x, w, y]: [View; 3], fusion: &Fusion<'_>) -> Launch {
        match self {
            Dense(s) => conv::forward(caps, s, x, w, None, y, fusion),
            Depthwise(s) => depthwise::forward(caps, s, x, w, y, fusion),
        }
    }

    pub(crate) fn data_gradient(
        &self,
        caps: &Caps,
        [dy, w, dx]: [View; 3],
        add: bool,
        fusion: &Fusion<'_>,
    ) -> Launch {
        match self {
            Dense(s) => conv::data_gradient(caps, s, dy, w, dx, add, fusion),
            Depthwise(s) => depthwise::data_gradient(caps, s, dy, w, dx, add, fusion),
        }
    }

    fn slices(&self, caps: &Caps, gradient: bool) -> Slices {
        match self {
            Dense(s) => conv::slices(caps, s, gradient, &SEGMENTS),
            Depthwise(s) => depthwise::slices(caps, s, gradient, &SEGMENTS),
        }
    }

    fn weight_gradient(&self, caps: &Caps, b: &mut Buffers, [x, dy, dw]: [View; 3], f: &Fusion<'_>) {
        let launches = match self {
            Dense(s) => {
                let partials = b.scratch(conv::weight_gradient_partials(caps, s, f).max(4) as usize);
                conv::weight_gradient(caps, s, x, dy, partials, dw, f)
            }
            Depthwise(s) => {
                let partials = b.scratch(depthwise::weight_gradient_partials(caps, s) as usize);
                depthwise::weight_gradient(caps, s, x, dy, partials, dw, f)
            }
        };
        b.run(&launches);
    }
}

impl Layer {
    pub(crate) fn expected_forward(&self, x: &[f32], w: &[f32]) -> Vec<f32> {
        single(&match self {
            Dense(s) => reference::conv::forward(s, x, w, None),
            Depthwise(s) => reference::depthwise::forward(s, x, w),
        })
    }

    pub(crate) fn expected_data_gradient(&self, dy: &[f32], w: &[f32]) -> Vec<f32> {
        single(&match self {
            Dense(s) => reference::conv::data_gradient(s, dy, w),
            Depthwise(s) => reference::depthwise::data_gradient(s, dy, w),
        })
    }
}

/// A batch norm behind tensors of `pixels` an image.
fn norm(pixels: usize, channels: usize) -> BnShape {
    let mut first_row = 0;
    let segments = SEGMENTS.iter().zip([2, 0, 1]).map(|(images, domain)| {
        let rows = (images * pixels) as u32;
        first_row += rows;
        Segment { first_row: first_row - rows, rows, domain }
    });
    let segments = segments.collect();
    let domain_stride = (2 * channels).next_multiple_of(64) as u32;
    BnShape { channels, rows: IMAGES * pixels, segments, domain_stride, eps: 1e-3, momentum: 0.1 }
}

/// The segment of a row.
fn segment_of(row: usize, pixels: usize) -> usize {
    let image = row / pixels;
    (0..SEGMENTS.len()).find(|s| image < SEGMENTS[..=*s].iter().sum()).expect("an image of the batch")
}

/// `f(segment, channel, index)` for every number of a tensor.
fn map(pixels: usize, channels: usize, f: impl Fn(usize, usize, usize) -> f32) -> Vec<f32> {
    (0..IMAGES * pixels * channels).map(|i| f(segment_of(i / channels, pixels), i % channels, i)).collect()
}

pub(crate) fn activate(activation: Activation, u: f32) -> f32 {
    reference::activation::activate(activation, f64::from(u)) as f32
}

pub(crate) fn slope(activation: Activation, u: f32) -> f32 {
    reference::activation::slope(activation, f64::from(u)) as f32
}

/// `[segment][mean | rstd | scale | shift]`.
fn made_state(channels: usize, stream: u32) -> Vec<f32> {
    uniform(SEGMENTS.len() * 4 * channels, 0.3, 1.3, stream)
}

/// act(scale · x + shift) of every number.
fn normalized(activation: Activation, x: &[f32], state: &[f32], pixels: usize, channels: usize) -> Vec<f32> {
    map(pixels, channels, |segment, channel, i| {
        let at = segment * 4 * channels + channel;
        activate(activation, state[at + 2 * channels] * x[i] + state[at + 3 * channels])
    })
}

/// Whether the layer takes a gate; with the activations of squeeze-and-excitation nets some do.
pub(crate) fn gated(layer: &Layer, activation: Activation) -> bool {
    matches!(layer, Dense(s) if s.kernel == 1 && s.stride == 1) && activation.slope_from() == SlopeFrom::Input
}

/// How a layer reads x, and what it then reads: a batch norm, and behind a SiLU or hard swish a gate, where
/// the layer takes one.
fn prologue(
    b: &mut Buffers,
    layer: &Layer,
    activation: Activation,
    x: &[f32],
    stream: u32,
) -> (Prologue, Vec<f32>) {
    let [(pixels, channels), _] = layer.sizes();
    let state = made_state(channels, stream);
    let mut a = normalized(activation, x, &state, pixels, channels);
    let state = b.add(&state);
    if !gated(layer, activation) {
        return (Prologue::Norm { state, activation }, a);
    }
    let gate = uniform(IMAGES * channels, 0.2, 1.0, stream + 10);
    for (i, value) in a.iter_mut().enumerate() {
        *value *= gate[i / (pixels * channels) * channels + i % channels];
    }
    (Prologue::GatedNorm { state, activation, gate: b.add(&gate) }, a)
}

pub(crate) fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|v| *v as f32).collect()
}

/// Every layer on both kinds of adapters, in f16 every third; the activations take turns, for each case makes
/// pipelines of its own and a software adapter takes longer to compile one than to run it.
pub(crate) fn for_each(mut check: impl FnMut(&Caps, Element, &Layer, Activation, &str)) {
    let mut turn = 0;
    for element in elements() {
        let every = if element == Element::F16 { 3 } else { 1 };
        for caps in &forms(element) {
            for layer in layers().iter().step_by(every) {
                let more = (turn % 3 == 0).then(|| MORE_ACTIVATIONS[turn / 3 % 2]);
                for activation in [ACTIVATIONS[turn % 3]].into_iter().chain(more) {
                    let what = format!("{caps:?} {element:?} {activation:?} {layer:?}");
                    check(caps, element, layer, activation, &what);
                }
                turn += 1;
            }
        }
    }
}

#[test]
fn forward_normalizes_on_load_and_takes_the_statistics_on_store() {
    for_each(|caps, element, layer, activation, what| {
        let [(in_pixels, in_c), (out_pixels, out_c)] = layer.sizes();
        let x = rounded(element, &uniform(IMAGES * in_pixels * in_c, -1.0, 1.0, 1));
        let w = rounded(element, &uniform(layer.weights(), -1.0, 1.0, 2));
        let mut b = Buffers::default();
        let (prologue, a) = prologue(&mut b, layer, activation, &x, 3);
        let expected = layer.expected_forward(&a, &w);

        let xv = b.add_stored(element, &x);
        let wv = b.add(&w);
        let yv = b.scratch_stored(element, expected.len());
        let shape = norm(out_pixels, out_c);
        let slices = layer.slices(caps, false);
        let partials = b.scratch(slices.elements(out_c));
        let parameters = b.add(&uniform(3 * shape.domain_stride as usize, 0.5, 1.5, 4));
        let made = b.scratch(shape.state_elements());
        let fusion = Fusion {
            prologue,
            epilogue: Epilogue::Statistics { partials },
            segments: &SEGMENTS,
            ..Fusion::NONE
        };
        b.run(&[
            layer.forward(caps, [xv, wv, yv], &fusion),
            batch_norm::finalize_batch(
                caps,
                &shape,
                Partials { slices: &slices, sums: partials },
                parameters,
                None,
                made,
            ),
        ]);
        let limit = tolerance::multiplied(caps, tolerance::stored(element, tolerance::SUM));
        assert_close(b.get(yv), &expected, limit, what);
        let moments = reference::batch_norm::batch_moments(&shape, b.get(yv));
        for (segment, m) in moments.iter().enumerate() {
            let at = segment * 4 * out_c;
            let mean = single(&m.mean);
            let rstd: Vec<f32> =
                m.variance.iter().map(|v| (1.0 / (v + f64::from(shape.eps)).sqrt()) as f32).collect();
            let made = b.get(made);
            // Some drivers' compilers tally what they have before it is rounded to be stored.
            let limit = |f32| tolerance::stored(element, f32);
            assert_close(&made[at..at + out_c], &mean, limit(tolerance::SUM), what);
            let rstd_limit = limit(tolerance::BATCH_NORM_BACKWARD);
            assert_close(&made[at + out_c..at + 2 * out_c], &rstd, rstd_limit, what);
        }
    });
}

#[test]
fn data_gradient_passes_through_both_batch_norms() {
    for_each(|caps, element, layer, activation, what| {
        let accumulate = activation == Activation::Silu;
        let [(in_pixels, in_c), (out_pixels, out_c)] = layer.sizes();
        let output = |stream| rounded(element, &uniform(IMAGES * out_pixels * out_c, -1.0, 1.0, stream));
        let input = |stream| rounded(element, &uniform(IMAGES * in_pixels * in_c, -1.0, 1.0, stream));
        let (du, y, x, there) = (output(1), output(2), input(3), input(4));
        let w = rounded(element, &uniform(layer.weights(), -1.0, 1.0, 5));
        let state = made_state(in_c, 6);
        let coefs = uniform(SEGMENTS.len() * 3 * out_c, -1.0, 1.0, 7);
        let dy = map(out_pixels, out_c, |segment, channel, i| {
            let at = segment * 3 * out_c + channel;
            coefs[at] * du[i] + coefs[at + out_c] * y[i] + coefs[at + 2 * out_c]
        });
        let fresh = layer.expected_data_gradient(&dy, &w);
        let expected = map(in_pixels, in_c, |segment, channel, i| {
            let at = segment * 4 * in_c + channel;
            let da = fresh[i] + if accumulate { there[i] } else { 0.0 };
            da * slope(activation, state[at + 2 * in_c] * x[i] + state[at + 3 * in_c])
        });

        let mut b = Buffers::default();
        let [duv, yv, xv, dxv] = [&du, &y, &x, &there].map(|t| b.add_stored(element, t));
        let [wv, sv, cv] = [&w, &state, &coefs].map(|t| b.add(t));
        let shape = norm(in_pixels, in_c);
        let slices = layer.slices(caps, true);
        let partials = b.scratch(slices.elements(in_c));
        let made = b.scratch(shape.coefs_elements());
        let before = uniform(3 * shape.domain_stride as usize, -1.0, 1.0, 8);
        let gradient = b.add(&before);
        let fusion = Fusion {
            prologue: Prologue::NormGradient(NormGradient { x: yv, coefs: cv }),
            epilogue: Epilogue::Slope { x: xv, state: sv, activation, partials },
            segments: &SEGMENTS,
            ..Fusion::NONE
        };
        b.run(&[
            layer.data_gradient(caps, [duv, wv, dxv], accumulate, &fusion),
            batch_norm::backward_finalize(
                caps,
                &shape,
                Partials { slices: &slices, sums: partials },
                sv,
                made,
                Some(gradient),
                true,
            ),
        ]);
        let limit = tolerance::multiplied(caps, tolerance::stored(element, tolerance::SUM));
        assert_close(b.get(dxv), &expected, limit, what);
        // The gradients of gamma and beta, from what was stored.
        let mut sums: Vec<f64> = before.iter().map(|v| f64::from(*v)).collect();
        for (i, du) in b.get(dxv).iter().enumerate() {
            let (segment, channel) = (segment_of(i / in_c, in_pixels), i % in_c);
            let at = segment * 4 * in_c + channel;
            let block = (shape.segments[segment].domain * shape.domain_stride) as usize + channel;
            let xhat = (f64::from(x[i]) - f64::from(state[at])) * f64::from(state[at + in_c]);
            sums[block] += f64::from(*du) * xhat;
            sums[block + in_c] += f64::from(*du);
        }
        let limit = tolerance::stored(element, tolerance::BATCH_NORM_BACKWARD);
        assert_close(b.get(gradient), &single(&sums), limit, what);
    });
}

#[test]
fn weight_gradient_normalizes_on_load() {
    for_each(|caps, element, layer, activation, what| {
        let [(in_pixels, in_c), (out_pixels, out_c)] = layer.sizes();
        let x = rounded(element, &uniform(IMAGES * in_pixels * in_c, -1.0, 1.0, 1));
        let dy = rounded(element, &uniform(IMAGES * out_pixels * out_c, -1.0, 1.0, 2));
        let before = uniform(layer.weights(), -1.0, 1.0, 3);
        let mut b = Buffers::default();
        let (prologue, a) = prologue(&mut b, layer, activation, &x, 4);
        // dy itself, or the gradient of a batch norm's input made of it.
        let fused = activation != Activation::None;
        let y = rounded(element, &uniform(dy.len(), -1.0, 1.0, 5));
        let coefs = uniform(SEGMENTS.len() * 3 * out_c, -1.0, 1.0, 6);
        let gradient = map(out_pixels, out_c, |segment, channel, i| {
            let at = segment * 3 * out_c + channel;
            if fused { coefs[at] * dy[i] + coefs[at + out_c] * y[i] + coefs[at + 2 * out_c] } else { dy[i] }
        });
        let fresh = match layer {
            Dense(s) => reference::conv::weight_gradient(s, &a, &gradient),
            Depthwise(s) => reference::depthwise::weight_gradient(s, &a, &gradient),
        };
        let expected: Vec<f32> = fresh.iter().zip(&before).map(|(v, t)| *v as f32 + t).collect();
        let [xv, dyv, yv] = [&x, &dy, &y].map(|t| b.add_stored(element, t));
        let [dwv, coefs] = [&before, &coefs].map(|t| b.add(t));
        let gradient = fused.then_some(NormGradient { x: yv, coefs });
        let fusion = Fusion { prologue, gradient, segments: &SEGMENTS, ..Fusion::NONE };
        layer.weight_gradient(caps, &mut b, [xv, dyv, dwv], &fusion);
        assert_close(b.get(dwv), &expected, tolerance::multiplied(caps, tolerance::SUM), what);
    });
}
