//! Time as a slider: Gallery, Attention and BN domains show a moment of the run.

use super::{Stage, demo, tell, train};
use dualprop::app::panes::Pane;
use dualprop::training::events::{Event, Finish};
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
