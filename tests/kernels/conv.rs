//! Dense convolution in both forms and all directions equals the sums written out, on odd sizes.

use crate::support::{
    Buffers, FORMS, assert_close, assert_same_bits, elements, families, forms, plus, rounded, tolerance,
    uniform, with_elements,
};
use dualprop::gpu::{BufferId, Caps, Element, Launch, TunedVariants, View};
use dualprop::kernels::conv::{self, ConvShape};
use dualprop::kernels::conv_case::{ConvCase, Direction};
use dualprop::kernels::fusion::Fusion;
use dualprop::kernels::reference::conv as reference;
use std::sync::Arc;

/// `size` is height and width of x, output and padding as SAME or symmetric padding would have them, or
/// neither.
fn shape(
    images: usize,
    [in_h, in_w]: [usize; 2],
    [in_c, out_c]: [usize; 2],
    [kernel, stride]: [usize; 2],
    [pad_top, pad_left, pad_bottom, pad_right]: [usize; 4],
) -> ConvShape {
    let out = |size: usize, pads: usize| (size + pads - kernel) / stride + 1;
    let (out_h, out_w) = (out(in_h, pad_top + pad_bottom), out(in_w, pad_left + pad_right));
    ConvShape { images, in_h, in_w, in_c, out_h, out_w, out_c, kernel, stride, pad_top, pad_left }
}

/// Odd sizes of everything, each kernel and stride, tile edges in rows, columns and the reduction.
fn shapes() -> Vec<ConvShape> {
    vec![
        // Pointwise: rows, input and output channels below, at and above a tile.
        shape(1, [1, 1], [4, 4], [1, 1], [0; 4]),
        shape(1, [1, 3], [64, 12], [1, 1], [0; 4]),
        shape(3, [9, 7], [20, 68], [1, 1], [0; 4]),
        shape(2, [7, 9], [68, 20], [1, 1], [0; 4]),
        shape(1, [16, 16], [12, 4], [1, 1], [0; 4]),
        shape(3, [1, 5], [4, 40], [1, 1], [0; 4]),
        // A strided shortcut.
        shape(2, [7, 8], [12, 20], [1, 2], [0; 4]),
        shape(1, [3, 3], [64, 64], [1, 2], [0; 4]),
        // 3×3: symmetric, SAME at even and odd sizes, no padding, one pixel.
        shape(1, [1, 1], [4, 4], [3, 1], [1; 4]),
        shape(2, [7, 9], [12, 20], [3, 1], [1; 4]),
        shape(1, [3, 7], [64, 68], [3, 1], [1; 4]),
        shape(2, [8, 8], [4, 12], [3, 2], [0, 0, 1, 1]),
        shape(3, [9, 7], [20, 12], [3, 2], [1; 4]),
        shape(1, [9, 9], [12, 64], [3, 1], [0; 4]),
        shape(2, [7, 7], [68, 4], [3, 2], [0, 1, 1, 0]),
        shape(1, [2, 1], [12, 4], [3, 2], [1; 4]),
        // 5×5 and 7×7: a stem, and a window larger than the image.
        shape(1, [9, 7], [12, 20], [5, 2], [1, 1, 2, 2]),
        shape(2, [9, 9], [4, 64], [7, 2], [3; 4]),
        shape(1, [3, 3], [12, 20], [7, 1], [3; 4]),
        shape(1, [8, 7], [4, 12], [7, 2], [2, 2, 3, 3]),
    ]
}

/// Every shape in both forms of storage.
fn cases() -> impl Iterator<Item = (Element, ConvShape)> {
    elements().into_iter().flat_map(|element| shapes().into_iter().map(move |s| (element, s)))
}

/// x, dy and w of a shape. Matrices multiply what is f16 to f32's precision, so w is rounded as they round
/// it.
fn tensors(element: Element, s: &ConvShape) -> [Vec<f32>; 3] {
    let activations =
        |numbers: usize, stream| rounded(element, &uniform(s.images * numbers, -1.0, 1.0, stream));
    [
        activations(s.in_h * s.in_w * s.in_c, 1),
        activations(s.out_h * s.out_w * s.out_c, 2),
        rounded(element, &uniform(s.kernel * s.kernel * s.in_c * s.out_c, -1.0, 1.0, 3)),
    ]
}

fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|v| *v as f32).collect()
}

#[test]
fn forward_equals_the_reference() {
    for (element, s) in cases() {
        let [x, _, w] = tensors(element, &s);
        let bias = uniform(s.out_c, -1.0, 1.0, 4);
        for with_bias in [false, true] {
            let expected = single(&reference::forward(&s, &x, &w, with_bias.then_some(&bias)));
            for caps in &forms(element) {
                let mut buffers = Buffers::default();
                let xv = buffers.add_stored(element, &x);
                let [wv, bv] = [&w, &bias].map(|t| buffers.add(t));
                let yv = buffers.scratch_stored(element, expected.len());
                buffers.run(&[conv::forward(caps, &s, xv, wv, with_bias.then_some(bv), yv, &Fusion::NONE)]);
                let limit = tolerance::stored(element, tolerance::SUM);
                assert_close(buffers.get(yv), &expected, limit, &format!("{caps:?} {element:?} {s:?}"));
            }
        }
    }
}

#[test]
fn data_gradient_equals_the_reference() {
    for (element, s) in cases() {
        let [x, dy, w] = tensors(element, &s);
        let fresh = reference::data_gradient(&s, &dy, &w);
        for accumulate in [false, true] {
            let there = rounded(element, &uniform(x.len(), -1.0, 1.0, 5));
            let start = |i: usize| if accumulate { f64::from(there[i]) } else { 0.0 };
            let expected: Vec<f32> = fresh.iter().enumerate().map(|(i, v)| (v + start(i)) as f32).collect();
            for caps in &forms(element) {
                let mut buffers = Buffers::default();
                let [dyv, dxv] = [&dy, &there].map(|t| buffers.add_stored(element, t));
                let wv = buffers.add(&w);
                buffers.run(&[conv::data_gradient(caps, &s, dyv, wv, dxv, accumulate, &Fusion::NONE)]);
                let what = format!("{caps:?} {element:?} accumulate {accumulate} {s:?}");
                let limit = tolerance::stored(element, tolerance::SUM);
                assert_close(buffers.get(dxv), &expected, limit, &what);
            }
        }
    }
}

/// dW of both forms against the reference, and a second run against the first, bit by bit. Returns the
/// partial sums' sizes.
fn check_weight_gradient(element: Element, s: &ConvShape) -> Vec<u64> {
    let [x, dy, w] = tensors(element, s);
    let expected: Vec<f32> = reference::weight_gradient(s, &x, &dy)
        .iter()
        .zip(&w)
        .map(|(gradient, there)| (gradient + f64::from(*there)) as f32)
        .collect();
    let check = |caps| {
        let elements = conv::weight_gradient_partials(&caps, s, &Fusion::NONE);
        let run = || {
            let mut buffers = Buffers::default();
            let [xv, dyv] = [&x, &dy].map(|t| buffers.add_stored(element, t));
            let dwv = buffers.add(&w);
            let partials = buffers.scratch(elements.max(4) as usize);
            buffers.run(&conv::weight_gradient(&caps, s, xv, dyv, partials, dwv, &Fusion::NONE));
            buffers.get(dwv).to_vec()
        };
        let first = run();
        let what = format!("{caps:?} {element:?} {s:?}");
        assert_close(&first, &expected, tolerance::SUM, &what);
        assert_same_bits(&run(), &first, &what);
        elements
    };
    forms(element).into_iter().map(check).collect()
}

#[test]
fn weight_gradient_equals_the_reference() {
    for (element, s) in cases() {
        check_weight_gradient(element, &s);
    }
}

#[test]
fn weight_gradient_in_slices_equals_the_reference() {
    // 2883 and 1458 rows: the last slice is shorter than the others.
    let pointwise = shape(3, [31, 31], [20, 12], [1, 1], [0; 4]);
    let wide = shape(3, [31, 31], [12, 36], [1, 1], [0; 4]);
    let strided = shape(2, [54, 53], [4, 20], [3, 2], [1; 4]);
    for (s, element) in with_elements([pointwise, wide, strided]) {
        let partials = check_weight_gradient(element, &s);
        assert!(partials.iter().all(|p| *p > 0), "{s:?} was meant to need slices");
    }
}

#[test]
fn every_variant_equals_the_reference() {
    elements().into_iter().for_each(check_variants);
}

fn check_variants(element: Element) {
    let limit = tolerance::stored(element, tolerance::SUM);
    // No multiples of any tile; more than one tile of most.
    let pointwise = shape(1, [23, 13], [20, 68], [1, 1], [0; 4]);
    let strided = shape(2, [17, 18], [12, 20], [3, 2], [1, 0, 1, 1]);
    for s in [pointwise, strided] {
        let [x, dy, w] = tensors(element, &s);
        let bias = uniform(s.out_c, -1.0, 1.0, 4);
        let y_expected = single(&reference::forward(&s, &x, &w, Some(&bias)));
        let dx_expected = single(&reference::data_gradient(&s, &dy, &w));
        let dw_expected = single(&reference::weight_gradient(&s, &x, &dy));
        for caps in &forms(element) {
            let mut buffers = Buffers::default();
            let [xv, dyv] = [&x, &dy].map(|t| buffers.add_stored(element, t));
            let [wv, bv] = [&w, &bias].map(|t| buffers.add(t));
            let [yv, dxv] = [dy.len(), x.len()].map(|n| buffers.scratch_stored(element, n));
            let dwv = buffers.add(&vec![0.0; w.len()]);
            let partials = buffers.scratch(w.len() * conv::MAX_SLICES);
            for launch in conv::forward_variants(caps, &s, xv, wv, Some(bv), yv) {
                buffers.run(std::slice::from_ref(&launch));
                assert_close(buffers.get(yv), &y_expected, limit, &format!("{:?}", launch.kernel));
            }
            for launch in conv::data_gradient_variants(caps, &s, dyv, wv, dxv, false) {
                buffers.run(std::slice::from_ref(&launch));
                assert_close(buffers.get(dxv), &dx_expected, limit, &format!("{:?}", launch.kernel));
            }
            // Each adds to what the one before left.
            let mut before = buffers.get(dwv).to_vec();
            for launches in conv::weight_gradient_variants(caps, &s, xv, dyv, partials, dwv) {
                buffers.run(&launches);
                let what = format!("{:?}", launches[0].kernel);
                assert_close(buffers.get(dwv), &plus(&before, &dw_expected), tolerance::SUM, &what);
                before = buffers.get(dwv).to_vec();
            }
        }
    }
}

#[test]
fn zero_channels_stay_zero() {
    // As a padded layer has them: the last channel of each vec4 does not exist.
    let s = shape(2, [5, 6], [12, 8], [3, 2], [0, 0, 1, 1]);
    let keep = |i: usize, c: usize, real: usize| i % c < real;
    let [mut x, mut dy, mut w] = tensors(Element::F32, &s);
    x.iter_mut().enumerate().filter(|(i, _)| !keep(*i, 12, 10)).for_each(|(_, v)| *v = 0.0);
    dy.iter_mut().enumerate().filter(|(i, _)| !keep(*i, 8, 5)).for_each(|(_, v)| *v = 0.0);
    for (i, v) in w.iter_mut().enumerate() {
        if !keep(i, 8, 5) || !keep(i / 8, 12, 10) {
            *v = 0.0;
        }
    }
    for caps in &families() {
        let mut buffers = Buffers::default();
        let [xv, dyv, wv] = [&x, &dy, &w].map(|t| buffers.add(t));
        let [yv, dxv] = [dy.len(), x.len()].map(|n| buffers.scratch(n));
        let dwv = buffers.add(&vec![0.0; w.len()]);
        let partials =
            buffers.scratch(conv::weight_gradient_partials(caps, &s, &Fusion::NONE).max(4) as usize);
        let mut launches = vec![
            conv::forward(caps, &s, xv, wv, None, yv, &Fusion::NONE),
            conv::data_gradient(caps, &s, dyv, wv, dxv, false, &Fusion::NONE),
        ];
        launches.extend(conv::weight_gradient(caps, &s, xv, dyv, partials, dwv, &Fusion::NONE));
        buffers.run(&launches);
        crate::support::assert_padding_zero(buffers.get(yv), 8, 5, "y");
        crate::support::assert_padding_zero(buffers.get(dxv), 12, 10, "dx");
        crate::support::assert_padding_zero(buffers.get(dwv), 8, 5, "dw, output channels");
        for (i, v) in buffers.get(dwv).iter().enumerate() {
            assert!(keep(i / 8, 12, 10) || *v == 0.0, "{caps:?} dw, input channels: {i} is {v}");
        }
    }
}

const DIRECTIONS: [Direction; 3] = [Direction::Forward, Direction::DataGradient, Direction::WeightGradient];

/// The launches of a case as plans make them.
fn launches(caps: &Caps, case: &ConvCase) -> Vec<Launch> {
    let view = |id| View::whole(BufferId(id), 4);
    let (a, b, c, d) = (view(0), view(1), view(2), view(3));
    match case.direction {
        Direction::Forward => vec![conv::forward(caps, &case.shape, a, b, None, c, &Fusion::NONE)],
        Direction::DataGradient => vec![conv::data_gradient(caps, &case.shape, a, b, c, true, &Fusion::NONE)],
        Direction::WeightGradient => conv::weight_gradient(caps, &case.shape, a, b, c, d, &Fusion::NONE),
    }
}

#[test]
fn a_launch_says_which_convolution_it_is() {
    for (shape, direction) in shapes().into_iter().flat_map(|s| DIRECTIONS.map(|d| (s, d))) {
        let case = ConvCase { direction, shape };
        for caps in &FORMS {
            let launches = launches(caps, &case);
            assert_eq!(launches[0].convolution, Some(case), "{caps:?}");
            assert!(launches[1..].iter().all(|sum| sum.convolution.is_none()));
        }
    }
}

#[test]
fn a_kept_choice_decides_and_an_unknown_one_leaves_it_to_the_rule() {
    for (shape, direction) in shapes().into_iter().flat_map(|s| DIRECTIONS.map(|d| (s, d))) {
        let case = ConvCase { direction, shape };
        for plain in &FORMS {
            let with = |name: &str| {
                let table = [(case.class(plain), name.to_owned())];
                Caps { tuned: Some(Arc::new(TunedVariants(table.into()))), ..plain.clone() }
            };
            let trials = case.trials(plain, Element::F32, usize::MAX);
            assert!(trials.len() >= 5, "{} variants", trials.len());
            for trial in &trials {
                let caps = with(&trial.variant);
                assert_eq!(launches(&caps, &case)[0].kernel, trial.timed.launches[0].kernel);
                assert_eq!(case.kept_choice(&caps).as_ref(), Some(&trial.variant));
            }
            let rule = &trials[0].timed.launches[0].kernel;
            for caps in [plain.clone(), with("tile 3x3 by 1x1, 7 deep")] {
                assert_eq!(&launches(&caps, &case)[0].kernel, rule);
                assert_eq!(case.kept_choice(&caps), None);
            }
        }
    }
}
