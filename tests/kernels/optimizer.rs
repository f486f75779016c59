//! Optimizers, EMA and clipping over flat arenas.

use crate::support::{Buffers, assert_close, assert_same_bits, tolerance, uniform};
use dualprop::gpu::StepUniform;
use dualprop::kernels::optimizer::{self, ArenaRange, Group, Rule};
use dualprop::kernels::reference::optimizer::{self as reference, Arena};

const RULES: [Rule; 5] = [
    Rule::Sgd { momentum: 0.9, nesterov: false },
    Rule::Sgd { momentum: 0.9, nesterov: true },
    Rule::Sgd { momentum: 0.0, nesterov: false },
    Rule::RmsProp { momentum: 0.9, decay: 0.9, eps: 1e-3 },
    Rule::AdamW { beta1: 0.9, beta2: 0.999, eps: 1e-8 },
];

const GROUPS: [Group; 3] = [
    Group { weight_decay: 0.0, grad_scale: 1.0, lr_scale: 1.0 },
    Group { weight_decay: 0.05, grad_scale: 0.5, lr_scale: 1.0 },
    Group { weight_decay: 1e-4, grad_scale: 1.0, lr_scale: 2.0 },
];

fn step_at(t: u32) -> StepUniform {
    StepUniform {
        step: t,
        first_step: u32::from(t == 0),
        lr: 0.1 / (1 + t) as f32,
        grad_scale: 0.5,
        ema_rate: 0.1,
        bias_correction1: (1.0 - 0.9_f64.powi(t as i32 + 1)) as f32,
        bias_correction2: (1.0 - 0.999_f64.powi(t as i32 + 1)) as f32,
        ..Default::default()
    }
}

/// Several updates, with the range in the middle of the table as a cut arena has it.
#[test]
fn updates_match_the_reference() {
    for rule in RULES {
        for elements in [4_usize, 64, 260, 1028] {
            let what = format!("{rule:?} {elements}");
            let first_block = 3;
            let table: Vec<u32> = (0..first_block + elements.div_ceil(64)).map(|b| b as u32 % 3).collect();
            let range = ArenaRange { elements, first_block: first_block as u32 };
            let weights = uniform(elements, -1.0, 1.0, 1);
            let mut arena = Arena {
                weights: weights.iter().map(|w| f64::from(*w)).collect(),
                state: rule.initial_state().iter().map(|v| vec![f64::from(*v); elements]).collect(),
            };
            let mut buffers = Buffers::default();
            let w = buffers.add(&weights);
            // SGD's buffer may hold anything before the first step.
            let start = |v: &f32| if matches!(rule, Rule::Sgd { .. }) { 777.0 } else { *v };
            let state: Vec<_> =
                rule.initial_state().iter().map(|v| buffers.add(&vec![start(v); elements])).collect();
            let words = buffers.add_words(&table);
            for t in 0..4 {
                let gradient = uniform(elements, -1.0, 1.0, 10 + t);
                let g = buffers.add(&gradient);
                let launch = optimizer::update(&rule, &range, &GROUPS, w, g, &state, words);
                buffers.run_at(&[launch], &step_at(t));
                reference::update(&rule, &GROUPS, &step_at(t), &table[first_block..], &gradient, &mut arena);
                assert_same_bits(buffers.get(g), &gradient, "the gradient is only read");
            }
            let expected: Vec<f32> = arena.weights.iter().map(|w| *w as f32).collect();
            assert_close(buffers.get(w), &expected, tolerance::EXPONENTIAL, &what);
            for (view, expected) in state.iter().zip(&arena.state) {
                let expected: Vec<f32> = expected.iter().map(|v| *v as f32).collect();
                assert_close(buffers.get(*view), &expected, tolerance::EXPONENTIAL, &what);
            }
        }
    }
}

/// TensorFlow's RMSProp on one weight: lr 0.1, w = 1, gradients 0.5, 0.5, -0.25. PyTorch's form would give
/// 0.685760.
#[test]
fn rmsprop_is_tensorflows_form() {
    const EXPECTED: [[f32; 3]; 3] = [
        [0.925, 0.051_959_446, 0.948_040_55],
        [0.8575, 0.100_726_97, 0.847_313_6],
        [0.778, 0.062_329_184, 0.784_984_4],
    ];
    let rule = Rule::RmsProp { momentum: 0.9, decay: 0.9, eps: 1e-3 };
    let range = ArenaRange { elements: 4, first_block: 0 };
    let mut buffers = Buffers::default();
    let (w, ms, mom) = (buffers.add(&[1.0; 4]), buffers.add(&[1.0; 4]), buffers.add(&[0.0; 4]));
    let table = buffers.add_words(&[0]);
    let step = StepUniform { lr: 0.1, grad_scale: 1.0, ..Default::default() };
    for (gradient, expected) in [0.5, 0.5, -0.25].into_iter().zip(EXPECTED) {
        let g = buffers.add(&[gradient; 4]);
        let groups = [Group::default()];
        buffers.run_at(&[optimizer::update(&rule, &range, &groups, w, g, &[ms, mom], table)], &step);
        for (view, expected) in [ms, mom, w].into_iter().zip(expected) {
            let actual = buffers.get(view)[0];
            assert!((actual - expected).abs() < 2e-7, "{actual} for {expected}");
        }
    }
}

#[test]
fn ema_moves_towards_the_value_and_zero_clears() {
    for elements in [8, 252, 260] {
        let (average, value) = (uniform(elements, -1.0, 1.0, 1), uniform(elements, -1.0, 1.0, 2));
        let mut buffers = Buffers::default();
        let (a, v) = (buffers.add(&average), buffers.add(&value));
        buffers.run_at(&[optimizer::ema(elements, a, v)], &step_at(0));
        let expected: Vec<f32> = average.iter().zip(&value).map(|(a, v)| 0.9 * a + 0.1 * v).collect();
        assert_close(buffers.get(a), &expected, tolerance::ELEMENTWISE, "average");
        buffers.run(&[optimizer::zero(elements - 4, a)]);
        assert!(buffers.get(a)[..elements - 4].iter().all(|v| *v == 0.0), "cleared");
        assert_close(&buffers.get(a)[elements - 4..], &expected[elements - 4..], 1e-6, "the rest stays");
    }
}

#[test]
fn clipping_brings_the_norm_of_all_ranges_down() {
    let sizes = [260, 40_000, 4];
    let step = step_at(0);
    for clip in [0.5, 1e6] {
        let mut buffers = Buffers::default();
        let mut all = Vec::new();
        let mut table = Vec::new();
        let mut ranges = Vec::new();
        for (stream, elements) in sizes.into_iter().enumerate() {
            let range = ArenaRange { elements, first_block: table.len() as u32 };
            table.extend((0..elements.div_ceil(64)).map(|b| b as u32 % 3));
            let gradient = uniform(elements, -1.0, 1.0, stream as u32);
            ranges.push((range, buffers.add(&gradient)));
            all.push((range, gradient));
        }
        let words = buffers.add_words(&table);
        let count: usize = ranges.iter().map(|(r, _)| optimizer::partials_elements(r)).sum();
        let (partials, norm) = (buffers.scratch(count), buffers.scratch(4));
        let mut offset = 0;
        let mut launches = Vec::new();
        for (range, g) in &ranges {
            launches.push(optimizer::sum_of_squares(range, &GROUPS, *g, words, partials, offset));
            offset += optimizer::partials_elements(range);
        }
        launches.push(optimizer::clip_factor(count, clip, partials, norm));
        launches.extend(ranges.iter().map(|(r, g)| optimizer::clip_scale(r.elements, *g, norm)));
        buffers.run_at(&launches, &step);
        let square = |(range, g): &(ArenaRange, Vec<f32>)| {
            reference::gradient_norm(&GROUPS, &step, &table[range.first_block as usize..], g).powi(2)
        };
        let expected = all.iter().map(square).sum::<f64>().sqrt();
        let factor = (f64::from(clip) / (expected + 1e-6)).min(1.0);
        let found = buffers.get(norm);
        assert_close(&found[..2], &[factor as f32, expected as f32], tolerance::SUM, "factor and norm");
        for ((_, view), (_, gradient)) in ranges.iter().zip(&all) {
            let expected: Vec<f32> = gradient.iter().map(|g| g * factor as f32).collect();
            assert_close(buffers.get(*view), &expected, tolerance::SUM, "clipped");
        }
    }
}
