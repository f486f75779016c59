//! The end of a residual block.

use crate::support::{
    Buffers, assert_close, assert_padding_zero, elements, padded, plus, rounded, tolerance, uniform,
};
use dualprop::gpu::{Element, StepUniform};
use dualprop::kernels::activation::Activation;
use dualprop::kernels::reference::residual as reference;
use dualprop::kernels::residual::{self, BranchNorm, ResidualShape};

fn shapes() -> Vec<(ResidualShape, usize)> {
    let shape = |images, rows_per_image, channels, drop_rate| ResidualShape {
        rows_per_image,
        images,
        channels,
        drop_rate,
        stream: 11,
        image_offset: 3,
    };
    vec![
        (shape(1, 1, 4, 0.0), 1),
        (shape(3, 7, 8, 0.5), 7),
        (shape(63, 9, 4, 0.2), 3),
        (shape(7, 65, 68, 0.0), 65),
        (shape(65, 1, 64, 0.9), 63),
    ]
}

const STEP: StepUniform = StepUniform {
    seed: 5,
    step: 17,
    micro: 1,
    first_step: 0,
    lr: 0.0,
    grad_scale: 1.0,
    ema_rate: 1.0,
    bias_correction1: 1.0,
    bias_correction2: 1.0,
    padding: [0; 3],
};

#[test]
fn both_directions_match_the_reference() {
    elements().into_iter().for_each(check_both_directions);
}

fn check_both_directions(element: Element) {
    let limit = tolerance::stored(element, tolerance::ELEMENTWISE);
    for (shape, real) in shapes() {
        for (activation, accumulate) in [
            (Activation::None, false),
            (Activation::None, true),
            (Activation::Relu, false),
            (Activation::Relu, true),
        ] {
            let what = format!("{element:?} {shape:?} {activation:?} accumulate {accumulate}");
            let rows = shape.images * shape.rows_per_image;
            let tensor = |stream| rounded(element, &padded(rows, shape.channels, real, -1.0, 1.0, stream));
            let mut buffers = Buffers::default();
            let [shortcut, branch, dy, d_shortcut] =
                [1, 2, 3, 4].map(|s| buffers.add_stored(element, &tensor(s)));
            let [y, d_branch] = [0; 2].map(|_| buffers.scratch_stored(element, tensor(1).len()));
            let stored = (activation == Activation::Relu).then_some(y);
            buffers.run_at(
                &[
                    residual::forward(&shape, activation, shortcut, branch, None, y),
                    residual::backward(&shape, activation, stored, dy, d_branch, d_shortcut, accumulate),
                ],
                &STEP,
            );
            let expected = reference::forward(&shape, activation, &STEP, &tensor(1), &tensor(2));
            assert_close(buffers.get(y), &expected, limit, &what);
            assert_padding_zero(buffers.get(y), shape.channels, real, &what);
            let (branch, mut shortcut) =
                reference::backward(&shape, activation, &STEP, buffers.get(y), &tensor(3));
            if accumulate {
                shortcut = plus(&shortcut, &tensor(4));
            }
            assert_close(buffers.get(d_branch), &branch, limit, &what);
            assert_close(buffers.get(d_shortcut), &shortcut, limit, &what);
        }
    }
}

#[test]
fn the_branch_is_normalized_as_it_is_read() {
    for element in elements() {
        let limit = tolerance::stored(element, tolerance::ELEMENTWISE);
        for (shape, real) in shapes() {
            let (pixels, c) = (shape.rows_per_image, shape.channels);
            let tensor =
                |stream| rounded(element, &padded(shape.images * pixels, c, real, -1.0, 1.0, stream));
            let segments = if shape.images > 1 { vec![1, shape.images - 1] } else { vec![1] };
            let state = uniform(segments.len() * 4 * c, 0.5, 1.5, 5);
            let normalized: Vec<f32> = tensor(2)
                .iter()
                .enumerate()
                .map(|(i, value)| {
                    let segment = usize::from(i / (pixels * c) >= segments[0]);
                    let at = segment * 4 * c + i % c;
                    state[at + 2 * c] * value + state[at + 3 * c]
                })
                .collect();
            let mut buffers = Buffers::default();
            let [shortcut, branch] = [1, 2].map(|s| buffers.add_stored(element, &tensor(s)));
            let state = buffers.add(&state);
            let y = buffers.scratch_stored(element, normalized.len());
            let norm = BranchNorm { state, segments: &segments };
            buffers.run_at(
                &[residual::forward(&shape, Activation::Relu, shortcut, branch, Some(norm), y)],
                &STEP,
            );
            let expected = reference::forward(&shape, Activation::Relu, &STEP, &tensor(1), &normalized);
            assert_close(buffers.get(y), &expected, limit, &format!("{element:?} {shape:?}"));
        }
    }
}

/// The loss scale looks for infinities: a sum beyond f16's range must become one, not the largest number.
#[test]
fn what_f16_cannot_hold_becomes_infinite() {
    if !elements().contains(&Element::F16) {
        println!("left out: the adapter has no f16");
        return;
    }
    let shape = ResidualShape {
        rows_per_image: 1,
        images: 1,
        channels: 4,
        drop_rate: 0.0,
        stream: 0,
        image_offset: 0,
    };
    let mut buffers = Buffers::default();
    let [shortcut, branch] = [[60_000.0, -60_000.0, 60_000.0, f32::NAN], [60_000.0, -60_000.0, 5_000.0, 1.0]]
        .map(|data| buffers.add_stored(Element::F16, &data));
    let y = buffers.scratch_stored(Element::F16, 4);
    buffers.run_at(&[residual::forward(&shape, Activation::None, shortcut, branch, None, y)], &STEP);
    let y = buffers.get(y);
    assert_eq!(y[..3], [f32::INFINITY, f32::NEG_INFINITY, 64_992.0]);
    assert!(y[3].is_nan());
}

/// The share of dropped images, and that a branch is either dropped whole or kept with its mean.
#[test]
fn drop_path_drops_whole_images_at_its_rate() {
    let shape = ResidualShape {
        rows_per_image: 3,
        images: 4000,
        channels: 4,
        drop_rate: 0.2,
        stream: 1,
        image_offset: 0,
    };
    let masks = reference::masks(&shape, &STEP);
    let dropped = masks.iter().filter(|m| **m == 0.0).count() as f64 / 4000.0;
    // Five standard deviations of a share of 4000.
    assert!((dropped - 0.2).abs() < 5.0 * (0.2_f64 * 0.8 / 4000.0).sqrt(), "{dropped}");
    let mut buffers = Buffers::default();
    let ones = vec![1.0; 4000 * 12];
    let (shortcut, branch, y) =
        (buffers.add(&vec![0.0; ones.len()]), buffers.add(&ones), buffers.scratch(ones.len()));
    buffers.run_at(&[residual::forward(&shape, Activation::None, shortcut, branch, None, y)], &STEP);
    for (image, values) in buffers.get(y).chunks(12).enumerate() {
        assert!(values.iter().all(|v| *v == masks[image]), "image {image}: {values:?}");
    }
}

/// Two halves with their offsets draw what the whole batch draws; another micro-batch draws otherwise.
#[test]
fn cutting_a_batch_does_not_change_the_draws() {
    let whole = ResidualShape {
        rows_per_image: 1,
        images: 64,
        channels: 4,
        drop_rate: 0.5,
        stream: 1,
        image_offset: 0,
    };
    let all = reference::masks(&whole, &STEP);
    let half = ResidualShape { images: 32, image_offset: 32, ..whole };
    assert_eq!(reference::masks(&half, &STEP), all[32..]);
    assert_ne!(reference::masks(&whole, &StepUniform { micro: 2, ..STEP }), all);
    assert_ne!(reference::masks(&whole, &StepUniform { step: 18, ..STEP }), all);
    assert_ne!(reference::masks(&ResidualShape { stream: 2, ..whole }, &STEP), all);
}
