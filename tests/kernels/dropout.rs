//! Dropout: the backward pass repeats the mask, and cutting a batch does not change it.

use crate::support::{Buffers, assert_same_bits, uniform};
use dualprop::gpu::StepUniform;
use dualprop::kernels::dropout::{self, DropoutShape};
use dualprop::kernels::reference::dropout as reference;

const SHAPE: DropoutShape = DropoutShape { images: 7, features: 132, rate: 0.3, stream: 9, image_offset: 0 };

fn gpu(shape: &DropoutShape, step: &StepUniform, input: &[f32]) -> Vec<f32> {
    let mut buffers = Buffers::default();
    let (x, y) = (buffers.add(input), buffers.scratch(input.len()));
    buffers.run_at(&[dropout::forward(shape, x, y)], step);
    buffers.get(y).to_vec()
}

#[test]
fn forward_and_backward_share_a_mask_of_the_right_rate() {
    let step = StepUniform { seed: 3, step: 4, ..Default::default() };
    let input = uniform(7 * 132, 0.5, 1.5, 1);
    let output = gpu(&SHAPE, &step, &input);
    assert_same_bits(&output, &reference::apply(&SHAPE, &step, &input), "output");
    let mut buffers = Buffers::default();
    let dy = uniform(7 * 132, 0.5, 1.5, 2);
    let (vdy, dx) = (buffers.add(&dy), buffers.scratch(dy.len()));
    buffers.run_at(&[dropout::backward(&SHAPE, vdy, dx)], &step);
    for (i, (y, dx)) in output.iter().zip(buffers.get(dx)).enumerate() {
        assert_eq!(*y == 0.0, *dx == 0.0, "element {i}");
    }
    let dropped = output.iter().filter(|v| **v == 0.0).count() as f64 / output.len() as f64;
    // Five standard deviations of a share of 924.
    assert!((dropped - 0.3).abs() < 5.0 * (0.3_f64 * 0.7 / 924.0).sqrt(), "{dropped}");
}

#[test]
fn cutting_a_batch_does_not_change_the_mask() {
    let step = StepUniform { seed: 3, step: 4, ..Default::default() };
    let input = uniform(7 * 132, 0.5, 1.5, 1);
    let whole = gpu(&SHAPE, &step, &input);
    let tail = DropoutShape { images: 3, image_offset: 4, ..SHAPE };
    assert_same_bits(&gpu(&tail, &step, &input[4 * 132..]), &whole[4 * 132..], "tail");
    assert_ne!(gpu(&SHAPE, &StepUniform { micro: 1, ..step }, &input), whole);
}
