//! Crop, flip, normalisation, mixup and CutMix.

use crate::support::{Buffers, assert_close, assert_same_bits, padded, tolerance, with_elements};
use dualprop::kernels::images::{self, Normalization, cutmix_rows, mixup_row, placement};
use dualprop::kernels::reference::images as reference;
use dualprop::kernels::reference::random::random_u32;

#[test]
fn prepare_crops_flips_and_unpacks_exactly() {
    for size in [1, 3, 7, 16, 33] {
        let shift = size as i32;
        let placements = [
            placement(0, 0, 0, false),
            placement(4, 0, 0, true),
            placement(2, 1, -2, false),
            placement(3, -1, 2, true),
            // An image may come twice, and one not at all.
            placement(2, shift, 0, true),
        ];
        let bytes: Vec<u8> =
            (0..placements.len() * size * size * 3).map(|i| random_u32(1, 2, 3, i as u32) as u8).collect();
        let mut buffers = Buffers::default();
        let words = buffers.add_words(&reference::pack_bytes(&bytes));
        let table: Vec<u32> = placements.iter().flatten().map(|v| *v as u32).collect();
        let table = buffers.add_words(&table);
        let pixels = buffers.scratch(placements.len() * size * size * 4);
        buffers.run(&[images::prepare(placements.len(), size, words, table, pixels)]);
        let expected = reference::prepare(size, &bytes, &placements);
        assert_same_bits(buffers.get(pixels), &expected, &format!("size {size}"));
    }
}

/// One row of three pixels, by hand: the shift counts on the flipped image.
#[test]
fn placement_shifts_the_flipped_image() {
    let bytes: Vec<u8> = (1..=27).collect();
    let red = |place| {
        let pixels = reference::prepare(3, &bytes, &[place]);
        [pixels[0], pixels[4], pixels[8]]
    };
    assert_eq!(red(placement(0, 0, 0, false)), [1.0, 4.0, 7.0]);
    assert_eq!(red(placement(0, 1, 0, false)), [4.0, 7.0, 0.0]);
    assert_eq!(red(placement(0, 0, 0, true)), [7.0, 4.0, 1.0]);
    assert_eq!(red(placement(0, 1, 0, true)), [4.0, 1.0, 0.0]);
    assert_eq!(red(placement(0, 0, 1, false)), [10.0, 13.0, 16.0]);
}

#[test]
fn normalize_writes_at_its_row_only() {
    let normalization = Normalization { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
    let cases = with_elements([(1, 0), (63, 7), (65, 1)]);
    for ((rows, out_row), element) in cases {
        let pixels = padded(rows, 4, 3, 0.0, 255.0, 1);
        let mut buffers = Buffers::default();
        let (view, input) = (buffers.add(&pixels), buffers.scratch_stored(element, (rows + 9) * 4));
        buffers.run(&[images::normalize(rows, &normalization, view, input, out_row)]);
        let input = buffers.get(input);
        let part = out_row * 4..(out_row + rows) * 4;
        let expected = reference::normalize(&normalization, &pixels);
        let limit = tolerance::stored(element, tolerance::ELEMENTWISE);
        assert_close(&input[part.clone()], &expected, limit, &format!("{element:?}"));
        let outside = |(i, v): (usize, &f32)| part.contains(&i) || *v == 777.0;
        assert!(input.iter().enumerate().all(outside), "other rows are left alone");
    }
}

#[test]
fn mixup_mixes_and_copies() {
    for rows in [1, 7, 65] {
        let mut x = padded(5 * rows, 4, 3, 0.0, 255.0, 1);
        let table = [(0, 3, 0.3), (2, 4, 1.0), (1, 1, 0.5), (4, 0, 0.0)];
        // A copied row must not read its partner into itself.
        x[4 * rows * 4..].fill(1e38);
        let mut buffers = Buffers::default();
        let view = buffers.add(&x);
        let words: Vec<u32> = table.iter().flat_map(|(a, b, l)| mixup_row(*a, *b, *l)).collect();
        let words = buffers.add_words(&words);
        let out = buffers.scratch(table.len() * rows * 4);
        buffers.run(&[images::mixup(table.len(), rows, view, words, out)]);
        let table = table.map(|(a, b, l)| (a as usize, b as usize, l));
        let expected = reference::mixup(rows * 4, &x, &table);
        for (i, (actual, expected)) in
            buffers.get(out).chunks(rows * 4).zip(expected.chunks(rows * 4)).enumerate()
        {
            assert_close(actual, expected, tolerance::ELEMENTWISE, &format!("{rows} rows, image {i}"));
        }
        let copied = &buffers.get(out)[rows * 4..2 * rows * 4];
        assert_same_bits(copied, &x[2 * rows * 4..3 * rows * 4], "lambda 1");
    }
}

#[test]
fn cutmix_puts_a_box_of_the_partner_into_an_image() {
    for size in [1, 7, 9] {
        let x = padded(3 * size * size, 4, 3, 0.0, 255.0, 1);
        let side = size as u32;
        let boxes = [
            [0, 0, side, side],
            [1, 0, side, side.div_ceil(2)],
            [0, 0, 0, 0],
            [side / 2, side / 3, side, side],
        ];
        let table: Vec<(u32, u32, [u32; 4])> =
            vec![(0, 1, boxes[0]), (2, 0, boxes[1]), (1, 2, boxes[2]), (0, 2, boxes[3])];
        let words: Vec<u32> = table.iter().flat_map(|(s, p, b)| cutmix_rows(*s, *p, *b).concat()).collect();
        let mut buffers = Buffers::default();
        let (view, words) = (buffers.add(&x), buffers.add_words(&words));
        let out = buffers.scratch(table.len() * size * size * 4);
        buffers.run(&[images::cutmix(table.len(), size, view, words, out)]);
        let table: Vec<_> =
            table.iter().map(|(s, p, b)| (*s as usize, *p as usize, b.map(|v| v as usize))).collect();
        assert_same_bits(buffers.get(out), &reference::cutmix(size, &x, &table), &format!("size {size}"));
    }
}
