//! A run of the command line. All calls of a run's folder are failed in `run_folder`; here some show what a
//! user hears of them.

use super::fault::{Failed, call_at, calls_of};
use dualprop::training::checkpoint::Checkpoint;
use std::path::Path;
use std::process::Command;

const RUN: &str = r#"
[run]
steps = 2
batch_size = 8
[data]
source = "shapes"
train_limit = 16
[model]
arch = "resnet18"
width = 0.0625
[method]
kind = "vanilla"
[eval]
limit = 8
attack = ""
"#;

fn train(folder: &Path) -> Command {
    std::fs::write(folder.with_file_name("run.toml"), RUN).expect("writable");
    let mut command = Command::new(env!("CARGO_BIN_EXE_dualprop"));
    command.arg("train").arg(folder.with_file_name("run.toml")).arg("--out").arg(folder.join("run"));
    command.args(["--device", "cpu"]).env_remove("RUST_LOG");
    command
}

#[test]
fn training_says_what_a_full_disk_costs_and_keeps_its_weights() {
    let calls = calls_of(train);
    // The first write to each of these, and whether the run goes on without it.
    for (file, goes_on) in [
        ("config.toml", false),
        ("metrics.jsonl", true),
        ("last.safetensors", true),
        ("best.safetensors", true),
        ("pictures.safetensors", true),
        ("ended.json", true),
    ] {
        let is_wanted = |call: &&String| call.starts_with("write ") && call.contains(file);
        let number = calls.iter().position(|call| is_wanted(&call)).expect("it is written") + 1;
        let check = |folder: &Path, failed: &Failed| {
            let said = failed.said();
            let context = format!("call {number}: {}\n{said}", failed.call);
            assert!(failed.call.contains(file), "{context}");
            assert_eq!(failed.output.status.success(), goes_on, "{context}");
            let faults = String::from_utf8_lossy(&failed.output.stderr).into_owned();
            let faults: Vec<&str> = faults.lines().filter(|line| line.contains("the disk is full")).collect();
            assert!(faults.len() == 1 && faults[0].contains(file), "{context}");
            // A checkpoint that found no room is written beside.
            let saved = ["run", "run-2"].map(|name| folder.join(name).join("last.safetensors"));
            let steps =
                saved.iter().filter_map(|path| Checkpoint::load(path).ok()).map(|found| found.meta.step);
            assert_eq!(steps.max(), goes_on.then_some(2), "{context}");
        };
        call_at(number, train, check);
    }
}
