//! The panes on an opened model: lab, attention, BN inputs, results, and their exports.

use super::demo::{self, StudyEnds};
use super::frame::{wait_for, write_run};
use super::stage::say;
use super::{Stage, tell, train};
use dualprop::app::commands::UiCommand;
use dualprop::app::panes::Pane;
use dualprop::evaluation::auto_domain::Through;
use dualprop::evaluation::confusion::Confusion;
use dualprop::evaluation::inference::Outcome;
use dualprop::session::inspect::{
    Answer, ImageChoice, Measure, Measured, MeasuredView, ModelInfo, Request, Subject,
};
use dualprop::training::events::{BnDomain, Event, Finish};
use egui::vec2;
use egui_kittest::kittest::Queryable as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The newest look among the waiting requests.
fn last_look(ends: &StudyEnds) -> dualprop::session::inspect::Look {
    let looks =
        ends.requests.try_iter().filter_map(|r| if let Request::Look(look) = r { Some(look) } else { None });
    looks.last().expect("a look is asked for")
}

#[test]
fn the_lab_asks_for_what_its_controls_say_and_shows_the_answer() {
    let mut stage = Stage::sized(vec2(1600.0, 1000.0));
    let ends = stage.open_model();
    let first = last_look(&ends);
    assert_eq!(first.attack.spec(), "pgd:eps=4,step=1,iters=5", "as the command line attacks");
    assert_eq!(first.images, ImageChoice::Data { split: "val".into(), first: 0, count: 4 });
    say(&ends, Answer::Looked(Arc::new(demo::looked(260, &first))));
    stage.frames();
    for text in ["Success", "at the bound", "perturbation ×31", "Loss per iteration plot", "step 260"] {
        stage.expect(text);
    }
    assert!(ends.requests.try_recv().is_err(), "an answered question is not asked again");

    stage.click("Next");
    let next = last_look(&ends);
    assert_eq!(next.images, ImageChoice::Data { split: "val".into(), first: 4, count: 4 });
    // While an answer is awaited, further changes wait too.
    stage.window().views.look.attack.epsilon = 2.0;
    stage.frames();
    stage.window().views.look.attack.epsilon = 8.0;
    stage.frames();
    assert!(ends.requests.try_recv().is_err(), "one question at a time");
    say(&ends, Answer::Looked(Arc::new(demo::looked(260, &next))));
    stage.frames();
    assert_eq!(last_look(&ends).attack.epsilon, 8.0, "the newest place of the slider");

    stage.click("As in training");
    assert_eq!(stage.window().views.look.attack.epsilon, 1.0);
    stage.click("Sweep ε");
    let swept = ends.requests.try_iter().find_map(|r| if let Request::Sweep(s) = r { Some(s) } else { None });
    let swept = swept.expect("a sweep is asked for");
    assert_eq!((swept.split.as_str(), swept.images), ("val", 64));
    say(&ends, Answer::Swept(Arc::new(demo::swept(260, &swept, 3))));
    stage.frames();
    stage.expect("3/10 values of ε");
    stage.click("Cancel");
    assert!(ends.requests.try_iter().any(|r| matches!(r, Request::Stop)));
    say(&ends, Answer::Swept(Arc::new(demo::swept(260, &swept, 10))));
    stage.frames();
    stage.expect("Accuracy over epsilon plot");
    assert!(!stage.sees("Stop, save") && !stage.window().run.phase.is_active());
}

#[test]
fn lab_and_attention_show_the_choice_by_image_and_attack_it() {
    let mut stage = Stage::sized(vec2(1600.0, 1000.0));
    let ends = stage.open_model();
    stage.serve(&ends);
    stage.expect("auto chose main, attacked aux");
    stage.click("Attacked domain");
    stage.click("auto");
    assert_eq!(last_look(&ends).domain, Through::Auto);
    assert!(stage.window().views.look.auto);
    stage.show(Pane::Attention);
    stage.serve(&ends);
    for text in ["seen by main", "seen by aux", "seen by auto"] {
        stage.expect(text);
    }
}

#[test]
fn a_weak_attack_is_named() {
    let mut stage = Stage::sized(vec2(1600.0, 1000.0));
    let ends = stage.open_model();
    stage.serve(&ends);
    stage.window().views.look.attack.iterations = Some(2);
    stage.serve(&ends);
    stage.expect("2 iterations of 1 reach 2 of the ε of 4");
}

#[test]
fn the_lab_has_a_decay_where_the_attacker_has_momentum() {
    let mut stage = Stage::sized(vec2(1600.0, 1000.0));
    let ends = stage.open_model();
    stage.serve(&ends);
    assert!(!stage.sees("Attack decay"));
    stage.click("Attacker");
    stage.click("MI-FGSM");
    for control in ["Attack decay", "Attack step", "Iterations"] {
        stage.expect(control);
    }
    assert_eq!(last_look(&ends).attack.spec(), "mifgsm:eps=4,step=1,iters=5,decay=1");
}

#[test]
fn a_failure_of_the_study_is_a_sentence_and_another_model_can_be_opened() {
    let mut stage = Stage::new();
    let ends = stage.open_model();
    say(&ends, Answer::Failed("the GPU was lost; open the model again".into()));
    stage.frames();
    stage.expect("the GPU was lost");
    drop(ends);
    stage.frames();
    stage.expect("No model is open");
    stage.open_model();
    stage.expect("Model: ");
}

/// Opens the live model of the run at work and plays the study that answers.
fn open_live(stage: &mut Stage, step: u64) -> StudyEnds {
    let ctx = stage.harness.ctx.clone();
    stage.window().carry_out(&ctx, UiCommand::StudyLive);
    opened_live(stage, step)
}

fn opened_live(stage: &mut Stage, step: u64) -> StudyEnds {
    let study = stage.played.studies.try_recv().expect("a study is started");
    let opened = study.requests.try_recv().expect("it is asked for the run's weights");
    assert!(matches!(opened, Request::Open { subject: Subject::Run(_), .. }), "{opened:?}");
    say(&study, Answer::Opened(Arc::new(demo::model(step))));
    stage.frames();
    study
}

/// Writes the files of the run folder `dir` that a resume asks for.
fn write_resumable(dir: &Path) {
    write_run(dir, 0, 20, 0.5);
    std::fs::write(dir.join("last.safetensors"), b"").expect("writable");
}

#[test]
fn a_live_model_follows_the_run_that_it_names() {
    let mut stage = Stage::sized(vec2(1600.0, 1000.0));
    let ends = stage.start();
    train(&ends, 1..=20);
    stage.frames();
    let study = open_live(&mut stage, 20);
    stage.expect("Model: run run");
    stage.expect("step 20, ");
    stage.expect("Follow");
    ends.snapshot.put(demo::snapshot(20));
    stage.frames();
    assert!(study.requests.try_iter().any(|r| matches!(r, Request::Refresh)), "newer weights are asked for");

    write_resumable(&ends.request.out);
    tell(&ends, Event::Finished(Finish::StoppedAndSaved));
    stage.frames();
    for pane in [Pane::Lab, Pane::Attention, Pane::Results] {
        stage.show(pane);
        stage.expect("Model: run run");
        stage.expect("step 20 of the ended run");
        assert!(!stage.sees("Follow"), "{pane:?} follows an ended run");
    }

    wait_for(&mut stage, "Resume from checkpoint");
    stage.click("Resume from checkpoint");
    let again = stage.played.runs.try_recv().expect("the run goes on");
    tell(&again, Event::Started(demo::info(&again.request.out)));
    stage.show(Pane::Lab);
    stage.expect("step 20 of the ended run");
    again.snapshot.put(demo::snapshot(40));
    stage.frames();
    let _study = opened_live(&mut stage, 40);
    stage.expect("step 40, ");
    stage.expect("Follow");
    assert!(!stage.sees("of the ended run"));
}

#[test]
fn another_run_is_not_taken_for_the_one_that_a_model_is_of() {
    let mut stage = Stage::sized(vec2(1600.0, 1000.0));
    let ends = stage.start();
    train(&ends, 1..=20);
    stage.frames();
    let study = open_live(&mut stage, 20);
    tell(&ends, Event::Finished(Finish::Completed));
    stage.frames();
    study.requests.try_iter().for_each(drop);
    stage.window().form.run_dir = stage.folder.path().join("second").display().to_string();
    let second = stage.start();
    train(&second, 1..=5);
    second.snapshot.put(demo::snapshot(5));
    stage.frames();
    stage.show(Pane::Lab);
    stage.expect("Model: run run");
    stage.expect("step 20 of the ended run");
    assert!(!study.requests.try_iter().any(|r| matches!(r, Request::Refresh)), "it has no newer weights");
    assert!(stage.played.studies.try_recv().is_err(), "the model stays open");
    stage.show(Pane::Domains);
    stage.expect("step 5");
    // Statistics of the folder on screen come before those of a model of another run.
    stage.window().run.snapshot = None;
    stage.window().run.bn = Some((3, Arc::new(demo::model(3).bn_layers)));
    stage.frames();
    stage.expect("step 3");
}

/// A late answer of the model that was open before is not one of the next.
#[test]
fn a_late_answer_of_another_model_is_not_shown() {
    let mut stage = Stage::sized(vec2(1600.0, 1000.0));
    let first = stage.open_model();
    stage.show(Pane::Results);
    stage.click("Measure");
    let measure =
        first.requests.try_iter().find_map(|r| if let Request::Measure(m) = r { Some(m) } else { None });
    let measure = measure.expect("a measurement is asked for");
    let other = stage.folder.path().join("other.safetensors");
    stage.window().take_dropped(&[other]);
    stage.frames();
    let late = Answer::Measured(Arc::new(demo::measured(260, &measure)));
    // Nobody may be listening.
    let _ = first.answers.try_send(late);
    stage.frames();
    let second = stage.played.studies.try_recv().unwrap_or(first);
    say(&second, Answer::Opened(Arc::new(demo::model(7))));
    stage.frames();
    stage.expect("step 7");
    assert!(!stage.sees("Confusion matrix"), "the other model's figures");
}

#[test]
fn images_that_are_dropped_take_the_place_of_the_sets() {
    let mut stage = Stage::new();
    let ends = stage.open_model();
    stage.serve(&ends);
    let files: Vec<PathBuf> = ["a.png", "b.jpg"].map(|name| stage.folder.path().join(name)).to_vec();
    stage.window().take_dropped(&files);
    stage.frames();
    assert_eq!(last_look(&ends).images, ImageChoice::Files(files));
    stage.expect("2 files");
    stage.click("Use the data");
    assert!(stage.window().views.look.files.is_empty());
}

#[test]
fn images_that_are_dropped_first_wait_for_a_model() {
    let mut stage = Stage::new();
    let file = stage.folder.path().join("a.png");
    stage.window().take_dropped(std::slice::from_ref(&file));
    stage.frames();
    stage.expect("1 image waits for a model");
    let ends = stage.open_model();
    stage.frames();
    assert_eq!(last_look(&ends).images, ImageChoice::Files(vec![file]));
    // The next model begins with its data.
    let other = stage.folder.path().join("other.safetensors");
    stage.window().take_dropped(&[other]);
    stage.frames();
    let ends = stage.played.studies.try_recv().expect("another study");
    assert!(matches!(ends.requests.try_recv(), Ok(Request::Open { .. })));
    say(&ends, Answer::Opened(Arc::new(demo::model(260))));
    stage.frames();
    assert!(matches!(last_look(&ends).images, ImageChoice::Data { .. }));
}

#[test]
fn attention_shows_a_class_and_a_second_model_beside_the_first() {
    let mut stage = Stage::sized(vec2(1600.0, 1000.0));
    let ends = stage.open_model();
    stage.show(Pane::Attention);
    stage.serve(&ends);
    stage.expect("map of aux, attacked val/00012");
    stage.click("Grad-CAM");
    let look = last_look(&ends);
    assert_eq!(look.map, dualprop::evaluation::activation_map::CamMethod::GradCam);
    say(&ends, Answer::Looked(Arc::new(demo::looked(260, &look))));
    stage.frames();
    stage.click("Keep beside");
    let count =
        |stage: &Stage| stage.harness.query_all_by_label_contains("map of aux, clean val/00012").count();
    assert_eq!(count(&stage), 2, "the kept maps stand beside");
    stage.click("Drop kept");
    assert_eq!(count(&stage), 1);
}

#[test]
fn domains_have_layers_inputs_and_a_history() {
    let mut stage = Stage::sized(vec2(1600.0, 1000.0));
    let ends = stage.open_model();
    stage.show(Pane::Domains);
    stage.expect("Layer strip");
    stage.expect("Running mean plot");
    stage.click("γ and β");
    stage.expect("γ plot");
    stage.click("Inputs");
    stage.serve(&ends);
    stage.expect("BN inputs plot");
    stage.expect("aux, attacked: mean");
    stage.click("Over time");
    stage.expect("No history yet");
}

#[test]
fn results_measure_every_view_and_show_the_worst() {
    let mut stage = Stage::sized(vec2(1600.0, 1000.0));
    let ends = stage.open_model();
    stage.show(Pane::Results);
    stage.serve(&ends);
    stage.click("Measure");
    let measure =
        ends.requests.try_iter().find_map(|r| if let Request::Measure(m) = r { Some(m) } else { None });
    let measure = measure.expect("a measurement is asked for");
    assert!(measure.attack.is_some() && measure.limit == 256);
    say(&ends, Answer::Measuring(16, 256));
    stage.frames();
    stage.expect("16/256 images");
    say(&ends, Answer::Measured(Arc::new(demo::measured(260, &measure))));
    stage.frames();
    stage.expect("Confusion matrix");
    stage.expect("coloured by row, the share of the true class's images");
    stage.expect("main, clean");
    stage.click("Most mistaken");
    stage.expect("Taken for");
    stage.click("Classes");
    stage.expect("Recognised");
    stage.click("Worst first");
    stage.expect("worst val/");
}

/// With a thousand classes a frame lays out what is in sight, and a class is found by its name.
#[test]
fn results_of_a_thousand_classes_stay_in_sight() {
    const CLASSES: usize = 1000;
    let mut stage = Stage::sized(vec2(1600.0, 1000.0));
    let ends = stage.open_model();
    let classes: Vec<String> = (0..CLASSES).map(|class| format!("kind {class:03}")).collect();
    say(&ends, Answer::Opened(Arc::new(ModelInfo { classes, ..demo::model(260) })));
    stage.show(Pane::Results);
    stage.serve(&ends);
    let mut confusion = Confusion::new(CLASSES);
    for label in 0..CLASSES {
        let mut logits = vec![0.0; CLASSES];
        logits[if label % 3 == 0 { 7 } else { label }] = 5.0;
        let outcome = Outcome { loss: vec![1.0], top1: vec![true], top5: vec![true], logits };
        confusion.add(&outcome, &[label as u32], &[label], &[0.0; 12], |i| format!("val/{i}"));
    }
    let request = Measure { split: "val".into(), limit: 0, attack: None, seed: 0 };
    let views = vec![MeasuredView { domain: 0, attacked: false, confusion }];
    let measured = Measured { step: 260, request, views, damaged: vec![], finished: true };
    say(&ends, Answer::Measured(Arc::new(measured)));
    stage.frames();
    stage.expect("Confusion matrix");
    let shown = |stage: &Stage| stage.harness.query_all_by_label_contains("kind ").count();
    stage.click("Most mistaken");
    stage.expect("kind 000");
    assert!((10..200).contains(&shown(&stage)), "{} names are laid out", shown(&stage));
    stage.click("Classes");
    stage.expect("kind 000");
    assert!((10..200).contains(&shown(&stage)), "{} names are laid out", shown(&stage));
    stage.click("Worst first");
    stage.click("Class of the worst images");
    let search = stage.harness.get_by_label_contains("Search a class");
    search.focus();
    stage.frames();
    stage.harness.get_by_label_contains("Search a class").type_text("KIND 017");
    stage.frames();
    stage.click("kind 017");
    stage.expect("worst val/17");
    assert!(!stage.sees("worst val/0"));
}

/// Opens the export menu named `name` and chooses `item`.
fn export(stage: &mut Stage, name: &str, item: &str) {
    stage.click(name);
    stage.click(item);
    // A picture is of the next frame, and arrives after it.
    stage.frames();
    stage.frames();
}

#[test]
fn the_numbers_of_a_plot_become_a_file() {
    let mut stage = Stage::sized(vec2(1280.0, 900.0));
    let ends = stage.start();
    train(&ends, 1..=5);
    tell(&ends, Event::Evaluated(demo::evaluation(5)));
    stage.frames();
    let dir = ends.request.out.clone();
    std::fs::create_dir_all(&dir).expect("writable");
    export(&mut stage, "Export Training loss", "Numbers (CSV)…");
    stage.expect("Save the numbers");
    stage.click("Save");
    let text = std::fs::read_to_string(dir.join("Training-loss.csv")).expect("the table was written");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "step,epoch,minutes,\"main, clean loss (nats)\",\"aux, attacked by pgd:eps=1 loss (nats)\""
    );
    assert_eq!(lines.len(), 6);
    stage.expect("Wrote");
}

/// What consists of pictures is exported as it is seen.
#[test]
fn a_pane_of_pictures_becomes_a_file() {
    let mut stage = Stage::sized(vec2(1280.0, 900.0));
    let ends = stage.start();
    train(&ends, 1..=5);
    ends.snapshot.put(demo::snapshot(5));
    stage.frames();
    let dir = ends.request.out.clone();
    std::fs::create_dir_all(&dir).expect("writable");
    stage.show(Pane::Gallery);
    export(&mut stage, "Export Gallery", "As on screen (PNG)…");
    stage.expect("Save the picture");
    stage.click("Save");
    let picture = image::open(dir.join("Gallery.png")).expect("the picture was written").into_rgb8();
    assert!(picture.width() > 200 && picture.height() > 100);
    let colours: std::collections::BTreeSet<[u8; 3]> = picture.pixels().map(|pixel| pixel.0).collect();
    assert!(colours.len() > 10, "it shows something");
}

#[test]
fn the_channels_of_a_bn_layer_become_a_table() {
    let mut stage = Stage::sized(vec2(1280.0, 900.0));
    let ends = stage.start();
    train(&ends, 1..=5);
    ends.snapshot.put(demo::snapshot(5));
    std::fs::create_dir_all(&ends.request.out).expect("writable");
    stage.show(Pane::Domains);
    stage.window().views.domains.layer = "bn1".into();
    stage.frames();
    export(&mut stage, "Export Running mean of bn1", "Numbers (CSV)…");
    stage.click("Save");
    let file = ends.request.out.join("Running-mean-of-bn1.csv");
    let text = std::fs::read_to_string(file).expect("the table was written");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "channel,main running mean,main running variance,main gamma,main beta,\
         aux running mean,aux running variance,aux gamma,aux beta"
    );
    let domains = &demo::snapshot(5).bn_layers[0].domains;
    assert_eq!(lines.len(), 1 + domains[0].gamma.len());
    let of = |d: &BnDomain| [d.running_mean[3], d.running_var[3], d.gamma[3], d.beta[3]];
    let wanted: Vec<f32> = domains.iter().flat_map(of).collect();
    let found: Vec<f32> = lines[4].split(',').skip(1).map(|cell| cell.parse().expect("a number")).collect();
    assert_eq!(found, wanted, "nothing is rounded");
}

#[test]
fn the_labs_images_become_files() {
    let mut stage = Stage::sized(vec2(1600.0, 1000.0));
    let ends = stage.open_model();
    stage.serve(&ends);
    stage.click("Save images…");
    stage.expect("Save the images into a folder");
    let out = stage.folder.path().join("pictures");
    let ctx = stage.harness.ctx.clone();
    stage.window().carry_out(&ctx, UiCommand::Show(Pane::Lab));
    stage.harness.get_by_role_and_label(egui::accesskit::Role::TextInput, "Path").focus();
    stage.frames();
    stage.harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::A);
    stage
        .harness
        .get_by_role_and_label(egui::accesskit::Role::TextInput, "Path")
        .type_text(&out.display().to_string());
    stage.frames();
    stage.click("Save");
    let mut names: Vec<String> = std::fs::read_dir(&out)
        .expect("a folder")
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names.len(), 12);
    assert_eq!(names[..3], ["0-val-00012.adv.png", "0-val-00012.clean.png", "0-val-00012.perturbation.png"]);
}
