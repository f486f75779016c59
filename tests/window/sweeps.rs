//! A sweep's folder in the Runs pane: how its runs stand, and its settings over seeds.

use super::frame::{wait_for, write_run};
use super::stage::Stage;
use dualprop::app::panes::Pane;
use dualprop::session::sweep::{RunRecord, RunState, SweepFiles};
use egui::{Event, Modifiers, MouseWheelSource, MouseWheelUnit, Rect, TouchPhase, vec2};
use egui_kittest::kittest::Queryable as _;
use std::path::Path;

fn record(run: &str, seed: u64, state: RunState, reason: Option<&str>, step: u64) -> RunRecord {
    RunRecord {
        run: run.into(),
        seed,
        state,
        reason: reason.map(String::from),
        step,
        total_steps: 10,
        seconds: 1.0,
    }
}

/// Writes the files of a sweep into `dir`; returns the lines of its records.
fn write_sweep(dir: &Path, records: &[RunRecord]) -> Vec<String> {
    let lines: Vec<String> =
        records.iter().map(|r| serde_json::to_string(r).expect("plain values")).collect();
    let files = SweepFiles::of(dir);
    std::fs::write(files.sweep(), "base = \"base.toml\"\n").expect("writable");
    std::fs::write(files.records(), lines.join("\n") + "\n").expect("writable");
    lines
}

#[test]
fn a_sweep_shows_its_progress_and_its_settings_over_seeds() {
    let mut stage = Stage::sized(vec2(1600.0, 1400.0));
    let dir = stage.folder.path().join("methods");
    for (name, seed, top1) in
        [("advprop-seed0", 0, 0.5), ("advprop-seed1", 1, 0.6), ("vanilla-seed0", 0, 0.7)]
    {
        write_run(&dir.join(name), seed, 10, top1);
    }
    let records = [
        record("advprop-seed0", 0, RunState::Completed, None, 10),
        record("advprop-seed1", 1, RunState::Completed, None, 10),
        // Nobody trains it: a kill cut it off.
        record("vanilla-seed0", 0, RunState::Running, None, 5),
        record("vanilla-seed1", 1, RunState::Failed, Some("the loss became NaN"), 3),
        record("mixup-seed0", 0, RunState::Waiting, None, 0),
    ];
    let lines = write_sweep(&dir, &records);
    let files = SweepFiles::of(&dir);
    stage.window().take_dropped(std::slice::from_ref(&dir));
    stage.frames();
    stage.show(Pane::Runs);
    wait_for(&mut stage, "Sweep methods");
    for text in ["2/5 runs", "2 completed", "1 cut off", "1 failed", "1 left", "3 runs"] {
        stage.expect(text);
    }
    assert!(!stage.sees("mixup"), "the settings are shut at first");
    stage.click("Sweep methods, show settings over seeds");
    // Over seeds 0.5 and 0.6, whose sample standard deviation is 0.0707; what did not end has no figure.
    for text in [
        "Sweep methods, hide settings over seeds",
        "main, clean",
        "55.0% ± 7.1",
        "2/2",
        "0/2",
        "0/1",
        "mixup",
    ] {
        stage.expect(text);
    }
    assert!(!stage.sees("70.0% "), "a run that was cut off is no figure of its settings");

    // It goes on elsewhere.
    let completed = lines[4].replace("waiting", "completed");
    std::fs::write(files.records(), format!("{}\n{completed}\n", lines[..4].join("\n"))).expect("writable");
    stage.click("Search again");
    wait_for(&mut stage, "3/5 runs");
    assert!(!stage.sees("1 left"));
}

/// In a small window: a line each while they are shut, and what is opened scrolls both ways in its part of
/// the pane.
#[test]
fn sweeps_leave_most_of_the_pane_to_the_table() {
    let mut stage = Stage::sized(vec2(1280.0, 720.0));
    let parent = stage.folder.path().to_owned();
    let names = ["a", "b"].map(|name| format!("{name}-{}", "of-a-long-name".repeat(8)));
    for name in &names {
        let dir = parent.join(name);
        write_run(&dir.join("r-lr0-seed0"), 0, 10, 0.5);
        let records: Vec<_> =
            (0..20).map(|n| record(&format!("r-lr{n}-seed0"), 0, RunState::Completed, None, 10)).collect();
        write_sweep(&dir, &records);
        stage.window().take_dropped(std::slice::from_ref(&dir));
        stage.frames();
    }
    stage.show(Pane::Runs);
    wait_for(&mut stage, "2 runs");
    let top = |stage: &Stage, text: &str| {
        let mut found = stage.harness.query_all_by_label_contains(text);
        found.next().unwrap_or_else(|| panic!("no {text}")).rect().top()
    };
    let pane = stage.harness.get_by_label("Runs").rect().bottom();
    let bottom = stage.harness.get_by_label("Gallery").rect().top();
    let share = |stage: &Stage| (bottom - top(stage, "Sort by Run")) / (bottom - pane);
    assert!(share(&stage) > 0.6, "{} of the pane", share(&stage));
    let shut = top(&stage, "Filter runs");
    for name in &names {
        stage.click(&format!("Sweep {name}, show settings over seeds"));
    }
    assert!(share(&stage) > 0.4, "{} of the pane", share(&stage));
    assert!(top(&stage, "Filter runs") > shut, "there is room for some of the settings");
    let last =
        |stage: &Stage| -> Rect { stage.harness.get_all_by_label("r-lr19").last().expect("one").rect() };
    let before = last(&stage);
    assert!(before.top() > top(&stage, "Filter runs"), "it is out of sight at first");
    let at = stage.harness.get_all_by_label("r-lr0").next().expect("one").rect().center();
    stage.harness.event(Event::PointerMoved(at));
    for delta in [vec2(0.0, -2000.0), vec2(-2000.0, 0.0)] {
        stage.harness.event(Event::MouseWheel {
            unit: MouseWheelUnit::Point,
            delta,
            phase: TouchPhase::Move,
            modifiers: Modifiers::NONE,
            source: MouseWheelSource::Wheel,
        });
        stage.frames();
    }
    let after = last(&stage);
    assert!(after.bottom() <= top(&stage, "Filter runs"), "{after:?} is still below");
    assert!(after.left() < before.left(), "and it went aside");
}
