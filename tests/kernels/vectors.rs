//! The small numbers of `tests/fixtures/vectors.json` that kernels compute: optimizers, smoothed and mixed
//! losses, as PyTorch in float64 has them. `tests/pytorch/schedules.rs` has the others.

use crate::support::Buffers;
use dualprop::gpu::StepUniform;
use dualprop::kernels::cross_entropy::{self, LossShape, table_row};
use dualprop::kernels::optimizer::{self, ArenaRange, Group, Rule};
use serde_json::Value;

fn vectors(name: &str) -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/vectors.json");
    let all: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    all[name].as_array().filter(|list| !list.is_empty()).expect("vectors of that name").clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|v| v.as_f64().expect("a number")).collect()
}

fn near(actual: f32, expected: f64, what: &Value) {
    assert!((f64::from(actual) - expected).abs() < 1e-6 * expected.abs().max(1.0), "{actual} in {what}");
}

#[test]
fn optimizers_give_the_vectors() {
    for case in vectors("optimizers") {
        let of = |key: &str| case[key].as_f64().expect("a number");
        let (momentum, decay, eps) = (of("momentum"), of("decay"), of("eps"));
        let rule = match case["kind"].as_str().expect("a word") {
            "sgd" => Rule::Sgd { momentum, nesterov: case["nesterov"].as_bool().expect("a flag") },
            "rmsprop" => Rule::RmsProp { momentum, decay, eps },
            _ => Rule::AdamW { beta1: momentum, beta2: decay, eps },
        };
        let group = Group { weight_decay: of("weight_decay") as f32, ..Group::default() };
        let range = ArenaRange { elements: 4, first_block: 0 };
        let mut buffers = Buffers::default();
        let w = buffers.add(&[of("start") as f32; 4]);
        let state: Vec<_> = rule.initial_state().iter().map(|v| buffers.add(&[*v; 4])).collect();
        let table = buffers.add_words(&[0]);
        let rows = case["first_second_w"].as_array().expect("rows");
        for (t, (gradient, row)) in numbers(&case["gradients"]).into_iter().zip(rows).enumerate() {
            let step = StepUniform {
                first_step: u32::from(t == 0),
                lr: of("lr") as f32,
                grad_scale: 1.0,
                bias_correction1: (1.0 - momentum.powi(t as i32 + 1)) as f32,
                bias_correction2: (1.0 - decay.powi(t as i32 + 1)) as f32,
                ..Default::default()
            };
            let g = buffers.add(&[gradient as f32; 4]);
            buffers.run_at(&[optimizer::update(&rule, &range, &[group], w, g, &state, table)], &step);
            near(buffers.get(w)[0], numbers(row)[2], &case);
        }
    }
}

#[test]
fn smoothed_and_mixed_losses_give_the_vectors() {
    for case in vectors("label_smoothing").into_iter().chain(vectors("mixup_losses")) {
        let logits: Vec<f32> = numbers(&case["logits"]).into_iter().map(|v| v as f32).collect();
        let label = case["label"].as_u64().expect("a class") as u32;
        let partner = case["partner"].as_u64().map_or(label, |p| p as u32);
        let lambda = case["lambda"].as_f64().unwrap_or(1.0) as f32;
        let smoothing = case["smoothing"].as_f64().expect("a number") as f32;
        let shape = LossShape { rows: 1, classes: logits.len(), smoothing, negate: false };
        let mut buffers = Buffers::default();
        let logits = buffers.add(&logits);
        let table = buffers.add_words(&table_row(label, partner, lambda, 1.0));
        let results = buffers.scratch(4);
        buffers.run(&[cross_entropy::cross_entropy(&shape, logits, table, results, None)]);
        near(buffers.get(results)[0], case["loss"].as_f64().expect("a number"), &case);
    }
}
