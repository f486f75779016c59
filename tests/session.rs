//! A whole run on the built-in data: what front ends hear, exact resume, a kill at any moment, failures as
//! sentences.

mod common;

use common::{TINY, alone, finish, options};
use dualprop::config::{BranchSource, Config};
use dualprop::session::{RunOptions, spawn};
use dualprop::training::checkpoint::{Checkpoint, Tensor};
use dualprop::training::events::{Command, Event, Finish, WorkLimit};
use dualprop::training::pictures;
use dualprop::training::run_folder::{MetricLine, RunFiles, ended, moments};
use std::collections::BTreeMap;
use std::path::Path;

/// Everything that has state or randomness is switched on.
const OWN: [&str; 6] = [
    "run.steps=8",
    "run.checkpoint_steps=3",
    "model.dropout=0.2",
    "model.drop_path=0.2",
    "eval.attack=pgd:eps=2,step=1,iters=2",
    "eval.precise_bn=2",
];

fn config(sets: &[&str]) -> Config {
    common::config(TINY, &[&OWN[..], sets].concat())
}

/// Runs to the end; `on` sees each event and may send commands.
fn run(
    config: Config,
    out: &Path,
    resume: bool,
    mut on: impl FnMut(&Event, &crossbeam_channel::Sender<Command>),
) -> (Finish, Vec<Event>) {
    let handle = spawn(RunOptions { pictures: true, ..options(config, out, resume) });
    let mut events = Vec::new();
    for event in &handle.events {
        on(&event, &handle.commands);
        let last = matches!(event, Event::Finished(_));
        events.push(event);
        if last {
            break;
        }
    }
    let picture = handle.snapshot.take();
    handle.join();
    let Some(Event::Finished(finish)) = events.last().cloned() else { panic!("no last event") };
    if finish == Finish::Completed {
        let picture = picture.expect("a finished run leaves a picture");
        let last = events
            .iter()
            .filter_map(|e| if let Event::Step(s) = e { Some(s.step) } else { None })
            .next_back();
        // A run that only made up for its last validation has no step.
        assert_eq!(picture.step, last.unwrap_or(picture.step));
        assert!(!picture.gallery.is_empty() && picture.gallery[0].views.len() == 2);
        assert_eq!(picture.bn_layers[0].domains.len(), 2);
    }
    (finish, events)
}

fn tensors(out: &Path) -> BTreeMap<String, Tensor> {
    Checkpoint::load(&out.join("last.safetensors")).unwrap().tensors
}

fn counters(out: &Path) -> BTreeMap<String, u64> {
    Checkpoint::load(&out.join("last.safetensors")).unwrap().loop_state
}

/// (step, split, domain, attack, loss) of every line.
fn metrics(out: &Path) -> Vec<(u64, String, String, String, String)> {
    let text = std::fs::read_to_string(out.join("metrics.jsonl")).unwrap();
    let lines = text.lines().map(|line| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let part = |key: &str| value[key].to_string();
        (value["step"].as_u64().unwrap(), part("split"), part("domain"), part("attack"), part("loss"))
    });
    lines.collect()
}

#[test]
fn a_stopped_run_resumes_to_the_bits_of_an_uninterrupted_one() {
    check_resume(&[]);
}

/// No phase is silent, and nothing is told as 0 that is not known yet.
#[test]
fn a_run_names_what_it_is_at_between_its_steps() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let (finish, events) = run(config(&["run.steps=2"]), &out, false, |_, _| {});
    assert_eq!(finish, Finish::Completed);
    let at = |wanted: &dyn Fn(&Event) -> bool| events.iter().position(wanted);
    let work = |name: &str| at(&|e| matches!(e, Event::Working(work) if work.what.starts_with(name)));
    let started = at(&|e| matches!(e, Event::Started(_)));
    let step = at(&|e| matches!(e, Event::Step(_)));
    let evaluated = at(&|e| matches!(e, Event::Evaluated(_)));
    let order =
        [work("Compiling shaders"), started, work("First step"), step, work("Validating val: main, clean")];
    assert!(order.is_sorted() && order[0].is_some() && work("Validating val: aux, attacked") < evaluated);
    let validating = events.iter().filter_map(|event| match event {
        Event::Working(work) if work.what.starts_with("Validating") => Some((work.done, work.total)),
        _ => None,
    });
    let validating: Vec<_> = validating.collect();
    assert!(validating.is_sorted(), "{validating:?}");
    assert!(validating.last().is_some_and(|(done, total)| done == total && *total > 0), "{validating:?}");
    for event in &events {
        match event {
            Event::Step(step) => assert_ne!(step.images_per_s, 0.0),
            Event::Evaluated(report) => assert!(report.seconds.is_some_and(|seconds| seconds > 0.0)),
            _ => {}
        }
    }
    let text = std::fs::read_to_string(RunFiles::of(&out).metrics()).unwrap();
    let first: MetricLine = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert!(first.images_per_s.is_nan(), "one step has no rate");
    let log = std::fs::read_to_string(RunFiles::of(&out).log()).unwrap();
    assert!(log.contains(" MiB of GPU memory planned") && !log.contains(" MB "), "{log}");
}

/// The loss scale and its counters are part of the state.
#[test]
fn a_stopped_run_in_half_precision_resumes_to_the_same_bits() {
    check_resume(&["run.precision=f16"]);
}

fn check_resume(sets: &[&str]) {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let (whole, parts) = (folder.path().join("whole"), folder.path().join("parts"));
    let (finish, events) = run(config(sets), &whole, false, |_, _| {});
    assert_eq!(finish, Finish::Completed);
    let steps: Vec<u64> =
        events.iter().filter_map(|e| if let Event::Step(s) = e { Some(s.step) } else { None }).collect();
    assert_eq!(steps, (1..=8).collect::<Vec<u64>>());
    for event in &events {
        let Event::Step(step) = event else { continue };
        let planned =
            events.iter().find_map(|e| if let Event::Started(i) = e { Some(i.planned_bytes) } else { None });
        assert!(step.memory_bytes >= planned, "{:?} measured, {planned:?} planned", step.memory_bytes);
    }

    // Thrown away after step 5 or later: the checkpoint of step 3 or 6 is what the run goes on from. That it
    // rests between its pieces changes no bit either.
    let (finish, _) = run(config(sets), &parts, false, |event, commands| {
        if matches!(event, Event::Started(_)) {
            commands.send(Command::LimitWork(WorkLimit::Balanced)).unwrap();
        }
        if matches!(event, Event::Step(s) if s.step == 4) {
            commands.send(Command::StopAndDiscard).unwrap();
        }
    });
    assert_eq!(finish, Finish::Discarded);
    let (finish, _) = run(config(sets), &parts, true, |_, _| {});
    assert_eq!(finish, Finish::Completed);
    assert_eq!(tensors(&whole), tensors(&parts), "the resumed run ended elsewhere");
    assert_eq!(counters(&whole), counters(&parts), "the loop ended elsewhere");
    assert_eq!(metrics(&whole), metrics(&parts), "the curves differ");
    for file in ["pictures.safetensors", "last.safetensors", "best.safetensors"] {
        let [kept, again] = [&whole, &parts].map(|out| std::fs::read(out.join(file)).unwrap());
        assert!(kept == again, "the bytes of {file} differ");
    }
    let past = |out: &Path| {
        let found = moments(&RunFiles::of(out)).into_iter();
        found.map(|(step, path)| (step, std::fs::read(path).unwrap())).collect::<Vec<_>>()
    };
    assert!(!past(&whole).is_empty() && past(&whole) == past(&parts), "the earlier pictures differ");
    let kept = pictures::load(&RunFiles::of(&whole).pictures()).unwrap();
    assert_eq!((kept.step, kept.gallery.len(), kept.classes.len()), (8, 6, 10));
    assert!(kept.gallery.iter().all(|item| item.views.len() == 2));

    // A finished run that is resumed changes nothing.
    let before = metrics(&whole);
    assert_eq!(run_quietly(config(sets), &whole, true), Finish::Completed);
    assert_eq!(metrics(&whole), before);
}

/// A run in half precision, stopped after its first steps; `change` its checkpoint, then go on.
fn half_precision_after(
    folder: &Path,
    change: impl FnOnce(&mut Checkpoint),
) -> (Finish, BTreeMap<String, u64>, String) {
    let sets = ["run.precision=f16", "run.steps=30", "run.checkpoint_steps=2"];
    let (finish, _) = run(config(&sets), folder, false, |event, commands| {
        if matches!(event, Event::Saved { best: false, .. }) {
            commands.send(Command::StopAndSave).unwrap();
        }
    });
    assert_eq!(finish, Finish::StoppedAndSaved);
    let file = folder.join("last.safetensors");
    let mut checkpoint = Checkpoint::load(&file).unwrap();
    change(&mut checkpoint);
    checkpoint.save_atomic(&file).unwrap();
    let (finish, _) = run(config(&sets), folder, true, |_, _| {});
    (finish, counters(folder), std::fs::read_to_string(folder.join("log.txt")).unwrap())
}

#[test]
fn an_overflow_in_half_precision_is_logged_and_left_out() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let far = 2.0_f32.powi(22);
    let (finish, counters, log) = half_precision_after(folder.path(), |checkpoint| {
        let word = checkpoint.loop_state.insert("loss_scale".into(), far.to_bits().into());
        assert!(word.is_some(), "the checkpoint holds no loss scale");
    });
    assert_eq!(finish, Finish::Completed);
    let skipped = counters["skipped_steps"];
    let scale = f32::from_bits(counters["loss_scale"] as u32);
    assert!((2..20).contains(&skipped), "{skipped} steps left out");
    assert_eq!(scale, far / 2.0_f32.powi(skipped as i32));
    assert_eq!(log.matches("overflowed in f16").count() as u64, skipped, "{log}");
    assert!(log.contains(&format!("({skipped} so far), the loss scale is {scale}")), "{log}");
    assert!(tensors(folder.path()).values().all(|t| t.data.iter().all(|v| v.is_finite())));
}

/// Activations beyond f16 are no matter of the scale.
#[test]
fn a_network_that_no_longer_fits_f16_ends_the_run_in_a_sentence() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let (finish, _, log) = half_precision_after(folder.path(), |checkpoint| {
        let stem = checkpoint.tensors.get_mut("conv_stem.weight").unwrap();
        stem.data.iter_mut().for_each(|w| *w *= 1e8);
    });
    let Finish::Failed(sentence) = finish else { panic!("{finish:?}") };
    assert!(sentence.contains("f16") && sentence.contains("lower optimizer.lr"), "{sentence}");
    assert!(log.contains("the loss scale is 1"), "{log}");
    let finite = metrics(folder.path()).iter().all(|line| line.4.parse::<f64>().is_ok_and(f64::is_finite));
    assert!(finite, "a loss that is no number was written");
}

#[test]
fn pause_single_step_and_stop_work_between_steps() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut pauses = 0;
    let (finish, events) = run(config(&["run.steps=100000"]), &out, false, |event, commands| match event {
        Event::Started(_) => commands.send(Command::Pause).unwrap(),
        Event::Paused => {
            pauses += 1;
            // A second validation of a step would write its lines twice.
            for _ in 0..2 {
                commands.send(Command::EvaluateNow).unwrap();
            }
            let next = [Command::SingleStep, Command::SingleStep, Command::StopAndSave][pauses - 1].clone();
            commands.send(next).unwrap();
        }
        _ => {}
    });
    assert_eq!(finish, Finish::StoppedAndSaved);
    assert_eq!(pauses, 3);
    let validated: Vec<u64> = events
        .iter()
        .filter_map(|e| if let Event::Evaluated(report) = e { Some(report.step) } else { None })
        .filter(|step| *step > 0)
        .collect();
    // The last one gives way to the stop.
    assert!(!validated.is_empty() && validated.windows(2).all(|pair| pair[0] < pair[1]), "{validated:?}");
    let told = |e: &Event| matches!(e, Event::Warning(text) if text.contains("is validated already"));
    assert!(events.iter().any(told));
    let steps = events.iter().filter(|e| matches!(e, Event::Step(_))).count() as u64;
    let saved = Checkpoint::load(&out.join("last.safetensors")).unwrap().meta.step;
    assert_eq!(saved, steps, "every finished step was reported, and the last is saved");
}

#[test]
fn a_diverging_run_says_so_and_keeps_its_last_checkpoint() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let (finish, _) = run(config(&["run.steps=3"]), &out, false, |_, _| {});
    assert_eq!(finish, Finish::Completed);
    let before = std::fs::read(out.join("last.safetensors")).unwrap();
    // Weight decay alone multiplies the weights by -999 a step.
    let sets = ["run.steps=40", "optimizer.kind=sgd", "optimizer.lr=1000", "optimizer.weight_decay=1"];
    let wild = config(&[&sets[..], &["run.checkpoint_steps=0", "data.train_limit=0"]].concat());
    let other = folder.path().join("wild");
    let (finish, _) = run(wild, &other, false, |_, _| {});
    let Finish::Failed(sentence) = finish else { panic!("{finish:?}") };
    assert!(sentence.contains("lower optimizer.lr"), "{sentence}");
    assert!(!other.join("last.safetensors").exists(), "weights that are not finite were saved");
    assert_eq!(std::fs::read(out.join("last.safetensors")).unwrap(), before);
}

#[test]
fn wrong_inputs_end_in_one_sentence() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let cases: [(&[&str], &str); 5] = [
        (&["model.classes=3"], "model.classes = 3"),
        (&["run.accumulate=8"], "one value a channel"),
        (&["data.source=folder", "data.path=\"/nowhere/at/all\""], "data.path"),
        (&["run.init=\"/nowhere/start.safetensors\""], "start.safetensors"),
        (&["data.source=cifar10", "data.path=\".\""], "batch"),
    ];
    for (index, (sets, part)) in cases.into_iter().enumerate() {
        let (finish, _) = run(config(sets), &folder.path().join(index.to_string()), false, |_, _| {});
        let Finish::Failed(sentence) = finish else { panic!("{sets:?}: {finish:?}") };
        assert!(sentence.contains(part) && !sentence.contains('\n'), "{sets:?}: {sentence}");
        assert!(!folder.path().join(index.to_string()).exists(), "{sets:?}: a folder was left");
    }
}

#[test]
fn a_killed_process_loses_only_the_steps_since_its_checkpoint() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(&file, config(&[]).resolved_toml()).unwrap();
    let (whole, killed) = (folder.path().join("whole"), folder.path().join("killed"));
    let start = |out: &Path| {
        std::process::Command::new(env!("CARGO_BIN_EXE_dualprop"))
            .args(["train".as_ref(), file.as_os_str(), "--out".as_ref(), out.as_os_str()])
            .args(["--device", "cpu", "--resume"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap()
    };
    assert!(start(&whole).wait().unwrap().success());
    let mut process = start(&killed);
    while !killed.join("last.safetensors").exists() {
        assert!(process.try_wait().unwrap().is_none(), "the run ended before it could be killed");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(start(&killed).wait().unwrap().success());
    assert_eq!(tensors(&whole), tensors(&killed), "the killed run ended elsewhere");
    assert_eq!(metrics(&whole), metrics(&killed), "the curves differ");
}

/// A stop that comes while a validation is under way waits for no image more, and loses nothing.
#[test]
fn a_stop_ends_a_validation_and_a_resumed_run_makes_up_for_it() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let (whole, parts) = (folder.path().join("whole"), folder.path().join("parts"));
    let config = || config(&["eval.limit=300"]);
    assert_eq!(run(config(), &whole, false, |_, _| {}).0, Finish::Completed);
    // The end of the first epoch, and of the run.
    for (resume, step) in [(false, 5), (true, 8)] {
        let (finish, events) = run(config(), &parts, resume, |event, commands| {
            if matches!(event, Event::Step(s) if s.step == step) {
                commands.send(Command::StopAndSave).unwrap();
            }
        });
        assert_eq!(finish, Finish::StoppedAndSaved);
        assert!(!events.iter().any(|e| matches!(e, Event::Evaluated(report) if report.step == step)));
        assert_eq!(Checkpoint::load(&parts.join("last.safetensors")).unwrap().meta.step, step);
    }
    assert_eq!(run(config(), &parts, true, |_, _| {}).0, Finish::Completed);
    assert_eq!(metrics(&whole), metrics(&parts), "the curves differ");
    for file in ["pictures.safetensors", "last.safetensors", "best.safetensors"] {
        let [kept, again] = [&whole, &parts].map(|out| std::fs::read(out.join(file)).unwrap());
        assert!(kept == again, "the bytes of {file} differ");
    }
}

#[test]
fn a_resumed_run_refuses_other_data_and_says_when_it_begins() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("data"), folder.path().join("run"));
    let image = |path: &str| {
        let path = data.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        image::RgbImage::from_pixel(16, 16, image::Rgb([90, 40, 7])).save(path).unwrap();
    };
    for class in ["cat", "dog"] {
        (0..8).for_each(|n| image(&format!("train/{class}/{n}.png")));
        image(&format!("val/{class}/0.png"));
    }
    let path = format!("data.path={:?}", data.display().to_string());
    let sets = |steps: &str| {
        config(&["data.source=folder", &path, "data.train_limit=0", "data.image_size=16", steps])
    };
    let begins = |events: &[Event]| {
        events.iter().any(|e| matches!(e, Event::Warning(text) if text.contains("starts from the beginning")))
    };
    assert_eq!(run(sets("run.steps=2"), &out, false, |_, _| {}).0, Finish::Completed);
    // As if it had been cut off before its first checkpoint.
    let files = RunFiles::of(&out);
    for file in [files.last(), files.best()] {
        std::fs::remove_file(file).unwrap();
    }
    let (finish, events) = run(sets("run.steps=2"), &out, true, |_, _| {});
    assert!(finish == Finish::Completed && begins(&events), "{finish:?}");
    let refused = |part: &str| {
        let kept = || [files.ended(), files.metrics()].map(|file| std::fs::read(file).unwrap());
        let before = kept();
        let (finish, _) = run(sets("run.steps=4"), &out, true, |_, _| {});
        let Finish::Failed(sentence) = finish else { panic!("{finish:?}") };
        assert!(sentence.contains(part), "{sentence}");
        assert!(kept() == before, "what was there is left as it is");
    };
    image("train/dog/more.png");
    refused("the training set has 17 images; expected the 16");
    std::fs::remove_file(data.join("train/dog/more.png")).unwrap();
    for set in ["train", "val"] {
        std::fs::rename(data.join(set).join("dog"), data.join(set).join("fox")).unwrap();
    }
    refused("only the checkpoint has dog; only the data set has fox");
    for set in ["train", "val"] {
        std::fs::rename(data.join(set).join("fox"), data.join(set).join("dog")).unwrap();
    }
    let (finish, events) = run(sets("run.steps=4"), &out, true, |_, _| {});
    assert!(finish == Finish::Completed && !begins(&events), "{finish:?}");
    let longer = "the run is now 4 steps long instead of 2";
    assert!(events.iter().any(|e| matches!(e, Event::Warning(text) if text.contains(longer))));
}

/// The data are found unusable when the folder is there already; once they are mended the same command works.
#[test]
fn a_run_that_failed_before_its_first_step_can_be_started_again() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let (data, files) = (folder.path().join("data"), RunFiles::of(folder.path().join("run")));
    let images = |write: &dyn Fn(&Path)| {
        for (split, class, n) in
            [("train", "cat", 8), ("train", "dog", 8), ("val", "cat", 1), ("val", "dog", 1)]
        {
            let dir = data.join(split).join(class);
            std::fs::create_dir_all(&dir).unwrap();
            (0..n).for_each(|n| write(&dir.join(format!("{n}.png"))));
        }
    };
    let path = format!("data.path={:?}", data.display().to_string());
    let start = || {
        let sets = ["data.source=folder", &path, "data.train_limit=0", "data.image_size=16", "run.steps=2"];
        run(config(&sets), files.dir(), false, |_, _| {})
    };
    images(&|file| std::fs::write(file, "no image").unwrap());
    let (finish, _) = start();
    assert!(matches!(finish, Finish::Failed(_)), "{finish:?}");
    assert_eq!(ended(&files), Some(finish), "the folder does not say how the run ended");
    images(&|file| image::RgbImage::from_pixel(16, 16, image::Rgb([90, 40, 7])).save(file).unwrap());
    assert_eq!(start().0, Finish::Completed);
    let (finish, _) = start();
    assert!(matches!(&finish, Finish::Failed(text) if text.contains("is not empty")), "{finish:?}");
}

/// `--resume` in a new folder is how a script starts a run that may have to be continued.
#[test]
fn a_first_run_warns_of_nothing_but_once_of_a_cache_that_cannot_be_written() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    let sets = ["run.steps=1", "method.kind=vanilla", "eval.attack=", "model.bn_momentum=1"];
    std::fs::write(&file, config(&sets).resolved_toml()).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_dualprop"))
        .args(["train".as_ref(), file.as_os_str(), "--out".as_ref(), folder.path().join("run").as_os_str()])
        .args(["--device", "cpu", "--resume"])
        // A file stands where the folder would be made.
        .env("XDG_CACHE_HOME", &file)
        .env("XDG_RUNTIME_DIR", folder.path())
        .env_remove("RUST_LOG")
        .output()
        .unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    let warnings: Vec<&str> = said.lines().filter(|line| line.to_lowercase().contains("warn")).collect();
    assert!(warnings.len() == 1 && warnings[0].contains("compiled shaders are not kept"), "{warnings:?}");
}

/// What the run told when a checkpoint could not be written.
fn unsaved(events: &[Event]) -> Vec<&str> {
    let reasons = events.iter().filter_map(|e| match e {
        Event::CannotSave { reason, .. } => Some(reason.as_str()),
        _ => None,
    });
    reasons.collect()
}

/// Somebody removes the run folder: the next checkpoint holds the run, which goes on where it is told to,
/// with every line that it wrote before.
#[test]
#[cfg(unix)]
fn a_removed_run_folder_costs_neither_steps_nor_lines() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let [whole, again, gone, elsewhere] =
        ["whole", "again", "gone", "elsewhere"].map(|name| folder.path().join(name));
    assert_eq!(run(config(&[]), &whole, false, |_, _| {}).0, Finish::Completed);
    for (out, answer, end) in
        [(&again, Command::Resume, &again), (&gone, Command::SaveElsewhere(elsewhere.clone()), &elsewhere)]
    {
        let mut is_removed = false;
        let (finish, events) = run(config(&[]), out, false, |event, commands| match event {
            Event::Step(_) if !is_removed => {
                std::fs::remove_dir_all(out).unwrap();
                is_removed = true;
            }
            Event::CannotSave { .. } => commands.send(answer.clone()).unwrap(),
            _ => {}
        });
        assert_eq!(finish, Finish::Completed, "{answer:?}");
        let told = unsaved(&events);
        assert!(told.len() == 1 && told[0].contains("its folder does not exist"), "{told:?}");
        let moved = |e: &Event| matches!(e, Event::Moved { run_dir } if run_dir == end);
        assert!(events.iter().any(moved), "{answer:?}");
        assert_eq!(tensors(&whole), tensors(end), "{answer:?}: the run ended elsewhere");
        assert_eq!(metrics(&whole), metrics(end), "{answer:?}: the curves differ");
        assert_eq!(ended(&RunFiles::of(end)), Some(Finish::Completed));
        // It is a run folder like any other.
        assert_eq!(run_quietly(config(&[]), end, true), Finish::Completed);
    }
    assert!(!gone.exists());
}

/// Folders stand where files would be written, for which a user's rights do not matter.
#[test]
fn only_a_checkpoint_holds_a_run_and_a_stop_ends_it() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let files = RunFiles::of(folder.path().join("run"));
    let block = |path: std::path::PathBuf| std::fs::create_dir(path).unwrap();
    let (finish, events) = run(config(&[]), files.dir(), false, |event, _| {
        if matches!(event, Event::Started(_)) {
            block(files.pictures());
        }
    });
    assert_eq!(finish, Finish::Completed);
    let tells = |e: &Event| matches!(e, Event::Warning(text) if text.contains("pictures") && text.contains("goes on without it"));
    assert_eq!(events.iter().filter(|e| tells(e)).count(), 1, "once for two validations");
    let files = RunFiles::of(folder.path().join("stopped"));
    let (finish, events) = run(config(&[]), files.dir(), false, |event, commands| match event {
        Event::Started(_) => block(files.last()),
        Event::CannotSave { .. } => commands.send(Command::StopAndDiscard).unwrap(),
        _ => {}
    });
    assert!(matches!(&finish, Finish::Failed(text) if text.contains("last.safetensors")), "{finish:?}");
    assert_eq!(unsaved(&events).len(), 1);
    assert_eq!(ended(&files), Some(finish));
}

/// The disk of the images is gone in the middle of a run.
#[test]
fn a_run_that_fails_for_want_of_images_saves_its_steps() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let (data, files) = (folder.path().join("data"), RunFiles::of(folder.path().join("run")));
    for (place, n) in [("train/cat", 400), ("train/dog", 400), ("val/cat", 1), ("val/dog", 1)] {
        let dir = data.join(place);
        std::fs::create_dir_all(&dir).unwrap();
        let image = image::RgbImage::from_pixel(16, 16, image::Rgb([90, 40, 7]));
        (0..n).for_each(|n| image.save(dir.join(format!("{n}.png"))).unwrap());
    }
    let path = format!("data.path={:?}", data.display().to_string());
    // A hundred steps an epoch, and an augmentation that keeps the images from staying on the GPU.
    let sets =
        ["data.source=folder", &path, "data.train_limit=0", "data.image_size=16", "data.augment=[cutout]"];
    let rest = ["run.steps=1000", "run.checkpoint_steps=0", "eval.every_epochs=1000", "eval.attack="];
    let sets = [&sets[..], &rest].concat();
    let (finish, _) = run(config(&sets), files.dir(), false, |event, _| {
        if matches!(event, Event::Step(s) if s.step == 3) {
            std::fs::remove_dir_all(&data).unwrap();
        }
    });
    let Finish::Failed(sentence) = finish else { panic!("{finish:?}") };
    let saved = Checkpoint::load(&files.last()).unwrap().meta.step;
    assert!(
        saved > 2 && sentence.contains(&format!("the weights after step {saved} are saved")),
        "{sentence}"
    );
    let last = metrics(files.dir()).last().unwrap().0;
    assert_eq!(last, saved, "the steps in memory were lost");
}

/// The command line has nobody to ask: it goes on in a folder beside the run's.
#[test]
fn the_command_line_goes_on_beside_a_folder_that_cannot_be_written() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("config.toml"), folder.path().join("run"));
    std::fs::write(&file, config(&["run.steps=2", "eval.limit=8"]).resolved_toml()).unwrap();
    let process = std::process::Command::new(env!("CARGO_BIN_EXE_dualprop"))
        .args(["train".as_ref(), file.as_os_str(), "--out".as_ref(), out.as_os_str()])
        .args(["--device", "cpu"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // The folder is there long before the first checkpoint: shaders are compiled in between.
    while !out.join("log.txt").exists() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    std::fs::create_dir(out.join("last.safetensors")).unwrap();
    let output = process.wait_with_output().unwrap();
    let [told, warned] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{warned}");
    let beside = folder.path().join("run-2");
    assert!(told.contains(&format!("goes on in {}", beside.display())), "{told}");
    assert!(warned.contains("last.safetensors is a folder"), "{warned}");
    assert_eq!(Checkpoint::load(&beside.join("last.safetensors")).unwrap().meta.step, 2);
    assert!(matches!(ended(&RunFiles::of(&out)), Some(Finish::Failed(text)) if text.contains("run-2")));
}

/// Every method with all of its randomness, in two micro-batches, stopped in the middle and resumed.
#[test]
fn every_method_resumes_to_the_same_bits() {
    let _alone = alone();
    let own = "method.branch=[{source = \"attack\", domain = \"aux\", share = 0.5, weight = 0.5}, \
               {source = \"clean\"}, {source = \"cutmix\", domain = \"aux\", share = 0.5}, \
               {source = \"augmented\", domain = \"aux2\"}]";
    let corrupted = "method.branch=[{source = \"clean\"}, {source = \"corrupted\", domain = \"aux\"}, \
                     {source = \"corrupted\", domain = \"aux2\", share = 0.5}]";
    let cases: [(&[&str], usize); 11] = [
        (&["method.kind=vanilla"], 1),
        (&["method.kind=adversarial", "method.attack.target=random_wrong"], 1),
        (&["method.kind=adversarial_mix", "method.attack.start_probability=0.5"], 1),
        (&["method.kind=adversarial_finetune"], 1),
        (&["method.kind=mixup"], 1),
        (&["method.kind=mixprop"], 2),
        (&["method.kind=advprop_fine_grained", "data.augment=[crop, flip, cutout]"], 3),
        (&["method.kind=advprop", "method.attack.kind=mifgsm", "eval.attack=mifgsm:eps=2,decay=0.5"], 2),
        (&["method.kind=fast_advprop", "method.attack.epsilon=1", "method.adversarial_share=0.5"], 2),
        (&[corrupted, "method.corrupted.severity=[1,3]"], 3),
        (&[own, "data.augment=[crop, flip, cutout]", "method.attack.through=main"], 3),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (index, (sets, domains)) in cases.into_iter().enumerate() {
        let common = ["run.steps=4", "run.accumulate=2", "run.checkpoint_steps=2", "eval.limit=8"];
        let config = || config(&[&common[..], sets].concat());
        let (whole, parts) =
            (folder.path().join(format!("{index}")), folder.path().join(format!("{index}b")));
        let out = run_quietly(config(), &whole, false);
        assert_eq!(out, Finish::Completed, "{sets:?}");
        let handle = spawn(options(config(), &parts, false));
        for event in &handle.events {
            if matches!(&event, Event::Saved { best: false, .. }) {
                handle.commands.send(Command::StopAndDiscard).unwrap();
            }
            if matches!(event, Event::Finished(_)) {
                break;
            }
        }
        handle.join();
        assert_eq!(run_quietly(config(), &parts, true), Finish::Completed, "{sets:?}");
        assert_eq!(tensors(&whole), tensors(&parts), "{sets:?}: the resumed run ended elsewhere");
        assert_eq!(metrics(&whole), metrics(&parts), "{sets:?}: the curves differ");
        assert_eq!(Checkpoint::load(&whole.join("last.safetensors")).unwrap().meta.domains.len(), domains);
    }
}

/// Two branches of a user's own list go through one domain, neither of them attacked.
#[test]
fn the_branches_of_a_users_list_are_told_apart() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let files = RunFiles::of(folder.path().join("run"));
    let own = "method.branch=[{source = \"cutmix\"}, {source = \"clean\"}, {source = \"attack\", domain = \"aux\"}]";
    let handle = spawn(options(config(&[own, "run.steps=2", "eval.limit=8"]), files.dir(), false));
    let mut methods = Vec::new();
    for event in &handle.events {
        match event {
            Event::Started(info) => methods.push(info.method.to_string()),
            Event::Finished(_) => break,
            _ => {}
        }
    }
    handle.join();
    assert_eq!(methods, ["own branches"]);
    let text = std::fs::read_to_string(files.metrics()).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<MetricLine>(line).unwrap());
    let (trained, validated): (Vec<_>, Vec<_>) = lines.partition(|line| line.split == "train");
    let names: Vec<_> =
        trained.iter().map(|l| (l.step, l.branch.unwrap(), l.source.unwrap(), l.domain.as_str())).collect();
    let of_step = |step| {
        [
            (step, 0, BranchSource::Cutmix, "main"),
            (step, 1, BranchSource::Clean, "main"),
            (step, 2, BranchSource::Attack, "aux"),
        ]
    };
    assert_eq!(names, [of_step(1), of_step(2)].concat());
    assert!(trained.iter().all(|line| line.attack.is_some() == (line.source == Some(BranchSource::Attack))));
    assert!(!validated.is_empty() && validated.iter().all(|line| line.branch.is_none()));
    assert_eq!(ended(&files), Some(Finish::Completed));
}

fn run_quietly(config: Config, out: &Path, resume: bool) -> Finish {
    finish(spawn(options(config, out, resume)))
}

#[test]
fn a_run_that_no_longer_improves_ends_early() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    // Nothing moves: the first validation is the best one.
    let still = [
        "run.steps=100",
        "optimizer.lr=0",
        "optimizer.weight_decay=0",
        "ema.decay=0.999",
        "ema.warmup=false",
    ];
    let rest = ["eval.patience=2", "eval.best=loss", "data.train_limit=8", "eval.attack="];
    let (finish, events) = run(config(&[&still[..], &rest].concat()), folder.path(), false, |_, _| {});
    assert_eq!(finish, Finish::Completed);
    let last = Checkpoint::load(&folder.path().join("last.safetensors")).unwrap();
    assert!(last.meta.step < 100, "ran to its end");
    assert_eq!(last.loop_state["stale"], 2);
    assert!(events.iter().any(|e| matches!(e, Event::Note(text) if text.contains("stopped early"))));
    // Resuming does not run on.
    let before = metrics(folder.path());
    let again = config(&[&still[..], &rest].concat());
    assert_eq!(run_quietly(again, folder.path(), true), Finish::Completed);
    assert_eq!(metrics(folder.path()), before);
}

/// The software adapter's memory is the process's own, so this sees both sides.
#[test]
#[cfg(target_os = "linux")]
fn a_thousand_steps_hold_memory_and_handles() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let status = || {
        let text = std::fs::read_to_string("/proc/self/statm").unwrap();
        let pages: u64 = text.split_whitespace().nth(1).unwrap().parse().unwrap();
        (pages * 4096, std::fs::read_dir("/proc/self/fd").unwrap().count())
    };
    let sets = ["run.steps=1000", "run.batch_size=4", "run.checkpoint_steps=250", "data.image_size=16"];
    let rest = ["eval.every_epochs=100", "data.train_limit=0"];
    let (mut early, mut late) = (None, None);
    let handle = spawn(options(config(&[&sets[..], &rest].concat()), folder.path(), false));
    for event in &handle.events {
        match event {
            // After the first checkpoints and a validation, so that everything was there once.
            Event::Step(s) if s.step == 300 => early = Some(status()),
            Event::Step(s) if s.step == 990 => late = Some(status()),
            Event::Finished(finish) => {
                assert_eq!(finish, Finish::Completed);
                break;
            }
            _ => {}
        }
    }
    handle.join();
    let ((bytes_early, files_early), (bytes_late, files_late)) = (early.unwrap(), late.unwrap());
    assert!(files_late <= files_early + 2, "{files_early} open files became {files_late}");
    let grown = bytes_late.saturating_sub(bytes_early);
    assert!(grown < 8 << 20, "memory grew by {grown} bytes in 690 steps");
}
