//! The folder of a run.

use super::fault::{Failed, every_call, files};
use super::run_reports::{checkpoint, layer, step, validation};
use dualprop::config::Config;
use dualprop::training::checkpoint::{Checkpoint, Tensor};
use dualprop::training::events::{Finish, Snapshot};
use dualprop::training::pictures;
use dualprop::training::run_folder::{RunFiles, RunFolder};
use std::path::Path;
use std::process::Command;

/// Names the folder in which the test below does its work for the one behind it.
const FOLDER: &str = "FULL_DISK_RUN_FOLDER";

/// Steps of the run; there is a checkpoint after each.
const STEPS: u64 = 3;

fn saved(at: u64) -> Checkpoint {
    let mut saved = checkpoint(at);
    saved.tensors.insert("fc.weight".into(), Tensor { shape: vec![64, 64], data: vec![at as f32; 4096] });
    saved
}

/// A run as `session` writes it: lines that cannot be written are said, and it goes on.
fn write(folder: &Path) -> Vec<anyhow::Error> {
    let mut faults = Vec::new();
    let mut spare = |written: anyhow::Result<()>| faults.extend(written.err());
    let mut run = match RunFolder::open(&folder.join("run"), &Config::default(), false) {
        Ok((run, _)) => run,
        Err(error) => return vec![error],
    };
    for at in 1..=STEPS {
        spare(run.train_step(&step(at)));
        spare(run.sync_lines());
        spare(run.save_last(&saved(at)).map(drop));
        spare(run.evaluated(&validation(at)));
        spare(run.bn_stats(at, 0.1, &["main".into(), "aux".into()], &[layer()]));
        let snapshot =
            Snapshot { step: at, classes: vec!["a".into()], bn_layers: vec![layer()], ..Snapshot::default() };
        spare(run.save_pictures(&snapshot));
        spare(run.save_best(&saved(at)).map(drop));
        spare(run.log("a line"));
    }
    spare(run.end(&Finish::Completed, STEPS));
    faults
}

/// By itself it holds that nothing is said where nothing fails; the test below runs it with a call that does.
#[test]
fn a_run_folder_is_written_without_a_word() {
    let own = tempfile::tempdir().expect("a temporary folder");
    let asked = std::env::var_os(FOLDER);
    let faults = write(asked.as_deref().map_or(own.path(), Path::new));
    for fault in &faults {
        println!("said: {fault:#}");
    }
    assert!(asked.is_some() || faults.is_empty());
}

#[test]
fn a_run_folder_bears_a_full_disk_at_every_call() {
    let child = |folder: &Path| {
        let mut command = Command::new(std::env::current_exe().expect("this test"));
        command.args(["--exact", "run_folder::a_run_folder_is_written_without_a_word", "--nocapture"]);
        command.env(FOLDER, folder);
        command
    };
    let calls = every_call(|_| (), child, check);
    assert!(calls > 80, "{calls} calls are too few for all files of a run");
}

/// One sentence was said of the failure, all files are whole, and the run can go on.
fn check(folder: &Path, failed: &Failed) {
    let text = failed.said();
    let said: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("said: ")).collect();
    let context = format!("call {}: {}\n{}", failed.number, failed.call, said.join("\n"));
    assert_eq!(said.len(), 1, "{context}");
    assert!(said[0].contains("the disk is full") && said[0].contains("/disk/"), "{context}");
    let files = files(folder);
    let is_left = |name: &Path| name.to_string_lossy().ends_with(".tmp");
    assert!(!files.keys().any(|name| is_left(name)), "{context}: {:?}", files.keys());

    let run = RunFiles::of(folder.join("run"));
    let step_of = |path: &Path| path.exists().then(|| Checkpoint::load(path).expect("whole").meta.step);
    let last = step_of(&run.last());
    let began = run.metrics().exists() && !files[Path::new("run/metrics.jsonl")].is_empty();
    if began {
        assert!(last.is_some_and(|step| step >= STEPS - 1), "{context}: a checkpoint of step {last:?}");
        assert!(step_of(&run.best()).is_some_and(|step| step >= STEPS - 1), "{context}");
        assert!(pictures::load(&run.pictures()).is_ok_and(|found| found.step >= STEPS - 1), "{context}");
    }
    let (mut again, checkpoint) = RunFolder::open(run.dir(), &Config::default(), true).expect("it goes on");
    assert_eq!(checkpoint.map(|found| found.meta.step), last, "{context}");
    if began {
        // Two branches a step: no line is torn, stands twice or is lost.
        let text = std::fs::read_to_string(run.metrics()).expect("readable");
        let of_train: Vec<u64> = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a whole line"))
            .filter(|line| line["split"] == "train")
            .map(|line| line["step"].as_u64().expect("a number"))
            .collect();
        let all: Vec<u64> = (1..=last.unwrap_or(0)).flat_map(|step| [step, step]).collect();
        assert_eq!(of_train, all, "{context}");
    }
    again.end(&Finish::StoppedAndSaved, STEPS).expect("writable again");
}
