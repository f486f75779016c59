//! What a shell sees: the exit code, one sentence on stderr that names the thing at fault, and nothing on
//! stdout but the result. Nearly everything here works without an adapter.

use dualprop::interop::tensor_file::{self, Tensor};
use dualprop::models::names::expected;
use dualprop::models::registry::names;
use dualprop::training::checkpoint::{Checkpoint, load_tensors};
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

#[test]
fn wrong_command_lines_exit_2_and_say_what_was_expected() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cases: &[(&[&str], &[&str])] = &[
        (&["trian"], &["trian", "train"]),
        (&["train"], &["CONFIG.toml", "dualprop train --help"]),
        (&["train", "x.toml", "--resum"], &["--resum", "--resume"]),
        (&["--config", "x.toml"], &["--config"]),
        (&["eval", "x"], &["--data"]),
        (&["eval", "x", "--data", "cifar_10"], &["cifar_10", "nearest is cifar10"]),
        (&["eval", "x", "--data", "shapes", "--attack", "pdg:eps=4"], &["pdg", "nearest is pgd"]),
        (
            &["eval", "x", "--data", "shapes", "--domain", "auxiliary"],
            &["auxiliary", "main, aux, aux2, aux3"],
        ),
        (&["eval", "x", "--data", "folder-c:val"], &["folder-c has no parts", "--severity"]),
        (&["eval", "x", "--data", "folder-c"], &["--path DIR is needed", "folder-c"]),
        (&["eval", "x", "--data", "shapes", "--severity", "2"], &["--severity needs --corruptions"]),
        (
            &["eval", "x", "--data", "shapes", "--corruptions", "all", "--severity", "6"],
            &["--severity", "6", "1..=5"],
        ),
        (
            &["eval", "x", "--data", "shapes", "--baseline", "imagenet-alexnet"],
            &["--baseline needs --corruptions"],
        ),
        (
            &["eval", "x", "--data", "cifar10-c", "--path", ".", "--corruption-set", "cifar-c"],
            &["--corruption-set", "cifar10-c holds its own"],
        ),
        (&["predict", "x"], &["<IMAGE>"]),
        (&["predict", "x", "y.png", "--top", "0"], &["--top"]),
        (&["predict", "x", "y.png", "--weights", "last"], &["last", "raw, ema"]),
        (&["attack", "x", "y.png"], &["--out"]),
        (&["cam", "x", "y.png", "--out", "z", "--method", "lime"], &["lime", "gradcam"]),
        (&["export", "x", "--to", "pickle", "--out", "y"], &["pickle", "safetensors"]),
        (&["import", "x", "--arch", "resnet-18", "--out", "y"], &["resnet-18", "nearest is resnet18"]),
        (&["import", "x", "--arch", "resnet18", "--out", "y", "--mean", "1,2"], &["--mean", "three numbers"]),
        (&["import", "x", "--arch", "resnet18", "--out", "y", "--mean", "0,0,0"], &["--std"]),
        (
            &["import", "x", "--arch", "resnet18", "--out", "y", "--crop-ratio", "0"],
            &["--crop-ratio", "0.875"],
        ),
        (&["data", "export", "cifar10", "--out", "y"], &["--path"]),
        (&["data"], &["data"]),
    ];
    for (arguments, parts) in cases {
        let message = fails(arguments, 2, folder.path());
        assert!(parts.iter().all(|p| message.contains(p)), "{arguments:?}: {message}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("readable").count(), 0, "nothing was written");
}

#[test]
fn configuration_faults_name_key_and_line() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("run.toml"), "[run]\nseed = 1\nepoch = 3\n").expect("writable");
    std::fs::write(folder.path().join("good.toml"), "[run]\nseed = 1\n").expect("writable");
    let message = fails(&["train", "run.toml"], 1, folder.path());
    assert!(
        message.contains("run.toml, line 3: unknown key `run.epoch`") && message.contains("`run.epochs`"),
        "{message}"
    );
    let message = fails(&["train", "missing.toml"], 1, folder.path());
    assert!(message.contains("missing.toml"), "{message}");
    // The same fault in an argument is one of the command line.
    let message = fails(&["train", "good.toml", "--set", "run.epoch=3"], 2, folder.path());
    assert!(message.contains("--set run.epoch=3") && message.contains("`run.epochs`"), "{message}");
    assert!(!folder.path().join("runs").exists());
}

#[test]
fn files_that_are_no_checkpoint_exit_1_with_their_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    import(dir, 1);
    let whole = std::fs::read(dir.join("net.safetensors")).expect("readable");
    std::fs::write(dir.join("cut.safetensors"), &whole[..whole.len() / 2]).expect("writable");
    let commands: &[&[&str]] = &[
        &["predict", "cut.safetensors", "x.png", "--json"],
        &["eval", "cut.safetensors", "--data", "shapes", "--json"],
        &["attack", "cut.safetensors", "x.png", "--out", "y"],
        &["cam", "cut.safetensors", "x.png", "--out", "y"],
        &["export", "cut.safetensors", "--to", "safetensors", "--out", "y"],
        &["import", "cut.safetensors", "--arch", "resnet18", "--out", "y"],
    ];
    for arguments in commands {
        let message = fails(arguments, 1, dir);
        assert!(message.contains("cut.safetensors") && message.contains("truncated"), "{message}");
    }
    let message = fails(&["predict", "plain.safetensors", "x.png"], 1, dir);
    assert!(message.contains("plain.safetensors") && message.contains("dualprop import"), "{message}");
    let message = fails(&["predict", "none.safetensors", "x.png"], 1, dir);
    assert!(message.contains("none.safetensors"), "{message}");
    assert!(!dir.join("y").exists());
}

#[test]
fn numbers_out_of_range_are_named_with_what_was_expected() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cases: &[(&[&str], &[&str])] = &[
        (
            &["import", "x", "--arch", "resnet18", "--out", "y", "--width", "inf"],
            &["--width", "above 0", "16"],
        ),
        (&["import", "x", "--arch", "resnet18", "--out", "y", "--depth", "0"], &["--depth", "above 0"]),
        (&["import", "x", "--arch", "resnet18", "--out", "y", "--depth", "-1"], &["--depth", "above 0"]),
        (&["cam", "x", "y.png", "--out", "z", "--class", "-1"], &["--class", "whole number"]),
        (&["attack", "x", "y.png", "--out", "z", "--label", "abc"], &["--label", "whole number"]),
        (&["eval", "x", "--data", "shapes", "--limit", "-3"], &["--limit", "whole number"]),
        (&["eval", "x", "--data", "shapes", "--path", "."], &["--path", "shapes is built in"]),
        (&["bench", "--size", "0", "--device", "cpu"], &["--size 0", "expected"]),
        (&["predict", "x", "y.png", "--device", " "], &["--device", "expected auto"]),
    ];
    for (arguments, parts) in cases {
        let message = fails(arguments, 2, folder.path());
        assert!(parts.iter().all(|part| message.contains(part)), "{arguments:?}: {message}");
        assert!(!message.contains("--set"), "{message}");
    }
}

/// What the file holds besides would be lost.
/// A path that is missing, relative, of another kind or a shell's.
#[test]
fn faults_of_paths_are_said_in_words() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    import(dir, 1);
    std::fs::create_dir(dir.join("a folder")).expect("writable");
    std::fs::write(dir.join("a file"), "").expect("writable");
    std::fs::write(dir.join("run.toml"), "[data]\nsource = \"folder\"\npath = \"photos\"").expect("writable");
    let here = std::fs::canonicalize(dir).expect("there");
    let at_home = here.join("photos").display().to_string();
    let eval = |path| ["eval", "net.safetensors", "--data", "folder", "--path", path, "--device", "cpu"];
    let cases: [(&[&str], &[&str]); 10] = [
        (&["train", "gone.toml"], &["there is no file gone.toml (that is"]),
        (&["train", "a folder"], &["a folder; expected a TOML file"]),
        (
            &["train", "run.toml", "--device", "cpu"],
            &["`data.path`: there is no folder photos (that is", &at_home],
        ),
        (
            &["train", "run.toml", "--set", "data.path=~/photos", "--device", "cpu"],
            &["a shell alone expands ~"],
        ),
        (
            &["train", "run.toml", "--set", "data.path=a file", "--device", "cpu"],
            &["a file is a file; expected a folder"],
        ),
        (&eval("photos"), &["--path: there is no folder photos (that is"]),
        (&eval("a file"), &["--path: a file is a file; expected a folder"]),
        (&["predict", "gone.safetensors", "x.png"], &["there is no file gone.safetensors (that is"]),
        (&["predict", "a folder", "x.png"], &["a folder is a folder; expected a safetensors file"]),
        (
            &["predict", "net.safetensors", "a folder", "--device", "cpu"],
            &["it is a folder; expected an image file"],
        ),
    ];
    for (arguments, parts) in cases {
        let output = dualprop(arguments, dir);
        let said = text(&output.stderr);
        assert!(!output.status.success() && !said.contains("os error"), "{arguments:?}: {said}");
        for part in parts {
            assert!(said.contains(part), "{arguments:?}: {part} in {said}");
        }
    }
}

#[test]
fn a_file_is_not_written_over_itself() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    import(dir, 2);
    let before = std::fs::read(dir.join("net.safetensors")).expect("readable");
    let commands: [&[&str]; 2] = [
        &["export", "net.safetensors", "--to", "safetensors", "--out", "./net.safetensors"],
        &["import", "net.safetensors", "--arch", "resnet18", "--width", "0.125", "--out", "net.safetensors"],
    ];
    for arguments in commands {
        let message = fails(arguments, 2, dir);
        assert!(message.contains("--out") && message.contains("expected another"), "{message}");
    }
    assert_eq!(std::fs::read(dir.join("net.safetensors")).expect("readable"), before);
}

#[test]
fn weights_that_are_no_numbers_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    import(dir, 1);
    let mut checkpoint = Checkpoint::load(&dir.join("net.safetensors")).expect("readable");
    checkpoint.tensors.get_mut("fc.bias").expect("there").data[1] = f32::NAN;
    checkpoint.save_atomic(&dir.join("nan.safetensors")).expect("writable");
    image::RgbImage::new(8, 8).save(dir.join("x.png")).expect("writable");
    let message = fails(&["predict", "nan.safetensors", "x.png", "--device", "cpu"], 1, dir);
    assert!(
        message.contains("nan.safetensors") && message.contains("\"fc.bias\" has the value NaN"),
        "{message}"
    );
}

#[test]
fn imports_check_every_value() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    let message = |name: &str, value: f32| {
        state_dict(&dir.join("odd.safetensors"), 3, 1);
        let mut tensors = load_tensors(&dir.join("odd.safetensors")).expect("readable");
        tensors.get_mut(name).expect("there").data[2] = value;
        tensor_file::write(&dir.join("odd.safetensors"), &Default::default(), &tensors, &Default::default())
            .expect("writable");
        fails(
            &[
                "import",
                "odd.safetensors",
                "--arch",
                "resnet18",
                "--width",
                "0.125",
                "--out",
                "net.safetensors",
            ],
            1,
            dir,
        )
    };
    let said = message("conv1.weight", f32::INFINITY);
    assert!(said.contains("\"conv1.weight\" has the value inf at place 2"), "{said}");
    let said = message("bn1.running_var", -0.5);
    assert!(said.contains("\"bn1.running_var\" is -0.5 at channel 2"), "{said}");
    assert!(!dir.join("net.safetensors").exists());
}

#[test]
fn a_file_of_another_kind_is_called_what_it_is() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    import(dir, 1);
    let cases: [(&[u8], &[&str]); 4] = [
        (b"PK\x03\x04\x00\x00archive/data.pkl", &["a PyTorch file", "safetensors.torch.save_file"]),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", &["Git LFS pointer", "git lfs pull"]),
        (b"<!DOCTYPE html>\n<html></html>", &["a web page", "fetch the file itself"]),
        (b"GIF89a\x01\x00\x01\x00", &["a GIF image"]),
    ];
    for (bytes, parts) in cases {
        std::fs::write(dir.join("odd.bin"), bytes).expect("writable");
        let commands: [&[&str]; 3] = [
            &["import", "odd.bin", "--arch", "resnet18", "--out", "y"],
            &["eval", "odd.bin", "--data", "shapes"],
            &["export", "odd.bin", "--to", "safetensors", "--out", "y"],
        ];
        for arguments in commands {
            let message = fails(arguments, 1, dir);
            assert!(parts.iter().all(|part| message.contains(part)), "{arguments:?}: {message}");
        }
    }
    std::fs::write(dir.join("odd.png"), b"<!DOCTYPE html>").expect("writable");
    let message = fails(&["predict", "net.safetensors", "odd.png", "--device", "cpu"], 1, dir);
    assert!(message.contains("odd.png") && message.contains("a web page"), "{message}");
}

/// On the software adapter.
#[test]
fn any_part_of_a_folder_can_be_evaluated() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    import(dir, 1);
    for part in ["test", "photos of others"] {
        for class in ["0", "1", "2"] {
            let class = dir.join("set").join(part).join(class);
            std::fs::create_dir_all(&class).expect("writable");
            image::RgbImage::new(32, 32).save(class.join("a.png")).expect("writable");
        }
    }
    let eval = |part: &str| {
        let data = format!("folder:{part}");
        dualprop(&["eval", "net.safetensors", "--data", &data, "--path", "set", "--device", "cpu"], dir)
    };
    for part in ["test", "photos of others"] {
        let output = eval(part);
        let found = text(&output.stdout);
        assert!(found.starts_with(&format!("folder {part}, domain main: top-1")), "{found} {output:?}");
        assert!(found.contains("on 3 images"), "{found}");
    }
    let output = eval("val");
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("no part \"val\"; expected one of photos of others, test"), "{said}");
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

/// On the software adapter.
#[test]
fn labels_are_matched_with_the_classes_of_the_checkpoint_by_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    let eval = |options: &[&str]| {
        let data =
            ["eval", "net.safetensors", "--data", "folder", "--path", "set", "--device", "cpu", "--json"];
        dualprop(&[data.as_slice(), options].concat(), dir)
    };
    let figures = |options: &[&str]| -> (serde_json::Value, String) {
        let output = eval(options);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        (serde_json::from_slice(&output.stdout).expect("one value"), text(&output.stderr))
    };

    // Another order: numbers in the checkpoint, bytewise in the folder.
    let numbers: Vec<String> = (0..12).map(|class| class.to_string()).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    opinionated(dir, &numbers, "2");
    let images: Vec<(&str, usize)> =
        numbers.iter().map(|name| (*name, if *name == "2" { 9 } else { 1 })).collect();
    image_folder(dir, &images);
    let (found, said) = figures(&[]);
    assert_eq!((found["top1"].as_f64(), found["classes_by"].as_str()), (Some(0.45), Some("name")));
    assert!(said.contains("another order"), "{said}");
    let (found, _) = figures(&["--classes-by", "number"]);
    assert_eq!((found["top1"].as_f64(), found["classes_by"].as_str()), (Some(0.05), Some("number")));

    // The same names in the same order need no word.
    opinionated(dir, &["a", "b", "c"], "c");
    image_folder(dir, &[("a", 1), ("b", 1), ("c", 2)]);
    let (found, said) = figures(&[]);
    assert_eq!((found["top1"].as_f64(), said.contains("note")), (Some(0.5), false), "{said}");

    // Other names are refused, unless an option says what they mean.
    image_folder(dir, &[("b", 1), ("c", 1), ("d", 3)]);
    let refused = eval(&[]);
    let said = text(&refused.stderr);
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(1), 0), "{said}");
    for part in ["only the checkpoint has a", "only the data set has d", "--classes-by number"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let (found, said) = figures(&["--classes-by", "name"]);
    assert_eq!((found["images"].as_u64(), found["left_out"].as_u64()), (Some(2), Some(3)));
    assert_eq!(found["top1"].as_f64(), Some(0.5));
    assert!(said.contains("left out 3 of 5 images: the checkpoint has no class d"), "{said}");
    std::fs::write(dir.join("meaning.txt"), "# data = checkpoint\nb = a\nc = b\nd = c\n").expect("writable");
    let (found, _) = figures(&["--classes-by", "meaning.txt"]);
    assert_eq!((found["classes_by"].as_str(), found["images"].as_u64()), (Some("meaning.txt"), Some(5)));
    assert_eq!(found["top1"].as_f64(), Some(0.6));
    let said = text(&eval(&["--classes-by", "nowhere.txt"]).stderr);
    assert!(said.contains("there is no file nowhere.txt"), "{said}");
}

/// A tree of corrupted images, black ones, with `images` a class.
fn corrupted_folder(folder: &Path, corruptions: &[&str], severities: &[u8], classes: &[(&str, usize)]) {
    for corruption in corruptions {
        for severity in severities {
            for (class, images) in classes {
                let class = folder.join("c").join(corruption).join(severity.to_string()).join(class);
                std::fs::create_dir_all(&class).expect("writable");
                for image in 0..*images {
                    image::RgbImage::new(32, 32).save(class.join(format!("{image}.png"))).expect("writable");
                }
            }
        }
    }
}

/// The names of ImageNet-C's main corruptions.
const MAIN: [&str; 15] = [
    "gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "defocus_blur",
    "glass_blur",
    "motion_blur",
    "zoom_blur",
    "snow",
    "frost",
    "fog",
    "brightness",
    "contrast",
    "elastic_transform",
    "pixelate",
    "jpeg_compression",
];

#[test]
fn a_tree_of_corruptions_is_measured_cell_by_cell_and_gone_on_with() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    opinionated(dir, &["a", "b"], "b");
    corrupted_folder(dir, &MAIN, &[1, 2, 3, 4, 5], &[("a", 1), ("b", 3)]);
    let eval = |options: &[&str]| {
        let data = ["eval", "net.safetensors", "--data", "folder-c", "--path", "c", "--device", "cpu"];
        dualprop(&[data.as_slice(), options].concat(), dir)
    };
    let json = |options: &[&str]| -> serde_json::Value {
        let output = eval(&[options, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("one value")
    };
    // The mean of errors, and over AlexNet's: a quarter over the mean of 1 / its errors.
    let found = json(&["--resume", "runs/one"]);
    assert_eq!(found["rows"].as_array().map(Vec::len), Some(75));
    let row = &found["rows"][7];
    assert_eq!((row["corruption"].as_str(), row["severity"].as_u64()), (Some("contrast"), Some(3)));
    assert_eq!((row["images"].as_u64(), row["top1"].as_f64()), (Some(4), Some(0.75)));
    assert_eq!((found["mce"]["value"].as_f64(), found["mce"]["normalised_by"].is_null()), (Some(25.0), true));
    let found = json(&["--resume", "runs/one", "--baseline", "imagenet-alexnet"]);
    let alexnet = found["mce"]["value"].as_f64().expect("a number");
    assert!((25.0 / 0.95..25.0 / 0.55).contains(&alexnet), "{alexnet}");
    assert!(found["mce"]["relative"].is_null(), "there are no clean images");
    let fog = &found["mce"]["by_corruption"]["fog"];
    assert!((fog["ce"].as_f64().expect("a number") - 25.0 / 0.819324).abs() < 1e-3, "{fog}");
    // A model is as good as itself.
    let found = json(&["--baseline", "runs/one"]);
    assert_eq!(
        (found["mce"]["value"].as_f64(), found["mce"]["normalised_by"].as_str()),
        (Some(100.0), Some("runs/one"))
    );
    // A part of it has no mean corruption error and says why.
    let said = text(&eval(&["--corruptions", "fog,snow", "--severity", "1,5"]).stdout);
    assert!(said.contains("no mCE: gaussian_noise,") && said.contains("fog at severity 2, 3, 4"), "{said}");
    assert!(said.contains("75.00"), "{said}");
    let refused = text(&eval(&["--resume", "runs/one", "--limit", "3"]).stderr);
    assert!(refused.contains("was begun with limit 0, and this command has 3"), "{refused}");
    std::fs::remove_dir_all(dir.join("c/fog/4")).expect("there");
    let refused = text(&eval(&[]).stderr);
    assert!(refused.contains("has no severity 4") && refused.contains("--severity 1,2,3,5"), "{refused}");
}

#[test]
fn classes_that_a_set_lacks_are_no_answers_where_that_is_asked_for() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    opinionated(dir, &["a", "b", "c"], "c");
    image_folder(dir, &[("b", 3), ("a", 1)]);
    let eval = |options: &[&str]| {
        let data =
            ["eval", "net.safetensors", "--data", "folder", "--path", "set", "--device", "cpu", "--json"];
        dualprop(&[data.as_slice(), options].concat(), dir)
    };
    let figure = |options: &[&str]| -> serde_json::Value {
        serde_json::from_slice(&eval(options).stdout).expect("one value")
    };
    assert!(text(&eval(&[]).stderr).contains("--data-classes-only"));
    assert_eq!(figure(&["--classes-by", "name"])["top1"].as_f64(), Some(0.0));
    // Between a and b, which are equal to it, it takes the first.
    let found = figure(&["--data-classes-only"]);
    assert_eq!((found["top1"].as_f64(), found["top5"].as_f64()), (Some(0.25), Some(1.0)));
    assert!((found["loss"].as_f64().expect("a number") - 2.0_f64.ln()).abs() < 1e-5, "{found}");
}

#[test]
fn all_domains_are_measured_under_corruptions_that_are_made() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    state_dict(&dir.join("plain.safetensors"), 10, 2);
    std::fs::write(dir.join("classes.txt"), shapes_classes().join("\n")).expect("writable");
    let size = ["--width", "0.125", "--image-size", "32", "--classes", "classes.txt"];
    let files = ["import", "plain.safetensors", "--arch", "resnet18", "--out", "net.safetensors"];
    succeeds(&[files.as_slice(), &size].concat(), dir);
    let eval = |options: &[&str]| {
        let data = ["eval", "net.safetensors", "--data", "shapes", "--limit", "20", "--device", "cpu"];
        dualprop(&[data.as_slice(), &["--domain", "all"], options].concat(), dir)
    };
    let output = eval(&["--corruptions", "gaussian_noise,shot_noise", "--severity", "2,4", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one value");
    let rows = found["rows"].as_array().expect("rows");
    let domains: Vec<_> = rows.iter().filter_map(|row| row["domain"].as_str()).collect();
    assert_eq!(domains, ["main", "aux"].repeat(5));
    assert!(rows.iter().all(|row| row["images"] == 20 && row["statistics"] == "running"));
    assert_eq!(
        (found["corruption_set"].as_str(), found["corruption_seed"].is_u64()),
        (Some("cifar-c"), true)
    );
    let missing = &found["mce_by_domain"]["aux"]["missing"];
    assert!(found["mce"]["value"].is_null());
    assert_eq!(missing[0], "gaussian_noise at severity 1, 3, 5");
    assert_eq!(missing[2], "impulse_noise");
    let said = text(&eval(&["--corruptions", "gaussian_noise", "--corruption-set", "imagenet-c"]).stdout);
    for part in
        ["domain main: top-1", "domain aux: top-1", "domain aux, 20 images each", "parameter set imagenet-c"]
    {
        assert!(said.contains(part), "{part} in {said}");
    }
    let said = text(&eval(&["--corruptions", "gausian_noise"]).stderr);
    assert!(said.contains("did you mean gaussian_noise"), "{said}");
}

/// On the software adapter.
#[test]
fn attacks_and_radii_are_rows_and_so_is_their_worst_case() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    state_dict(&dir.join("plain.safetensors"), shapes_classes().len(), 1);
    let files = ["import", "plain.safetensors", "--arch", "resnet18", "--width", "0.125"];
    std::fs::write(dir.join("names.txt"), shapes_classes().join("\n")).expect("writable");
    let options = ["--classes", "names.txt", "--image-size", "16", "--out", "net.safetensors"];
    succeeds(&[files.as_slice(), &options].concat(), dir);
    let eval = |options: &[&str]| {
        let data = ["eval", "net.safetensors", "--data", "shapes", "--limit", "10", "--device", "cpu"];
        dualprop(&[data.as_slice(), options].concat(), dir)
    };
    let two =
        ["--attack", "fgsm:eps=4", "--attack", "square:eps=4,queries=2", "--epsilons", "0,1,4", "--json"];
    let output = eval(&two);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one value");
    let rows = found["rows"].as_array().expect("rows");
    let attacks: Vec<_> = rows.iter().map(|row| row["attack"].as_str()).collect();
    let single = ["fgsm:eps=1", "square:eps=1,queries=2", "fgsm:eps=4", "square:eps=4,queries=2"];
    let worst = [2, 4].map(|count| format!("worst of {}", single[..count].join(" + ")));
    let expected: Vec<_> = [None]
        .into_iter()
        .chain(single.map(Some))
        .chain(worst.iter().map(|name| Some(name.as_str())))
        .collect();
    assert_eq!(attacks, expected);
    let top1 = |place: usize| rows[place]["top1"].as_f64().expect("a share");
    for (worst, members) in [(5, 1..3), (6, 1..5)] {
        assert!(members.map(top1).all(|single| top1(worst) <= single), "{rows:?}");
    }
    let said = text(&eval(&["--attack", "pgd:eps=4,step=2,iters=2,restarts=2"]).stdout);
    assert!(said.contains("restarts=2 (epsilon 4/255, running statistics)"), "{said}");
    for (options, part) in [
        (&["--epsilons", "1,2"] as &[&str], "--attack"),
        (&["--attack", "fgsm:eps=1", "--attack", "fgsm:eps=1"], "asked for twice"),
        (&["--attack", "fgsm:eps=1", "--epsilons", "1,x"], "from 0 to 255"),
        (&["--attack", "ifgsm:eps=1,restarts=2"], "draws nothing"),
    ] {
        let output = eval(options);
        let said = text(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains(part), "{options:?}: {said}");
    }
}

#[test]
fn maps_are_measured_where_the_data_knows_its_objects_and_refused_elsewhere() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    let classes = shapes_classes();
    let names: Vec<&str> = classes.iter().map(String::as_str).collect();
    opinionated(dir, &names, "disc");
    let eval = |options: &[&str]| {
        let data = ["eval", "net.safetensors", "--limit", "20", "--device", "cpu"];
        dualprop(&[&data, options].concat(), dir)
    };
    for method in ["cam", "gradcam"] {
        let output = eval(&["--data", "shapes:val-stylized", "--localise", method, "--json"]);
        let row: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one value");
        let found = &row["localisation"];
        assert_eq!((&found["method"], &found["class"]), (&method.into(), &"label".into()), "{row}");
        for figure in ["energy", "box_iou", "pointing"] {
            let value = found[figure].as_f64().unwrap_or_else(|| panic!("{figure} in {row}"));
            assert!((0.0..=1.0).contains(&value), "{figure} in {row}");
        }
    }
    let said = text(&eval(&["--data", "shapes", "--localise", "cam"]).stdout);
    assert!(said.contains("cam of the label") && said.contains("box IoU"), "{said}");
    let plain = eval(&["--data", "shapes", "--json"]);
    let row: serde_json::Value = serde_json::from_slice(&plain.stdout).expect("one value");
    assert!(row.get("localisation").is_none(), "{row}");
    image_folder(dir, &names.iter().map(|name| (*name, 1)).collect::<Vec<_>>());
    let refused = eval(&["--data", "folder", "--path", "set", "--localise", "cam"]);
    assert_eq!(refused.status.code(), Some(1));
    let said = text(&refused.stderr);
    assert!(said.contains("--localise: the data set folder") && said.contains("such as shapes"), "{said}");
}

#[test]
fn a_grid_of_maps_is_one_picture_with_the_same_bytes_each_time() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    opinionated(dir, &["cat", "dog"], "dog");
    image_folder(dir, &[("cat", 1), ("dog", 1)]);
    std::fs::copy(dir.join("net.safetensors"), dir.join("other.safetensors")).expect("writable");
    let grid = |out: &str, options: &[&str]| {
        let models = ["cam-grid", "net.safetensors", "other.safetensors", "--device", "cpu", "--out", out];
        let images = ["--images", "set/val/cat/0.png", "set/val/dog/0.png"];
        succeeds(&[&models, options, &images].concat(), dir)
    };
    let size = |file: &str| image::image_dimensions(dir.join(file)).expect("a picture");
    assert!(grid("clean.png", &[]).contains("2 rows"));
    let all = ["--attack", "fgsm:eps=1", "--corruption", "fog:3", "--method", "gradcam", "--domain", "all"];
    grid("all.png", &all);
    grid("again.png", &all);
    let bytes = |file: &str| std::fs::read(dir.join(file)).expect("readable");
    assert_eq!(bytes("all.png"), bytes("again.png"));
    let ((narrow, low), (wide, high)) = (size("clean.png"), size("all.png"));
    // Pictures of 32 pixels are shown at 128, with 10 between them; two columns become six.
    assert_eq!((wide - narrow, high), (4 * 138, low));
    let said =
        fails(&["cam-grid", "net.safetensors", "--images", "a.png", "--out", "net.safetensors"], 2, dir);
    assert!(said.contains("--out is net.safetensors, the file that is read"), "{said}");
}

/// The class names of the built-in set.
fn shapes_classes() -> Vec<String> {
    use dualprop::data::Dataset as _;
    use dualprop::data::shapes::{Shapes, ShapesSplit};
    Shapes::new(ShapesSplit::Val).class_names().to_vec()
}

#[test]
fn a_classifier_of_another_size_is_replaced_and_names_are_unwrapped() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    state_dict(&dir.join("plain.safetensors"), 3, 1);
    let wrapped = dir.join("wrapped.safetensors");
    let import = |extra: &[&str]| {
        let files =
            ["import", "wrapped.safetensors", "--arch", "resnet18", "--width", "0.125", "--out", "net"];
        dualprop(&[files.as_slice(), extra].concat(), dir)
    };
    let write = |keep: fn(&str) -> bool| {
        let tensors = load_tensors(&dir.join("plain.safetensors")).expect("readable").into_iter();
        let tensors =
            tensors.filter(|(name, _)| keep(name)).map(|(n, t)| (format!("module._orig_mod.{n}"), t));
        tensor_file::write(&wrapped, &Default::default(), &tensors.collect(), &Default::default())
            .expect("writable");
    };
    let head = || {
        let net = Checkpoint::load(&dir.join("net")).expect("readable");
        (net.meta.classes.len(), net.tensors["fc.weight"].shape[0], net.tensors["fc.bias"].data.len())
    };

    write(|_| true);
    let output = import(&[]);
    let said = text(&output.stderr);
    assert_eq!((output.status.code(), head()), (Some(0), (3, 3, 3)), "{said}");
    assert!(said.contains("\"module._orig_mod.\" is taken off"), "{said}");
    let said = text(&import(&["--classes", "5"]).stderr);
    assert_eq!(head(), (5, 5, 5), "{said}");
    assert!(said.contains("fc.weight in wrapped.safetensors has 3 rows") && said.contains("fresh"), "{said}");

    write(|name| !name.starts_with("fc."));
    let said = text(&import(&["--classes", "2"]).stderr);
    assert_eq!(head(), (2, 2, 2), "{said}");
    assert!(said.contains("has no classifier") && said.contains("fresh"), "{said}");
    for (options, part) in [
        (&["--classes", "2", "--strict"] as &[&str], "--classes gives 2"),
        (&[], "--classes for a fresh one"),
        (&["--classes", "0"], "1 to 1000000"),
    ] {
        let output = import(options);
        let said = text(&output.stderr);
        assert!(!output.status.success() && said.contains(part), "{options:?}: {said}");
    }
}

/// On the software adapter.
#[test]
fn one_image_that_cannot_be_used_leaves_the_others_their_results() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    import(dir, 1);
    for name in ["a.png", "c.png"] {
        image::RgbImage::new(32, 32).save(dir.join(name)).expect("writable");
    }
    std::fs::write(dir.join("b.png"), b"no image").expect("writable");
    let images = ["a.png", "b.png", "c.png", "--device", "cpu"];
    let commands: [&[&str]; 4] = [
        &["predict", "net.safetensors", "--top", "1"],
        &["predict", "net.safetensors", "--json"],
        &["attack", "net.safetensors", "--out", "adversarial", "--attack", "fgsm:eps=1"],
        &["cam", "net.safetensors", "--out", "maps"],
    ];
    for arguments in commands {
        let output = dualprop(&[arguments, &images].concat(), dir);
        let (found, said) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(found.contains("a.png") && found.contains("c.png") && !found.contains("b.png"), "{found}");
        assert!(said.contains("b.png") && said.contains("1 of 3 images could not be used"), "{said}");
    }
    for file in ["adversarial/a.adv.png", "adversarial/c.adv.png", "maps/c.overlay.png"] {
        assert!(dir.join(file).exists(), "{file}");
    }
    assert!(!dir.join("adversarial/b.adv.png").exists());
}

#[test]
fn an_imported_state_dict_is_exported_unchanged_by_domain() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    import(dir, 2);
    let checkpoint = Checkpoint::load(&dir.join("net.safetensors")).expect("readable");
    let plain = load_tensors(&dir.join("plain.safetensors")).expect("readable");
    assert_eq!(checkpoint.tensors, plain);
    assert_eq!(checkpoint.meta.domains, ["main", "aux"]);
    assert_eq!((checkpoint.meta.classes.len(), checkpoint.meta.image_size), (3, 32));
    assert_eq!(checkpoint.config().expect("valid").model.width, WIDTH);
    for (domain, source) in [("main", "bn1.bias"), ("aux", "bn1.aux_bn.0.bias")] {
        let export = [
            "export",
            "net.safetensors",
            "--to",
            "safetensors",
            "--domain",
            domain,
            "--out",
            "model.safetensors",
        ];
        let told = succeeds(&export, dir);
        assert!(told.contains("model.safetensors") && told.contains(domain), "{told}");
        let exported = load_tensors(&dir.join("model.safetensors")).expect("readable");
        assert_eq!(exported["bn1.bias"], plain[source]);
        let names = expected("resnet18", 3, WIDTH, 1.0, 1).expect("known");
        assert_eq!(exported.len(), names.len());
        assert!(names.iter().all(|(name, shape)| exported[name].shape == *shape));
    }
    let aux2 = ["export", "net.safetensors", "--to", "safetensors", "--domain", "aux2", "--out", "z"];
    let message = fails(&aux2, 1, dir);
    assert!(message.contains("aux2") && message.contains("main, aux"), "{message}");
    let in_all = dir.join("four");
    std::fs::create_dir(&in_all).expect("writable");
    import(&in_all, 4);
    let aux3 = ["export", "net.safetensors", "--to", "safetensors", "--domain", "aux3", "--out", "z"];
    assert!(succeeds(&aux3, &in_all).contains("domain aux3"));
    let message = fails(&["export", "net.safetensors", "--to", "onnx", "--out", "z"], 1, dir);
    assert!(message.contains("onnx is not in this version yet"), "{message}");
}

#[test]
fn an_import_names_every_tensor_that_does_not_fit() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    let base =
        ["import", "odd.safetensors", "--arch", "resnet18", "--width", "0.125", "--out", "net.safetensors"];
    let import = |extra: &[&str]| fails(&[&base, extra].concat(), 1, dir);
    let change = |domains: usize, change: fn(&mut std::collections::BTreeMap<String, Tensor>)| {
        state_dict(&dir.join("odd.safetensors"), 3, domains);
        let mut tensors = load_tensors(&dir.join("odd.safetensors")).expect("readable");
        change(&mut tensors);
        tensor_file::write(&dir.join("odd.safetensors"), &Default::default(), &tensors, &Default::default())
            .expect("writable");
    };
    change(1, |t| {
        let conv = t.remove("conv1.weight").expect("there");
        t.insert("features.0.weight".into(), conv);
        t.get_mut("fc.bias").expect("there").shape = vec![3, 1];
    });
    let message = import(&[]);
    for part in
        ["odd.safetensors", "\"conv1.weight\"", "\"features.0.weight\"", "\"fc.bias\" is [3, 1]", "resnet18"]
    {
        assert!(message.contains(part), "{part} in {message}");
    }
    // Auxiliary domains: for all BN layers or none.
    change(2, |t| t.retain(|name, _| !name.starts_with("bn1.aux_bn.0")));
    let message = import(&[]);
    assert!(message.contains("4 missing") && message.contains("\"bn1.aux_bn.0.bias\""), "{message}");
    state_dict(&dir.join("odd.safetensors"), 3, 1);
    let message = import(&["--classes", "10", "--strict"]);
    assert!(message.contains("--classes gives 10") && message.contains("3 rows"), "{message}");
    std::fs::write(dir.join("names.txt"), "cat\ndog\n").expect("writable");
    let message = import(&["--classes", "names.txt", "--strict"]);
    assert!(message.contains("--classes gives 2") && message.contains("3 rows"), "{message}");
    std::fs::write(dir.join("names.txt"), "cat\n\nowl\n").expect("writable");
    let message = import(&["--classes", "names.txt"]);
    assert!(message.contains("names.txt: line 2 is empty"), "{message}");
    let message = import(&["--classes", "no.txt"]);
    assert!(message.contains("--classes: there is no file no.txt"), "{message}");
    assert!(!dir.join("net.safetensors").exists());
    std::fs::write(dir.join("names.txt"), "cat\ndog\nowl\n").expect("writable");
    succeeds(&[&base[..], &["--classes", "names.txt"]].concat(), dir);
    let named = Checkpoint::load(&dir.join("net.safetensors")).expect("readable");
    assert_eq!(named.meta.classes, ["cat", "dog", "owl"]);
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
        &["data", "export"],
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

#[test]
fn without_a_display_the_window_points_at_train() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for arguments in [&[][..], &["app"]] {
        // Windows and macOS always have a display; there this would open a window.
        if cfg!(not(any(windows, target_os = "macos"))) {
            assert!(fails(arguments, 1, folder.path()).contains("dualprop train"));
        }
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
