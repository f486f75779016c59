//! The frame around the panes: dropped paths, recent things, preflight, compared runs, changes to a run at
//! work, notifications, and a run that a crash left unfinished.

use super::{Stage, demo, tell, train};
use dualprop::app::commands::UiCommand;
use dualprop::app::model::form::RUN_DIR;
use dualprop::app::panes::Pane;
use dualprop::app::shell::dialogs::PathFor;
use dualprop::config::{Config, DataSource};
use dualprop::session::preflight::{BranchPreview, Forecast, MixedPreview, Preflight};
use dualprop::training::events::{Command, Event, WorkLimit};
use dualprop::training::pictures;
use dualprop::training::run_folder::{RunFiles, RunFolder};
use egui::accesskit::Role;
use egui::vec2;
use egui_kittest::kittest::Queryable as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Writes a run folder with `steps` train steps and one validation.
pub(super) fn write_run(dir: &Path, seed: u64, steps: u64, top1: f64) {
    std::fs::create_dir_all(dir).expect("writable");
    let mut config = Config::default();
    config.run.seed = seed;
    std::fs::write(dir.join("config.toml"), config.resolved_toml()).expect("writable");
    let mut lines = String::new();
    let mut line = |step: u64, split: &str, top1: f64| {
        let loss = 2.3 / (1.0 + step as f64 / 5.0) + 0.2 * seed as f64;
        lines += &format!(
            "{{\"step\":{step},\"epoch\":0.1,\"split\":{split:?},\"domain\":\"main\",\"attack\":null,\"loss\":{loss},\
             \"top1\":{top1},\"top5\":0.9,\"lr\":0.1,\"images_per_s\":10.0,\"wall_s\":{step}.0}}\n"
        );
    };
    for step in 1..=steps {
        line(step, "train", 0.1);
    }
    line(steps, "val", top1);
    std::fs::write(dir.join("metrics.jsonl"), lines).expect("writable");
    let mut statistics = String::new();
    for (layer, distance) in [("bn1", 0.0), ("bn2", 1.0)] {
        for (domain, factor) in [("main", 0.0), ("aux", 1.0)] {
            statistics += &format!(
                "{{\"step\":{steps},\"epoch\":0.1,\"layer\":{layer:?},\"domain\":{domain:?},\"distance\":{}}}\n",
                distance * factor
            );
        }
    }
    std::fs::write(dir.join("bn_stats.jsonl"), statistics).expect("writable");
}

/// Frames until `seen`, for what a helper thread finds.
#[track_caller]
pub(super) fn wait_for(stage: &mut Stage, text: &str) {
    for _ in 0..400 {
        stage.frames();
        if stage.sees(text) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    stage.expect(text);
}

/// A finished run, and one that another program writes, show their pictures without a GPU.
#[test]
fn the_pictures_of_a_run_folder_are_shown_and_followed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("first");
    write_run(&dir, 0, 20, 0.5);
    let files = RunFiles::of(&dir);
    std::fs::write(files.log(), "2026-11-21T07:30:05Z started by hand\n").expect("writable");
    std::fs::write(files.ended(), r#"{"how":"stopped_and_saved","step":20}"#).expect("writable");
    let mut stage = Stage::new();
    stage.window().open_run(&dir).expect("a run folder");
    stage.show(Pane::Log);
    stage.expect("started by hand");
    stage.expect("Run folder, stopped");
    stage.show(Pane::Gallery);
    stage.expect("No pictures yet");
    // The run's own program holds the folder while it trains.
    let config = Config::load(&dir.join("config.toml"), &[]).expect("valid");
    let (run, _) = RunFolder::open(&dir, &config, true).expect("a run to resume");
    wait_for(&mut stage, "At work elsewhere");
    drop(run);
    wait_for(&mut stage, "Run folder");
    for step in [20, 40] {
        pictures::save(&files.pictures(), &demo::snapshot(step)).expect("writable");
        wait_for(&mut stage, &format!("Step {step}, pgd"));
        let image = demo::snapshot(step).gallery[0].clone();
        stage.expect(&image.name);
        stage.expect(demo::CLASSES[image.label]);
    }
    std::fs::write(files.pictures(), "no pictures").expect("writable");
    stage.show(Pane::Log);
    wait_for(&mut stage, "The pictures were left out");
    stage.show(Pane::Gallery);
    stage.expect("Step 40, pgd");
}

/// The slider goes over what a run folder keeps of its validations.
#[test]
fn the_moments_of_a_run_folder_are_gone_over() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("first");
    write_run(&dir, 0, 40, 0.5);
    let config = Config::load(&dir.join("config.toml"), &[]).expect("valid");
    let (mut run, _) = RunFolder::open(&dir, &config, true).expect("a run to resume");
    for step in [20, 30, 40] {
        run.save_pictures(&demo::snapshot(step)).expect("writable");
    }
    drop(run);
    let mut stage = Stage::new();
    stage.window().open_run(&dir).expect("a run folder");
    stage.show(Pane::Gallery);
    wait_for(&mut stage, "Step 40, pgd");
    stage.harness.get_by_role_and_label(egui::accesskit::Role::Slider, "Moment").focus();
    stage.frames();
    for shown in ["Step 30, pgd", "Step 20, pgd"] {
        stage.harness.key_press(egui::Key::ArrowLeft);
        wait_for(&mut stage, shown);
    }
}

/// An opened folder in which nothing happens costs no frames, and what happens in it later is seen all the
/// same.
#[test]
fn a_finished_folder_asks_for_frames_only_when_it_changes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("first");
    write_run(&dir, 0, 20, 0.5);
    std::fs::write(RunFiles::of(&dir).ended(), r#"{"how":"completed","step":20}"#).expect("writable");
    let mut stage = Stage::new();
    stage.window().open_run(&dir).expect("a run folder");
    let rests = |stage: &Stage| {
        let output = &stage.harness.output().viewport_output;
        output.values().all(|viewport| viewport.repaint_delay == Duration::MAX)
    };
    for _ in 0..200 {
        stage.frames();
        if rests(&stage) {
            break;
        }
    }
    assert!(rests(&stage), "the window asks for frames though nothing happens");
    write_run(&dir, 0, 30, 0.5);
    let begun = Instant::now();
    while !stage.harness.ctx.has_requested_repaint() && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(stage.harness.ctx.has_requested_repaint(), "nobody woke the window");
    wait_for(&mut stage, "step 30");
}

#[test]
fn runs_that_differ_in_their_seed_are_compared_as_one_line() {
    let mut stage = Stage::sized(vec2(1600.0, 1000.0));
    let parent = stage.folder.path().to_owned();
    for (name, seed, top1) in [("a", 0, 0.5), ("b", 1, 0.6)] {
        write_run(&parent.join(name), seed, 10, top1);
    }
    stage.window().open_run(&parent.join("a")).expect("a run folder");
    stage.show(Pane::Runs);
    wait_for(&mut stage, "2 runs");
    stage.expect("50.0%");
    stage.click("Compare a");
    stage.click("Compare b");
    stage.expect("(mean of 2)");
    stage.expect("Compared runs plot");
    stage.click("Group seeds");
    assert!(!stage.sees("(mean of 2)"), "each seed has its line");
    stage.click("b");
    assert_eq!(stage.window().run.dir.as_deref(), Some(parent.join("b").as_path()));
}

#[test]
fn a_run_folder_shows_the_history_of_its_domains() {
    let mut stage = Stage::sized(vec2(1600.0, 1000.0));
    let dir = stage.folder.path().join("a");
    write_run(&dir, 0, 10, 0.5);
    stage.window().open_run(&dir).expect("a run folder");
    stage.show(Pane::Domains);
    stage.click("Over time");
    stage.expect("BN distance heatmap of 2 layers at 1 validation");
}

#[test]
fn what_is_dropped_goes_where_it_belongs() {
    let mut stage = Stage::new();
    let at = |stage: &Stage, name: &str| stage.folder.path().join(name);
    let data = at(&stage, "photos");
    for split in ["train", "val"] {
        std::fs::create_dir_all(data.join(split)).expect("writable");
    }
    stage.window().take_dropped(std::slice::from_ref(&data));
    stage.frames();
    let config = stage.window().form.config().data.clone();
    assert_eq!((config.source, config.path), (DataSource::Folder, data.display().to_string()));

    let file = at(&stage, "mine.toml");
    std::fs::write(&file, "[run]\nname = \"mine\"\n").expect("writable");
    stage.window().take_dropped(std::slice::from_ref(&file));
    stage.frames();
    assert_eq!(stage.window().form.config().run.name, "mine");

    let run = at(&stage, "a");
    write_run(&run, 0, 4, 0.5);
    stage.window().take_dropped(std::slice::from_ref(&run));
    stage.frames();
    stage.expect("step 4");

    let notes = at(&stage, "notes.txt");
    stage.window().take_dropped(&[notes]);
    stage.frames();
    stage.expect("none of what the window opens");

    // All of them can be opened again.
    let ctx = stage.harness.ctx.clone();
    stage.window().carry_out(&ctx, UiCommand::OpenRecent);
    stage.frames();
    for path in [&data, &file, &run] {
        stage.expect(&path.display().to_string());
    }
    stage.click(&data.display().to_string());
    stage.frames();
    assert_eq!(stage.window().form.config().data.source, DataSource::Folder);
}

#[test]
fn a_folder_of_runs_opens_all_of_them() {
    let mut stage = Stage::sized(vec2(1600.0, 1000.0));
    let runs = stage.folder.path().join("runs");
    for (name, seed) in [("a", 0), ("b", 1)] {
        write_run(&runs.join(name), seed, 10, 0.5);
    }
    stage.window().take_dropped(std::slice::from_ref(&runs));
    wait_for(&mut stage, "2 runs");
    // By the dialog too.
    let mut other = Stage::sized(vec2(1600.0, 1000.0));
    other.window().take_browsed(PathFor::OpenRun, vec![runs.clone()]);
    wait_for(&mut other, "2 runs");
    let photos = stage.folder.path().join("photos");
    std::fs::create_dir(&photos).expect("writable");
    std::fs::write(photos.join("cat.png"), "").expect("writable");
    stage.window().take_dropped(std::slice::from_ref(&photos));
    stage.frames();
    assert_eq!(stage.window().views.look.files, [photos.join("cat.png")]);
}

#[test]
fn a_preflight_shows_its_findings_and_what_is_trained_on() {
    let mut stage = Stage::sized(vec2(1280.0, 1400.0));
    stage.expect("Learning rate schedule plot");
    stage.click("Preflight");
    let events = stage.played.preflights.try_recv().expect("a preflight is started");
    let send = |event| events.try_send(event).expect("room");
    send(Preflight::Working { what: "Compiling shaders".into(), done: 3, total: 10 });
    stage.frames();
    stage.expect("Compiling shaders");
    send(Preflight::Passed { what: "Data", finding: "10000 training images".into() });
    send(Preflight::Warning("less memory than hoped for".into()));
    let preview = |source, domain: &str| BranchPreview {
        source,
        domain: domain.into(),
        size: 4,
        images: vec![vec![90; 48]; 2],
        mixed: None,
    };
    send(Preflight::Previews(Arc::new(vec![preview("clean", "main"), preview("attack", "aux")])));
    let forecast =
        Forecast { steps_per_epoch: 100, total_steps: 800, seconds_per_step: 0.5, planned_bytes: 1 << 30 };
    send(Preflight::Ready(forecast));
    stage.frames();
    for text in
        ["Data: 10000", "less memory", "About 6m 40s for 800 steps", "attack → aux", "attack image 2 for aux"]
    {
        stage.expect(text);
    }
    let outdated = "The set-up has changed since the last preflight";
    assert!(!stage.sees(outdated));
    stage.window().form.set("run.steps", toml::Value::Integer(60));
    stage.frames();
    stage.expect(outdated);
    for text in ["About 6m 40s for 800 steps", "attack → aux"] {
        assert!(!stage.sees(text), "{text} is of the set-up before");
    }
    stage.click("Dismiss");
    stage.click("Preflight");
    let events = stage.played.preflights.try_recv().expect("another preflight");
    assert!(!stage.sees("less memory"), "the new one takes the place of the old");
    let reason = "there is no folder /x".into();
    events.try_send(Preflight::Refused { what: "Data", reason }).expect("room");
    stage.frames();
    stage.expect("Preflight found a fault. Data: there is no folder /x");
}

#[test]
fn the_pictures_of_a_mixup_follow_its_ratio() {
    let mut stage = Stage::sized(vec2(1280.0, 1400.0));
    stage.click("Preflight");
    let events = stage.played.preflights.try_recv().expect("a preflight is started");
    let plain = |value: u8| vec![value; 4 * 4 * 3];
    let mixed = MixedPreview { lambda: 0.25, pairs: vec![[plain(0), plain(200)]] };
    let images = mixed.at(mixed.lambda);
    assert_eq!(images, [plain(150)]);
    let preview =
        BranchPreview { source: "mixup", domain: "aux".into(), size: 4, images, mixed: Some(mixed) };
    events.try_send(Preflight::Previews(Arc::new(vec![preview]))).expect("room");
    stage.frames();
    let middle = |stage: &mut Stage| {
        stage.frames();
        let at = stage.harness.get_by_label("mixup image 1 for aux").rect().center();
        let picture = stage.harness.render().expect("an adapter to draw with");
        picture.get_pixel(at.x as u32, at.y as u32).0[0]
    };
    assert_eq!(middle(&mut stage), 150, "as the first step draws it");
    let name = "Mixing ratio of branch 1";
    stage.harness.get_by_role_and_label(Role::Slider, name).set_value_accesskit(0.5);
    assert_eq!(middle(&mut stage), 100);
    stage.click("as drawn: 0.250");
    assert_eq!(middle(&mut stage), 150);
}

#[test]
fn a_run_at_work_takes_a_learning_rate_and_a_limit() {
    let mut stage = Stage::new();
    let ends = stage.start();
    train(&ends, 1..=3);
    let ctx = stage.harness.ctx.clone();
    stage.window().carry_out(&ctx, UiCommand::ChangeLearningRate);
    stage.frames();
    stage.click("÷ 10");
    stage.click("Change");
    assert_eq!(ends.commands.try_recv(), Ok(Command::ScaleLearningRate(0.1)));
    stage.window().carry_out(&ctx, UiCommand::Limit(WorkLimit::Background));
    assert_eq!(ends.commands.try_recv(), Ok(Command::LimitWork(WorkLimit::Background)));
    assert!(UiCommand::Limit(WorkLimit::Background).available(&stage.window().run).is_err());
}

#[test]
fn without_a_file_dialog_a_path_is_typed() {
    let mut stage = Stage::new();
    let ctx = stage.harness.ctx.clone();
    stage.window().carry_out(&ctx, UiCommand::OpenRun);
    stage.frames();
    assert!(!stage.sees("Nothing was chosen"));
    stage.window().take_browsed(PathFor::OpenRun, Vec::new());
    stage.frames();
    stage.expect("Nothing was chosen");
    let dir = stage.folder.path().join("a");
    write_run(&dir, 0, 4, 0.5);
    stage.harness.get_by_role_and_label(Role::TextInput, "Path").focus();
    stage.frames();
    stage.harness.get_by_role_and_label(Role::TextInput, "Path").type_text(&dir.display().to_string());
    stage.frames();
    stage.click("Open");
    stage.expect("step 4");
}

#[test]
fn a_path_of_the_set_up_can_be_chosen_in_the_systems_dialog() {
    let mut stage = Stage::sized(vec2(1280.0, 1400.0));
    stage.window().form.set("data.source", "folder".into());
    stage.frames();
    // The dialog itself is the system's; what it answers goes into its field.
    for button in ["Browse for Data folder", "Browse for Run folder"] {
        stage.expect(button);
    }
    let set_up = stage.window();
    set_up.take_browsed(PathFor::Field("data.path"), vec!["photos".into()]);
    set_up.take_browsed(PathFor::Field("run.init"), vec!["start.safetensors".into()]);
    set_up.take_browsed(PathFor::Field(RUN_DIR), vec!["runs/chosen".into()]);
    set_up.take_browsed(PathFor::Field("data.classes_file"), Vec::new());
    let form = &stage.window().form;
    let config = form.config();
    assert_eq!((config.data.path.as_str(), config.run.init.as_str()), ("photos", "start.safetensors"));
    assert_eq!((config.data.classes_file.as_str(), form.run_dir.as_str()), ("", "runs/chosen"));
}

#[test]
fn warnings_are_counted_until_they_are_read() {
    let mut stage = Stage::new();
    let ends = stage.start();
    tell(&ends, Event::Warning("a damaged image".into()));
    tell(&ends, Event::Warning("another".into()));
    stage.frames();
    stage.click("2 new warnings");
    stage.expect("a damaged image");
    assert!(!stage.sees("new warnings"));
}

#[test]
fn a_run_that_was_cut_off_is_offered_and_can_be_gone_on_with() {
    let mut stage = Stage::new();
    let dir = stage.folder.path().join("a");
    write_run(&dir, 0, 4, 0.5);
    std::fs::write(dir.join("log.txt"), "2026-11-21T07:30:00Z started by dualprop\n").expect("writable");
    std::fs::write(dir.join("last.safetensors"), b"").expect("writable");
    stage.window().recents.add_run(&dir);
    stage.window().look_for_unfinished();
    stage.frames();
    stage.expect("did not come to its end");
    stage.click("Continue the run");
    let ends = stage.played.runs.try_recv().expect("the run goes on");
    assert!(ends.request.resume);
    assert_eq!(ends.request.out, dir);
    stage.frames();
    assert!(!stage.sees("did not come to its end"));
}

/// Typing and Enter are enough, also after a path that is not there.
#[test]
fn a_path_is_typed_and_entered() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("first");
    write_run(&dir, 0, 20, 0.5);
    let mut stage = Stage::new();
    let ctx = stage.harness.ctx.clone();
    stage.window().carry_out(&ctx, UiCommand::OpenRun);
    stage.frames();
    let enter = |stage: &mut Stage, text: &str| {
        stage.harness.event(egui::Event::Text(text.to_owned()));
        stage.harness.run_steps(1);
        stage.harness.key_press(egui::Key::Enter);
        stage.frames();
    };
    enter(&mut stage, &dir.display().to_string().replace("first", "firs"));
    stage.expect("there is no folder");
    stage.harness.event(egui::Event::Text("t".to_owned()));
    stage.frames();
    assert!(!stage.sees("there is no folder"), "the fault was the other path's");
    enter(&mut stage, "");
    assert_eq!(stage.window().run.dir.as_deref(), Some(dir.as_path()));
    assert!(!stage.sees("Open a run folder"));
}

#[test]
fn a_configuration_of_an_earlier_version_opens_with_a_sentence() {
    let mut stage = Stage::new();
    let file = stage.folder.path().join("old.toml");
    std::fs::write(&file, "[run]\nseed = 3\ndeterministic = true\n").expect("writable");
    let ctx = stage.harness.ctx.clone();
    stage.window().carry_out(&ctx, UiCommand::OpenConfig);
    stage.frames();
    stage.harness.event(egui::Event::Text(file.display().to_string()));
    stage.harness.run_steps(1);
    stage.harness.key_press(egui::Key::Enter);
    wait_for(&mut stage, "`run.deterministic` is no longer a key");
    assert_eq!(stage.window().form.config().run.seed, 3);
}

/// What is of the same run stays as the set-up has it; another network's set-up gives way to the folder's.
#[test]
fn a_finished_run_can_be_made_longer() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("first");
    write_run(&dir, 0, 20, 0.5);
    std::fs::write(dir.join("last.safetensors"), "the trainer reads it").expect("writable");
    let began = Config::load(&dir.join("config.toml"), &[]).expect("valid");
    for (key, value, stays) in [("run.steps", 500, true), ("run.batch_size", 3, false)] {
        let mut stage = Stage::new();
        stage.window().open_run(&dir).expect("a run folder");
        stage.window().form.set(key, toml::Value::Integer(value));
        stage.frames();
        stage.click("Resume from checkpoint");
        let ends = stage.played.runs.try_recv().expect("the run goes on");
        let found = ends.request.config.get(key).and_then(|value| value.as_integer());
        let before = began.get(key).and_then(|value| value.as_integer());
        assert_eq!(found, if stays { Some(value) } else { before }, "{key}");
        assert!(ends.request.resume && ends.request.out == dir);
    }
}

#[test]
fn every_command_is_reached_by_keyboard_through_the_palette() {
    let mut stage = Stage::new();
    let ctrl_shift = egui::Modifiers::COMMAND.plus(egui::Modifiers::SHIFT);
    for command in UiCommand::all().filter(|command| *command != UiCommand::Palette) {
        let name = command.text(&stage.window().run);
        let count = |stage: &Stage| stage.harness.query_all_by_label_contains(name).count();
        let before = count(&stage);
        stage.harness.key_press_modifiers(ctrl_shift, egui::Key::P);
        stage.frames();
        stage.harness.get_by_label("Command").type_text(name);
        stage.frames();
        assert!(count(&stage) > before, "{name} is not in the palette");
        stage.harness.key_press(egui::Key::Escape);
        stage.frames();
    }
}

#[test]
fn a_model_is_exported_from_its_dialog() {
    let mut stage = Stage::new();
    let ctx = stage.harness.ctx.clone();
    let dir = stage.folder.path().join("a");
    write_run(&dir, 0, 4, 0.5);
    stage.window().open_run(&dir).expect("a run folder");
    stage.window().carry_out(&ctx, UiCommand::ExportModel);
    stage.frames();
    stage.expect("Export a model");
    // A name that promises the other format cannot be written; one that was proposed follows the choice.
    stage.click("ONNX");
    stage.harness.get_by_role_and_label(Role::TextInput, "File to write").focus();
    stage.frames();
    stage.harness.get_by_role_and_label(Role::TextInput, "File to write").type_text(".safetensors");
    stage.frames();
    stage.expect("expected a name that ends in .onnx");
    stage.click("safetensors");
    stage.click("Export");
    // There is no checkpoint in this folder; the walk exports a real one.
    wait_for(&mut stage, "best.safetensors");
    assert!(!dir.join("model.safetensors").exists() && !dir.join("model.onnx").exists());
}
