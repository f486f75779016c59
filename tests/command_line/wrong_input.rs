//! Wrong input gets one sentence that names it, and the right exit code.

use super::{dualprop, fails, import, text};

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
            &["auxiliary", "main, aux, aux2, aux3, auto, all"],
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
        (
            &["eval", "x", "--data", "shapes", "--clean", "y"],
            &["--clean is for images that are corrupted already"],
        ),
        (
            &[
                "eval",
                "x",
                "--data",
                "shapes",
                "--attack",
                "pgd:eps=4",
                "--attack",
                "pgd:eps=4,step=1,iters=5",
            ],
            &["pgd:eps=4,step=1,iters=5 is asked for twice"],
        ),
        (&["predict", "x"], &["<IMAGE>"]),
        (&["predict", "x", "y.png", "--top", "0"], &["--top"]),
        (&["predict", "x", "y.png", "--weights", "last"], &["last", "raw, ema"]),
        (&["attack", "x", "y.png"], &["--out"]),
        (&["cam", "x", "y.png", "--out", "z", "--method", "lime"], &["lime", "gradcam"]),
        (&["export", "x", "--to", "pickle", "--out", "y"], &["pickle", "safetensors"]),
        (&["export", "x", "--to", "onnx", "--out", "y.safetensors"], &["y.safetensors", "ends in .onnx"]),
        (&["export", "x", "--to", "safetensors", "--out", "y", "--softmax"], &["--softmax is for --to onnx"]),
        (&["export", "x", "--to", "safetensors", "--out", "y", "--pixels"], &["--pixels is for --to onnx"]),
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
    let cases: [(&[&str], &[&str]); 11] = [
        (&["train", "gone.toml"], &["there is no file gone.toml (that is"]),
        (&["train", "shape-advprop"], &["there is no file shape-advprop", "the nearest is shapes-advprop"]),
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
