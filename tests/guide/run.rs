//! The commands of blocks marked `sh` run, in a folder that has what they name: run folders with the sample's
//! network, and images.

use super::blocks::calls;
use super::{documents, fenced, root};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

/// Run folders that the documents name: each is the sample run.
const RUNS: [&str; 4] = ["runs/first", "runs/second", "runs/a", "runs/b"];
const IMAGES: [&str; 2] = ["photo.jpg", "other.png"];
/// Commands that open an adapter.
const ON_A_DEVICE: [&str; 6] = ["train", "eval", "predict", "attack", "cam", "cam-grid"];

fn prepare(folder: &Path) {
    for run in RUNS {
        let run = folder.join(run);
        std::fs::create_dir_all(&run).expect("writable");
        for file in std::fs::read_dir(root().join("assets/sample")).expect("the sample") {
            let file = file.expect("a file").path();
            std::fs::copy(&file, run.join(file.file_name().expect("a name"))).expect("writable");
        }
    }
    for (index, name) in IMAGES.into_iter().enumerate() {
        let shade = |x: u32, y: u32| image::Rgb([(2 * x) as u8, (2 * y) as u8, (97 * index) as u8]);
        image::RgbImage::from_fn(96, 80, shade).save(folder.join(name)).expect("writable");
    }
}

/// The words with what keeps a test short: the software adapter, and few images.
fn shortened(words: &[String]) -> Vec<String> {
    let mut words = words.to_vec();
    let command = words.first().map_or("", String::as_str).to_owned();
    let mut add = |option: &str, value: &str| {
        if !words.iter().any(|word| word == option) {
            words.extend([option.to_owned(), value.to_owned()]);
        }
    };
    if ON_A_DEVICE.contains(&command.as_str()) {
        add("--device", "cpu");
    }
    if command == "eval" {
        add("--limit", "8");
    }
    words
}

fn dualprop(words: &[String], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dualprop"))
        .args(words)
        .current_dir(folder)
        .env_remove("RUST_LOG")
        .output()
        .expect("the program starts")
}

#[test]
fn a_guide_that_cannot_be_written_is_one_sentence() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = dualprop(&["guide", "--out", "none/guide.html"].map(str::to_owned), folder.path());
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said, "dualprop: cannot write none/guide.html: its folder does not exist\n");
}

#[test]
fn every_command_of_a_block_marked_sh_runs() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    prepare(folder.path());
    let mut done = BTreeSet::new();
    for (document, text) in documents() {
        for words in fenced(&text).iter().filter(|block| block.info == "sh").flat_map(calls) {
            if !done.insert(words.clone()) {
                continue;
            }
            let output = dualprop(&shortened(&words), folder.path());
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{document}: dualprop {}\n{said}", words.join(" "));
        }
    }
    assert!(done.len() >= 15, "{} commands ran", done.len());
    for made in
        ["guide.html", "model.onnx", "model.onnx.md", "runs/short/last.safetensors", "maps/photo.cam.npy"]
    {
        assert!(folder.path().join(made).is_file(), "{made} was not made");
    }
}
