//! Commands that write a file or a folder.

use super::fault::{Failed, every_call, files};
use super::run_reports::{step, validation};
use dualprop::config::Config;
use dualprop::interop::tensor_file::{self, Tensor};
use dualprop::models::names::expected;
use dualprop::training::events::Finish;
use dualprop::training::run_folder::RunFolder;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

const WIDTH: f64 = 0.0625;

/// What is in the folder that `prepare` fills, and what is there after `arguments` without a failure.
struct Work {
    arguments: &'static [&'static str],
    prepare: fn(&Path),
    /// What the command makes or replaces; all else stays as it is.
    makes: &'static [&'static str],
    /// Files of `makes` that are written one after another, so that one may be there without the other.
    is_one: bool,
    /// Calls at least.
    calls: usize,
}

fn dualprop(arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dualprop"));
    command.args(arguments).current_dir(folder).env_remove("RUST_LOG");
    command
}

fn state_dict(folder: &Path) {
    let names = expected("resnet18", 3, WIDTH, 1.0, 1).expect("known");
    let tensors = names.into_iter().map(|(name, shape)| {
        let count = shape.iter().product();
        (name, Tensor { shape, data: vec![1.0; count] })
    });
    let path = folder.join("plain.safetensors");
    tensor_file::write(&path, &Default::default(), &tensors.collect(), &Default::default())
        .expect("writable");
}

const IMPORT: &[&str] =
    &["import", "plain.safetensors", "--arch", "resnet18", "--width", "0.0625", "--out", "net.safetensors"];

/// A checkpoint, and files where the commands write theirs.
fn checkpoint(folder: &Path) {
    state_dict(folder);
    assert!(dualprop(IMPORT, folder).output().expect("it starts").status.success());
    for name in ["out.safetensors", "out.safetensors.md", "out.onnx", "out.onnx.md", "guide.html"] {
        std::fs::write(folder.join(name), "what was there before").expect("writable");
    }
}

fn photos(folder: &Path) {
    for (part, class, number) in
        [("train", "ant", 0), ("train", "ant", 1), ("train", "bee", 2), ("val", "ant", 3), ("val", "bee", 4)]
    {
        let path = folder.join("photos").join(part).join(class).join(format!("{number}.png"));
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
        let picture = image::RgbImage::from_fn(12, 12, |x, y| {
            image::Rgb([(x * 20 * number) as u8, (y * 20) as u8, (x * y * number) as u8])
        });
        picture.save(&path).expect("writable");
    }
    // One that the copy turns into a PNG of RGB, and one that it leaves out.
    image::GrayAlphaImage::new(12, 12).save(folder.join("photos/train/ant/grey.png")).expect("writable");
    std::fs::write(folder.join("photos/train/ant/none.png"), "no image").expect("writable");
}

/// A checkpoint beside the photos, and which of its three classes they are.
fn checkpoint_and_photos(folder: &Path) {
    checkpoint(folder);
    photos(folder);
    std::fs::write(folder.join("classes.txt"), "ant=0\nbee=1\n").expect("writable");
}

/// A run that ended, and a page where `compare` writes its own.
fn run(folder: &Path) {
    let (mut run, _) = RunFolder::open(&folder.join("run"), &Config::default(), false).expect("writable");
    run.train_step(&step(1)).expect("writable");
    run.evaluated(&validation(1)).expect("writable");
    run.end(&Finish::Completed, 1).expect("writable");
    drop(run);
    // These two say when the run was; the other files are the same in every folder.
    let is_dated =
        |name: &PathBuf| name.to_string_lossy().contains("events.out") || name.ends_with("log.txt");
    for name in files(folder).into_keys().filter(is_dated) {
        std::fs::remove_file(folder.join(name)).expect("removable");
    }
    std::fs::write(folder.join("page.html"), "what was there before").expect("writable");
}

const WORKS: &[Work] = &[
    Work { arguments: IMPORT, prepare: state_dict, makes: &["net.safetensors"], is_one: true, calls: 4 },
    Work {
        arguments: &["export", "net.safetensors", "--to", "safetensors", "--out", "out.safetensors"],
        prepare: checkpoint,
        makes: &["out.safetensors", "out.safetensors.md"],
        is_one: false,
        calls: 8,
    },
    Work {
        arguments: &["export", "net.safetensors", "--to", "onnx", "--out", "out.onnx"],
        prepare: checkpoint,
        makes: &["out.onnx", "out.onnx.md"],
        is_one: false,
        calls: 8,
    },
    Work {
        arguments: &["guide", "--out", "guide.html"],
        prepare: checkpoint,
        makes: &["guide.html"],
        is_one: true,
        calls: 4,
    },
    Work {
        arguments: &["data", "check", "photos", "--fix", "clean"],
        prepare: photos,
        makes: &["clean"],
        is_one: true,
        calls: 15,
    },
    Work {
        arguments: &[
            "data",
            "export",
            "folder",
            "--path",
            "photos",
            "--image-size",
            "8",
            "--out",
            "exported",
        ],
        prepare: photos,
        makes: &["exported"],
        is_one: false,
        calls: 20,
    },
    Work {
        arguments: &["compare", "run", "--out", "page.html"],
        prepare: run,
        makes: &["page.html"],
        is_one: true,
        calls: 4,
    },
    Work {
        arguments: &["cam", "net.safetensors", "photos/val/ant/3.png", "--out", "maps", "--device", "cpu"],
        prepare: checkpoint_and_photos,
        makes: &["maps"],
        is_one: false,
        calls: 4,
    },
    Work {
        arguments: &[
            "attack",
            "net.safetensors",
            "photos/val/ant/3.png",
            "--out",
            "attacked",
            "--device",
            "cpu",
        ],
        prepare: checkpoint_and_photos,
        makes: &["attacked"],
        is_one: false,
        calls: 4,
    },
];

const EVAL: &[&str] = &[
    "eval",
    "net.safetensors",
    "--data",
    "folder",
    "--path",
    "photos",
    "--classes-by",
    "classes.txt",
    "--resume",
    "evaluation",
    "--json",
    "--device",
    "cpu",
];

/// The files that a command makes or replaces.
fn made(all: &BTreeMap<PathBuf, Vec<u8>>, work: &Work) -> BTreeMap<PathBuf, Vec<u8>> {
    let is_made = |name: &Path| work.makes.iter().any(|made| name.starts_with(made));
    all.iter().filter(|(name, _)| is_made(name)).map(|(name, bytes)| (name.clone(), bytes.clone())).collect()
}

#[test]
fn commands_leave_what_was_there_or_all_that_they_make() {
    for work in WORKS {
        let whole = tempfile::tempdir().expect("a temporary folder");
        (work.prepare)(whole.path());
        let before = files(whole.path());
        dualprop(work.arguments, whole.path()).output().expect("it starts");
        let after = files(whole.path());
        assert_ne!(made(&before, work), made(&after, work), "{:?} makes something", work.arguments);
        let check = |folder: &Path, failed: &Failed| {
            let said = failed.said();
            let context = format!("{:?}, call {}: {}\n{said}", work.arguments, failed.number, failed.call);
            let is_refused = failed.output.status.code() == Some(1);
            assert!(is_refused && said.contains("the disk is full"), "{context}");
            let faults = String::from_utf8_lossy(&failed.output.stderr);
            let faults = faults.lines().filter(|line| line.starts_with("dualprop: "));
            assert_eq!(faults.count(), 1, "{context}");
            let found = files(folder);
            let names: Vec<&PathBuf> = found.keys().collect();
            assert!(
                found.keys().all(|name| after.contains_key(name) || before.contains_key(name)),
                "{context}: {names:?}"
            );
            if work.is_one {
                let made = [made(&before, work), made(&after, work)];
                assert!(made.contains(&self::made(&found, work)), "{context}: {names:?}");
            }
            for (name, bytes) in &found {
                let known = [before.get(name), after.get(name)];
                assert!(known.contains(&Some(bytes)), "{context}: {} is neither old nor new", name.display());
            }
        };
        let command = |folder: &Path| dualprop(work.arguments, folder);
        let calls = every_call(work.prepare, command, check);
        assert!(calls >= work.calls, "{:?}: {calls} calls", work.arguments);
    }
}

#[test]
fn an_evaluation_goes_on_after_a_full_disk() {
    let whole = tempfile::tempdir().expect("a temporary folder");
    checkpoint_and_photos(whole.path());
    let figures = |output: &std::process::Output| -> serde_json::Value {
        serde_json::from_slice(&output.stdout).expect("one JSON value")
    };
    let expected = figures(&dualprop(EVAL, whole.path()).output().expect("it starts"));

    let check = |folder: &Path, failed: &Failed| {
        let said = failed.said();
        let context = format!("call {}: {}\n{said}", failed.number, failed.call);
        assert!(said.contains("the disk is full"), "{context}");
        let again = dualprop(EVAL, folder).output().expect("it starts");
        assert!(again.status.success(), "{context}\n{}", String::from_utf8_lossy(&again.stderr));
        assert_eq!(figures(&again), expected, "{context}");
    };
    let calls = every_call(checkpoint_and_photos, |folder| dualprop(EVAL, folder), check);
    assert!(calls >= 6, "{calls} calls");
}
