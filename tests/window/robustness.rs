//! The robustness pane: what it measures of a real small model, its controls, and where it has room.

use super::demo::{self, Scripted};
use super::frame::wait_for;
use super::stage::{Stage, say};
use dualprop::app::model::local_launcher::LocalLauncher;
use dualprop::app::panes::Pane;
use dualprop::config::{Corruption, Domain, EvaluationAttack};
use dualprop::data::corruptions::{Corruptor, ParameterSet};
use dualprop::data::shapes::{Shapes, ShapesSplit};
use dualprop::data::{Dataset, Matched};
use dualprop::evaluation::auto_domain::Through;
use dualprop::evaluation::robustness::condition::Condition;
use dualprop::evaluation::robustness::measurement::{Evaluation, Part};
use dualprop::evaluation::robustness::record::Record;
use dualprop::evaluation::robustness::row::Row;
use dualprop::evaluation::{Model, Weights, network_of};
use dualprop::gpu::DeviceChoice;
use dualprop::models::init::initialize;
use dualprop::models::names;
use dualprop::session::inspect::{Answer, Corrupt, MeasureRobustness, Request};
use dualprop::training::checkpoint::{Checkpoint, FORMAT_VERSION, Meta, Tensor};
use egui::accesskit::Role;
use egui::vec2;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longer than any part takes on a slow machine; only a hang runs into it.
const PATIENCE: Duration = Duration::from_secs(240);
/// Images, of which the last batch is not full.
const LIMIT: usize = 21;
const ATTACK: &str = "fgsm:eps=4";

/// Writes a narrow network of two domains for the classes of `shapes`, with weights of no training.
fn write_model(file: &Path) {
    let meta = Meta {
        format_version: FORMAT_VERSION,
        arch: "resnet18".into(),
        classes: Shapes::new(ShapesSplit::Val).class_names().to_vec(),
        domains: Domain::names_of(2),
        image_size: 32,
        mean: [0.5; 3],
        std: [0.5; 3],
        config: "[data]\nsource = \"shapes\"\n[model]\narch = \"resnet18\"\nwidth = 0.125\n[run]\nseed = 7\n"
            .into(),
        step: 12,
        epoch: 1.0,
    };
    let (network, _) = network_of(&meta).expect("a network");
    let mut arenas = initialize("resnet18", &network, 1);
    // Networks start with a classifier of zeros, for which all images are alike, and with equal domains.
    for (place, value) in arenas.params.iter_mut().enumerate() {
        *value += ((place * 37 % 101) as f32 - 50.0) / 500.0;
    }
    for (place, value) in arenas.running.iter_mut().enumerate() {
        *value *= 1.0 + (place % 7) as f32 / 10.0;
    }
    let tensors = names::export(&network.layout, &arenas).into_iter();
    let tensors = tensors.map(|(name, shape, data)| (name, Tensor { shape, data })).collect();
    let checkpoint = Checkpoint { meta, tensors, loop_state: Default::default() };
    checkpoint.save_atomic(file).expect("writable");
}

/// What `dualprop eval` measures of it under the corruptions at severity 1 and 3.
fn evaluated(file: &Path, corruptions: &[Corruption]) -> Vec<Row> {
    let mut model = Model::load(file, Weights::Auto, &DeviceChoice::Cpu, 16, |_, _| {}).expect("a model");
    let set: Arc<dyn Dataset> = Arc::new(Shapes::new(ShapesSplit::Val));
    let set = Matched { set, note: None, left_out: 0 };
    let attack = EvaluationAttack::parse_spec(ATTACK).expect("a SPEC");
    let cells = corruptions.iter().flat_map(|c| [1, 3].map(|severity| Condition::Corrupted(*c, severity)));
    let before = [Condition::Clean, Condition::Attacked(attack)];
    let evaluation = Evaluation {
        data: "shapes",
        split: "val",
        domains: &Through::all(2),
        parts: vec![Part {
            open: Box::new(move || Ok(set.clone())),
            conditions: before.into_iter().chain(cells).collect(),
        }],
        corruptor: Some(Arc::new(Corruptor::new(ParameterSet::CifarC, 7))),
        limit: LIMIT,
        seed: 7,
        only_its_classes: false,
        localise: None,
        keep_every: Duration::ZERO,
    };
    let mut record = Record::default();
    evaluation.run(&mut model, &mut record, |_| true).expect("measured");
    record.rows().to_vec()
}

/// A window that looks into the model at `file` of its folder, with the pane in front.
fn opened(size: egui::Vec2) -> (Stage, std::path::PathBuf) {
    let (_, played) = Scripted::new();
    let mut stage = Stage::with(size, Box::new(LocalLauncher), played);
    stage.window().form.device = DeviceChoice::Cpu;
    let file = stage.folder.path().join("small.safetensors");
    write_model(&file);
    stage.window().take_dropped(std::slice::from_ref(&file));
    stage.show(Pane::Robustness);
    until(&mut stage, "step 12, resnet18");
    (stage, file)
}

/// Draws frames until `text` is on screen.
#[track_caller]
fn until(stage: &mut Stage, text: &str) {
    let begun = Instant::now();
    while !stage.sees(text) {
        if begun.elapsed() > PATIENCE {
            stage.expect(text);
        }
        std::thread::sleep(Duration::from_millis(20));
        stage.frames();
    }
}

#[test]
fn the_panes_figures_are_those_of_an_evaluation() {
    let (mut stage, file) = opened(vec2(1600.0, 1400.0));
    let corruptions = [Corruption::GaussianNoise, Corruption::Contrast];
    let view = &mut stage.window().views.robustness;
    (view.limit, view.corruptions) = (LIMIT, corruptions.to_vec());
    view.severities = [true, false, true, false, false];
    view.attacks[0].spec = ATTACK.into();
    stage.frames();
    stage.click("Measure");
    // A question in between does not change the figures.
    stage.click("Pictures");
    until(&mut stage, "val/00000 severity 5");
    stage.click("Table");
    until(&mut stage, "mean error of what was measured");
    let begun = Instant::now();
    while stage.sees("so far") || stage.sees("Cancel") {
        assert!(begun.elapsed() < PATIENCE, "the measurement ends");
        std::thread::sleep(Duration::from_millis(20));
        stage.frames();
    }
    stage.expect("step 12, 21 images of val, corruptions as in cifar-c, seed 7");

    stage.click("Export Robustness on val");
    stage.click("Numbers (JSON)…");
    stage.harness.get_by_role_and_label(Role::TextInput, "Path").focus();
    stage.frames();
    stage.harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::A);
    let out = stage.folder.path().join("robustness.json");
    let typed = out.display().to_string();
    stage.harness.get_by_role_and_label(Role::TextInput, "Path").type_text(&typed);
    stage.frames();
    stage.click("Save");
    let text = std::fs::read_to_string(&out).expect("the figures were written");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let rows: Vec<Row> = serde_json::from_value(json["rows"].clone()).expect("rows of an evaluation");
    let expected = evaluated(&file, &corruptions);
    assert_eq!(rows.len(), 3 * (2 + 2 * 2), "main, aux and the choice by image");
    assert_eq!(rows, expected, "what `eval` measures");
    assert_eq!((&json["corruption_set"], &json["corruption_seed"]), (&"cifar-c".into(), &7.into()));
    assert_eq!(json["mce"]["normalised_by"], serde_json::Value::Null);

    // What is on screen are these figures.
    let mean = |corruption: Corruption| {
        let of = |row: &&Row| row.domain == "main" && row.corruption.as_deref() == Some(corruption.name());
        let all: Vec<f64> = rows.iter().filter(of).map(Row::error).collect();
        100.0 * (1.0 - all.iter().sum::<f64>() / all.len() as f64)
    };
    for corruption in corruptions {
        stage.expect(&format!("{:.1}% (95%: ", mean(corruption)));
    }
    stage.click("Corruption × severity");
    stage.expect("Corruption and severity map of main");
    stage.click("aux");
    stage.expect("Corruption and severity map of aux");
}

#[test]
fn a_cancelled_measurement_leaves_its_figures_and_a_window_that_works() {
    let (mut stage, _) = opened(vec2(1600.0, 1000.0));
    let view = &mut stage.window().views.robustness;
    (view.limit, view.severities) = (0, [true, false, false, false, false]);
    stage.frames();
    stage.click("Measure");
    until(&mut stage, "so far");
    until(&mut stage, " left");
    stage.click("Cancel");
    until(&mut stage, "cancelled: of the images until then");
    assert!(!stage.sees("Cancel"), "nothing is at work");
    stage.expect("mean error of what was measured");
    // The model answers, and can be measured anew.
    stage.show(Pane::Lab);
    until(&mut stage, "Loss per iteration plot");
    stage.show(Pane::Robustness);
    let view = &mut stage.window().views.robustness;
    (view.limit, view.corruptions) = (8, Vec::new());
    stage.frames();
    stage.click("Measure");
    until(&mut stage, "step 12, 8 images of val, seed 7");
    wait_for(&mut stage, "pgd:eps=4,step=1,iters=5");
}

fn asked(ends: &demo::StudyEnds) -> Option<MeasureRobustness> {
    let asked =
        |request| if let Request::MeasureRobustness(measure) = request { Some(measure) } else { None };
    ends.requests.try_iter().find_map(asked)
}

#[test]
fn a_wrong_attack_is_one_sentence_and_is_not_measured() {
    let mut stage = Stage::sized(vec2(1600.0, 1000.0));
    let ends = stage.open_model();
    stage.show(Pane::Robustness);
    stage.window().views.robustness.attacks[0].spec = "pdg:eps=4".into();
    stage.frames();
    let faults = stage.harness.query_all_by_label_contains("The attack “pdg:eps=4”").count();
    assert_eq!(faults, 1);
    stage.click("Measure");
    assert_eq!(asked(&ends), None);
    stage.click("Attack 1");
    assert!(!stage.sees("The attack “pdg"), "what is off is not read");
    stage.click("Measure");
    let request = asked(&ends).expect("a measurement is asked for");
    assert_eq!((request.attacks.len(), request.corruptions.len(), request.limit), (0, 15, 200));
    assert_eq!(request.severities, [1, 2, 3, 4, 5]);
}

#[test]
fn corruptions_severities_and_attacks_are_chosen_by_their_controls() {
    let mut stage = Stage::sized(vec2(1600.0, 1000.0));
    let ends = stage.open_model();
    stage.show(Pane::Robustness);
    let said = stage.harness.get_by_role_and_label(Role::ComboBox, "Corruptions").accesskit_node().value();
    assert_eq!(said.as_deref(), Some("15 corruptions, cifar-c"));
    stage.click("Corruptions");
    stage.click("None");
    stage.click("fog");
    stage.click("spatter");
    stage.click("imagenet-c");
    stage.harness.key_press(egui::Key::Escape);
    stage.frames();
    for severity in [2, 4] {
        stage.click(&format!("Severity {severity}"));
    }
    stage.click("Add an attack");
    stage.click("Remove attack 2");
    stage.click("Measure");
    let request = asked(&ends).expect("a measurement is asked for");
    assert_eq!(request.corruptions, [Corruption::Fog, Corruption::Spatter]);
    assert_eq!(request.parameters, Some(ParameterSet::ImageNetC));
    assert_eq!(request.severities, [1, 3, 5]);
    let specs: Vec<String> = request.attacks.iter().map(EvaluationAttack::spec).collect();
    assert_eq!(specs, ["pgd:eps=4,step=1,iters=5", "square:eps=4,queries=200"]);
}

#[test]
fn figures_of_an_older_step_and_notes_are_said() {
    let mut stage = Stage::sized(vec2(1600.0, 1000.0));
    let ends = stage.open_model();
    stage.show(Pane::Robustness);
    stage.click("Measure");
    let request = asked(&ends).expect("a measurement is asked for");
    let mut measured = demo::robustness(260, &request);
    measured.finished = false;
    measured.notes =
        ["val/00007: no image", "classes are mapped by name", "a third"].map(String::from).to_vec();
    measured.rows.iter_mut().for_each(|row| row.left_out = 3);
    say(&ends, Answer::Robustness(Arc::new(measured.clone())));
    say(&ends, Answer::MeasuringRobustness(40, 400));
    stage.frames();
    for text in
        ["so far", "40/400", "3 images left out", "val/00007: no image", "mapped by name", "and 1 more note"]
    {
        stage.expect(text);
    }
    measured.finished = true;
    say(&ends, Answer::Robustness(Arc::new(measured)));
    stage.frames();
    assert!(!stage.sees("so far") && !stage.sees("an older step"));
    say(&ends, Answer::Refreshed(280));
    stage.frames();
    stage.expect("an older step: the model is at step 280 now");
    stage.click("over the errors of AlexNet on ImageNet-C");
    stage.expect("mCE over imagenet-alexnet");
}

#[test]
fn an_image_is_stepped_through_and_corrupted() {
    let mut stage = Stage::sized(vec2(1600.0, 1000.0));
    let ends = stage.open_model();
    stage.show(Pane::Robustness);
    let wanted = |ends: &demo::StudyEnds| {
        let found = |request| if let Request::Corrupt(corrupt) = request { Some(corrupt) } else { None };
        ends.requests.try_iter().find_map(found)
    };
    assert_eq!(wanted(&ends), None, "pictures that nobody sees are not made");
    stage.click("Pictures");
    let first: Corrupt = wanted(&ends).expect("an image is asked for");
    assert_eq!((first.index, first.corruption), (0, Corruption::GaussianNoise));
    say(&ends, Answer::Corrupted(Arc::new(demo::corrupted(260, &first))));
    stage.frames();
    stage.expect("val/00000 as it is");
    stage.expect("val/00000 severity 5");
    stage.click("Previous");
    assert_eq!(wanted(&ends).expect("another").index, 999, "around the end of the set");
    stage.click("Next");
    stage.window().views.robustness.shown = Corruption::Fog;
    stage.frames();
    assert_eq!(wanted(&ends), None, "one question at a time");
}

/// At the smallest size nothing lies beyond the pane.
#[test]
fn the_pane_fits_the_smallest_window() {
    let size = vec2(960.0, 540.0);
    let mut stage = Stage::sized(size);
    let ends = stage.open_model();
    stage.show(Pane::Robustness);
    stage.serve(&ends);
    stage.click("Measure");
    stage.serve(&ends);
    for detail in ["Table", "Corruption × severity", "Pictures"] {
        stage.click(detail);
        stage.serve(&ends);
        for role in [Role::Button, Role::CheckBox, Role::ComboBox, Role::TextInput, Role::SpinButton] {
            for node in stage.harness.query_all_by_role(role) {
                let rect = node.rect();
                let label = node.accesskit_node().label();
                assert!(rect.right() <= size.x + 0.5, "{label:?} lies at {rect:?} with {detail}");
            }
        }
    }
}
