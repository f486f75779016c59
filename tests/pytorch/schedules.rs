//! The numbers of `tests/fixtures/vectors.json` that the CPU computes for each step: the EMA's warm-up and
//! learning-rate schedules, as PyTorch in float64 has them.

use dualprop::config::{EmaConfig, ScheduleConfig};
use dualprop::training::schedule::{ema_decay, learning_rate};
use serde_json::Value;

fn vectors(name: &str) -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/vectors.json");
    let all: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    all[name].as_array().filter(|list| !list.is_empty()).expect("vectors of that name").clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|v| v.as_f64().expect("a number")).collect()
}

#[test]
fn schedules_and_the_ema_give_the_vectors() {
    for case in vectors("ema_decays") {
        let config = EmaConfig {
            decay: case["decay"].as_f64().expect("a number"),
            warmup: case["warmup"].as_bool().expect("a flag"),
        };
        for (step, expected) in numbers(&case["steps"]).into_iter().zip(numbers(&case["decays"])) {
            assert!((ema_decay(&config, step as u64) - expected).abs() < 1e-12, "step {step} of {case}");
        }
    }
    for case in vectors("schedules") {
        // The file's keys are the configuration's, but for what the run gives.
        let mut table = case.as_object().expect("an object").clone();
        table.retain(|key, _| {
            ["kind", "warmup_epochs", "decay_rate", "decay_epochs", "milestones"].contains(&key.as_str())
        });
        let config: ScheduleConfig = serde_json::from_value(table.into()).expect("a schedule");
        let whole = |key: &str| case[key].as_u64().expect("a whole number");
        let base = case["lr"].as_f64().expect("a number");
        for (step, expected) in numbers(&case["steps"]).into_iter().zip(numbers(&case["rates"])) {
            let rate =
                learning_rate(&config, base, step as u64, whole("steps_per_epoch"), whole("total_steps"));
            assert!((rate - expected).abs() < 1e-12, "step {step} of {case}");
        }
    }
}
