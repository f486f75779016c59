//! The window's own sentences go when their cause does.

use super::demo;
use super::frame::write_run;
use super::stage::{Stage, tell};
use dualprop::app::commands::UiCommand;
use dualprop::training::events::Event;

fn do_command(stage: &mut Stage, command: UiCommand) {
    let ctx = stage.harness.ctx.clone();
    stage.window().carry_out(&ctx, command);
    stage.frames();
}

#[test]
fn an_error_about_a_file_goes_when_another_was_opened_well() {
    let sentence = "is none of what the window opens";
    let mut stage = Stage::new();
    let notes = stage.folder.path().join("notes.xyz");
    std::fs::write(&notes, "no run").expect("writable");
    let run = stage.folder.path().join("good");
    write_run(&run, 0, 5, 0.5);
    let drop_notes = |stage: &mut Stage| {
        stage.window().take_dropped(std::slice::from_ref(&notes));
        stage.frames();
        stage.expect(sentence);
    };
    drop_notes(&mut stage);
    stage.window().take_dropped(std::slice::from_ref(&run));
    stage.frames();
    assert!(!stage.sees(sentence), "a run was opened");
    drop_notes(&mut stage);
    let _study = stage.open_model();
    assert!(!stage.sees(sentence), "a model was opened");
}

#[test]
fn a_refused_command_is_no_news_once_it_can_be_done() {
    let mut stage = Stage::new();
    do_command(&mut stage, UiCommand::StudyBest);
    stage.expect("is not possible now: The run on screen has no best.safetensors yet");
    let dir = stage.folder.path().join("good");
    write_run(&dir, 0, 5, 0.5);
    stage.window().open_run(&dir).expect("a run folder");
    stage.frames();
    stage.expect("is not possible now");
    std::fs::write(dir.join("best.safetensors"), b"").expect("writable");
    stage.window().open_run(&dir).expect("a run folder");
    stage.frames();
    assert!(!stage.sees("is not possible now"));
}

#[test]
fn what_was_done_with_a_run_is_told_while_it_is_on_screen() {
    let mut stage = Stage::new();
    let dir = stage.folder.path().join("good");
    write_run(&dir, 0, 5, 0.5);
    std::fs::write(dir.join("config.toml"), "[run]\nsteps = 4\n").expect("writable");
    stage.window().open_run(&dir).expect("a run folder");
    do_command(&mut stage, UiCommand::DuplicateRun);
    stage.expect("Start trains it in a new folder");
    stage.window().form.run_dir = stage.folder.path().join("another").display().to_string();
    stage.click("Start");
    let ends = stage.played.runs.try_recv().expect("Start starts a run");
    tell(&ends, Event::Started(demo::info(&ends.request.out)));
    stage.harness.run_steps(2);
    assert!(!stage.sees("Start trains it in a new folder"), "it was started");
}

/// The log of a run at work has times, as that of a folder has.
#[test]
fn every_line_of_the_log_has_its_time() {
    let mut stage = Stage::new();
    let ends = stage.start();
    tell(&ends, Event::Paused);
    stage.frames();
    let log = &stage.window().run.log;
    assert!(log.iter().any(|line| line.text == "Paused"), "{log:?}");
    let day = log.iter().find_map(|line| line.date_and_time()).expect("a time")[0].to_owned();
    assert!(log.iter().all(|line| line.date_and_time().is_some()), "{log:?}");
    stage.show(dualprop::app::panes::Pane::Log);
    stage.expect(&day);
}
