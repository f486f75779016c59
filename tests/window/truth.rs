//! Words and figures on screen hold for what is on screen now.

use super::demo;
use super::frame::{wait_for, write_run};
use super::stage::{Stage, say, tell, train};
use dualprop::app::panes::Pane;
use dualprop::config::MethodKind;
use dualprop::evaluation::confusion::Confusion;
use dualprop::evaluation::inference::Outcome;
use dualprop::session::inspect::{Answer, Measure};
use dualprop::session::preflight::{Forecast, Preflight};
use dualprop::training::events::Event;
use egui::accesskit::Role;
use egui::{Key, Modifiers, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use std::sync::Arc;

#[test]
fn a_preflight_is_not_of_the_next_run() {
    let mut stage = Stage::sized(vec2(1280.0, 1400.0));
    stage.click("Preflight");
    let events = stage.played.preflights.try_recv().expect("a preflight is started");
    let forecast =
        Forecast { steps_per_epoch: 100, total_steps: 1, seconds_per_step: 0.5, planned_bytes: 1 << 30 };
    events.try_send(Preflight::Passed { what: "Data", finding: "12 images".into() }).expect("room");
    events.try_send(Preflight::Ready(forecast)).expect("room");
    stage.frames();
    stage.click("Dismiss");
    stage.expect("About 1 s for 1 step");
    let dir = stage.folder.path().join("a");
    write_run(&dir, 0, 4, 0.5);
    stage.window().open_run(&dir).expect("a run folder");
    stage.show(Pane::SetUp);
    for text in ["About 1 s", "Data: 12 images", "since the last preflight"] {
        assert!(!stage.sees(text), "{text} was said of another run");
    }
}

#[test]
fn own_branches_are_the_method_until_another_is_chosen() {
    let mut stage = Stage::sized(vec2(1280.0, 900.0));
    let method = |stage: &Stage| {
        let node = stage.harness.get_by_role_and_label(Role::ComboBox, "Method");
        node.accesskit_node().value().unwrap_or_default()
    };
    assert_eq!(method(&stage), "AdvProp");
    stage.click("Edit");
    assert_eq!(method(&stage), "own branches");
    stage.harness.get_by_role_and_label(Role::ComboBox, "Method").click();
    stage.frames();
    stage.click("MixProp");
    let config = stage.window().form.config().method.clone();
    assert_eq!((config.kind, config.branch.len()), (MethodKind::Mixprop, 0));
}

#[test]
fn what_the_user_asked_for_is_no_warning() {
    let mut stage = Stage::new();
    let ends = stage.start();
    train(&ends, 1..=3);
    tell(&ends, Event::Note("from step 4 on the learning rate is 0.1 times the schedule's".into()));
    stage.frames();
    assert!(!stage.sees("new warning"));
    stage.show(Pane::Log);
    stage.expect("0.1 times the schedule's");
}

#[test]
fn a_run_that_was_killed_is_cut_off_at_its_last_step() {
    let mut stage = Stage::new();
    let dir = stage.folder.path().join("a");
    write_run(&dir, 0, 41, 0.5);
    stage.window().open_run(&dir).expect("a run folder");
    stage.frames();
    stage.expect("Run folder, cut off at step 41");
    // It is gone on with elsewhere and ends there.
    let ended = r#"{"how":"completed","step":41}"#;
    let config = dualprop::config::Config::load(&dir.join("config.toml"), &[]).expect("valid");
    let run = dualprop::training::run_folder::RunFolder::open(&dir, &config, true).expect("a run to resume");
    wait_for(&mut stage, "At work elsewhere");
    std::fs::write(dir.join("ended.json"), ended).expect("writable");
    drop(run);
    wait_for(&mut stage, "Run folder, completed");
}

#[test]
fn a_complete_run_is_not_resumed_to_end_at_once() {
    let mut stage = Stage::new();
    let dir = stage.folder.path().join("a");
    write_run(&dir, 0, 20, 0.5);
    std::fs::write(dir.join("last.safetensors"), "the trainer reads it").expect("writable");
    std::fs::write(dir.join("ended.json"), r#"{"how":"completed","step":20}"#).expect("writable");
    stage.window().open_run(&dir).expect("a run folder");
    stage.window().form.set("run.steps", toml::Value::Integer(20));
    stage.frames();
    stage.click("Resume from checkpoint");
    stage.expect("The run is complete, with 20 steps; raise run.steps");
    assert!(stage.played.runs.try_recv().is_err(), "nothing starts");
    stage.window().form.set("run.steps", toml::Value::Integer(30));
    stage.frames();
    stage.click("Resume from checkpoint");
    assert!(stage.played.runs.try_recv().expect("the run goes on").request.resume);
}

/// Two figures under two attacks do not go by one name.
#[test]
fn a_figure_under_attack_names_the_attack() {
    let mut stage = Stage::sized(vec2(1600.0, 1000.0));
    let ends = stage.start();
    train(&ends, 1..=5);
    tell(&ends, Event::Evaluated(demo::evaluation(5)));
    stage.frames();
    stage.expect("Line main, attacked by pgd:eps=4");
    stage.expect("Line aux, attacked by pgd:eps=1");
    let study = stage.open_model();
    stage.window().views.look.attack =
        dualprop::config::AttackConfig::parse_spec("pgd:eps=1,step=1").expect("a SPEC");
    stage.show(Pane::Results);
    stage.expect("Last validation, step 5:");
    stage.expect("main, attacked by pgd:eps=4 ");
    stage.click("Measure");
    stage.serve(&study);
    stage.expect("main, attacked by pgd:eps=1 ");

    let dir = stage.folder.path().join("a");
    write_run(&dir, 0, 10, 0.5);
    let mut lines = std::fs::read_to_string(dir.join("metrics.jsonl")).expect("readable");
    let validation = lines.lines().rfind(|line| line.contains("\"val\"")).expect("a validation").to_owned();
    lines += &(validation.replace("\"attack\":null", "\"attack\":\"fgsm:eps=2\"") + "\n");
    std::fs::write(dir.join("metrics.jsonl"), lines).expect("writable");
    tell(&ends, Event::Finished(dualprop::training::events::Finish::Completed));
    stage.frames();
    stage.window().open_run(&dir).expect("a run folder");
    stage.show(Pane::Runs);
    wait_for(&mut stage, "% fgsm:eps=2");
}

/// Where a figure or a picture means little, it says so.
#[test]
fn what_tells_little_says_so() {
    let mut stage = Stage::sized(vec2(1600.0, 1000.0));
    let ends = stage.start();
    let mut few = demo::evaluation(5);
    few.rows.retain(|row| row.split == "val");
    few.rows.iter_mut().for_each(|row| (row.images, row.top1) = (5, 0.8));
    tell(&ends, Event::Evaluated(few));
    let mut flat = demo::snapshot(5);
    for view in flat.gallery.iter_mut().flat_map(|item| &mut item.views) {
        view.cam.fill(0.5);
        view.cam_adversarial.fill(0.25);
    }
    ends.snapshot.put(flat);
    stage.show(Pane::Attention);
    stage.expect("the features are a single cell");
    ends.snapshot.put(demo::snapshot(6));
    stage.frames();
    assert!(!stage.sees("a single cell"));

    let study = stage.open_model();
    stage.show(Pane::Results);
    stage.expect("main, clean 80.0% (95%: 38 to 96%)");
    stage.click("Measure");
    stage.serve(&study);
    assert!(!stage.sees("without an image"));
    let mut measured = demo::measured(260, &Measure { split: "val".into(), limit: 0, attack: None, seed: 0 });
    for view in &mut measured.views {
        let mut confusion = Confusion::new(10);
        let outcome = Outcome { loss: vec![0.1], top1: vec![true], top5: vec![true], logits: vec![1.0; 10] };
        confusion.add(&outcome, &[0], &[0], &[0.0; 3], |_| "val/0".into());
        view.confusion = confusion;
    }
    say(&study, Answer::Measured(Arc::new(measured)));
    stage.frames();
    stage.expect("9 classes without an image");
    stage.expect("main, clean 100.0% (95%: 21 to 100%)");
}

#[test]
fn a_changed_option_is_marked_reset_and_undone() {
    let mut stage = Stage::sized(vec2(1280.0, 900.0));
    assert!(!stage.sees("Reset all"));
    stage.window().form.set("run.batch_size", toml::Value::Integer(3));
    stage.frames();
    stage.expect("1 option changed");
    stage.click("Reset Batch size");
    assert!(!stage.sees("Reset Batch size") && stage.window().form.config().run.batch_size != 3);
    stage.harness.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    stage.frames();
    assert_eq!(stage.window().form.config().run.batch_size, 3, "the reset was undone");
    stage.click("Reset all");
    assert!(!stage.sees("changed"));
}

#[test]
fn one_of_a_thing_has_no_s() {
    let mut stage = Stage::new();
    let ends = stage.start();
    tell(&ends, Event::Warning("a damaged image".into()));
    tell(&ends, Event::Evaluated(demo::evaluation(1)));
    stage.frames();
    stage.expect("1 new warning");
    assert!(!stage.sees("1 new warnings"));
}
