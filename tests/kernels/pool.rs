//! Pooling, and the sum behind it and behind bias gradients.

use crate::support::{
    Buffers, assert_close, assert_padding_zero, assert_same_bits, elements, padded, plus, rounded, tolerance,
};
use dualprop::gpu::Element;
use dualprop::kernels::ImageShape;
use dualprop::kernels::column_sum;
use dualprop::kernels::fusion::Fusion;
use dualprop::kernels::pool::{self, MaxPoolShape};
use dualprop::kernels::reference;

/// (shape, channels that are not padding): all three ways to share a sum among threads.
pub(crate) fn image_shapes() -> Vec<(ImageShape, usize)> {
    let shape = |images, rows_per_image, channels| ImageShape { images, rows_per_image, channels };
    vec![
        (shape(1, 1, 4), 1),
        (shape(3, 7, 8), 7),
        (shape(7, 63, 68), 65),
        (shape(2, 65, 4), 3),
        (shape(3, 1025, 12), 10),
        (shape(65, 81, 256), 255),
        (shape(65, 65, 1028), 1027),
    ]
}

#[test]
fn global_average_matches_the_reference() {
    elements().into_iter().for_each(check_global_average);
}

fn check_global_average(element: Element) {
    for (shape, real) in image_shapes() {
        let rows = shape.images * shape.rows_per_image;
        let x = rounded(element, &padded(rows, shape.channels, real, -1.0, 3.0, 1));
        let dy = padded(shape.images, shape.channels, real, -1.0, 1.0, 2);
        for accumulate in [false, true] {
            let what = format!("{element:?} {shape:?} accumulate {accumulate}");
            let mut buffers = Buffers::default();
            let [vx, dx] = [0; 2].map(|_| buffers.add_stored(element, &x));
            let (vdy, y) = (buffers.add(&dy), buffers.scratch(dy.len()));
            buffers.run(&[
                pool::global_average(&shape, vx, y, &Fusion::NONE),
                pool::global_average_backward(&shape, vdy, dx, accumulate, &Fusion::NONE),
            ]);
            assert_close(buffers.get(y), &reference::pool::global_average(&shape, &x), tolerance::SUM, &what);
            assert_padding_zero(buffers.get(y), shape.channels, real, &what);
            let mut expected = reference::pool::global_average_backward(&shape, &dy);
            if accumulate {
                expected = plus(&expected, &x);
            }
            let limit = tolerance::stored(element, tolerance::ELEMENTWISE);
            assert_close(buffers.get(dx), &expected, limit, &what);
        }
    }
}

#[test]
fn column_sums_are_added() {
    for (rows, channels) in [(1, 4), (3, 8), (63, 12), (65, 1000), (1500, 4)] {
        let dy = padded(rows, channels, channels, -1.0, 3.0, 1);
        let mut db = padded(1, channels, channels, -1.0, 1.0, 2);
        let mut buffers = Buffers::default();
        let (vdy, vdb) = (buffers.add(&dy), buffers.add(&db));
        buffers.run(&[column_sum::column_sum(rows, channels, vdy, vdb)]);
        reference::column_sum::column_sum(&dy, &mut db);
        assert_close(buffers.get(vdb), &db, tolerance::SUM, &format!("{rows} x {channels}"));
    }
}

fn max_pool_shapes() -> Vec<MaxPoolShape> {
    let shape = |images, height, width, channels, kernel, stride, pad| MaxPoolShape {
        images,
        height,
        width,
        channels,
        kernel,
        stride,
        pad,
    };
    vec![
        shape(1, 1, 1, 4, 3, 2, 1),
        shape(2, 7, 9, 8, 3, 2, 1),
        shape(3, 8, 6, 4, 3, 2, 1),
        shape(2, 5, 7, 12, 2, 2, 0),
        shape(1, 9, 8, 4, 5, 1, 2),
        shape(1, 10, 11, 4, 2, 3, 1),
    ]
}

/// Values on a coarse grid, so that most windows hold their maximum several times; f16 holds them exactly.
#[test]
fn max_pool_matches_the_reference_with_ties() {
    elements().into_iter().for_each(check_max_pool);
}

fn check_max_pool(element: Element) {
    for shape in max_pool_shapes() {
        let rows = shape.images * shape.height * shape.width;
        let out_rows = shape.images * shape.out_height() * shape.out_width();
        for levels in [2.0, 1000.0] {
            // All negative: the padding, were it zero, would win.
            let x: Vec<f32> = padded(rows, shape.channels, shape.channels, 0.0, 1.0, 1)
                .iter()
                .map(|v| (v * levels).floor() - 2.0 * levels)
                .collect();
            let tensor = |rows, stream| {
                rounded(element, &padded(rows, shape.channels, shape.channels, -1.0, 1.0, stream))
            };
            let (dy, before) = (tensor(out_rows, 2), tensor(rows, 3));
            for accumulate in [false, true] {
                let what = format!("{element:?} {shape:?} levels {levels} accumulate {accumulate}");
                let mut buffers = Buffers::default();
                let [vx, vdy, dx] = [&x, &dy, &before].map(|data| buffers.add_stored(element, data));
                let y = buffers.scratch_stored(element, dy.len());
                buffers.run(&[
                    pool::max_pool(&shape, vx, y),
                    pool::max_pool_backward(&shape, vx, y, vdy, dx, accumulate),
                ]);
                assert_same_bits(buffers.get(y), &reference::pool::max_pool(&shape, &x), &what);
                let mut expected = reference::pool::max_pool_backward(&shape, &x, &dy);
                if accumulate {
                    expected = plus(&expected, &before);
                }
                let limit = tolerance::stored(element, tolerance::ELEMENTWISE);
                assert_close(buffers.get(dx), &expected, limit, &what);
            }
        }
    }
}

/// PyTorch's rule, written out: among equal values the first in scan order has the gradient.
#[test]
fn the_first_of_equal_maxima_has_the_gradient() {
    let shape = MaxPoolShape { images: 1, height: 3, width: 3, channels: 4, kernel: 3, stride: 2, pad: 1 };
    let mut buffers = Buffers::default();
    let (x, dy) = (buffers.add(&[5.0; 36]), buffers.add(&[1.0; 16]));
    let (y, dx) = (buffers.scratch(16), buffers.scratch(36));
    buffers.run(&[pool::max_pool(&shape, x, y), pool::max_pool_backward(&shape, x, y, dy, dx, false)]);
    let first_channel: Vec<f32> = buffers.get(dx).iter().step_by(4).copied().collect();
    assert_eq!(first_channel, [1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
}
