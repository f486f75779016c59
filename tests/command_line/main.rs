//! What a shell sees: the exit code, one sentence on stderr that names the thing at fault, and nothing on
//! stdout but the result. Nearly everything here works without an adapter.

mod auto_domain;
mod data_sets;
mod hostile;
mod measuring;
#[path = "../common/server.rs"]
mod server;
mod weights;
mod wrong_input;

use dualprop::interop::tensor_file::{self, Tensor};
use dualprop::models::names::expected;
use dualprop::models::registry::names;
use dualprop::training::checkpoint::load_tensors;
use std::path::Path;
use std::process::{Command, Output};

/// Multiplies resnet18's widths, to keep the files of these tests small.
const WIDTH: f64 = 0.125;

fn dualprop(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dualprop"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("RUST_LOG")
        .output()
        .expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// Runs the program, expects that exit code with one sentence on stderr and an empty stdout, and returns the
/// sentence.
fn fails(arguments: &[&str], code: i32, folder: &Path) -> String {
    let output = dualprop(arguments, folder);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {message}");
    assert_eq!(text(&output.stdout), "", "{arguments:?}");
    assert!(
        message.starts_with("dualprop: ") && message.trim_end().lines().count() == 1,
        "{arguments:?}: {message}"
    );
    message
}

fn succeeds(arguments: &[&str], folder: &Path) -> String {
    let output = dualprop(arguments, folder);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// A state dict of a narrow resnet18 with that many BN domains, `value` added to every tensor's own number.
fn state_dict(path: &Path, classes: usize, domains: usize) {
    let names = expected("resnet18", classes, WIDTH, 1.0, domains).expect("known");
    let tensors = names.into_iter().enumerate().map(|(i, (name, shape))| {
        let count = shape.iter().product();
        (name, Tensor { shape, data: vec![1.0 + i as f32; count] })
    });
    tensor_file::write(path, &Default::default(), &tensors.collect(), &Default::default()).expect("writable");
}

fn import(folder: &Path, domains: usize) {
    state_dict(&folder.join("plain.safetensors"), 3, domains);
    succeeds(
        &[
            "import",
            "plain.safetensors",
            "--arch",
            "resnet18",
            "--width",
            "0.125",
            "--image-size",
            "32",
            "--out",
            "net.safetensors",
        ],
        folder,
    );
}

/// A checkpoint with these classes that always answers `favourite`, as `net.safetensors`.
fn opinionated(folder: &Path, classes: &[&str], favourite: &str) {
    let plain = folder.join("plain.safetensors");
    state_dict(&plain, classes.len(), 1);
    let mut tensors = load_tensors(&plain).expect("readable");
    let bias = &mut tensors.get_mut("fc.bias").expect("there is one").data;
    bias.iter_mut()
        .zip(classes)
        .for_each(|(value, class)| *value = if *class == favourite { 9.0 } else { 0.0 });
    tensor_file::write(&plain, &Default::default(), &tensors, &Default::default()).expect("writable");
    std::fs::write(folder.join("classes.txt"), classes.join("\n")).expect("writable");
    let size = ["--width", "0.125", "--image-size", "32", "--classes", "classes.txt"];
    let files = ["import", "plain.safetensors", "--arch", "resnet18", "--out", "net.safetensors"];
    succeeds(&[files.as_slice(), &size].concat(), folder);
}

/// `set/val/CLASS` with so many images.
fn image_folder(folder: &Path, classes: &[(&str, usize)]) {
    let _ = std::fs::remove_dir_all(folder.join("set"));
    for (class, images) in classes {
        let class = folder.join("set/val").join(class);
        std::fs::create_dir_all(&class).expect("writable");
        for image in 0..*images {
            image::RgbImage::new(32, 32).save(class.join(format!("{image}.png"))).expect("writable");
        }
    }
}

#[test]
fn help_has_an_example_and_the_reference_of_keys() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let commands: &[&[&str]] = &[
        &[],
        &["app"],
        &["train"],
        &["eval"],
        &["predict"],
        &["attack"],
        &["cam"],
        &["cam-grid"],
        &["export"],
        &["import"],
        &["models"],
        &["devices"],
        &["data"],
        &["data", "check"],
        &["data", "export"],
        &["data", "fetch"],
        &["guide"],
        &["completions"],
        &["man"],
    ];
    for command in commands {
        let help = succeeds(&[command, &["--help"][..]].concat(), folder.path());
        assert!(help.contains("Example: dualprop"), "{command:?}:\n{help}");
    }
    let help = succeeds(&["train", "--help"], folder.path());
    assert!(help.contains("[method.attack]") && help.contains("epsilon = 1.0, 1/255"), "{help}");
    assert!(!succeeds(&["train", "-h"], folder.path()).contains("[method.attack]"));
    assert!(succeeds(&["--version"], folder.path()).starts_with("dualprop "));
}

/// Both are made of the commands themselves, so none can be forgotten.
#[test]
fn completions_and_manual_pages_know_every_command() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = succeeds(&["completions", shell], folder.path());
        for word in ["cam-grid", "--epsilons", "sweep"] {
            assert!(script.contains(word.trim_start_matches("--")), "{word} for {shell}");
        }
    }
    let script = folder.path().join("dualprop.bash");
    std::fs::write(&script, succeeds(&["completions", "bash"], folder.path())).expect("writable");
    if let Ok(checked) = Command::new("bash").arg("-n").arg(&script).output() {
        assert!(checked.status.success(), "{}", text(&checked.stderr));
    }
    assert!(fails(&["completions", "tcsh"], 2, folder.path()).contains("possible values: bash"));
    let said = succeeds(&["man", "pages"], folder.path());
    assert!(said.contains("dualprop.1"), "{said}");
    for page in ["dualprop.1", "dualprop-train.1", "dualprop-data-export.1"] {
        let page = std::fs::read_to_string(folder.path().join("pages").join(page)).expect("a page");
        assert!(page.contains(".TH") && page.contains("Example: dualprop"), "{page}");
    }
}

#[test]
fn without_a_display_the_window_points_at_train() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for arguments in [&[][..], &["app"]] {
        // Windows and macOS always have a display; there this would open a window.
        if cfg!(not(any(windows, target_os = "macos"))) {
            assert!(fails(arguments, 1, folder.path()).contains("dualprop train"));
        }
    }
    if cfg!(feature = "gui") {
        let message = fails(&["app", "nowhere.safetensors"], 1, folder.path());
        assert!(message.contains("nowhere.safetensors: there is no such file or folder"), "{message}");
    }
}

#[test]
fn models_prints_one_json_array_with_the_keys_of_the_contract() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let printed = succeeds(&["models", "--json"], folder.path());
    let models: Vec<serde_json::Value> = serde_json::from_str(&printed).expect("one JSON value");
    let found: Vec<_> = models.iter().map(|m| m["arch"].as_str().expect("a name")).collect();
    assert_eq!(found, names());
    let number = |arch: &str, key: &str| {
        let model = models.iter().find(|m| m["arch"] == arch).expect("listed");
        model[key].as_u64().unwrap_or_else(|| panic!("{key} of {model}"))
    };
    // For 1000 classes at the native size.
    assert_eq!(number("tf_efficientnet_b7", "parameters"), 66_347_960);
    assert_eq!(number("tf_efficientnet_b7", "macs"), 37_745_884_192);
    assert_eq!(number("tf_efficientnet_b7", "input_size"), 600);
    assert!(
        number("tf_efficientnet_b7", "training_bytes_per_image")
            > number("resnet50", "training_bytes_per_image")
    );
    for key in ["training_bytes_per_image", "recomputed_bytes_per_image"] {
        let (single, half) =
            (number("tf_efficientnet_b0", key), number("tf_efficientnet_b0", &format!("{key}_f16")));
        assert!(
            single / 5 < half / 2 && half < single * 3 / 5,
            "{key}: {single} bytes in f32, {half} in f16"
        );
    }
    assert!(succeeds(&["models"], folder.path()).contains("resnet18"));
}

/// The Vulkan loader takes the list of drivers from the environment.
#[test]
#[cfg(target_os = "linux")]
fn without_an_adapter_one_sentence_says_what_to_install() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("run.toml"), "[run]\nsteps = 1\n").expect("writable");
    let output = Command::new(env!("CARGO_BIN_EXE_dualprop"))
        .args(["train", "run.toml", "--out", "run"])
        .current_dir(folder.path())
        .env("VK_DRIVER_FILES", folder.path().join("no-driver.json"))
        .output()
        .expect("the program starts");
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    let sentence = message.lines().last().expect("a sentence");
    assert!(
        sentence.starts_with("dualprop: no GPU adapter found") && sentence.contains("Vulkan"),
        "{message}"
    );
    assert!(!folder.path().join("run/last.safetensors").exists());
}
