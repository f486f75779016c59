//! Auto-PGD: what each image keeps, when its step is halved, and where it goes, as in the reference.

use crate::attack::{assert_in_ball, gradient, pixels, rows};
use crate::support::{Buffers, assert_close, assert_same_bits, tolerance, uniform};
use dualprop::gpu::Element;
use dualprop::kernels::apgd::{self, ApgdState, Checkpoints};
use dualprop::kernels::attack::AttackShape;
use dualprop::kernels::optimizer;
use dualprop::kernels::reference::apgd::Search;

#[test]
fn checkpoints_are_the_published_ones() {
    let of = |iterations| {
        let Checkpoints { first, shrink, least } = Checkpoints::published(iterations);
        [first, shrink, least]
    };
    assert_eq!(of(100), [22, 3, 6]);
    assert_eq!(of(20), [4, 1, 1]);
    assert_eq!(of(1), [1, 1, 1]);
    assert_eq!(of(1000), [220, 30, 60]);
}

/// Losses that rise, stand still and swing, so that images meet every rule; some passes find the network
/// wrong.
fn results(images: usize, pass: usize) -> Vec<f32> {
    let noise = uniform(images, -1.0, 1.0, 40 + pass as u32);
    let row = |image: usize| {
        let pass = pass as f32;
        let loss = match image % 4 {
            0 => 0.2 * pass - 1.0,
            1 => noise[image],
            2 => 1.0 - 0.01 * pass,
            _ => 0.1 * pass + noise[image],
        };
        let right = !image.is_multiple_of(3) || noise[image] < 0.7;
        [loss, f32::from(right), 1.0, 0.0]
    };
    (0..images).flat_map(row).collect()
}

#[test]
fn passes_match_the_reference_image_by_image() {
    const PASSES: usize = 25;
    let shapes = [
        AttackShape { images: 1, rows_per_image: 1 },
        AttackShape { images: 65, rows_per_image: 7 },
        AttackShape { images: 5, rows_per_image: 65 },
    ];
    let mut halved = 0;
    for (shape, epsilon) in shapes.into_iter().flat_map(|shape| [(shape, 4.0), (shape, 0.3)]) {
        let checkpoints = Checkpoints { first: 5, shrink: 1, least: 2 };
        let (n, image) = (rows(&shape), shape.rows_per_image * 4);
        let x = pixels(n, 1);
        let mut buffers = Buffers::default();
        let (clean, x_adv) = (buffers.add(&x), buffers.add(&x));
        let made = buffers.scratch(ApgdState::bytes(&shape) as usize / 4);
        let state = ApgdState::new(&shape, made.buffer);
        buffers.run(&[optimizer::zero(shape.images * 12, state.records)]);
        let mut searches = vec![Search::default(); shape.images];
        for pass in 0..PASSES {
            let what = format!("{shape:?} epsilon {epsilon} pass {pass}");
            let found = results(shape.images, pass);
            let along = gradient(Element::F32, n, pass as u32);
            let (results, slopes) = (buffers.add(&found), buffers.add(&along));
            // The reference goes on from the kernel's own points: a rounding must not add up.
            let mut expected = buffers.get(x_adv).to_vec();
            let check = apgd::check(&shape, &checkpoints, epsilon, results, &state);
            buffers.run(&[check, apgd::step(&shape, epsilon, clean, slopes, &state, x_adv)]);
            for (number, search) in searches.iter_mut().enumerate() {
                let of = number * image..(number + 1) * image;
                let hit = (found[number * 4], found[number * 4 + 1] > 0.5);
                let before = search.step;
                let (x, along) = (&x[of.clone()], &along[of.clone()]);
                search.pass(&checkpoints, epsilon, x, hit, along, &mut expected[of]);
                halved += usize::from(search.step < before);
            }
            assert_close(buffers.get(x_adv), &expected, tolerance::ELEMENTWISE, &what);
            assert_in_ball(buffers.get(x_adv), &x, epsilon);
            let held = buffers.get(made);
            let part = |view: dualprop::gpu::View| &held[view.offset as usize / 4..][..n * 4];
            for (number, search) in searches.iter().enumerate() {
                let of = number * image..(number + 1) * image;
                assert_same_bits(&part(state.best)[of.clone()], &search.best, &what);
                assert_same_bits(&part(state.result)[of], &search.result, &what);
                assert_eq!(held[number * 12].to_bits(), search.step.to_bits(), "{what}: step of {number}");
            }
        }
        assert!(shape.images == 1 || searches.iter().any(|s| s.fooled) && searches.iter().any(|s| !s.fooled));
    }
    assert!(halved > 100, "{halved} steps were halved");
}

#[test]
fn fewer_images_never_need_more_bytes_for_their_state() {
    for rows_per_image in [1, 15, 257, 50_176] {
        let bytes = |images| ApgdState::bytes(&AttackShape { images, rows_per_image });
        assert!((1..64).all(|images| bytes(images) < bytes(images + 1)), "{rows_per_image} pixels");
    }
}
