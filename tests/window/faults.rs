//! What is wrong with a start is told at its field and in one place that moves nothing, and goes with its
//! cause; a start that fails changes nothing on the screen.

use super::frame::{wait_for, write_run};
use super::{Stage, demo, tell, train};
use dualprop::app::commands::UiCommand;
use dualprop::app::model::kinds::RunPhase;
use dualprop::app::panes::Pane;
use dualprop::session::preflight::{Forecast, Preflight};
use dualprop::training::events::{Event, Finish, Work};
use egui::vec2;
use egui_kittest::kittest::Queryable as _;
use toml::Value;

/// A set-up with three faults: no data folder, a run folder below a file, a batch that cannot be divided.
fn with_three_faults() -> Stage {
    let mut stage = Stage::sized(vec2(1280.0, 1000.0));
    let file = stage.folder.path().join("notes.txt");
    std::fs::write(&file, "a file").expect("writable");
    let data = stage.folder.path().join("photos").display().to_string();
    let form = &mut stage.window().form;
    form.set("data.source", Value::String("folder".into()));
    form.set("data.path", Value::String(data));
    form.set("run.batch_size", Value::Integer(9));
    form.set("run.accumulate", Value::Integer(2));
    form.run_dir = file.join("run").display().to_string();
    stage.frames();
    stage
}

#[test]
fn all_faults_of_a_start_are_told_at_once_and_go_with_their_causes() {
    let mut stage = with_three_faults();
    assert!(!stage.sees("Start needs a change"));
    stage.click("Start");
    assert!(stage.played.runs.try_recv().is_err(), "nothing starts");
    stage.expect("Start needs a change in the set-up");
    for fault in ["Accumulate: ", "Data folder: there is no folder", "Run folder: ", "is a file"] {
        stage.expect(fault);
    }
    let parts = stage.folder.path().join("photos");
    for part in ["train", "val"] {
        std::fs::create_dir_all(parts.join(part)).expect("writable");
    }
    // Another program has made the folder; the user comes back from it.
    stage.harness.event(egui::Event::WindowFocused(true));
    stage.frames();
    assert!(!stage.sees("Data folder: there is no folder"));
    stage.expect("Accumulate: ");
    stage.window().form.run_dir = stage.folder.path().join("new").display().to_string();
    stage.frames();
    assert!(!stage.sees("is a file"));
    stage.window().form.set("run.batch_size", Value::Integer(8));
    stage.frames();
    assert!(!stage.sees("Start needs a change"), "nothing is left to change");
    stage.click("Start");
    stage.played.runs.try_recv().expect("a run starts");
}

#[test]
fn faults_move_nothing_lead_to_their_fields_and_can_be_put_away() {
    let mut stage = with_three_faults();
    let top = |stage: &Stage, label: &str| {
        stage.harness.get_all_by_label(label).next().expect("a row of the form").rect().top()
    };
    // From the first of the marked fields to what is below the last one.
    let height = |stage: &Stage| top(stage, "Device") - top(stage, "Data folder");
    let before = (height(&stage), stage.harness.get_by_label("File").rect());
    stage.click("Start");
    stage.expect("Start needs a change");
    assert_eq!(
        (height(&stage), stage.harness.get_by_label("File").rect()),
        before,
        "the form is laid out as it was"
    );
    stage.show(Pane::Log);
    let fault = stage.harness.query_all_by_label_contains("Data folder: ").next();
    fault.expect("the fault of the data folder").click();
    stage.frames();
    let field = stage.harness.get_by_role_and_label(egui::accesskit::Role::TextInput, "Data folder");
    assert!(field.is_focused(), "a click leads to the field");
    stage.click("Hide");
    assert!(!stage.sees("Start needs a change"));
    stage.click("Start");
    stage.expect("Start needs a change");
}

#[test]
fn a_start_that_fails_changes_nothing_on_the_screen() {
    let mut stage = Stage::new();
    let dir = stage.folder.path().join("first");
    write_run(&dir, 0, 20, 0.5);
    stage.window().open_run(&dir).expect("a run folder");
    stage.show(Pane::Results);
    stage.show(Pane::Curves);
    stage.expect("Training loss plot");
    stage.show(Pane::Log);
    stage.click("Start");
    let ends = stage.played.runs.try_recv().expect("Start starts a run");
    tell(
        &ends,
        Event::Working(Work { what: "Opening the GPU".into(), done: 0, total: 1, next: "the shaders" }),
    );
    stage.frames();
    assert_eq!(stage.window().run.phase, RunPhase::Preparing);
    std::fs::create_dir_all(&ends.request.out).expect("writable");
    std::fs::write(ends.request.out.join("metrics.jsonl"), "").expect("writable");
    tell(&ends, Event::Finished(Finish::Failed("no adapter was found".into())));
    stage.frames();
    assert!(!ends.request.out.exists(), "a folder without a step is of no use");
    stage.expect("The run did not start: no adapter was found");
    assert!(!stage.sees("Training failed"));
    let run = &stage.window().run;
    assert_eq!((run.phase.clone(), run.dir.as_deref()), (RunPhase::Opened, Some(dir.as_path())));
    stage.expect("step 20");
    stage.show(Pane::Curves);
    stage.expect("Training loss plot");
    // The folder is followed as before.
    write_run(&dir, 0, 30, 0.5);
    wait_for(&mut stage, "step 30");
    assert!(stage.window().recents.runs.iter().all(|run| *run == dir), "no run was made");
    stage.window().form.set("run.seed", Value::Integer(7));
    stage.show(Pane::SetUp);
    assert!(!stage.sees("did not start"), "the failure was another set-up's");
}

/// What a preflight finds wrong with a field is told at the field.
#[test]
fn a_preflights_fault_belongs_to_its_field() {
    let mut stage = Stage::sized(vec2(1280.0, 1400.0));
    for (set, part) in [("photos", "train"), ("photos", "val"), ("others", "train"), ("others", "val")] {
        std::fs::create_dir_all(stage.folder.path().join(set).join(part)).expect("writable");
    }
    let path = |stage: &Stage, set: &str| Value::String(stage.folder.path().join(set).display().to_string());
    let (photos, others) = (path(&stage, "photos"), path(&stage, "others"));
    stage.window().form.set("data.source", Value::String("folder".into()));
    stage.window().form.set("data.path", photos);
    // The next source has other rows, and a click goes where the button was drawn.
    stage.frames();
    stage.click("Preflight");
    let events = stage.played.preflights.try_recv().expect("a preflight is started");
    let reason = "there are no class folders in train".to_owned();
    events.try_send(Preflight::Refused { what: "Data", reason }).expect("room");
    stage.frames();
    stage.expect("Data folder: there are no class folders in train");
    stage.window().form.set("data.path", others);
    stage.frames();
    assert!(!stage.sees("Start needs a change"), "the fault was the other folder's");
}

#[test]
fn a_failed_run_is_told_until_it_is_put_away_or_a_preflight_passes() {
    for passes in [false, true] {
        let mut stage = Stage::new();
        let curves = |stage: &Stage| stage.harness.get_by_label("Training loss plot").rect();
        let ends = stage.start();
        train(&ends, 1..=5);
        tell(&ends, Event::Evaluated(demo::evaluation(5)));
        stage.frames();
        let before = curves(&stage);
        tell(&ends, Event::Finished(Finish::Failed("the loss became NaN".into())));
        stage.frames();
        stage.expect("Training failed");
        assert_eq!(curves(&stage), before, "nothing moves");
        if passes {
            stage.window().form.run_dir = stage.folder.path().join("second").display().to_string();
            stage.frames();
            let ctx = stage.harness.ctx.clone();
            stage.window().carry_out(&ctx, UiCommand::Preflight);
            stage.frames();
            let events = stage.played.preflights.try_recv().expect("a preflight is started");
            let forecast =
                Forecast { steps_per_epoch: 1, total_steps: 8, seconds_per_step: 0.5, planned_bytes: 1 };
            events.try_send(Preflight::Ready(forecast)).expect("room");
            stage.frames();
        } else {
            stage.click("Dismiss");
        }
        assert!(!stage.sees("Training failed"));
    }
}
