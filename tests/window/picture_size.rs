//! How large the pictures of Gallery, Lab and Attention are on small and large screens.

use super::demo;
use super::stage::{Stage, train};
use dualprop::app::commands::UiCommand;
use dualprop::app::panes::Pane;
use egui::{Vec2, vec2};
use egui_kittest::kittest::Queryable as _;

const SCREENS: [Vec2; 3] = [vec2(1280.0, 720.0), vec2(1920.0, 1080.0), vec2(3840.0, 2160.0)];

/// The side of the picture with this name, points.
fn side(stage: &Stage, name: &str) -> f32 {
    let rect = stage.harness.query_all_by_label(name).next().expect("a picture").rect();
    assert!((rect.width() - rect.height()).abs() < 0.1, "{rect:?}");
    rect.width()
}

#[test]
fn pictures_grow_with_the_screen_and_their_pixels_stay_whole() {
    let mut sides: Vec<[f32; 3]> = Vec::new();
    for screen in SCREENS {
        let mut stage = Stage::sized(screen);
        let ends = stage.start();
        train(&ends, 1..=5);
        ends.snapshot.put(demo::snapshot(5));
        stage.show(Pane::Gallery);
        let gallery = side(&stage, "clean image of val/00012");
        stage.show(Pane::Attention);
        let attention = side(&stage, "clean val/00012");
        let study = stage.open_model();
        stage.show(Pane::Lab);
        stage.serve(&study);
        sides.push([gallery, side(&stage, "clean image of val/00012"), attention]);
    }
    assert!(sides.is_sorted(), "{sides:?}");
    // Of 32 pixels, as large as suits the smallest screen or by whole pixels.
    assert!(sides.iter().flatten().all(|side| *side == 88.0 || side % 32.0 == 0.0), "{sides:?}");
    let [small, large, last] = sides.as_slice() else { panic!("{sides:?}") };
    assert!(small.iter().all(|side| (88.0..=96.0).contains(side)), "{sides:?}");
    assert!(large[0] > 96.0 && large[1] >= 96.0 && large[2] > 96.0, "{sides:?}");
    assert!(last.iter().all(|side| *side >= 192.0), "{sides:?}");
}

#[test]
fn a_size_that_was_chosen_stays_until_it_is_left_to_the_pane() {
    let mut stage = Stage::sized(vec2(1920.0, 1080.0));
    let ends = stage.start();
    train(&ends, 1..=5);
    ends.snapshot.put(demo::snapshot(5));
    stage.show(Pane::Gallery);
    let name = "clean image of val/00012";
    let fitting = side(&stage, name);
    stage.harness.get_by_label("Picture size").set_value_accesskit(100.0);
    stage.frames();
    assert_eq!(side(&stage, name), 100.0);
    let ctx = stage.harness.ctx.clone();
    stage.window().carry_out(&ctx, UiCommand::EnlargePane);
    stage.frames();
    assert_eq!(side(&stage, name), 100.0, "it was chosen");
    stage.click("Fit");
    assert!(side(&stage, name) > fitting, "the pane has more room now");
}
