//! The large view: every picture leads to it, it shows what is known and says what is not.

use super::demo::{self, StudyEnds};
use super::stage::say;
use super::{Stage, tell, train};
use dualprop::app::panes::Pane;
use dualprop::config::BranchSource;
use dualprop::session::inspect::{Answer, Change, Examine, Gather, ImageChoice, Look, Request};
use dualprop::session::preflight::{BranchPreview, Preflight};
use dualprop::training::events::{Event, Finish};
use egui::{Event as Input, Key, Modifiers, PointerButton, Pos2, pos2, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use std::sync::Arc;

fn press(stage: &mut Stage, key: Key) {
    stage.harness.key_press(key);
    stage.frames();
}

fn point(stage: &mut Stage, at: Pos2) {
    stage.harness.event(Input::PointerMoved(at));
    for pressed in [true, false] {
        let (button, modifiers) = (PointerButton::Primary, Modifiers::NONE);
        stage.harness.event(Input::PointerButton { pos: at, button, pressed, modifiers });
    }
    stage.frames();
}

/// Drags the picture of that name from one end of its middle line to a place of it.
fn drag(stage: &mut Stage, label: &str, to: f32) {
    let rect = stage.harness.get_by_label_contains(label).rect();
    let at = |share: f32| pos2(rect.left() + share * rect.width(), rect.top() + 0.2 * rect.height());
    let (button, modifiers) = (PointerButton::Primary, Modifiers::NONE);
    stage.harness.event(Input::PointerMoved(at(0.9)));
    stage.harness.event(Input::PointerButton { pos: at(0.9), button, pressed: true, modifiers });
    stage.harness.run_steps(1);
    stage.harness.event(Input::PointerMoved(at(to)));
    stage.harness.run_steps(1);
    stage.harness.event(Input::PointerButton { pos: at(to), button, pressed: false, modifiers });
    stage.frames();
}

fn is_disabled(stage: &Stage, label: &str) -> bool {
    stage.harness.get_by_label(label).accesskit_node().is_disabled()
}

fn asked_to_examine(ends: &StudyEnds) -> Option<Examine> {
    ends.requests.try_iter().filter_map(|r| if let Request::Examine(e) = r { Some(e) } else { None }).last()
}

fn name_of(request: &Examine) -> &str {
    let ImageChoice::Named { name, .. } = &request.image else { panic!("{request:?}") };
    name
}

fn line(stage: &Stage) -> f64 {
    let node = stage.harness.get_by_label("Line between clean and attacked");
    node.accesskit_node().numeric_value().expect("a slider")
}

/// A run with pictures, whose gallery is on screen.
fn gallery() -> (Stage, demo::Ends) {
    let mut stage = Stage::sized(vec2(1280.0, 720.0));
    let ends = stage.start();
    train(&ends, 1..=5);
    ends.snapshot.put(demo::snapshot(40));
    stage.show(Pane::Gallery);
    (stage, ends)
}

#[test]
fn a_picture_of_the_gallery_is_shown_large_with_its_neighbours() {
    let (mut stage, _ends) = gallery();
    stage.click("attacked image of val/00012");
    for text in [
        "val/00012 large: clean left of the line, attacked right of it",
        "1 of 8",
        "The run's pictures, step 40: pgd:eps=4,step=1,iters=5 through aux",
        "main, circle: clean 92.0%, attacked 61.0%",
        "aux, star: clean 5.6%, attacked 27.3%",
    ] {
        stage.expect(text);
    }
    assert!(!stage.sees("Training loss plot"), "it has the panes' room");

    press(&mut stage, Key::ArrowRight);
    stage.expect("2 of 8");
    stage.expect("val/00049 large");
    press(&mut stage, Key::ArrowLeft);
    press(&mut stage, Key::ArrowLeft);
    stage.expect("8 of 8");
    stage.click("Next");
    stage.expect("1 of 8");

    stage.click("Perturbation");
    stage.expect("attacked − clean, times 31, around middle grey; the largest change is 4.00/255.");
    stage.click("Clean | attacked");
    assert!(is_disabled(&stage, "of the prediction"), "the run's pictures have no such maps");
    stage.click("of the class");
    stage.click("large map of aux, attacked");
    stage.expect("Where each domain looks");

    press(&mut stage, Key::Escape);
    stage.expect("attacked image of val/00012");
    assert!(!stage.sees("val/00012 large"), "the panes are back");
}

#[test]
fn the_line_between_the_images_is_moved_by_pointer_and_keys() {
    let (mut stage, _ends) = gallery();
    stage.click("clean image of val/00012");
    assert_eq!(line(&stage), 0.5);
    drag(&mut stage, "val/00012 large", 0.25);
    assert!((line(&stage) - 0.25).abs() < 0.01, "{}", line(&stage));
    stage.harness.get_by_label("Line between clean and attacked").focus();
    stage.frames();
    press(&mut stage, Key::ArrowRight);
    assert!((line(&stage) - 0.27).abs() < 0.01, "{}", line(&stage));
    stage.expect("1 of 8");
}

#[test]
fn a_picture_is_chosen_and_left_by_the_keyboard() {
    let (mut stage, _ends) = gallery();
    stage.harness.get_by_label("clean image of val/00049").focus();
    stage.frames();
    press(&mut stage, Key::Enter);
    stage.expect("2 of 8");
    press(&mut stage, Key::Escape);
    assert!(stage.harness.get_by_label("clean image of val/00049").is_focused(), "it is back where it was");
    // A question of the window is answered first.
    press(&mut stage, Key::Enter);
    stage.click("Stop and discard…");
    press(&mut stage, Key::Escape);
    stage.expect("2 of 8");
    stage.show(Pane::Curves);
    assert!(!stage.sees("2 of 8"), "a pane that is asked for is seen");
}

/// What the opened model answers is shown as it comes; an answer for another image is not.
#[test]
fn the_opened_model_is_asked_for_the_image_that_is_shown() {
    let mut stage = Stage::sized(vec2(1600.0, 1000.0));
    let ends = stage.open_model();
    stage.serve(&ends);
    stage.click("clean image of val/00012");
    let first = asked_to_examine(&ends).expect("the model is asked");
    assert_eq!(name_of(&first), "val/00012");
    let Change::Attack(call) = &first.change else { panic!("{first:?}") };
    assert_eq!(
        (call.attack.spec().as_str(), call.domain.name().as_str()),
        ("pgd:eps=4,step=1,iters=5", "main")
    );
    stage.expect("The model looks at the image…");
    stage.expect("main, circle: clean 92.0%");
    assert!(is_disabled(&stage, "of the prediction"));

    press(&mut stage, Key::ArrowRight);
    assert!(asked_to_examine(&ends).is_none(), "one question at a time");
    say(&ends, Answer::Examined(Arc::new(demo::examined(260, &first))));
    stage.frames();
    stage.expect("val/00049 large");
    stage.expect("The model looks at the image…");
    let second = asked_to_examine(&ends).expect("the next question");
    assert_eq!(name_of(&second), "val/00049");
    say(&ends, Answer::Examined(Arc::new(demo::examined(260, &second))));
    stage.frames();
    assert!(!stage.sees("The model looks at the image…"));
    stage.expect("auto, square: clean ");
    stage.click("of the prediction");
    stage.expect("large map of auto, clean");

    say(&ends, Answer::Refreshed(280));
    stage.frames();
    assert_eq!(asked_to_examine(&ends), Some(second), "newer weights are asked again");
    say(&ends, Answer::Failed("the GPU was lost; open the model again".into()));
    stage.frames();
    press(&mut stage, Key::ArrowRight);
    assert!(asked_to_examine(&ends).is_some());
    say(&ends, Answer::Failed("val of the opened model has no image val/00086".into()));
    stage.frames();
    stage.expect("has no image val/00086");
    assert!(asked_to_examine(&ends).is_none(), "a refused question is not asked again");
}

#[test]
fn a_runs_picture_is_asked_of_the_opened_model_only_when_that_is_wanted() {
    let (mut stage, ends) = gallery();
    tell(&ends, Event::Finished(Finish::Completed));
    stage.frames();
    stage.click("clean image of val/00012");
    assert!(is_disabled(&stage, "the opened model"));
    press(&mut stage, Key::Escape);
    let study = stage.open_model();
    stage.serve(&study);
    stage.show(Pane::Gallery);
    stage.click("clean image of val/00012");
    assert!(asked_to_examine(&study).is_none());
    stage.click("the opened model");
    let asked = asked_to_examine(&study).expect("it is asked");
    let Change::Attack(call) = &asked.change else { panic!("{asked:?}") };
    assert_eq!(call.domain.name(), "aux", "attacked as the run's pictures were");
    say(&study, Answer::Examined(Arc::new(demo::examined(260, &asked))));
    stage.frames();
    stage.expect("Step 260: pgd:eps=4,step=1,iters=5 through aux");
}

#[test]
fn an_image_that_no_model_has_seen_says_so() {
    let mut stage = Stage::sized(vec2(1280.0, 1400.0));
    stage.click("Preflight");
    let events = stage.played.preflights.try_recv().expect("a preflight is started");
    let images: Vec<_> = (0..3).map(|n| demo::snapshot(1).gallery[n].clean.clone()).collect();
    let source = BranchSource::Attack.name();
    let preview = BranchPreview { source, domain: "aux".into(), size: 32, images, mixed: None };
    events.try_send(Preflight::Previews(Arc::new(vec![preview]))).expect("room");
    stage.frames();
    stage.click("attack image 2 for aux");
    stage.expect("attack image 2 for aux large");
    stage.expect("No model has seen this image yet");
    stage.expect("2 of 3");
    for button in ["Attack this in Lab", "Where does it look", "Perturbation", "of the class"] {
        assert!(is_disabled(&stage, button), "{button}");
    }
    assert!(!is_disabled(&stage, "Save…"));
    assert!(!stage.sees(": clean "), "nothing is drawn empty");
}

#[test]
fn a_large_image_leads_to_lab_and_attention() {
    let (mut stage, ends) = gallery();
    stage.click("clean image of val/00049");
    stage.click("Attack this in Lab");
    let study = stage.played.studies.try_recv().expect("the live model is opened");
    assert!(matches!(study.requests.try_recv(), Ok(Request::Open { .. })));
    say(&study, Answer::Opened(Arc::new(demo::model(40))));
    stage.frames();
    let named = ImageChoice::Named { split: "val".into(), name: "val/00049".into() };
    let look = |study: &StudyEnds| {
        let looks = study.requests.try_iter();
        looks.filter_map(|r| if let Request::Look(look) = r { Some(look) } else { None }).last()
    };
    let asked: Look = look(&study).expect("Lab asks for it");
    assert_eq!(asked.images, named);
    say(&study, Answer::Looked(Arc::new(demo::looked(40, &asked))));
    stage.frames();
    stage.click("Back to the choice");
    let asked = look(&study).expect("the images of before");
    assert_eq!(asked.images, ImageChoice::Data { split: "val".into(), first: 0, count: 4 });
    say(&study, Answer::Looked(Arc::new(demo::looked(40, &asked))));
    stage.show(Pane::Gallery);
    stage.click("clean image of val/00049");
    stage.click("Where does it look");
    assert_eq!(look(&study).expect("Attention asks for it").images, named);
    stage.expect("Map");
    drop(ends);
}

#[test]
fn a_large_picture_is_saved_as_it_is_shown() {
    let (mut stage, ends) = gallery();
    std::fs::create_dir_all(&ends.request.out).expect("writable");
    stage.click("clean image of val/00012");
    drag(&mut stage, "val/00012 large", 0.25);
    stage.click("Save…");
    stage.expect("Save the picture");
    stage.click("Save");
    let file = ends.request.out.join("val-00012.png");
    let picture = image::open(file).expect("the picture was written").into_rgb8();
    assert_eq!(picture.dimensions(), (1024, 1024));
    let item = &demo::snapshot(40).gallery[0];
    // Of 32 pixels, 8 lie left of the line.
    for (column, pixels) in [(2usize, &item.clean), (20, &item.adversarial)] {
        let at = picture.get_pixel(column as u32 * 32 + 16, 5 * 32 + 16).0;
        assert_eq!(at[..], pixels[(5 * 32 + column) * 3..][..3], "column {column}");
    }
}

/// Asks for a measurement and answers it.
fn measured() -> (Stage, StudyEnds) {
    let mut stage = Stage::sized(vec2(1600.0, 1000.0));
    let ends = stage.open_model();
    stage.show(Pane::Results);
    stage.serve(&ends);
    stage.click("Measure");
    stage.serve(&ends);
    (stage, ends)
}

#[test]
fn a_cell_of_the_confusion_matrix_shows_its_images() {
    let (mut stage, ends) = measured();
    // The first cell lies right of the names and below those of the columns.
    let matrix = stage.harness.get_by_label_contains("Confusion matrix").rect();
    point(&mut stage, matrix.left_top() + vec2(84.0 + 8.0, 62.0 + 8.0));
    let gather = |ends: &StudyEnds| {
        let asked = ends.requests.try_iter();
        asked.filter_map(|r| if let Request::Gather(asked) = r { Some(asked) } else { None }).last()
    };
    let asked: Gather = gather(&ends).expect("the cell's images are asked for");
    let view = demo::measured(
        260,
        &dualprop::session::inspect::Measure { split: "val".into(), limit: 0, attack: None, seed: 0 },
    );
    assert_eq!(asked.indices, view.views[0].confusion.cell(0, 0));
    assert!(asked.attack.is_none() && asked.domain == 0 && !asked.indices.is_empty());
    stage.expect(&format!("{} images of circle taken for circle", asked.indices.len()));
    say(&ends, Answer::Gathered(Arc::new(demo::gathered(260, &asked))));
    stage.frames();
    stage.click("image val/00010");
    stage.expect(&format!("2 of {}", asked.indices.len()));
    let examine = asked_to_examine(&ends).expect("the model is asked for the rest");
    assert_eq!(name_of(&examine), "val/00010");

    press(&mut stage, Key::Escape);
    stage.harness.get_by_label_contains("Confusion matrix").focus();
    stage.frames();
    press(&mut stage, Key::ArrowRight);
    stage.expect("of circle taken for square");
    stage.click("Most mistaken");
    let (label, predicted, count) = view.views[0].confusion.mistakes()[0];
    let [label, predicted] = [label, predicted].map(|class| demo::CLASSES[class]);
    stage.click(&format!("{count} of {label} taken for {predicted}"));
    stage.expect(&format!("of {label} taken for {predicted}"));
    stage.expect("Confusion matrix");
    assert_eq!(gather(&ends).expect("they are asked for").indices.len(), count as usize);
}

#[test]
fn the_worst_images_lead_to_their_class_and_the_severities_are_shown_large() {
    let (mut stage, ends) = measured();
    stage.click("Worst first");
    let worst = stage.harness.get_all_by_label_contains("worst val/").next().expect("an image");
    let number: usize = worst.accesskit_node().label().unwrap()["worst val/".len()..].parse().unwrap();
    let class = demo::CLASSES[number % demo::CLASSES.len()];
    worst.click();
    stage.frames();
    stage.serve(&ends);
    assert!(!is_disabled(&stage, "of the prediction"), "the model has answered");
    press(&mut stage, Key::Escape);
    let link = stage.harness.query_all_by_role_and_label(egui::accesskit::Role::Link, class).next();
    link.expect("a link to the class").click();
    stage.frames();
    stage.expect(&format!("Confusion matrix, row {class}"));

    stage.show(Pane::Robustness);
    stage.click("Pictures");
    stage.serve(&ends);
    stage.click("val/00000 severity 3");
    stage.expect("val/00000 large: clean left of the line, corrupted right of it");
    stage.expect("4 of 6");
    let asked = asked_to_examine(&ends).expect("the model is asked");
    assert!(matches!(asked.change, Change::Corruption { severity: 3, .. }), "{asked:?}");
}
