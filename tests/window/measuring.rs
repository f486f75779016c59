//! Work of an opened model that takes long: what is seen of it meanwhile, and that nothing else moves.

use super::demo::{self, StudyEnds};
use super::stage::{Stage, say};
use dualprop::app::panes::Pane;
use dualprop::session::inspect::{Answer, Measure, Request};
use egui::{Rect, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What begins the work of each pane that has some.
const BEGINNINGS: [(Pane, &str); 3] =
    [(Pane::Lab, "Sweep ε"), (Pane::Results, "Measure"), (Pane::Robustness, "Measure")];

/// Where everything is that has a name of its own.
fn places(stage: &Stage) -> BTreeMap<String, Rect> {
    let mut places = BTreeMap::new();
    let mut twice = Vec::new();
    for node in stage.harness.query_all_by_label_contains("") {
        let of = node.accesskit_node();
        let Some(name) = of.label().or_else(|| of.value()).filter(|name| !name.is_empty()) else { continue };
        if places.insert(name.clone(), node.rect()).is_some() {
            twice.push(name);
        }
    }
    // A plot's inner part gives way to the numbers beside it.
    places.retain(|name, _| !twice.contains(name) && !name.ends_with(" plot"));
    places
}

/// Everything that is there before and after is where it was.
#[track_caller]
fn assert_nothing_moved(before: &BTreeMap<String, Rect>, after: &BTreeMap<String, Rect>) {
    let mut seen = 0;
    for (name, rect) in before {
        if let Some(now) = after.get(name) {
            assert!((now.min - rect.min).length() < 0.5, "“{name}” moved from {rect:?} to {now:?}");
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen} controls are too few to tell");
}

fn asked_measure(ends: &StudyEnds) -> Measure {
    let found = |request| if let Request::Measure(measure) = request { Some(measure) } else { None };
    ends.requests.try_iter().find_map(found).expect("a measurement is asked for")
}

#[test]
fn results_appear_while_they_are_measured_and_stay_when_it_is_cancelled() {
    let mut stage = Stage::sized(vec2(1600.0, 1000.0));
    let ends = stage.open_model();
    stage.show(Pane::Results);
    stage.click("Measure");
    let measure = asked_measure(&ends);
    stage.expect("Opening the images");
    say(&ends, Answer::Measuring(16, 256));
    let mut measured = demo::measured(260, &measure);
    measured.finished = false;
    say(&ends, Answer::Measured(Arc::new(measured)));
    stage.frames();
    for text in ["16/256 images", "so far", "Confusion matrix", "main, clean"] {
        stage.expect(text);
    }
    std::thread::sleep(std::time::Duration::from_millis(20));
    say(&ends, Answer::Measuring(32, 256));
    stage.frames();
    stage.expect("32/256, ");
    stage.expect(" s left");
    stage.click("Cancel");
    assert!(ends.requests.try_iter().any(|request| matches!(request, Request::Stop)));
    stage.expect("Cancelling…");
    say(&ends, Answer::Stopped);
    stage.frames();
    assert!(!stage.sees("Cancelling…"));
    stage.expect("Confusion matrix");
    stage.expect("cancelled: of the images until then");

    // Another begins afresh.
    stage.click("Measure");
    assert!(!stage.sees("Confusion matrix"));
    say(&ends, Answer::Measured(Arc::new(demo::measured(260, &measure))));
    stage.frames();
    stage.expect("Confusion matrix");
    assert!(!stage.sees("so far") && !stage.sees("Cancel"));
}

#[test]
fn work_is_cancelled_in_one_word_and_moves_nothing() {
    // The smallest window, and a large one.
    for size in [vec2(960.0, 540.0), vec2(1920.0, 1080.0)] {
        let mut stage = Stage::sized(size);
        let ends = stage.open_model();
        stage.serve(&ends);
        for (pane, begin) in BEGINNINGS {
            stage.show(pane);
            stage.serve(&ends);
            let before = places(&stage);
            // It may be out of sight.
            stage.harness.get_by_label(begin).click_accesskit();
            stage.frames();
            stage.expect("Cancel");
            assert!(stage.harness.query_by_label("Stop").is_none(), "{pane:?}");
            assert_nothing_moved(&before, &places(&stage));
            say(&ends, Answer::Stopped);
            stage.frames();
            assert!(!stage.sees("Cancel"), "{pane:?}");
            assert_nothing_moved(&before, &places(&stage));
            ends.requests.try_iter().for_each(drop);
        }
    }
}

#[test]
fn an_awaited_answer_moves_nothing() {
    let mut stage = Stage::sized(vec2(1600.0, 1000.0));
    let ends = stage.open_model();
    for pane in [Pane::Lab, Pane::Attention] {
        stage.show(pane);
        stage.serve(&ends);
        let before = places(&stage);
        stage.window().views.look.seed += 1;
        stage.frames();
        assert!(!ends.requests.is_empty(), "{pane:?} asks");
        assert_nothing_moved(&before, &places(&stage));
        stage.serve(&ends);
    }
    stage.show(Pane::Robustness);
    stage.click("Pictures");
    stage.serve(&ends);
    let before = places(&stage);
    stage.window().views.robustness.image += 1;
    stage.frames();
    assert!(!ends.requests.is_empty(), "another image is asked for");
    assert_nothing_moved(&before, &places(&stage));
}

/// What a slider of the lab changes stands below it.
#[test]
fn a_slider_explains_itself_above_and_is_silent_while_it_is_dragged() {
    let mut stage = Stage::sized(vec2(1600.0, 1000.0));
    let ends = stage.open_model();
    stage.serve(&ends);
    let place =
        |stage: &Stage| stage.harness.query_all_by_label("Epsilon").next().expect("the slider").rect();
    let help = |stage: &Stage| {
        let found = stage.harness.query_by_label_contains("Radius of the ball");
        found.map(|help| help.rect())
    };
    let slider = place(&stage);
    stage.harness.hover_at(slider.center());
    stage.harness.run_steps(8);
    let shown = help(&stage).expect("it explains itself");
    assert!(shown.bottom() <= slider.top(), "{shown:?} covers what is below {slider:?}");
    stage.harness.drag_at(slider.center());
    for step in 1..6 {
        stage.harness.hover_at(slider.center() + vec2(2.0 * step as f32, 0.0));
        stage.harness.run_steps(3);
        assert_eq!(help(&stage), None, "while it is dragged");
    }
    stage.harness.drop_at(slider.center() + vec2(10.0, 0.0));
    stage.serve(&ends);
    assert_eq!(place(&stage), slider, "it stays under the pointer");
}

/// Numbers of more digits take the room that was there for them.
#[test]
fn a_stronger_attack_moves_nothing() {
    let mut stage = Stage::sized(vec2(1280.0, 720.0));
    let ends = stage.open_model();
    stage.serve(&ends);
    let before = places(&stage);
    let attack = &mut stage.window().views.look.attack;
    (attack.epsilon, attack.step) = (31.75, 2.25);
    stage.serve(&ends);
    assert_eq!(stage.window().views.look.attack.iterations(), 32);
    assert_nothing_moved(&before, &places(&stage));
}

/// The pictures stay where they are when a warning comes.
#[test]
fn a_weaker_attack_moves_nothing() {
    let mut stage = Stage::sized(vec2(1600.0, 1000.0));
    let ends = stage.open_model();
    stage.serve(&ends);
    let before = places(&stage);
    stage.window().views.look.attack.iterations = Some(2);
    stage.serve(&ends);
    stage.expect("2 iterations of 1 reach 2 of the ε of 4");
    assert_nothing_moved(&before, &places(&stage));
}
