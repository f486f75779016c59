//! The keyboard goes through each pane: every control is reached by Tab, row by row and from left to right.

use super::demo;
use super::stage::{Stage, tell, train};
use dualprop::app::commands::UiCommand;
use dualprop::app::panes::{PANES, Pane};
use dualprop::training::events::Event;
use egui::accesskit::Role;
use egui::{Key, Rect, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};

/// What a user acts on.
const CONTROLS: [Role; 8] = [
    Role::Button,
    Role::CheckBox,
    Role::ComboBox,
    Role::Link,
    Role::RadioButton,
    Role::Slider,
    Role::SpinButton,
    Role::TextInput,
];
/// More than any pane has.
const MOST: usize = 400;

/// Name and place of a control.
type Control = (String, Rect);

fn control(node: egui_kittest::Node<'_>) -> Control {
    let of = node.accesskit_node();
    (of.label().or_else(|| of.value()).unwrap_or_default(), node.rect())
}

/// The controls on screen that can be used.
fn controls(stage: &Stage) -> Vec<Control> {
    let can = |node: &egui_kittest::Node<'_>| {
        CONTROLS.contains(&node.accesskit_node().role()) && !node.accesskit_node().is_disabled()
    };
    stage.harness.query_all_by(|_| true).filter(can).map(control).collect()
}

/// The controls in the order in which Tab reaches them.
fn order(stage: &mut Stage) -> Vec<Control> {
    let mut order: Vec<Control> = Vec::new();
    for _ in 0..MOST {
        stage.harness.key_press(Key::Tab);
        stage.harness.run_steps(2);
        let mut all = stage.harness.query_all_by(|_| true).rev();
        let Some(focused) = all.find(|node| node.accesskit_node().is_focused()).map(control) else {
            continue;
        };
        if order.first() == Some(&focused) {
            break;
        }
        order.push(focused);
    }
    order
}

/// A window with a run and a model, in which one pane after the other has all the room.
fn full() -> (Stage, demo::Ends, demo::StudyEnds) {
    let mut stage = Stage::sized(vec2(1280.0, 900.0));
    let ends = stage.start();
    train(&ends, 1..=40);
    tell(&ends, Event::Evaluated(demo::evaluation(40)));
    ends.snapshot.put(demo::snapshot(20));
    stage.frames();
    ends.snapshot.put(demo::snapshot(40));
    stage.frames();
    let study = stage.open_model();
    let ctx = stage.harness.ctx.clone();
    stage.window().carry_out(&ctx, UiCommand::EnlargePane);
    stage.serve(&study);
    (stage, ends, study)
}

#[test]
fn tab_reaches_every_control_row_by_row() {
    let (mut stage, _ends, study) = full();
    for pane in PANES.iter().map(|info| info.pane) {
        stage.show(pane);
        stage.serve(&study);
        if matches!(pane, Pane::Results | Pane::Robustness) {
            stage.click("Measure");
            stage.serve(&study);
        }
        let order = order(&mut stage);
        let names: Vec<&str> = order.iter().map(|(name, _)| name.as_str()).collect();
        for (name, place) in controls(&stage) {
            // A number becomes a field to type into, of another width.
            let is_it = |(of, reached): &Control| {
                (reached.center().y - place.center().y).abs() < 3.0
                    && (*of == name || (reached.center() - place.center()).length() < 2.0)
            };
            let is_reached = order.iter().any(is_it);
            assert!(is_reached, "{pane:?}: “{name}” at {place:?} is not reached by Tab: {names:?}");
        }
        for pair in order.windows(2) {
            let [(before, a), (after, b)] = pair else { unreachable!("pairs") };
            let in_one_row = (a.center().y - b.center().y).abs() < 3.0;
            assert!(
                !in_one_row || a.left() < b.right(),
                "{pane:?}: Tab goes back from “{before}” to “{after}”"
            );
        }
    }
}
