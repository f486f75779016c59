//! Sweeps as a shell sees them: a killed one goes on and gives the runs of an uninterrupted one, what is not
//! the sweep's own stays as it is, and a run that fails does not keep the others from training.

mod common;

use common::{TINY, alone};
use dualprop::config::sweep::Sweep;
use dualprop::session::sweep::{RunRecord, RunState, SweepFiles, records};
use dualprop::training::run_folder::RunFiles;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// Two methods with two seeds, over [`TINY`].
const FOUR: &str =
    "base = \"tiny.toml\"\nseeds = [0, 1]\n[[vary]]\nmethod.kind = [\"vanilla\", \"mixprop\"]\n";

const NAMES: [&str; 4] = ["vanilla-seed0", "vanilla-seed1", "mixprop-seed0", "mixprop-seed1"];

fn dualprop(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dualprop"));
    command.args(arguments).current_dir(folder).env_remove("RUST_LOG").args(["--device", "cpu"]);
    command
}

fn output(folder: &Path, arguments: &[&str]) -> Output {
    dualprop(folder, arguments).output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn write(folder: &Path, sweep: &str) {
    std::fs::write(folder.join("tiny.toml"), TINY).expect("writable");
    std::fs::write(folder.join("sweep.toml"), sweep).expect("writable");
}

/// The train lines of a run without what depends on the clock.
fn train_lines(dir: &Path) -> Vec<String> {
    let lines = std::fs::read_to_string(RunFiles::of(dir).metrics()).expect("a run");
    let plain = |line: &str| {
        let mut line: serde_json::Value = serde_json::from_str(line).expect("whole");
        let line = line.as_object_mut().expect("an object");
        line.remove("images_per_s");
        line.remove("wall_s");
        serde_json::to_string(line).expect("plain data")
    };
    lines.lines().map(plain).collect()
}

fn state(folder: &Path) -> Vec<RunRecord> {
    records(&SweepFiles::of(folder))
}

#[test]
fn a_killed_sweep_goes_on_to_the_runs_of_an_uninterrupted_one() {
    let _alone = alone();
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let folder = temporary.path();
    write(folder, FOUR);
    // Killed in its second run.
    let mut killed = dualprop(folder, &["sweep", "sweep.toml", "--out", "cut"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let cut = folder.join("cut");
    let second = RunFiles::of(cut.join(NAMES[1]));
    let has_begun = || std::fs::metadata(second.metrics()).is_ok_and(|data| data.len() > 0);
    while !has_begun() {
        assert!(killed.try_wait().expect("a child").is_none(), "the sweep ended before its second run");
        std::thread::sleep(Duration::from_millis(5));
    }
    killed.kill().expect("alive");
    killed.wait().expect("a child");
    let first = cut.join(NAMES[0]).join("last.safetensors");
    let written =
        std::fs::metadata(&first).and_then(|data| data.modified()).expect("the first run is complete");
    assert_eq!(state(&cut)[0].state, RunState::Completed);
    assert_ne!(state(&cut)[3].state, RunState::Completed);

    let went_on = output(folder, &["sweep", "sweep.toml", "--out", "cut"]);
    assert_eq!(went_on.status.code(), Some(0), "{}", text(&went_on.stderr));
    let said = text(&went_on.stdout);
    assert!(said.contains("vanilla-seed0 is complete") && said.contains("4 runs complete in cut"), "{said}");
    assert!(!said.contains("vanilla-seed0 begins") && said.contains("mixprop-seed1 begins"), "{said}");
    let later = std::fs::metadata(&first).and_then(|data| data.modified()).expect("still there");
    assert_eq!(written, later, "a complete run is not touched");
    assert!(state(&cut).iter().all(|record| record.state == RunState::Completed && record.step == 6));

    let whole = output(folder, &["sweep", "cut/sweep.toml", "--out", "whole"]);
    assert_eq!(whole.status.code(), Some(0), "{}", text(&whole.stderr));
    for name in NAMES {
        let lines = train_lines(&folder.join("whole").join(name));
        assert_eq!(train_lines(&cut.join(name)), lines, "{name}");
        assert!(!lines.is_empty());
    }

    // The page of the sweep has both methods with both seeds, and looks through the networks.
    let compared = output(folder, &["compare", "cut", "--out", "page.html", "--json"]);
    assert_eq!(compared.status.code(), Some(0), "{}", text(&compared.stderr));
    let json: serde_json::Value = serde_json::from_slice(&compared.stdout).expect("one JSON value");
    let groups: Vec<_> =
        json["groups"].as_array().expect("a list").iter().map(|group| &group["group"]).collect();
    assert_eq!(groups, ["vanilla", "mixprop"]);
    let last = &json["tables"][0]["rows"][0]["cells"][0];
    assert_eq!(last["n"], 2, "{json}");
    let page = std::fs::read_to_string(folder.join("page.html")).expect("written");
    // Six images, and each of them through vanilla's domain and the two of MixProp.
    assert_eq!(page.matches("<img src=\"data:image/png;base64,").count(), 6 * (1 + 1 + 2));

    // With all runs complete their time predicts that of others like them, without a device.
    let dry = output(folder, &["sweep", "sweep.toml", "--out", "cut", "--dry-run"]);
    let said = text(&dry.stdout);
    assert_eq!(dry.status.code(), Some(0), "{}", text(&dry.stderr));
    assert_eq!(said.matches("by the complete runs").count(), 4, "{said}");
    assert!(said.contains("method.kind=\"mixprop\"") && said.contains("4 runs, 0:00 left"), "{said}");
}

#[test]
fn what_fails_or_is_another_run_is_named_and_the_rest_trains() {
    let _alone = alone();
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let folder = temporary.path();
    write(folder, &FOUR.replace("seeds = [0, 1]", "seeds = [0]\nset = { run.steps = 2 }"));
    let foreign = folder.join("out/vanilla-seed0");
    std::fs::create_dir_all(&foreign).expect("writable");
    let refused = output(folder, &["sweep", "sweep.toml", "--out", "out"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("holds no sweep"), "{}", text(&refused.stderr));

    std::fs::write(folder.join("out/sweep.toml"), "").expect("writable");
    std::fs::write(foreign.join("config.toml"), TINY).expect("writable");
    let ended = output(folder, &["sweep", "sweep.toml", "--out", "out"]);
    let (said, faults) = (text(&ended.stdout), text(&ended.stderr));
    assert_eq!(ended.status.code(), Some(1), "{said}{faults}");
    assert!(said.contains("vanilla-seed0 refused") && said.contains("`run.name`"), "{said}");
    assert!(faults.contains("1 of 2 runs did not complete: vanilla-seed0"), "{faults}");
    assert_eq!(std::fs::read_to_string(foreign.join("config.toml")).expect("there"), TINY);
    let states: Vec<RunState> = state(&folder.join("out")).iter().map(|record| record.state).collect();
    assert_eq!(states, [RunState::Refused, RunState::Completed]);
}

/// Each complete run is measured once, where `compare` looks for it.
#[test]
fn complete_runs_are_measured_as_the_sweep_says() {
    let _alone = alone();
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let folder = temporary.path();
    let evaluate = "[[evaluate]]\ndata = [\"shapes:val-stylized\"]\nattacks = [\"square:eps=4,queries=3\"]\n\
                    corruptions = [\"fog\"]\nseverity = [2]\nlimit = 8\n\
                    [[evaluate]]\ndata = [\"shapes:val-stylized\"]\nlocalise = \"cam\"\n\
                    attacks = [\"fgsm:eps=1\"]\nlimit = 4\n";
    let sweep =
        "base = \"tiny.toml\"\nseeds = [0]\n[set]\nrun.steps = 2\n[[vary]]\nmethod.kind = [\"mixprop\"]\n";
    write(folder, &format!("{sweep}{evaluate}"));
    let start = ["sweep", "sweep.toml", "--out", "out"];
    let first = output(folder, &start);
    assert!(first.status.success(), "{}", text(&first.stderr));
    let rows = folder.join("out/run-seed0/evaluation/shapes-val-stylized-all/rows.jsonl");
    let rows = || -> Vec<serde_json::Value> {
        let lines = std::fs::read_to_string(&rows).expect("measured");
        lines.lines().map(|line| serde_json::from_str(line).expect("a row")).collect()
    };
    let before = rows();
    let cell = |row: &serde_json::Value| {
        ["domain", "attack", "corruption"].map(|key| row[key].as_str().unwrap_or("none").to_owned())
    };
    let mut cells: Vec<[String; 3]> = before.iter().map(cell).collect();
    cells.sort();
    let expected = ["auto", "aux", "main"].map(|domain| {
        [["none", "fog"], ["none", "none"], ["square:eps=4,queries=3", "none"]]
            .map(|[attack, corruption]| [domain, attack, corruption].map(str::to_owned))
    });
    assert_eq!(cells, expected.concat());
    assert!(before.iter().all(|row| row["images"] == 8 && row["split"] == "val-stylized"));
    let localised = folder.join("out/run-seed0/evaluation/shapes-val-stylized-all-2/rows.jsonl");
    let localised = std::fs::read_to_string(localised).expect("the second table's");
    assert_eq!(localised.lines().count(), 6, "clean and attacked through main, aux and auto: {localised}");
    assert!(localised.lines().all(|line| line.contains("\"pointing\"")), "{localised}");
    let again = output(folder, &start);
    assert!(again.status.success(), "{}", text(&again.stderr));
    assert_eq!(rows(), before, "nothing is measured twice");
    std::fs::remove_file(folder.join("out/run-seed0/best.safetensors")).expect("there");
    let lost = output(folder, &start);
    let said = text(&lost.stderr);
    assert!(!lost.status.success() && said.contains("run-seed0 could not be measured"), "{said}");
}

#[test]
fn every_fault_is_told_before_the_first_run() {
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let folder = temporary.path();
    // The second combination does not fit the data: the batch is larger than the set.
    write(
        folder,
        "base = \"tiny.toml\"\n[[vary]]\nrun.batch_size = [8, 64]\ndata.train_limit = [0]\nmodel.classes = [0, 3]\n",
    );
    let ended = output(folder, &["sweep", "sweep.toml", "--out", "out"]);
    let faults = text(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{faults}");
    assert!(faults.contains("classes3-seed0 cannot begin"), "{faults}");
    assert!(!folder.join("out").exists(), "nothing was written");
}

#[test]
fn every_sweep_of_the_assets_resolves() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/sweeps");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("readable").path();
        let sweep = Sweep::load(&path).unwrap_or_else(|fault| panic!("{fault}"));
        assert!(sweep.warnings.is_empty(), "{}: {:?}", path.display(), sweep.warnings);
        assert!(std::fs::read_to_string(&path).expect("text").starts_with("# "), "begins with what it is");
        count += 1;
    }
    assert!(count > 0);
    let methods =
        Sweep::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/sweeps/shapes-methods.toml"));
    let names: Vec<String> = methods.expect("valid").runs.into_iter().map(|run| run.name).collect();
    assert_eq!(names.len(), 48);
    assert!(names.contains(&"advprop-pgd-epsilon4-seed2".to_owned()), "{names:?}");
    assert!(names.contains(&"fast_advprop-seed0".to_owned()), "{names:?}");
}
