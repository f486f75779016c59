//! A sweep's folder in the Runs pane: how its runs stand, and its settings over seeds.

use super::frame::{wait_for, write_run};
use super::stage::Stage;
use dualprop::app::panes::Pane;
use dualprop::session::sweep::{RunRecord, RunState, SweepFiles};
use egui::vec2;

#[test]
fn a_sweep_shows_its_progress_and_its_settings_over_seeds() {
    let mut stage = Stage::sized(vec2(1600.0, 1400.0));
    let dir = stage.folder.path().join("methods");
    for (name, seed, top1) in
        [("advprop-seed0", 0, 0.5), ("advprop-seed1", 1, 0.6), ("vanilla-seed0", 0, 0.7)]
    {
        write_run(&dir.join(name), seed, 10, top1);
    }
    let record = |run: &str, seed, state, reason: Option<&str>, step| RunRecord {
        run: run.into(),
        seed,
        state,
        reason: reason.map(String::from),
        step,
        total_steps: 10,
        seconds: 1.0,
    };
    let records = [
        record("advprop-seed0", 0, RunState::Completed, None, 10),
        record("advprop-seed1", 1, RunState::Completed, None, 10),
        // Nobody trains it: a kill cut it off.
        record("vanilla-seed0", 0, RunState::Running, None, 5),
        record("vanilla-seed1", 1, RunState::Failed, Some("the loss became NaN"), 3),
        record("mixup-seed0", 0, RunState::Waiting, None, 0),
    ];
    let lines: Vec<String> =
        records.iter().map(|r| serde_json::to_string(r).expect("plain values")).collect();
    let files = SweepFiles::of(&dir);
    std::fs::write(files.sweep(), "base = \"base.toml\"\n").expect("writable");
    std::fs::write(files.records(), lines.join("\n") + "\n").expect("writable");
    stage.window().take_dropped(std::slice::from_ref(&dir));
    stage.frames();
    stage.show(Pane::Runs);
    wait_for(&mut stage, "Sweep methods");
    for text in ["2/5 runs", "2 completed", "1 cut off", "1 failed", "1 left", "3 runs"] {
        stage.expect(text);
    }
    // Over seeds 0.5 and 0.6, whose sample standard deviation is 0.0707; what did not end has no figure.
    for text in ["Settings over seeds", "main, clean", "55.0% ± 7.1", "2/2", "0/2", "0/1", "mixup"] {
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
