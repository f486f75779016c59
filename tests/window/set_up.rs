//! The set-up as a user reads it: presets by what they are for, methods in words, augmentation to be looked
//! at, and all of it in a narrow pane.

use super::Stage;
use dualprop::app::commands::UiCommand;
use dualprop::app::panes::Pane;
use dualprop::config::{Augmentation, MethodKind};
use dualprop::session::preflight::{Forecast, Preflight};
use egui::accesskit::Role;
use egui::vec2;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use std::collections::BTreeSet;

/// Opens the list of the field called `field`.
fn open_list(stage: &mut Stage, field: &str) {
    stage.harness.get_by_role_and_label(Role::ComboBox, field).click();
    stage.frames();
}

#[test]
fn a_preset_is_chosen_by_what_it_is_for() {
    let mut stage = Stage::sized(vec2(1280.0, 1400.0));
    stage.expect("clean images through the main BN domain, attacked ones through the auxiliary");
    open_list(&mut stage, "Preset");
    for group in ["Try it: built-in shapes", "Your photos", "Papers: CIFAR-100", "Papers: ImageNet"] {
        stage.expect(group);
    }
    stage.expect("× 32 pixels");
    assert!(!stage.sees("Preset advprop-b7-imagenet"), "long lists open on a click");
    stage.click("Preset shapes-mixprop");
    let form = &stage.window().form;
    assert_eq!((form.preset, form.config().method.kind), (Some("shapes-mixprop"), MethodKind::Mixprop));
    stage.expect("mixed ones through the auxiliary");

    assert!(!stage.sees("1m 20s here"), "nobody has measured it yet");
    stage.click("Preflight");
    let events = stage.played.preflights.try_recv().expect("a preflight is started");
    let forecast =
        Forecast { steps_per_epoch: 10, total_steps: 160, seconds_per_step: 0.5, planned_bytes: 1 << 30 };
    events.try_send(Preflight::Ready(forecast)).expect("room");
    stage.frames();
    stage.expect("about 1m 20s here");
    assert_eq!(stage.window().recents.preset_seconds.get("shapes-mixprop"), Some(&80.0));
}

#[test]
fn a_method_is_chosen_in_words() {
    let mut stage = Stage::sized(vec2(1280.0, 1400.0));
    stage.expect("Clean images through main, attacked ones through a batch norm of their own");
    stage.expect("◆ aux");
    open_list(&mut stage, "Method");
    for kind in MethodKind::ALL {
        assert!(!stage.sees(kind.name()) || kind.name().len() < 12, "{} is no word", kind.name());
    }
    stage.expect("■ aux2");
    stage.click("Fine-grained AdvProp");
    assert_eq!(stage.window().form.config().method.kind, MethodKind::AdvpropFineGrained);
    stage.expect("each through a batch norm of their own");
}

#[test]
fn augmentation_is_seen_without_a_preflight() {
    let mut stage = Stage::sized(vec2(1280.0, 1400.0));
    stage.window().form.set("data.augment", toml::Value::Array(vec!["crop".into(), "flip".into()]));
    stage.frames();
    assert_eq!(stage.window().form.config().data.augment, [Augmentation::Crop, Augmentation::Flip]);
    stage.click("Augmentation preview");
    stage.expect("as it is");
    stage.expect("augmented 5");
    assert!(stage.played.preflights.try_recv().is_err(), "no preflight is started");
    let shown = |stage: &Stage| -> BTreeSet<String> {
        let pictures = stage.harness.query_all_by_label_contains("as it is");
        pictures.filter_map(|picture| picture.accesskit_node().label()).collect()
    };
    let before = shown(&stage);
    assert!(before.len() >= 3, "{before:?}");
    stage.click("Reroll");
    assert_ne!(before, shown(&stage), "other images");
    stage.window().form.set("data.path", "/nowhere".into());
    stage.window().form.set("data.source", "folder".into());
    stage.frames();
    stage.expect("/nowhere");
}

/// A pane of 220 points has all of the form, one thing below the other.
#[test]
fn a_narrow_set_up_cuts_nothing_off() {
    let width = 240.0;
    let mut stage = Stage::sized(vec2(width, 2400.0));
    stage.show(Pane::SetUp);
    let ctx = stage.harness.ctx.clone();
    stage.window().carry_out(&ctx, UiCommand::EnlargePane);
    stage.frames();
    stage.click("Edit");
    let top = stage.harness.get_by_role_and_label(Role::ComboBox, "Preset").rect().top();
    let roles =
        [Role::TextInput, Role::ComboBox, Role::Button, Role::CheckBox, Role::SpinButton, Role::Label];
    let mut seen = 0;
    for role in roles {
        for node in stage.harness.query_all_by_role(role) {
            let rect = node.rect();
            if rect.top() < top || rect.top() > 2360.0 {
                continue;
            }
            seen += 1;
            let name = node.accesskit_node().label().unwrap_or_default();
            assert!(rect.left() >= 0.0 && rect.right() <= width, "{role:?} “{name}” is cut off: {rect}");
        }
    }
    assert!(seen > 30, "{seen}");
}
