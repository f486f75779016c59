//! The first minute on an empty profile: the sample run, and the three steps that lead through it.

use super::demo;
use super::frame::wait_for;
use super::stage::{Stage, say, tell};
use dualprop::app::commands::UiCommand;
use dualprop::app::model::{history, sample};
use dualprop::app::panes::Pane;
use dualprop::app::shell::dialogs::PathFor;
use dualprop::session::inspect::{Answer, ModelInfo, Request, Subject};
use dualprop::training::checkpoint::Checkpoint;
use dualprop::training::events::{Event, Finish};
use dualprop::training::pictures;
use dualprop::training::run_folder::RunFiles;
use egui_kittest::kittest::Queryable as _;
use std::sync::Arc;

#[test]
fn the_sample_is_a_whole_run_that_every_pane_can_show() {
    let storage = tempfile::tempdir().expect("a temporary folder");
    let dir = sample::place(storage.path()).expect("the sample is written");
    let files = RunFiles::of(&dir);
    let bytes: u64 = std::fs::read_dir(&dir)
        .expect("a folder")
        .map(|entry| entry.and_then(|entry| entry.metadata()).expect("a file").len())
        .sum();
    assert!(bytes <= 2_000_000, "{bytes} bytes are too many to carry in every copy of the program");

    let opened = history::open(&dir).expect("it opens as any run");
    assert!(opened.run.log.iter().all(|line| !line.text.contains("left out")), "{:?}", opened.run.log);
    assert_eq!(opened.run.ended, Some(Finish::Completed));
    assert_eq!(opened.run.domains, ["main", "aux"]);
    let config = opened.config.expect("its configuration");
    assert_eq!(config.data.image_size, 64, "large enough for maps of attention");
    let curves = opened.run.accuracy.get("val").expect("it was validated");
    assert!(curves.values().all(|line| (10..=20).contains(&line.len())), "10 to 20 points make a curve");
    let gallery = pictures::load(&files.pictures()).expect("its pictures").gallery.len();
    assert!(gallery >= 6, "{gallery} pictures");
    let statistics = std::fs::read_to_string(files.bn_stats()).expect("its BN statistics");
    assert!(statistics.lines().count() > 100, "a history of each layer and domain");
    let model = Checkpoint::load(&files.best()).expect("its weights");
    assert_eq!(model.meta.domains, ["main", "aux"]);

    // What the user has made of it stays.
    std::fs::write(files.log(), "mine").expect("writable");
    sample::place(storage.path()).expect("it is there");
    assert_eq!(std::fs::read_to_string(files.log()).expect("readable"), "mine");
}

#[test]
fn three_steps_lead_through_the_sample_and_go_away_for_good() {
    let mut stage = Stage::new();
    let storage = stage.folder.path().join("storage");
    stage.window().storage = Some(storage.clone());
    stage.window().begin_first_minute();
    wait_for(&mut stage, "A sample run");
    stage.frames();
    let study = stage.played.studies.try_recv().expect("the sample's model is opened");
    let asked = study.requests.try_recv().expect("a request");
    let best = RunFiles::of(sample::folder(&storage)).best();
    assert!(matches!(&asked, Request::Open { subject: Subject::Checkpoint(path), .. } if *path == best));
    say(&study, Answer::Opened(Arc::new(demo::model(400))));
    stage.frames();
    stage.expect("Validation accuracy plot");
    stage.expect("perturbation");

    stage.click("Open the Lab");
    assert!(stage.window().layout.is_active(Pane::Lab));
    assert!(!stage.sees("done"), "nothing was dragged yet");
    let epsilon = stage.window().views.look.attack.epsilon;
    stage.harness.get_all_by_label("Epsilon").next().expect("the slider").increment_accesskit();
    stage.frames();
    assert_ne!(stage.window().views.look.attack.epsilon, epsilon);
    let done = |stage: &Stage| stage.harness.query_all_by_label("done").count();
    assert_eq!(done(&stage), 1);
    stage.click("Show attention");
    assert!(stage.window().layout.is_active(Pane::Attention));
    assert_eq!(done(&stage), 2);
    stage.click("Start training");
    assert_eq!(done(&stage), 0, "the card makes room for the run");
    assert!(!stage.window().first_steps.is_over(), "no run has started yet");
    let ends = stage.played.runs.try_recv().expect("a run like the sample is started");
    assert_eq!(ends.request.config.data.image_size, 64);
    assert_ne!(ends.request.out, sample::folder(&storage), "the sample stays as it is");
    tell(&ends, Event::Started(demo::info(&ends.request.out)));
    stage.frames();
    assert!(stage.window().first_steps.is_over());
    assert!(!stage.sees("A sample run"));
    tell(&ends, Event::Finished(Finish::StoppedAndSaved));
    stage.frames();

    // The run comes back when it is asked for, the card does not.
    let ctx = stage.harness.ctx.clone();
    stage.window().carry_out(&ctx, UiCommand::OpenSample);
    stage.frames();
    stage.frames();
    assert_eq!(stage.window().run.dir, Some(sample::folder(&storage)));
    assert!(!stage.sees("A sample run"));
}

#[test]
fn who_has_runs_or_has_dismissed_the_card_is_left_alone() {
    let mut stage = Stage::new();
    let storage = stage.folder.path().join("storage");
    stage.window().storage = Some(storage.clone());
    let own = stage.folder.path().join("own");
    stage.window().recents.add_run(&own);
    stage.window().begin_first_minute();
    stage.frames();
    assert!(!storage.exists(), "nothing is written for a user with runs");

    stage.window().recents.forget_run(&own);
    stage.window().begin_first_minute();
    wait_for(&mut stage, "A sample run");
    stage.click("Dismiss");
    assert!(!stage.sees("A sample run"));
    assert!(stage.window().first_steps.is_over());

    stage.window().storage = None;
    let ctx = stage.harness.ctx.clone();
    stage.window().carry_out(&ctx, UiCommand::OpenSample);
    stage.frames();
    stage.expect("names no folder");
}

#[test]
fn a_network_of_timm_leads_to_the_users_own_photo() {
    let mut stage = Stage::new();
    let path = stage.folder.path().join("resnet18.safetensors");
    stage.window().take_dropped(std::slice::from_ref(&path));
    stage.frames();
    let study = stage.played.studies.try_recv().expect("the model is opened");
    let sentence = "resnet18.safetensors has no metadata and was taken for resnet18".to_owned();
    let info = ModelInfo { splits: vec![], taken_for: Some(sentence), ..demo::model(0) };
    say(&study, Answer::Opened(Arc::new(info)));
    stage.frames();
    stage.expect("Choose image files");
    assert!(stage.window().layout.is_active(Pane::Attention), "where the maps will be");
    stage.expect("was taken for resnet18");
}

/// What is open is not given up for a file that is none.
#[test]
fn a_file_that_is_no_model_leaves_the_open_one() {
    let mut stage = Stage::new();
    let study = stage.open_model();
    let text = stage.folder.path().join("notes.safetensors");
    std::fs::write(&text, "these are notes and no tensors").expect("writable");
    let ctx = stage.harness.ctx.clone();
    stage.window().carry_out(&ctx, UiCommand::OpenCheckpoint);
    stage.window().take_browsed(PathFor::OpenCheckpoint, vec![text]);
    stage.frames();
    stage.expect("no safetensors file");
    stage.expect("Open a checkpoint");
    assert!(stage.played.studies.try_recv().is_err(), "nothing else is opened");
    drop(study);
}
