//! The window, driven like a user drives it: by the names of its controls, with a run played from a script.
#![cfg(feature = "gui")]

mod demo;
mod drops;
mod faults;
mod figures;
mod first_minute;
mod focus;
mod frame;
mod help;
mod large;
mod measuring;
mod model;
mod moments;
mod notices;
mod other_run;
mod panes;
mod picture_size;
mod progress;
mod robustness;
mod runs;
mod set_up;
mod stage;
mod sweeps;
mod truth;
mod walk;

use dualprop::app::model::kinds::RunPhase;
use dualprop::app::panes::Pane;
use dualprop::app::shell::dialogs::PathFor;
use dualprop::config::BranchSource;
use dualprop::training::events::{BranchReport, Command, Event, Finish, RunInfo, StepReport};
use dualprop::training::method::MethodLabel;
use egui::{Key, Modifiers, vec2};
use egui_kittest::kittest::Queryable as _;
use stage::{Stage, tell, train};

#[test]
fn a_run_from_set_up_to_stop() {
    let mut stage = Stage::new();
    stage.expect("No curves yet");
    let ends = stage.start();
    assert_eq!(stage.window().run.phase, RunPhase::Running);
    stage.expect("Locked while the run is at work");

    train(&ends, 1..=40);
    tell(&ends, Event::Evaluated(demo::evaluation(40)));
    ends.snapshot.put(demo::snapshot(40));
    stage.frames();
    for text in ["Training loss plot", "Validation accuracy plot", "Line main, clean", "Line aux, attacked"] {
        stage.expect(text);
    }
    for text in ["images/s", "left", "GPU idle 6.0%", "data wait 2.0%", "731 MiB planned, 748 MiB in use"] {
        stage.expect(text);
    }
    stage.expect("perturbation ×31");

    stage.show(Pane::Attention);
    stage.expect("map of aux, attacked val/00012");
    stage.show(Pane::Domains);
    stage.expect("Layer strip");
    stage.expect("Running mean plot");

    stage.click("Pause");
    assert_eq!(ends.commands.try_recv(), Ok(Command::Pause));
    stage.expect("Pausing…");
    tell(&ends, Event::Paused);
    stage.frames();
    stage.expect("Paused");
    stage.click("Single step");
    assert_eq!(ends.commands.try_recv(), Ok(Command::SingleStep));
    stage.click("Continue");
    assert_eq!(ends.commands.try_recv(), Ok(Command::Resume));
    tell(&ends, Event::Resumed);
    stage.frames();

    stage.click("Stop and save");
    assert_eq!(ends.commands.try_recv(), Ok(Command::StopAndSave));
    tell(&ends, Event::Finished(Finish::StoppedAndSaved));
    stage.frames();
    stage.expect("Stopped and saved");
    assert!(stage.sees("Start"), "a new run can be started");
}

/// The run waits with its weights; the window says why and offers what can be done.
#[test]
fn a_checkpoint_that_cannot_be_written_asks_how_to_go_on() {
    let mut stage = Stage::new();
    let ends = stage.start();
    train(&ends, 1..=4);
    assert!(!stage.sees("Retry"), "nothing waits to be saved");
    let fails = || Event::CannotSave { run_dir: "runs/a".into(), reason: "the disk is full".into() };
    tell(&ends, fails());
    stage.frames();
    for text in ["The run waits with its weights", "the disk is full", "Stop and discard…"] {
        stage.expect(text);
    }
    stage.click("Retry");
    assert_eq!(ends.commands.try_recv(), Ok(Command::Resume));
    tell(&ends, fails());
    stage.frames();
    stage.click("Save elsewhere…");
    stage.expect("Save the run elsewhere");
    stage.window().take_browsed(PathFor::SaveElsewhere, vec!["runs/b".into()]);
    stage.frames();
    assert_eq!(ends.commands.try_recv(), Ok(Command::SaveElsewhere("runs/b".into())));
    tell(&ends, Event::Moved { run_dir: "runs/b".into() });
    tell(&ends, Event::Saved { path: "runs/b/last.safetensors".into(), best: false });
    stage.frames();
    assert!(!stage.sees("The run waits with its weights"));
    assert_eq!(stage.window().run.dir.as_deref(), Some(std::path::Path::new("runs/b")));
}

#[test]
fn the_status_fits_the_smallest_window() {
    let mut stage = Stage::sized(vec2(960.0, 540.0));
    let ends = stage.start();
    train(&ends, 1..=39);
    let stages = vec![("attack", 0.1), ("forward", 0.1), ("backward", 0.2)];
    tell(&ends, Event::Step(StepReport { stages, ..demo::step(40) }));
    tell(&ends, Event::Evaluated(demo::evaluation(40)));
    stage.frames();
    let line = stage.harness.get_by_label_contains("images/s").rect().center().y;
    let labels = stage.harness.query_all_by_role(egui::accesskit::Role::Label).map(|label| label.rect());
    let mut status: Vec<egui::Rect> = labels.filter(|rect| (rect.center().y - line).abs() < 1.0).collect();
    status.sort_by(|a, b| a.left().total_cmp(&b.left()));
    assert!(status.len() >= 6, "{status:?}");
    for pair in status.windows(2) {
        assert!(pair[0].right() <= pair[1].left() + 0.5, "figures lie over each other: {status:?}");
    }
    stage.expect("748 MiB in use");
}

#[test]
fn discarding_asks_first() {
    let mut stage = Stage::new();
    let ends = stage.start();
    stage.click("Stop and discard…");
    assert!(ends.commands.try_recv().is_err(), "nothing is sent before the answer");
    stage.click("Keep running");
    assert_eq!(stage.window().run.phase, RunPhase::Running);
    stage.click("Stop and discard…");
    assert!(stage.harness.get_by_label("Keep running").is_focused());
    stage.harness.key_press(Key::Enter);
    stage.frames();
    assert!(!stage.sees("Discard the run"), "Enter answers it");
    assert_eq!(stage.window().run.phase, RunPhase::Running, "the destructive button is not the default one");
    stage.click("Stop and discard…");
    stage.expect(&format!("throws its folder {} away", ends.request.out.display()));
    assert!(!stage.sees("Stop without saving"), "there is nothing to keep");
    stage.click("Discard the run");
    assert_eq!(ends.commands.try_recv(), Ok(Command::StopAndDiscard));
    assert_eq!(stage.window().run.phase, RunPhase::Stopping);
    frame::write_run(&ends.request.out, 0, 5, 0.5);
    std::fs::write(ends.request.out.join("last.safetensors"), b"").expect("writable");
    tell(&ends, Event::Finished(Finish::Discarded));
    stage.frames();
    assert!(!ends.request.out.exists(), "the folder is gone");
    stage.expect("Deleted ");
    assert!(!stage.sees("Resume from checkpoint"));
    assert!(stage.window().recents.runs.is_empty(), "{:?}", stage.window().recents);
    stage.show(Pane::Runs);
    frame::wait_for(&mut stage, "No runs yet");
}

/// What has a checkpoint can be stopped without losing it; and a run that ended by itself keeps its folder.
#[test]
fn a_folder_goes_only_where_that_was_asked_for() {
    for (button, finish) in
        [("Stop without saving", Finish::Discarded), ("Discard the run", Finish::Completed)]
    {
        let mut stage = Stage::new();
        let ends = stage.start();
        frame::write_run(&ends.request.out, 0, 5, 0.5);
        let saved = Event::Saved { path: ends.request.out.join("last.safetensors"), best: false };
        std::fs::write(ends.request.out.join("last.safetensors"), b"").expect("writable");
        tell(&ends, saved);
        stage.frames();
        stage.click("Stop and discard…");
        stage.click(button);
        assert_eq!(ends.commands.try_recv(), Ok(Command::StopAndDiscard));
        tell(&ends, Event::Finished(finish));
        stage.frames();
        assert!(ends.request.out.join("last.safetensors").is_file(), "{button}");
        assert_eq!(stage.window().run.dir.as_ref(), Some(&ends.request.out));
    }
}

#[test]
fn a_failure_is_told_and_the_window_lives_on() {
    let mut stage = Stage::new();
    let ends = stage.start();
    let sentence = "the loss became NaN at step 3; lower optimizer.lr";
    tell(&ends, Event::Finished(Finish::Failed(sentence.into())));
    stage.frames();
    stage.expect("Training failed");
    stage.expect(sentence);
    stage.expect("Nothing was saved yet");

    std::fs::create_dir_all(&ends.request.out).expect("a run folder");
    std::fs::write(ends.request.out.join("last.safetensors"), b"").expect("a checkpoint");
    std::fs::write(ends.request.out.join("metrics.jsonl"), b"").expect("metrics");
    frame::wait_for(&mut stage, "Resume from checkpoint");
    stage.click("Resume from checkpoint");
    let again = stage.played.runs.try_recv().expect("a second run");
    assert!(again.request.resume);
    assert_eq!(again.request.out, ends.request.out);
}

/// A user's own list of branches is shown as what it is: two unattacked branches of one domain are two
/// curves.
#[test]
fn two_branches_of_one_domain_are_two_curves() {
    let mut stage = Stage::new();
    let ends = stage.start();
    tell(
        &ends,
        Event::Started(RunInfo { method: MethodLabel::OwnBranches, ..demo::info(&ends.request.out) }),
    );
    for n in 1..=20 {
        let mut report = demo::step(n);
        let clean = report.branches[0].clone();
        let cutmix =
            BranchReport { branch: 1, source: BranchSource::Cutmix, loss: clean.loss + 0.5, ..clean };
        report.branches = vec![report.branches.remove(0), cutmix];
        tell(&ends, Event::Step(report));
    }
    stage.frames();
    stage.expect("Line main, clean");
    stage.expect("Line main, cutmix");
    let lines: Vec<_> = stage.window().run.loss.values().map(|line| (line.len(), line.last())).collect();
    assert!(lines.len() == 2 && lines.iter().all(|(points, _)| *points == 20), "{lines:?}");
    assert!(lines[1].1 > lines[0].1, "{lines:?}");
    assert_eq!(stage.window().run.method, "own branches");
}

#[test]
fn a_trainer_that_vanishes_is_a_failure() {
    let mut stage = Stage::new();
    let ends = stage.start();
    drop(ends);
    stage.frames();
    stage.expect("ended without a report");
}

#[test]
fn every_pane_has_an_empty_and_a_full_state() {
    let cases = [
        (Pane::SetUp, "Learning rate", "Learning rate"),
        (Pane::Curves, "No curves yet", "Training loss plot"),
        (Pane::Gallery, "No pictures yet", "perturbation"),
        (Pane::Lab, "No model is open", "Look into the live model"),
        (Pane::Results, "Nothing measured", "Look into the live model"),
        (Pane::Robustness, "No robustness measured", "Look into the live model"),
        (Pane::Attention, "No maps yet", "seen by main"),
        (Pane::Domains, "No statistics yet", "Distance main to aux"),
        (Pane::Log, "Nothing to report", "parameters"),
    ];
    let mut stage = Stage::new();
    for (pane, empty, _) in cases {
        stage.show(pane);
        stage.expect(empty);
    }
    let ends = stage.start();
    train(&ends, 1..=5);
    tell(&ends, Event::Evaluated(demo::evaluation(5)));
    ends.snapshot.put(demo::snapshot(5));
    for (pane, _, full) in cases {
        stage.show(pane);
        stage.expect(full);
    }
}

fn text_field(stage: &Stage) -> egui_kittest::Node<'_> {
    stage.harness.get_by_role_and_label(egui::accesskit::Role::TextInput, "Batch size")
}

#[test]
fn a_wrong_field_is_told_when_it_is_left_and_start_refuses_it() {
    let mut stage = Stage::new();
    let field = |stage: &Stage| text_field(stage).rect().center();
    let at = field(&stage);
    let below = |stage: &Stage| stage.harness.get_all_by_label("Run folder").next().expect("a row").rect();
    let first_below = below(&stage);
    text_field(&stage).click();
    stage.harness.run_steps(2);
    stage.harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
    text_field(&stage).type_text("many");
    stage.frames();
    assert!(!stage.sees("cannot be read"), "not while typing");
    stage.harness.key_press(Key::Tab);
    stage.frames();
    stage.expect("“many” cannot be read; expected a whole number");
    assert_eq!(field(&stage).y, at.y, "the field stays where it is");
    assert_eq!(below(&stage), first_below, "and so does the form below it");
    stage.click("Start");
    assert!(stage.played.runs.try_recv().is_err(), "nothing starts");
    stage.expect("Start needs a change in the set-up");
}

#[test]
fn commands_are_reached_by_key_and_by_palette() {
    let mut stage = Stage::new();
    let ends = stage.start();
    stage.harness.key_press(Key::Space);
    stage.frames();
    assert_eq!(ends.commands.try_recv(), Ok(Command::Pause));
    tell(&ends, Event::Paused);
    stage.frames();
    stage.harness.key_press(Key::S);
    stage.frames();
    assert_eq!(ends.commands.try_recv(), Ok(Command::SingleStep));
    stage.harness.key_press_modifiers(Modifiers::COMMAND, Key::S);
    stage.frames();
    assert_eq!(ends.commands.try_recv(), Ok(Command::SaveNow));

    stage.harness.key_press_modifiers(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::P);
    stage.frames();
    // Both may come in one frame.
    stage.harness.get_by_label("Command").type_text("evaluate");
    stage.harness.key_press(Key::Enter);
    stage.frames();
    assert_eq!(ends.commands.try_recv(), Ok(Command::EvaluateNow));
}

#[test]
fn a_run_folder_opens_without_a_trainer() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut lines = String::new();
    for n in 1..=20u64 {
        for branch in demo::step(n).branches {
            let attack = branch.attack.map_or("null".into(), |attack| format!("{attack:?}"));
            lines += &format!(
                "{{\"step\":{n},\"epoch\":0.1,\"split\":\"train\",\"domain\":{:?},\"attack\":{attack},\
                 \"loss\":{},\"top1\":0.1,\"top5\":0.5,\"lr\":0.1,\"images_per_s\":10.0,\"wall_s\":{n}.0}}\n",
                branch.domain, branch.loss
            );
        }
    }
    std::fs::write(folder.path().join("metrics.jsonl"), lines).expect("writable");
    let mut stage = Stage::new();
    stage.window().open_run(folder.path()).expect("a run folder");
    stage.frames();
    stage.expect("Training loss plot");
    stage.expect("Run folder, cut off at step 20");
    stage.expect("step 20");
    assert!(stage.played.runs.try_recv().is_err(), "looking starts nothing");
}

#[test]
fn closing_asks_while_a_run_is_at_work() {
    let mut stage = Stage::new();
    let ends = stage.start();
    let root = egui::ViewportId::ROOT;
    let input = stage.harness.input_mut();
    input.viewports.entry(root).or_default().events.push(egui::ViewportEvent::Close);
    stage.frames();
    stage.expect("A run is at work");
    assert!(ends.commands.try_recv().is_err(), "nothing is sent before the answer");
    stage.click("Stop, save and close");
    assert_eq!(ends.commands.try_recv(), Ok(Command::StopAndSave));
    assert_eq!(stage.window().run.phase, RunPhase::Stopping);
}

#[test]
fn a_method_becomes_a_list_of_branches_that_can_be_edited() {
    let mut stage = Stage::sized(vec2(1280.0, 900.0));
    let count = |stage: &mut Stage| stage.window().form.config().method.branch.len();
    assert_eq!(count(&mut stage), 0);
    stage.expect("Its branches");
    stage.click("Edit");
    assert_eq!(count(&mut stage), 2, "AdvProp's two");
    stage.expect("Own branches take the place of the method");
    stage.click("Add branch");
    assert_eq!(count(&mut stage), 3);
    stage.expect("Branch 3 source");
    stage.click("Remove branch 1");
    stage.click("Remove branch 1");
    assert_eq!(count(&mut stage), 1, "AdvProp's branches are gone, the new one stayed");
    assert!(stage.window().form.config().validate().is_ok());
    stage.click("Use the named method");
    assert_eq!(count(&mut stage), 0);
}
