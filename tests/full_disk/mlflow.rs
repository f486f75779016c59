//! A run in MLflow's file store.

use super::fault::{Failed, every_call, files};
use dualprop::interop::mlflow::{MlflowRun, Status};
use std::path::Path;
use std::process::Command;

/// Names the folder in which the test below does its work for the one behind it.
const FOLDER: &str = "FULL_DISK_MLFLOW";

const ID: &str = "0123456789abcdef0123456789abcdef";

fn write(folder: &Path) -> anyhow::Result<()> {
    let params = [("data.path".to_owned(), "photos".to_owned()), ("run.steps".to_owned(), "2".to_owned())];
    let mut run = MlflowRun::open(&folder.join("store"), ID, "a run", &params)?;
    // Begun anew: of an earlier attempt no point stays.
    run.cut(|_, _| false)?;
    for step in 1..=2 {
        run.points(step, &[("train/main/loss".into(), 1.5), ("lr".into(), 0.1)])?;
    }
    run.cut(|_, step| step <= 1)?;
    run.points(2, &[("lr".into(), 0.2)])?;
    run.set(Status::Finished)
}

/// By itself it holds that nothing is said where nothing fails; the test below runs it with a call that does.
#[test]
fn a_store_is_written_without_a_word() {
    let own = tempfile::tempdir().expect("a temporary folder");
    let asked = std::env::var_os(FOLDER);
    let written = write(asked.as_deref().map_or(own.path(), Path::new));
    if let Err(fault) = &written {
        println!("said: {fault:#}");
    }
    assert!(asked.is_some() || written.is_ok());
}

#[test]
fn a_store_bears_a_full_disk_at_every_call() {
    let child = |folder: &Path| {
        let mut command = Command::new(std::env::current_exe().expect("this test"));
        command.args(["--exact", "mlflow::a_store_is_written_without_a_word", "--nocapture"]);
        command.env(FOLDER, folder);
        command
    };
    let calls = every_call(|_| (), child, check);
    assert!(calls > 30, "{calls} calls are too few for all files of a run");
}

/// One sentence was said of the failure, no line is torn, and the run is written when there is room again.
fn check(folder: &Path, failed: &Failed) {
    let text = failed.said();
    let said: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("said: ")).collect();
    let context = format!("call {}: {}\n{}", failed.number, failed.call, said.join("\n"));
    assert_eq!(said.len(), 1, "{context}");
    assert!(said[0].contains("the disk is full") && said[0].contains("/store"), "{context}");
    whole(folder, &context);
    write(folder).expect("there is room again");
    whole(folder, &context);
    let run = files(folder);
    let lr = run.iter().find(|(path, _)| path.ends_with("metrics/lr")).expect("a curve").1;
    let steps = String::from_utf8_lossy(lr);
    let steps: Vec<&str> = steps.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    assert_eq!(steps, ["1", "2"], "{context}");
}

/// Holds that every curve has whole lines, and that what describes the run and its experiment is complete.
fn whole(folder: &Path, context: &str) {
    for (path, bytes) in files(folder) {
        let text = String::from_utf8(bytes).expect("text");
        let name = path.display();
        assert!(!path.to_string_lossy().ends_with(".tmp"), "{context}: {name}");
        if path.components().any(|part| part.as_os_str() == "metrics") {
            let is_whole = |line: &str| line.ends_with('\n') && line.split(' ').count() == 3;
            assert!(text.split_inclusive('\n').all(is_whole), "{context}: {name}: {text}");
        }
        if path.ends_with("meta.yaml") {
            let last = if text.contains("run_id:") { "user_id:" } else { "name:" };
            assert!(
                text.lines().last().is_some_and(|line| line.starts_with(last)),
                "{context}: {name}: {text}"
            );
        }
    }
}
