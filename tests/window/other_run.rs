//! A model that is open while another run comes on screen.

use super::demo::{self, StudyEnds};
use super::frame::write_run;
use super::stage::{Stage, say};
use dualprop::app::panes::Pane;
use dualprop::session::inspect::{Answer, Request, Subject};
use egui::vec2;
use std::path::PathBuf;
use std::sync::Arc;

const PANES: [Pane; 4] = [Pane::Lab, Pane::Attention, Pane::Results, Pane::Robustness];

/// A run folder called `name` with a best checkpoint.
fn run_with_model(stage: &Stage, name: &str) -> PathBuf {
    let dir = stage.folder.path().join(name);
    write_run(&dir, 0, 20, 0.5);
    std::fs::write(dir.join("best.safetensors"), b"").expect("writable");
    dir
}

fn opened_file(study: &StudyEnds) -> PathBuf {
    match study.requests.try_recv() {
        Ok(Request::Open { subject: Subject::Checkpoint(path), .. }) => path,
        other => panic!("a checkpoint is asked for, and not {other:?}"),
    }
}

#[test]
fn every_pane_offers_the_model_of_the_run_on_screen_and_none_switches_by_itself() {
    let mut stage = Stage::sized(vec2(1600.0, 1000.0));
    let first = run_with_model(&stage, "first");
    let second = run_with_model(&stage, "second");
    stage.window().open_run(&first).expect("a run folder");
    let _study = stage.open_model_in("first");
    for pane in PANES {
        stage.show(pane);
        stage.expect("Model: best of first");
        assert!(!stage.sees("The run on screen is"), "{pane:?}: it is the model of the run on screen");
    }
    stage.window().open_run(&second).expect("a run folder");
    for pane in PANES {
        stage.show(pane);
        stage.expect("Model: best of first");
        stage.expect("The run on screen is second.");
        stage.expect("Use its model");
    }
    assert!(stage.played.studies.try_recv().is_err(), "nothing is opened unasked");

    stage.click("Use its model");
    let study = stage.played.studies.try_recv().expect("its model is opened");
    assert_eq!(opened_file(&study), second.join("best.safetensors"));
    say(&study, Answer::Opened(Arc::new(demo::model(20))));
    for pane in PANES {
        stage.show(pane);
        stage.expect("Model: best of second");
        assert!(!stage.sees("The run on screen is"), "{pane:?}");
    }
}

#[test]
fn a_run_without_a_model_offers_none() {
    let mut stage = Stage::new();
    let _study = stage.open_model_in("first");
    let bare = stage.folder.path().join("bare");
    write_run(&bare, 0, 20, 0.5);
    stage.window().open_run(&bare).expect("a run folder");
    stage.show(Pane::Lab);
    stage.expect("Model: best of first");
    assert!(!stage.sees("The run on screen is"));
}
