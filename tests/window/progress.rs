//! What the window says while a run is at something that no step reports.

use super::demo;
use super::stage::{Stage, tell, train};
use dualprop::app::panes::Pane;
use dualprop::training::events::{Command, Event, Finish, RunInfo, StepReport, Work};

fn work(what: &str, done: usize, total: usize, next: &'static str) -> Event {
    Event::Working(Work { what: what.into(), done, total, next })
}

#[test]
fn every_phase_has_its_name_and_its_progress() {
    let mut stage = Stage::new();
    stage.show(Pane::Curves);
    stage.expect("Start a run, or open a run folder");
    stage.click("Start");
    let ends = stage.played.runs.try_recv().expect("Start starts a run");
    tell(&ends, work("Compiling shaders", 3, 24, "the shaders of validation"));
    stage.frames();
    stage.expect("Compiling shaders 3/24");
    stage.expect("Then: the shaders of validation");
    assert!(!stage.sees("Start a run, or open"), "one is at work");
    tell(&ends, Event::Started(demo::info(&ends.request.out)));
    tell(&ends, work("First step: the driver compiles", 0, 1, "the next steps"));
    stage.frames();
    stage.expect("First step: the driver compiles");
    assert!(!stage.sees("0/1"), "work without parts has no share");

    train(&ends, 1..=80);
    tell(&ends, work("Validating val: main, clean", 640, 8000, "the next step"));
    stage.frames();
    stage.expect("Validating val: main, clean 640/8\u{202f}000");
    tell(&ends, Event::Evaluated(demo::evaluation(80)));
    stage.frames();
    assert!(!stage.sees("Validating"));
    stage.expect("step 80");
    tell(&ends, Event::Finished(Finish::StoppedAndSaved));
    stage.frames();
    assert!(stage.window().run.work.is_none());
}

#[test]
fn the_remaining_time_counts_validations() {
    let mut stage = Stage::new();
    let ends = stage.start();
    // 0.205 s a step.
    train(&ends, 1..=80);
    stage.frames();
    stage.expect("1m 06s + 5 validations left");
    tell(&ends, Event::Evaluated(demo::evaluation(80)));
    stage.frames();
    // Four more of 6 s each.
    stage.expect("1m 30s left");
}

/// The first steps of a resumed run are reported together, before there is a rate.
#[test]
fn nothing_is_zero_that_is_not_known() {
    let mut stage = Stage::new();
    let ends = stage.start();
    for n in 41..=44 {
        tell(&ends, Event::Step(StepReport { images_per_s: f64::NAN, elapsed_s: 9.0, ..demo::step(n) }));
    }
    stage.frames();
    stage.expect("– images/s");
    assert!(!stage.sees("left"), "there is no pace yet");
}

#[test]
fn closing_before_the_first_step_names_no_step() {
    let mut stage = Stage::new();
    stage.click("Start");
    let ends = stage.played.runs.try_recv().expect("Start starts a run");
    stage.click("Stop and discard…");
    stage.expect("The run is still being prepared");
    stage.click("Keep running");
    let resumed = RunInfo { first_step: 40, ..demo::info(&ends.request.out) };
    tell(&ends, Event::Started(resumed));
    stage.frames();
    stage.click("Stop and discard…");
    stage.expect("Training stands at step 40");
    assert_ne!(ends.commands.try_recv(), Ok(Command::StopAndDiscard));
}
