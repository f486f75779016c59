//! A run folder can be left at any moment and continued: no line is lost, stands twice or is torn, and a run
//! never writes over another.

#[path = "common/run_reports.rs"]
mod run_reports;

use dualprop::config::{BranchSource, Config, Domain};
use dualprop::training::checkpoint::{Checkpoint, VALIDATED};
use dualprop::training::events::{BranchReport, Finish, Snapshot, StepReport};
use dualprop::training::pictures;
use dualprop::training::run_folder::{RunFiles, RunFolder, ended, is_at_work, may_begin_in, moments};
use run_reports::{checkpoint, layer, step, validation};
use serde_json::Value;
use std::io::Write as _;
use std::path::Path;

fn open(dir: &Path, config: &Config, resume: bool) -> Result<(RunFolder, Option<Checkpoint>), String> {
    RunFolder::open(dir, config, resume).map_err(|e| format!("{e:#}"))
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).expect("readable");
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|l| serde_json::from_str(l).expect("one JSON object a line")).collect()
}

fn steps(dir: &Path, file: &str) -> Vec<u64> {
    lines(&dir.join(file)).iter().map(|l| l["step"].as_u64().expect("a step")).collect()
}

/// The rows of `metrics.csv`, each as JSON would have it.
fn table(dir: &Path) -> Vec<Value> {
    let mut reader = csv::Reader::from_path(dir.join("metrics.csv")).expect("readable");
    let names = reader.headers().expect("names of the columns").clone();
    let rows = reader.records().map(|row| {
        let row = row.expect("as many values as names");
        let value = |text: &str| match text {
            "" | "NaN" => Value::Null,
            text => text.parse::<f64>().map_or(Value::from(text), Value::from),
        };
        Value::Object(names.iter().map(str::to_owned).zip(row.iter().map(value)).collect())
    });
    rows.collect()
}

/// The lines of `metrics.jsonl` with every number as f64.
fn as_table(dir: &Path) -> Vec<Value> {
    let number = |value: &mut Value| {
        if let Some(number) = value.as_f64() {
            *value = Value::from(number);
        }
    };
    let mut lines = lines(&dir.join("metrics.jsonl"));
    lines.iter_mut().for_each(|line| line.as_object_mut().expect("an object").values_mut().for_each(number));
    lines
}

#[test]
fn the_table_has_the_lines_of_the_metrics() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("first");
    let (mut run, _) = open(&dir, &Config::default(), false).expect("a new folder");
    run.train_step(&step(1)).expect("writable");
    run.evaluated(&validation(1)).expect("writable");
    run.train_step(&step(2)).expect("writable");
    assert_eq!((table(&dir).len(), table(&dir)), (5, as_table(&dir)));
    // A run without a checkpoint begins anew; one that was made by an earlier version gets its table.
    drop(run);
    let (mut run, _) = open(&dir, &Config::default(), true).expect("to resume");
    assert_eq!(table(&dir), as_table(&dir));
    run.train_step(&step(1)).expect("writable");
    assert_eq!((table(&dir).len(), table(&dir)), (2, as_table(&dir)));
    drop(run);
}

#[test]
fn metrics_lines_have_exactly_the_keys_of_the_contract() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("runs").join("first");
    let (mut run, none) = open(&dir, &Config::default(), false).expect("a new folder");
    assert!(none.is_none());
    run.train_step(&step(1)).expect("writable");
    run.evaluated(&validation(1)).expect("writable");
    run.bn_stats(1, 0.1, &Domain::names_of(2), &[layer()]).expect("writable");
    let written = lines(&dir.join("metrics.jsonl"));
    let keys = [
        "step",
        "epoch",
        "split",
        "branch",
        "source",
        "domain",
        "attack",
        "loss",
        "top1",
        "top5",
        "lr",
        "images_per_s",
        "wall_s",
    ];
    for line in &written {
        let found: Vec<&str> = line.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(found, keys);
    }
    let facts: Vec<_> = written
        .iter()
        .map(|l| ["split", "branch", "source", "domain", "attack"].map(|k| l[k].clone()))
        .collect();
    let text = |s: &str| Value::from(s);
    let attack = text("pgd:eps=1,step=1,iters=1");
    assert_eq!(
        facts,
        [
            [text("train"), Value::from(0), text("clean"), text("main"), Value::Null],
            [text("train"), Value::from(1), text("attack"), text("aux"), attack],
            [text("val-stylized"), Value::Null, text("clean"), text("aux"), Value::Null],
        ]
    );
    assert_eq!((&written[0]["top1"], &written[2]["wall_s"]), (&Value::from(0.25), &Value::from(0.5)));
    let statistics = lines(&dir.join("bn_stats.jsonl"));
    assert_eq!(statistics.len(), 2);
    assert_eq!(
        (&statistics[0]["distance"], &statistics[1]["distance"]),
        (&Value::from(0.0), &Value::from(4.5))
    );
    let config = Config::load(&dir.join("config.toml"), &[]).expect("the resolved configuration");
    assert_eq!(config, Config::default());
    let log = std::fs::read_to_string(dir.join("log.txt")).expect("readable");
    assert!(log.contains("started by dualprop"), "{log}");
}

#[test]
fn resuming_cuts_every_line_past_the_checkpoint_and_a_torn_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    let config = Config::default();
    let (mut run, _) = open(dir, &config, false).expect("an empty folder");
    for s in 1..=7 {
        run.train_step(&step(s)).expect("writable");
        run.bn_stats(s, 0.0, &Domain::names_of(2), &[layer()]).expect("writable");
        if s == 4 {
            run.evaluated(&validation(s)).expect("writable");
            run.save_best(&checkpoint(s)).expect("writable");
            run.save_last(&checkpoint(s)).expect("writable");
        }
    }
    drop(run);
    // As a kill leaves it: half a line, and a half-written checkpoint under its temporary name.
    let mut metrics = std::fs::File::options().append(true).open(dir.join("metrics.jsonl")).expect("there");
    metrics.write_all(b"{\"step\":3,\"epo").expect("writable");
    std::fs::write(dir.join(".last.safetensors.Ab12.tmp"), b"half").expect("writable");

    let (mut run, last) = open(dir, &config, true).expect("a run to resume");
    assert_eq!(last.expect("a checkpoint").meta.step, 4);
    assert_eq!(run.wall_s(), 2.0);
    assert_eq!(steps(dir, "metrics.jsonl"), [1, 1, 2, 2, 3, 3, 4, 4, 4]);
    assert!(!dir.join(".last.safetensors.Ab12.tmp").exists());
    run.train_step(&step(5)).expect("writable");
    drop(run);
    assert_eq!(steps(dir, "metrics.jsonl"), [1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5]);
    assert_eq!(steps(dir, "bn_stats.jsonl"), [1, 1, 2, 2, 3, 3, 4, 4]);
    // TensorBoard: a second file, which begins by purging step 5 and later (tested in the writer).
    let events = std::fs::read_dir(dir).expect("readable").flatten();
    assert_eq!(
        events.filter(|e| e.file_name().to_string_lossy().starts_with("events.out.tfevents.")).count(),
        2
    );
    let arguments = std::fs::read_to_string(dir.join("args.txt")).expect("readable");
    assert_eq!(arguments.lines().count(), 2, "one command line a start");
    let log = std::fs::read_to_string(dir.join("log.txt")).expect("readable");
    assert!(log.contains("resumed after step 4"), "{log}");
}

/// The points of a run folder as TensorBoard shows them: (tag, step), files in the order of their names, a
/// start of a session dropping what stood there of its step and later ones.
fn tensorboard(dir: &Path) -> Vec<(String, u64)> {
    fn varint(rest: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = rest[0];
            *rest = &rest[1..];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }
    fn part<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
        let length = varint(rest) as usize;
        let (part, behind) = rest.split_at(length);
        *rest = behind;
        part
    }
    let names = std::fs::read_dir(dir).expect("readable").flatten().map(|entry| entry.path());
    let mut files: Vec<_> = names.filter(|path| path.display().to_string().contains("tfevents")).collect();
    files.sort();
    let mut points = Vec::new();
    for file in files {
        let bytes = std::fs::read(file).expect("readable");
        let mut frames = &bytes[..];
        while !frames.is_empty() {
            let length = u64::from_le_bytes(frames[..8].try_into().expect("eight bytes")) as usize;
            // The time, and the field number of the step.
            let mut event = &frames[12 + 10..12 + length];
            frames = &frames[16 + length..];
            let step = varint(&mut event);
            match varint(&mut event) >> 3 {
                5 => {
                    let mut summary = part(&mut event);
                    while !summary.is_empty() {
                        varint(&mut summary);
                        let mut value = part(&mut summary);
                        varint(&mut value);
                        let tag = String::from_utf8_lossy(part(&mut value)).into_owned();
                        // What the HParams table reads are no points: each start says it anew.
                        if !tag.starts_with("_hparams_/") {
                            points.push((tag, step));
                        }
                    }
                }
                7 => points.retain(|(_, of)| *of < step),
                _ => {}
            }
        }
    }
    points
}

/// The kill comes between a validation's points and the checkpoint that knows of it.
#[test]
fn no_tensorboard_point_stands_twice_or_is_lost_after_a_kill() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    let config = Config::default();
    let (mut run, _) = open(dir, &config, false).expect("an empty folder");
    for s in 1..=4 {
        run.train_step(&step(s)).expect("writable");
    }
    let mut before = checkpoint(4);
    before.loop_state.insert(VALIDATED.into(), 0);
    run.save_last(&before).expect("writable");
    run.evaluated(&validation(4)).expect("writable");
    let whole = tensorboard(dir);
    assert!(whole.contains(&("train/aux attacked/top5".into(), 4)) && whole.len() > 30, "{whole:?}");
    drop(run);
    for _ in 0..2 {
        let (mut run, _) = open(dir, &config, true).expect("a run to resume");
        run.evaluated(&validation(4)).expect("writable");
        assert_eq!(tensorboard(dir), whole);
    }
    // With the validation done, a resumed run leaves its step's points alone.
    let (run, _) = open(dir, &config, true).expect("a run to resume");
    before.loop_state.insert(VALIDATED.into(), 4);
    run.save_last(&before).expect("writable");
    drop(run);
    let (mut run, _) = open(dir, &config, true).expect("a run to resume");
    run.train_step(&step(5)).expect("writable");
    let points = tensorboard(dir);
    assert_eq!(points.iter().filter(|(_, of)| *of == 4).count(), 8);
    assert_eq!(points.iter().filter(|(_, of)| *of == 5).count(), 8);
}

/// Learning rate and speed of a validation that a resumed run makes up for are those of the step before it.
#[test]
fn a_resumed_validation_repeats_the_last_steps_figures() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = Config::default();
    let (mut run, _) = open(folder.path(), &config, false).expect("an empty folder");
    run.train_step(&step(4)).expect("writable");
    run.save_last(&checkpoint(4)).expect("writable");
    drop(run);
    let (mut run, _) = open(folder.path(), &config, true).expect("a run to resume");
    run.evaluated(&validation(4)).expect("writable");
    let last = lines(&folder.path().join("metrics.jsonl")).pop().expect("a line");
    assert_eq!([&last["lr"], &last["images_per_s"], &last["wall_s"]], [0.1, 100.0, 2.0]);
}

/// What a run leaves that ended before its first step is no run, unless there is anything else.
#[test]
fn a_run_may_begin_where_another_made_no_step() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = RunFiles::of(folder.path().join("run"));
    assert!(may_begin_in(files.dir()), "there is no folder yet");
    let begin = |resume| {
        let mut other = Config::default();
        other.run.seed = 9;
        open(files.dir(), &other, resume).map(|(run, _)| run)
    };
    let (mut run, _) = open(files.dir(), &Config::default(), false).expect("a new folder");
    run.end_with_failure("no disk", 0);
    drop(run);
    std::fs::write(files.dir().join(".config.toml.x1.tmp"), "half").expect("writable");
    for resume in [false, true] {
        // Not even the configuration must be the same.
        drop(begin(resume).expect("nothing was trained"));
    }
    assert_eq!(ended(&files), None);
    let names = std::fs::read_dir(files.dir()).expect("readable").flatten().map(|e| e.file_name());
    let events = names.filter(|name| name.to_string_lossy().starts_with("events.")).count();
    assert_eq!(events, 1, "empty TensorBoard files pile up");
    let foreign = files.dir().join("notes.txt");
    std::fs::write(&foreign, "mine").expect("writable");
    assert!(begin(false).expect_err("a file of the user's").contains("is not empty"));
    std::fs::remove_file(&foreign).expect("writable");
    let mut run = begin(false).expect("nothing was trained");
    run.train_step(&step(1)).expect("writable");
    drop(run);
    assert!(begin(false).expect_err("a step was made").contains("is not empty"));
    // A user's own folder may hold files of these names.
    let own = folder.path().join("own");
    std::fs::create_dir(&own).expect("writable");
    std::fs::write(own.join("config.toml"), "").expect("writable");
    assert!(!may_begin_in(&own) && !may_begin_in(&own.join("config.toml")));
}

/// What stands in `ended.json` is true at every moment: a run at work and a killed one have none.
#[test]
fn how_a_run_ended_is_kept_until_it_goes_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = RunFiles::of(folder.path());
    let mut config = Config::default();
    config.run.steps = Some(10);
    let (mut run, _) = open(files.dir(), &config, false).expect("an empty folder");
    assert!(is_at_work(&files) && ended(&files).is_none());
    run.train_step(&step(4)).expect("writable");
    run.save_last(&checkpoint(4)).expect("writable");
    run.end(&Finish::StoppedAndSaved, 4).expect("writable");
    drop(run);
    assert!(!is_at_work(&files));
    assert_eq!(ended(&files), Some(Finish::StoppedAndSaved));
    // It goes on, and is killed.
    let (run, _) = open(files.dir(), &config, true).expect("a run to resume");
    assert_eq!(ended(&files), None);
    drop(run);
    assert_eq!(ended(&files), None, "it was cut off");

    let (mut run, _) = open(files.dir(), &config, true).expect("a run to resume");
    run.end(&Finish::Failed("the loss is no number".into()), 4).expect("writable");
    assert_eq!(ended(&files), Some(Finish::Failed("the loss is no number".into())));
}

/// A folder of the version before has no `ended.json`: its checkpoint tells whether all was done.
#[test]
fn a_checkpoint_with_all_steps_and_their_validation_is_of_a_completed_run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = RunFiles::of(folder.path());
    let ends = |key: &str, value: toml::Value, validated: u64| {
        let mut config = Config::default();
        config.set(key, value).expect("valid");
        std::fs::write(files.config(), config.resolved_toml()).expect("writable");
        // Step 20 is at the end of epoch 2.
        let mut last = checkpoint(20);
        last.loop_state.insert(VALIDATED.into(), validated);
        last.save_atomic(&files.last()).expect("writable");
        ended(&files)
    };
    assert_eq!(ends("run.steps", toml::Value::Integer(20), 20), Some(Finish::Completed));
    assert_eq!(ends("run.steps", toml::Value::Integer(20), 10), None, "its validation is missing");
    assert_eq!(ends("run.steps", toml::Value::Integer(21), 20), None);
    assert_eq!(ends("run.epochs", toml::Value::Float(1.95), 20), Some(Finish::Completed));
    assert_eq!(ends("run.epochs", toml::Value::Float(2.05), 20), None);
    std::fs::write(files.last(), "no checkpoint").expect("writable");
    assert_eq!(ended(&files), None);
}

/// Two branches of one domain keep apart in TensorBoard; the tags of all other methods are those of ever.
#[test]
fn every_branch_has_a_tensorboard_tag_of_its_own() {
    let tags = |report: &StepReport| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (mut run, _) = open(folder.path(), &Config::default(), false).expect("an empty folder");
        run.train_step(report).expect("writable");
        let events = std::fs::read_dir(folder.path()).expect("readable").flatten();
        let mut files =
            events.filter(|e| e.file_name().to_string_lossy().starts_with("events.out.tfevents."));
        let bytes = std::fs::read(files.next().expect("an event file").path()).expect("readable");
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let mut report = step(1);
    let usual = tags(&report);
    assert!(usual.contains("train/main/loss") && usual.contains("train/aux attacked/top5"), "{usual}");
    let cutmix = BranchReport { branch: 2, source: BranchSource::Cutmix, ..report.branches[0].clone() };
    report.branches.push(cutmix);
    let both = tags(&report);
    for tag in ["train/main clean/loss", "train/main cutmix/loss", "train/aux attacked/loss"] {
        assert_eq!(both.matches(tag).count(), 1, "{tag} in {both}");
    }
}

#[test]
fn a_folder_that_lost_its_last_checkpoint_is_left_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    let config = Config::default();
    let (mut run, _) = open(dir, &config, false).expect("an empty folder");
    run.train_step(&step(1)).expect("writable");
    run.save_best(&checkpoint(1)).expect("writable");
    drop(run);
    let sentence = open(dir, &config, true).map(drop).expect_err("nothing to resume from");
    assert!(sentence.contains("no last.safetensors"), "{sentence}");
    assert_eq!(steps(dir, "metrics.jsonl"), [1, 1]);
}

/// A kill between a step's checkpoint and the end of its validation.
#[test]
fn lines_of_an_unfinished_validation_are_cut() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    let config = Config::default();
    let (mut run, _) = open(dir, &config, false).expect("an empty folder");
    for s in [1, 2] {
        run.train_step(&step(s)).expect("writable");
        run.evaluated(&validation(s)).expect("writable");
        run.bn_stats(s, 0.0, &Domain::names_of(2), &[layer()]).expect("writable");
    }
    let mut before = checkpoint(2);
    before.loop_state.insert(VALIDATED.into(), 1);
    run.save_last(&before).expect("writable");
    drop(run);
    drop(open(dir, &config, true).expect("a run to resume"));
    assert_eq!(steps(dir, "metrics.jsonl"), [1, 1, 1, 2, 2]);
    assert_eq!(steps(dir, "bn_stats.jsonl"), [1, 1]);
}

#[test]
fn resuming_leaves_no_pictures_of_steps_to_come() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    let config = Config::default();
    let pictures = |step| Snapshot { step, classes: vec!["cat".into()], ..Snapshot::default() };
    let (run, _) = open(dir, &config, false).expect("an empty folder");
    run.save_last(&checkpoint(4)).expect("writable");
    let mut run = Some(run);
    for (step, stays) in [(4, true), (7, false)] {
        let (mut again, pictures) = (run.take().expect("an open folder"), pictures(step));
        again.save_pictures(&pictures).expect("writable");
        drop(again);
        run = Some(open(dir, &config, true).expect("a run to resume").0);
        assert_eq!(RunFiles::of(dir).pictures().exists(), stays, "pictures of step {step}");
    }
}

#[test]
fn earlier_pictures_become_moments_that_a_resumed_or_moved_run_keeps() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("run");
    let config = Config::default();
    let of = |step| Snapshot { step, classes: vec!["cat".into()], ..Snapshot::default() };
    let kept = |dir: &Path| {
        let found = moments(&RunFiles::of(dir)).into_iter();
        found.map(|(step, path)| (step, pictures::load(&path).expect("pictures").step)).collect::<Vec<_>>()
    };
    let (mut run, _) = open(&dir, &config, false).expect("an empty folder");
    run.save_last(&checkpoint(2)).expect("writable");
    // The same step twice, as when a validation is made again, is one moment.
    for step in [1, 2, 2, 3, 4] {
        run.save_pictures(&of(step)).expect("writable");
    }
    assert_eq!(kept(&dir), [(1, 1), (2, 2), (3, 3)]);
    drop(run);

    let (mut run, _) = open(&dir, &config, true).expect("a run to resume");
    assert_eq!(kept(&dir), [(1, 1), (2, 2)], "what comes after the checkpoint is to be made again");
    run.save_pictures(&of(3)).expect("writable");
    run.save_pictures(&of(4)).expect("writable");
    assert_eq!(kept(&dir), [(1, 1), (2, 2), (3, 3)]);
    let other = folder.path().join("other");
    run.save_elsewhere(&other, &checkpoint(4)).expect("writable");
    run.save_pictures(&of(5)).expect("writable");
    assert_eq!(kept(&other), [(1, 1), (2, 2), (3, 3), (4, 4)]);
    drop(run);

    let mut none = config;
    none.eval.moments_mb = 0;
    let plain = folder.path().join("plain");
    let (mut run, _) = open(&plain, &none, false).expect("an empty folder");
    run.save_pictures(&of(1)).expect("writable");
    run.save_pictures(&of(2)).expect("writable");
    assert!(!RunFiles::of(&plain).moments().exists());
}

#[test]
fn a_run_killed_before_its_first_checkpoint_starts_over() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (mut run, _) = open(folder.path(), &Config::default(), false).expect("an empty folder");
    run.train_step(&step(1)).expect("writable");
    drop(run);
    let (_run, last) = open(folder.path(), &Config::default(), true).expect("a run to resume");
    assert!(last.is_none());
    assert_eq!(steps(folder.path(), "metrics.jsonl"), [0; 0]);
    // Nothing at all is there yet: the same command may always carry --resume.
    let fresh = folder.path().join("fresh");
    assert!(open(&fresh, &Config::default(), true).expect("a new folder").1.is_none());
}

#[test]
fn folders_that_are_not_this_run_are_left_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    std::fs::write(dir.join("thesis.txt"), "mine").expect("writable");
    let message = open(dir, &Config::default(), false).expect_err("not empty");
    assert!(message.contains(&dir.display().to_string()) && message.contains("--resume"), "{message}");
    let message = open(dir, &Config::default(), true).expect_err("no run");
    assert!(message.contains("config.toml"), "{message}");
    assert_eq!(std::fs::read_dir(dir).expect("readable").count(), 1);

    let run = dir.join("run");
    let (mut begun, _) = open(&run, &Config::default(), false).expect("a new folder");
    begun.train_step(&step(1)).expect("writable");
    drop(begun);
    let mut other = Config::default();
    other.optimizer.lr = 0.5;
    let message = open(&run, &other, true).expect_err("another run");
    for part in ["`optimizer.lr` is 0.5", "0.016", &run.display().to_string()] {
        assert!(message.contains(part), "{part} in {message}");
    }
    let mut longer = Config::default();
    longer.run.steps = Some(500);
    longer.eval.every_epochs = 3.0;
    drop(open(&run, &longer, true).expect("only length and reports differ"));
    assert_eq!(Config::load(&run.join("config.toml"), &[]).expect("rewritten"), longer);
}

/// A folder of the version before: its configuration, and the copy in its checkpoint, have a key that is
/// gone.
#[test]
fn a_folder_with_a_key_of_an_earlier_version_is_resumed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    let old = Config::default().resolved_toml().replacen("[run]\n", "[run]\ndeterministic = true\n", 1);
    let (run, _) = open(dir, &Config::default(), false).expect("an empty folder");
    let mut last = checkpoint(4);
    last.meta.config.clone_from(&old);
    run.save_last(&last).expect("writable");
    drop(run);
    std::fs::write(dir.join("config.toml"), old).expect("writable");
    let (_, last) = open(dir, &Config::default(), true).expect("a run to resume");
    assert_eq!(last.expect("a checkpoint").config().expect("readable"), Config::default());
    let kept = std::fs::read_to_string(dir.join("config.toml")).expect("rewritten");
    assert!(!kept.contains("deterministic"), "{kept}");
}

#[test]
fn a_damaged_checkpoint_stops_the_resume_and_stays() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    let (mut run, _) = open(dir, &Config::default(), false).expect("an empty folder");
    run.train_step(&step(1)).expect("writable");
    drop(run);
    std::fs::write(dir.join("last.safetensors"), b"not a checkpoint").expect("writable");
    let message = open(dir, &Config::default(), true).expect_err("damaged");
    assert!(message.contains("last.safetensors"), "{message}");
    assert_eq!(steps(dir, "metrics.jsonl"), [1, 1], "nothing was cut");
    assert_eq!(std::fs::read(dir.join("last.safetensors")).expect("there"), b"not a checkpoint");
}
