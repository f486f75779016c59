//! Dynamic loss scaling: what is found, what is left out, how the scale moves.

use crate::support::{Buffers, assert_same_bits, uniform};
use dualprop::gpu::StepUniform;
use dualprop::kernels::cross_entropy::{self, LossShape, table_row};
use dualprop::kernels::loss_scale::{self, GROWTH_STEPS, LossScale};
use dualprop::kernels::optimizer::{self, ArenaRange, Group, Rule};
use dualprop::kernels::reference::loss_scale as reference;

const STATE: LossScale = LossScale { scale: 1024.0, good_steps: 5, overflow: 0, skipped: 2 };

/// The state on the device.
fn words(state: LossScale) -> [u32; loss_scale::STATE_WORDS] {
    [state.scale.to_bits(), state.good_steps, state.overflow, state.skipped, 0, 0, 0, 0]
}

/// State and gradients after a step over ranges of these gradients.
fn step(state: LossScale, ranges: &[Vec<f32>]) -> (LossScale, Vec<Vec<f32>>) {
    let mut buffers = Buffers::default();
    let views: Vec<_> = ranges.iter().map(|g| buffers.add(g)).collect();
    let held = buffers.add_words(&words(state));
    let mut launches: Vec<_> =
        ranges.iter().zip(&views).map(|(g, v)| loss_scale::check(g.len(), *v, held)).collect();
    launches.push(loss_scale::update(held));
    buffers.run(&launches);
    let after: Vec<u32> = buffers.get(held).iter().map(|f| f.to_bits()).collect();
    assert_eq!(after[4..], [0; 4], "nothing is left for the next step");
    let gradients = views.iter().map(|v| buffers.get(*v).to_vec()).collect();
    (LossScale::from_words(after[..4].try_into().unwrap()), gradients)
}

#[test]
fn one_bad_gradient_anywhere_leaves_the_step_out() {
    let good = [uniform(260, -1e4, 1e4, 1), uniform(70_004, -1.0, 1.0, 2), uniform(4, -1.0, 1.0, 3)];
    let (state, gradients) = step(STATE, &good);
    let (expected, unscaled) = reference::step(STATE, &good.concat());
    assert_eq!(state, expected);
    assert_same_bits(&gradients.concat(), &unscaled, "division by a power of two is exact");
    for bad in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
        for (range, at) in [(0, 0), (0, 259), (1, 35_001), (1, 70_003), (2, 2)] {
            let mut ranges = good.clone();
            ranges[range][at] = bad;
            let (state, _) = step(STATE, &ranges);
            let expected = LossScale { scale: 512.0, good_steps: 0, overflow: 1, skipped: 3 };
            assert_eq!(state, expected, "{bad} at {at} of range {range}");
            assert_eq!(reference::step(STATE, &ranges.concat()).0, expected);
        }
    }
}

#[test]
fn the_scale_doubles_after_enough_good_steps_and_stays_within_its_bounds() {
    let good = vec![uniform(64, -1.0, 1.0, 1)];
    let mut bad = good.clone();
    bad[0][7] = f32::INFINITY;
    let last = GROWTH_STEPS - 1;
    for (scale, good_steps, gradients) in [
        (1024.0, last - 1, &good),
        (1024.0, last, &good),
        (1024.0, last, &bad),
        (2.0_f32.powi(24), last, &good),
        (1.0, 3, &bad),
        (2.0_f32.powi(60), 0, &bad),
    ] {
        let state = LossScale { scale, good_steps, overflow: 1, skipped: 0 };
        let (next, _) = step(state, gradients);
        assert_eq!(next, reference::step(state, &gradients.concat()).0, "after {state:?}");
    }
}

#[test]
fn a_guarded_update_happens_only_without_an_overflow() {
    let rules = [
        Rule::Sgd { momentum: 0.9, nesterov: true },
        Rule::RmsProp { momentum: 0.9, decay: 0.9, eps: 1e-3 },
        Rule::AdamW { beta1: 0.9, beta2: 0.999, eps: 1e-8 },
    ];
    let at = StepUniform {
        lr: 0.1,
        grad_scale: 1.0,
        ema_rate: 0.1,
        bias_correction1: 0.1,
        bias_correction2: 0.001,
        ..Default::default()
    };
    let elements = 260;
    let range = ArenaRange { elements, first_block: 0 };
    let start = uniform(elements, 0.5, 1.0, 1);
    let run = |rule: &Rule, overflow: Option<u32>| {
        let mut buffers = Buffers::default();
        let [w, average] = [1, 2].map(|s| buffers.add(&uniform(elements, 0.5, 1.0, s)));
        // What an overflow leaves must not reach anything.
        let bad = overflow == Some(1);
        let g = buffers.add(&vec![if bad { f32::NAN } else { 0.25 }; elements]);
        let state: Vec<_> = rule.initial_state().iter().map(|_| buffers.add(&start)).collect();
        let table = buffers.add_words(&[0; 5]);
        let mut launches = vec![
            optimizer::update(rule, &range, &[Group::default()], w, g, &state, table),
            optimizer::ema(elements, average, w),
        ];
        if let Some(overflow) = overflow {
            let scale = buffers.add_words(&words(LossScale { overflow, ..STATE }));
            launches = launches.into_iter().map(|l| loss_scale::guard(l, scale)).collect();
        }
        buffers.run_at(&launches, &at);
        let all: Vec<f32> =
            [w, average].iter().chain(&state).flat_map(|v| buffers.get(*v).to_vec()).collect();
        all
    };
    for rule in rules {
        let untouched: Vec<f32> = [uniform(elements, 0.5, 1.0, 1), uniform(elements, 0.5, 1.0, 2)]
            .into_iter()
            .chain(rule.initial_state().iter().map(|_| start.clone()))
            .flatten()
            .collect();
        assert_same_bits(&run(&rule, Some(1)), &untouched, &format!("{rule:?} after an overflow"));
        let plain = run(&rule, None);
        assert_ne!(plain, untouched, "{rule:?}");
        assert_same_bits(&run(&rule, Some(0)), &plain, &format!("{rule:?}"));
    }
}

#[test]
fn the_scale_multiplies_the_gradient_of_the_loss_alone() {
    for classes in [10, 100] {
        let shape = LossShape { rows: 7, classes, smoothing: 0.1, negate: false };
        let logits = uniform(shape.rows * shape.padded_classes(), -5.0, 5.0, 1);
        let rows: Vec<u32> = (0..7).flat_map(|row| table_row(row, row + 1, 0.3, 0.125)).collect();
        let mut buffers = Buffers::default();
        let (vl, table, scale) =
            (buffers.add(&logits), buffers.add_words(&rows), buffers.add_words(&words(STATE)));
        let [plain, scaled] = [0; 2].map(|_| buffers.scratch(logits.len()));
        let [results, scaled_results] = [0; 2].map(|_| buffers.scratch(7 * 4));
        buffers.run(&[
            cross_entropy::cross_entropy(&shape, vl, table, results, Some(plain)),
            cross_entropy::scaled_cross_entropy(&shape, vl, table, scaled_results, scaled, scale),
        ]);
        let expected: Vec<f32> = buffers.get(plain).iter().map(|g| g * STATE.scale).collect();
        assert_same_bits(buffers.get(scaled), &expected, "gradient");
        assert_same_bits(buffers.get(scaled_results), buffers.get(results), "loss and hits");
    }
}
