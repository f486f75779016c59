//! `eval.precise_bn`: statistics that are means over batches of each domain's own images.

mod common;

use common::{TINY, alone, finish, options};
use dualprop::session::spawn;
use dualprop::training::checkpoint::{Checkpoint, Tensor};
use dualprop::training::events::Finish;
use std::collections::BTreeMap;

/// The tensors of the last checkpoint of a whole run.
fn tensors(sets: &[&str]) -> BTreeMap<String, Tensor> {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let config = common::config(TINY, &[&["eval.attack=", "eval.limit=1"], sets].concat());
    assert_eq!(finish(spawn(options(config, &out, false))), Finish::Completed);
    Checkpoint::load(&out.join("last.safetensors")).unwrap().tensors
}

fn is_running(name: &str) -> bool {
    name.contains("running_")
}

/// Where the weights stand still and the momentum is 1, the running statistics are those of the last batch.
#[test]
fn an_estimate_is_the_mean_of_the_last_batches_statistics() {
    let _alone = alone();
    let kinds = ["advprop", "adversarial_mix", "mixprop", "fast_advprop"].map(|k| format!("method.kind={k}"));
    let corrupted = "method.branch=[{source = \"clean\"}, {source = \"corrupted\", domain = \"aux\"}]";
    for method in kinds.iter().map(String::as_str).chain([corrupted]) {
        // Training has drop-path, which moves statistics; an estimate has none.
        let still = ["optimizer.lr=0", "ema.decay=0", "model.drop_path=0", "method.attack.epsilon=1", method];
        let run = |sets: &[&str]| tensors(&[&still[..], sets].concat());
        let [second, third] =
            ["run.steps=2", "run.steps=3"].map(|steps| run(&[steps, "model.bn_momentum=1"]));
        let estimated = run(&["run.steps=3", "eval.precise_bn=2"]);
        let mut moved = 0;
        for (name, tensor) in estimated.iter().filter(|(name, _)| is_running(name)) {
            let largest = second[name].data.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
            for ((found, a), b) in tensor.data.iter().zip(&second[name].data).zip(&third[name].data) {
                let expected = (a + b) / 2.0;
                let error = (found - expected).abs();
                assert!(error <= 1e-5 * largest, "{method}: {name} has {found}, expected {expected}");
                moved += usize::from((a - b).abs() > 1e-2 * largest);
            }
        }
        assert!(moved > 100, "{method}: batches differ in {moved} values");
    }
}

/// Training goes its own way: only what validation looks through is replaced.
#[test]
fn weights_and_running_averages_of_training_stay_as_they_are() {
    let _alone = alone();
    let sets = ["run.steps=7", "model.dropout=0.2"];
    let plain = tensors(&sets);
    let precise = tensors(&[&sets[..], &["eval.precise_bn=3"]].concat());
    assert!(plain.keys().eq(precise.keys()));
    for (name, tensor) in &plain {
        let replaced = name.starts_with("ema.") && is_running(name);
        assert_eq!(*tensor != precise[name], replaced, "{name}");
    }
}
