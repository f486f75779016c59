//! Time as a slider: Gallery, Attention and BN domains show a moment of the run.

use super::frame::{wait_for, write_run};
use super::{Stage, demo, tell, train};
use dualprop::app::panes::Pane;
use dualprop::training::events::{Event, Finish};
use dualprop::training::pictures;
use dualprop::training::run_folder::RunFiles;
use egui_kittest::kittest::Queryable as _;

#[test]
fn a_slider_goes_over_the_moments_of_a_run() {
    let mut stage = Stage::new();
    let ends = stage.start();
    train(&ends, 1..=5);
    ends.snapshot.put(demo::snapshot(80));
    stage.show(Pane::Gallery);
    stage.expect("Step 80, ");
    stage.expect("step 80 is the only moment kept");
    for step in [160, 240] {
        ends.snapshot.put(demo::snapshot(step));
        stage.frames();
    }
    stage.expect("Step 240, ");
    assert!(!stage.sees("only moment"));
    stage.harness.get_by_role_and_label(egui::accesskit::Role::Slider, "Moment").focus();
    stage.frames();
    stage.harness.key_press(egui::Key::ArrowLeft);
    stage.frames();
    stage.expect("Step 160, ");
    stage.show(Pane::Attention);
    stage.expect("Step 160, map of the true class");
    stage.show(Pane::Domains);
    stage.expect("step 160");
    // What comes meanwhile does not take the chosen moment away, until it is the newest again.
    ends.snapshot.put(demo::snapshot(320));
    stage.show(Pane::Gallery);
    stage.expect("Step 160, ");
    tell(&ends, Event::Finished(Finish::Completed));
    stage.frames();
    stage.click("Play the moments");
    stage.expect("Pause the moments");
    for _ in 0..12 {
        stage.frames();
    }
    stage.expect("Step 320, ");
    stage.expect("Play the moments");
}

/// What a run has written is enough for the slider of one that is opened.
#[test]
fn the_slider_of_an_opened_run_has_the_statistics_of_its_moments() {
    let mut stage = Stage::new();
    let dir = stage.folder.path().join("first");
    write_run(&dir, 0, 240, 0.5);
    let files = RunFiles::of(&dir);
    std::fs::create_dir_all(files.moments()).expect("writable");
    for step in [80, 160] {
        let file = files.moments().join(format!("{step:08}.safetensors"));
        pictures::save(&file, &demo::snapshot(step)).expect("writable");
    }
    pictures::save(&files.pictures(), &demo::snapshot(240)).expect("writable");
    stage.window().open_run(&dir).expect("a run folder");
    stage.show(Pane::Domains);
    wait_for(&mut stage, "step 240");
    stage.expect("Layer strip");
    stage.harness.get_by_role_and_label(egui::accesskit::Role::Slider, "Moment").focus();
    stage.frames();
    stage.harness.key_press(egui::Key::ArrowLeft);
    stage.frames();
    stage.expect("step 160");
    let kept = stage.window().run.moments.kept();
    let steps: Vec<u64> = kept.iter().map(|moment| moment.snapshot.step).collect();
    assert_eq!(steps, [80, 160, 240]);
    for moment in kept {
        let of_run = demo::snapshot(moment.snapshot.step).bn_layers;
        assert_eq!(format!("{:?}", moment.snapshot.bn_layers), format!("{of_run:?}"), "to the bit");
    }
}
