//! Attacks: same numbers as the reference bit by bit, and never outside the ball and the image range.

use crate::support::{
    Buffers, assert_close, assert_padding_zero, assert_same_bits, elements, padded, rounded, tolerance,
    uniform, with_elements,
};
use dualprop::gpu::{BufferId, Element, StepUniform};
use dualprop::kernels::attack::{self, AttackShape, AttackStep, Momentum, RandomStart};
use dualprop::kernels::optimizer;
use dualprop::kernels::reference::attack as reference;
use proptest::prelude::*;

const SHAPES: [AttackShape; 4] = [
    AttackShape { images: 1, rows_per_image: 1 },
    AttackShape { images: 3, rows_per_image: 49 },
    AttackShape { images: 2, rows_per_image: 65 },
    AttackShape { images: 63, rows_per_image: 9 },
];

pub(crate) fn rows(shape: &AttackShape) -> usize {
    shape.images * shape.rows_per_image
}

/// As real numbers |x' - x| <= epsilon (f64 holds the difference of two pixels exactly), 0 <= x' <= 255, and
/// the padding is 0.
#[track_caller]
pub(crate) fn assert_in_ball(x_adv: &[f32], x: &[f32], epsilon: f32) {
    for (i, (a, x)) in x_adv.iter().zip(x).enumerate() {
        assert!(
            (f64::from(*a) - f64::from(*x)).abs() <= f64::from(epsilon),
            "element {i}: {a:e} around {x:e}"
        );
        assert!((0.0..=255.0).contains(a), "element {i}: {a}");
        assert!(i % 4 != 3 || *a == 0.0, "padded element {i}: {a}");
    }
}

/// Clean pixels: most in between, some at the ends of the range, some whole numbers.
pub(crate) fn pixels(rows: usize, stream: u32) -> Vec<f32> {
    let mut x = padded(rows, 4, 3, -20.0, 275.0, stream);
    for (i, v) in x.iter_mut().enumerate() {
        *v = if i % 5 == 0 { v.round() } else { *v }.clamp(0.0, 255.0);
    }
    x
}

fn start(shape: &AttackShape, epsilon: f32, at: &StepUniform, x: &[f32], ids: &[u32]) -> Vec<f32> {
    let mut buffers = Buffers::default();
    let (view, ids, out) = (buffers.add(x), buffers.add_words(ids), buffers.scratch(x.len()));
    buffers.run_at(&[attack::random_start(shape, &noise(epsilon, 1.0), view, ids, out)], at);
    buffers.get(out).to_vec()
}

fn noise(epsilon: f32, probability: f32) -> RandomStart {
    RandomStart { epsilon, probability, stream: 6 }
}

#[test]
fn that_share_of_the_images_starts_from_noise() {
    let at = StepUniform { seed: 8, step: 3, ..Default::default() };
    let shape = AttackShape { images: 400, rows_per_image: 1 };
    let x = vec![[100.0, 120.0, 140.0, 0.0]; 400].concat();
    let ids: Vec<u32> = (0..400).collect();
    for (probability, most, least) in [(0.0, 0, 0), (0.3, 150, 90), (1.0, 400, 400)] {
        let mut buffers = Buffers::default();
        let (view, words, out) = (buffers.add(&x), buffers.add_words(&ids), buffers.scratch(x.len()));
        let start = noise(4.0, probability);
        buffers.run_at(&[attack::random_start(&shape, &start, view, words, out)], &at);
        let moved = buffers.get(out).chunks(4).zip(x.chunks(4)).filter(|(a, x)| a != x).count();
        assert!((least..=most).contains(&moved), "{probability}: {moved} of 400 moved");
        let expected = reference::random_start(&shape, &start, &at, &x, &ids);
        assert_close(buffers.get(out), &expected, tolerance::ELEMENTWISE, "start");
    }
}

#[test]
fn starts_match_the_reference_and_stay_in_the_ball() {
    let at = StepUniform { seed: 8, step: 3, micro: 1, ..Default::default() };
    for shape in SHAPES {
        let x = pixels(rows(&shape), 1);
        let ids: Vec<u32> = (0..shape.images as u32).map(|i| i * 7 + 100_000).collect();
        for epsilon in [1.0, 4.0, 0.3, 16.0] {
            let x_adv = start(&shape, epsilon, &at, &x, &ids);
            assert_in_ball(&x_adv, &x, epsilon);
            let expected = reference::random_start(&shape, &noise(epsilon, 1.0), &at, &x, &ids);
            let off = x_adv.iter().zip(&expected).filter(|(a, e)| (*a - *e).abs() > 1e-4).count();
            assert_eq!(off, 0, "{shape:?} epsilon {epsilon}");
            let moved = x_adv.iter().zip(&x).filter(|(a, x)| a != x).count();
            assert!(moved * 4 > x.len(), "{shape:?}: only {moved} elements moved");
        }
        let mut buffers = Buffers::default();
        let (view, out) = (buffers.add(&x), buffers.scratch(x.len()));
        buffers.run(&[attack::plain_start(&shape, view, out)]);
        assert_same_bits(buffers.get(out), &x, "copy");
    }
}

/// What an image's start is depends on its id alone, not on its place or its batch.
#[test]
fn a_start_does_not_depend_on_the_batch() {
    let at = StepUniform { seed: 8, ..Default::default() };
    let shape = AttackShape { images: 3, rows_per_image: 49 };
    let x = pixels(rows(&shape), 1);
    let whole = start(&shape, 4.0, &at, &x, &[5, 6, 7]);
    let alone = AttackShape { images: 1, ..shape };
    let image = 49 * 4;
    assert_same_bits(&start(&alone, 4.0, &at, &x[image..2 * image], &[6]), &whole[image..2 * image], "id 6");
    assert_ne!(start(&alone, 4.0, &at, &x[image..2 * image], &[5]), whole[image..2 * image]);
    let deltas = |image_x: &[f32], x_adv: &[f32]| -> Vec<i32> {
        image_x.iter().zip(x_adv).map(|(x, a)| ((a - x) * 1000.0) as i32).collect()
    };
    assert_ne!(
        deltas(&x[..image], &whole[..image]),
        deltas(&x[image..2 * image], &whole[image..2 * image]),
        "two images draw differently"
    );
}

fn steps(
    element: Element,
    shape: &AttackShape,
    step: &AttackStep,
    x: &[f32],
    gradients: &[Vec<f32>],
    start: &[f32],
) -> Vec<f32> {
    let gradient_row = 5;
    let mut buffers = Buffers::default();
    let (view, x_adv) = (buffers.add(x), buffers.add(start));
    let launches: Vec<_> = gradients
        .iter()
        .map(|g| {
            let padded = [vec![9.0; gradient_row * 4], g.clone()].concat();
            let g = buffers.add_stored(element, &padded);
            attack::step(shape, step, view, g, gradient_row, x_adv)
        })
        .collect();
    buffers.run(&launches);
    buffers.get(x_adv).to_vec()
}

/// Gradients with zeros of both signs; the padded channel holds rubbish, which must not move it. Tiny ones in
/// f32; f16's smallest ones are left out, which an adapter may take for zeros.
pub(crate) fn gradient(element: Element, rows: usize, stream: u32) -> Vec<f32> {
    let zeroed = |(i, v): (usize, f32)| match (i % 11, element) {
        (3, _) => 0.0,
        (7, _) => -0.0,
        (_, Element::F32) => v * 1e-20,
        (_, Element::F16) => v + 1e-3_f32.copysign(v),
    };
    let values: Vec<f32> = uniform(rows * 4, -1.0, 1.0, stream).into_iter().enumerate().map(zeroed).collect();
    rounded(element, &values)
}

#[test]
fn steps_match_the_reference_bit_by_bit() {
    for (shape, element) in with_elements(SHAPES) {
        let n = rows(&shape);
        let x = pixels(n, 1);
        let gradients: Vec<Vec<f32>> = (2..5).map(|s| gradient(element, n, s)).collect();
        for (epsilon, size, project) in
            [(4.0, 1.0, true), (1.0, 1.0, true), (0.3, -0.7, true), (2.0, 1.5, false), (0.1, 0.37, true)]
        {
            let step = AttackStep { epsilon, size, project };
            let x_adv = steps(element, &shape, &step, &x, &gradients, &x);
            let mut expected = x.clone();
            for g in &gradients {
                reference::step(&step, &x, g, &mut expected);
            }
            assert_same_bits(&x_adv, &expected, &format!("{element:?} {shape:?} {step:?}"));
            if project {
                assert_in_ball(&x_adv, &x, epsilon);
            } else {
                let far = x_adv.iter().zip(&x).any(|(a, x)| (a - x).abs() > epsilon);
                assert!(far || n == 1, "GD leaves the ball");
                assert!(x_adv.iter().all(|v| (0.0..=255.0).contains(v)), "GD stays in the image range");
            }
        }
    }
}

/// The momentum and the pixels after each of `gradients`, in turn along the momentum.
fn with_momentum(
    element: Element,
    shape: &AttackShape,
    step: &AttackStep,
    decay: f32,
    x: &[f32],
    gradients: &[Vec<f32>],
) -> Vec<[Vec<f32>; 2]> {
    let gradient_row = 5;
    let mut buffers = Buffers::default();
    let (view, x_adv) = (buffers.add(x), buffers.add(x));
    let made = buffers.scratch(Momentum::bytes(shape) as usize / 4);
    let momentum = Momentum::new(shape, made.buffer);
    buffers.run(&[optimizer::zero(x.len(), momentum.gradient)]);
    let iteration = |gradient: &Vec<f32>| {
        let padded = [vec![9.0; gradient_row * 4], gradient.clone()].concat();
        let gradient = buffers.add_stored(element, &padded);
        let [sums, add] = attack::accumulate(shape, decay, gradient, gradient_row, &momentum);
        buffers.run(&[sums, add, attack::step(shape, step, view, momentum.gradient, 0, x_adv)]);
        [buffers.get(made)[..x.len()].to_vec(), buffers.get(x_adv).to_vec()]
    };
    gradients.iter().map(iteration).collect()
}

/// One slice and several, the last of them shorter; more images than one.
const MOMENTUM_SHAPES: [AttackShape; 4] = [
    AttackShape { images: 1, rows_per_image: 1 },
    AttackShape { images: 3, rows_per_image: 65 },
    AttackShape { images: 2, rows_per_image: 833 },
    AttackShape { images: 2, rows_per_image: 4613 },
];

#[test]
fn momentum_matches_the_reference_and_steps_follow_it() {
    for (shape, element) in with_elements(MOMENTUM_SHAPES) {
        let n = rows(&shape);
        let x = pixels(n, 1);
        let mut gradients: Vec<Vec<f32>> = (2..5).map(|s| gradient(element, n, s)).collect();
        // Images differ in the size of their gradients, and the mean makes up for that.
        for (i, g) in gradients[1].iter_mut().enumerate() {
            *g *= if i / 4 < shape.rows_per_image { 0.125 } else { 4.0 };
        }
        gradients[1] = rounded(element, &gradients[1]);
        for (decay, size) in [(1.0, 1.0), (0.5, -0.7), (0.0, 1.5)] {
            let what = format!("{element:?} {shape:?} decay {decay}");
            let step = AttackStep { epsilon: 2.0, size, project: true };
            let (mut expected, mut expected_x) = (vec![0.0; n * 4], x.clone());
            for ([momentum, x_adv], gradient) in
                with_momentum(element, &shape, &step, decay, &x, &gradients).iter().zip(&gradients)
            {
                reference::accumulate(&shape, decay, gradient, &mut expected);
                assert_close(momentum, &expected, tolerance::SUM, &what);
                assert_padding_zero(momentum, 4, 3, &what);
                // The signs of what is within rounding of zero are the kernel's own.
                reference::step(&step, &x, momentum, &mut expected_x);
                assert_same_bits(x_adv, &expected_x, &what);
                assert_in_ball(x_adv, &x, step.epsilon);
            }
        }
    }
}

/// A zero gradient moves nothing, and one that is not finite, as after an overflow, does not stay in the
/// momentum.
#[test]
fn an_image_without_a_gradient_adds_nothing_to_its_momentum() {
    let shape = AttackShape { images: 3, rows_per_image: 833 };
    let (n, image) = (rows(&shape), 833 * 4);
    let x = pixels(n, 1);
    let step = AttackStep { epsilon: 4.0, size: 1.0, project: true };
    for element in elements() {
        let full = gradient(element, n, 2);
        for nothing in [0.0, -0.0, f32::NAN, f32::INFINITY] {
            let mut holed = full.clone();
            if nothing == 0.0 {
                // The padding still holds rubbish.
                let colours = holed[image..2 * image].iter_mut().enumerate().filter(|(i, _)| i % 4 != 3);
                colours.for_each(|(_, g)| *g = nothing);
            } else {
                holed[image + 4 * 700] = nothing;
            }
            let gradients = [holed, full.clone(), vec![0.0; n * 4]];
            let found = with_momentum(element, &shape, &step, 0.5, &x, &gradients);
            let what = format!("{element:?} {nothing}");
            let [first, then, last] = &found[..] else { panic!("three iterations") };
            assert!(first[0][image..2 * image].iter().all(|m| *m == 0.0), "{what}: a momentum");
            assert_same_bits(&first[1][image..2 * image], &x[image..2 * image], &what);
            assert!(first[0][..image].iter().any(|m| *m != 0.0), "{what}: the other images have one");
            let mut expected = vec![0.0; n * 4];
            reference::accumulate(&shape, 0.5, &full, &mut expected);
            assert_close(&then[0][image..2 * image], &expected[image..2 * image], tolerance::SUM, &what);
            let half: Vec<f32> = then[0].iter().map(|m| 0.5 * m).collect();
            assert_same_bits(&last[0], &half, &what);
        }
    }
}

/// The loss scale cancels, and what is beside an image does not reach it.
#[test]
fn a_momentum_knows_neither_the_scale_of_the_loss_nor_the_batch() {
    let shape = AttackShape { images: 3, rows_per_image: 833 };
    let (n, image) = (rows(&shape), 833 * 4);
    let x = pixels(n, 1);
    let step = AttackStep { epsilon: 4.0, size: 1.0, project: true };
    for element in elements() {
        let plain = [gradient(element, n, 2), gradient(element, n, 3)];
        let scaled = plain.clone().map(|g| g.iter().map(|v| v * 1024.0).collect::<Vec<_>>());
        let alone = plain.clone().map(|g| g[image..2 * image].to_vec());
        let found = with_momentum(element, &shape, &step, 0.9, &x, &plain);
        let with_scale = with_momentum(element, &shape, &step, 0.9, &x, &scaled);
        let one = AttackShape { images: 1, ..shape };
        let by_itself = with_momentum(element, &one, &step, 0.9, &x[image..2 * image], &alone);
        for ((found, scaled), alone) in found.iter().zip(&with_scale).zip(&by_itself) {
            assert_close(&scaled[0], &found[0], tolerance::ELEMENTWISE, "scaled");
            for (found, alone) in found.iter().zip(alone) {
                assert_same_bits(alone, &found[image..2 * image], "alone");
            }
        }
    }
}

#[test]
fn fewer_images_never_need_more_bytes_for_their_momentum() {
    for rows_per_image in [1, 15, 256, 257, 50_176] {
        let bytes = |images| Momentum::bytes(&AttackShape { images, rows_per_image });
        assert!((1..64).all(|images| bytes(images) < bytes(images + 1)), "{rows_per_image} pixels");
        let shape = AttackShape { images: 3, rows_per_image };
        let Momentum { gradient, sums } = Momentum::new(&shape, BufferId(0));
        assert!(sums.offset >= gradient.size && sums.offset % 256 == 0, "{rows_per_image} pixels");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

    #[test]
    fn never_leaves_the_ball(
        epsilon in prop_oneof![0.0_f32..20.0, Just(1.0), Just(4.0), 0.0_f32..1e-3],
        size in -30.0_f32..30.0,
        seed in any::<u32>(),
        scale in prop_oneof![Just(1.0_f32), Just(1e-3), Just(1e-38)],
    ) {
        let shape = AttackShape { images: 3, rows_per_image: 65 };
        let n = rows(&shape);
        let x: Vec<f32> = pixels(n, seed).iter().map(|v| v * scale).collect();
        let at = StepUniform { seed, ..Default::default() };
        let x_adv = start(&shape, epsilon, &at, &x, &[1, 2, 3]);
        assert_in_ball(&x_adv, &x, epsilon);
        let step = AttackStep { epsilon, size, project: true };
        let gradients = [gradient(Element::F32, n, seed), gradient(Element::F32, n, seed ^ 1)];
        let x_adv = steps(Element::F32, &shape, &step, &x, &gradients, &x_adv);
        assert_in_ball(&x_adv, &x, epsilon);
    }

    /// The bounds themselves, on the CPU, where many more cases are cheap: inside, and no float further out
    /// is.
    #[test]
    fn bounds_are_the_outermost_floats_of_the_ball(x in 0.0_f32..=255.0, epsilon in 1e-6_f32..20.0) {
        let (real_x, real) = (f64::from(x), f64::from(epsilon));
        let high = reference::ball_high(x, epsilon);
        prop_assert!(f64::from(high) - real_x <= real);
        prop_assert!(high == 255.0 || f64::from(high.next_up()) - real_x > real);
        let low = reference::ball_low(x, epsilon);
        prop_assert!(real_x - f64::from(low) <= real);
        prop_assert!(low == 0.0 || real_x - f64::from(low.next_down()) > real);
    }
}
