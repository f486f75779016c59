//! Files that are made to do harm, as a user meets them: the program ends at once, with one line that shows
//! what it says.

use super::{dualprop, fails, import, state_dict, text};
use dualprop::interop::tensor_file::{self, Tensor};
use dualprop::training::checkpoint::load_tensors;

/// A name of a tensor that would clear the terminal, begin lines of its own and fill many screens.
#[test]
fn names_in_files_do_not_reach_the_terminal_as_they_are() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    let name = format!("fc.\u{1b}[2J\ndualprop: all is well\u{9b}{}", "x".repeat(100_000));
    let tensor = Tensor { shape: vec![1], data: vec![f32::NAN] };
    let tensors = [(name, tensor)].into();
    tensor_file::write(&dir.join("odd.safetensors"), &Default::default(), &tensors, &Default::default())
        .expect("writable");
    let message = fails(&["import", "odd.safetensors", "--arch", "resnet18", "--out", "y"], 1, dir);
    assert!(message.contains("odd.safetensors") && message.contains("NaN"), "{message}");
    assert!(!message.trim_end().contains(char::is_control) && message.len() < 3000, "{message:?}");
}

#[test]
fn weights_to_start_from_that_are_no_numbers_end_a_run_before_it_begins() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    for (value, shown) in [(f32::NAN, "NaN"), (f32::NEG_INFINITY, "-inf")] {
        state_dict(&dir.join("start.safetensors"), 3, 1);
        let mut tensors = load_tensors(&dir.join("start.safetensors")).expect("readable");
        tensors.get_mut("layer1.0.conv1.weight").expect("there").data[3] = value;
        tensor_file::write(
            &dir.join("start.safetensors"),
            &Default::default(),
            &tensors,
            &Default::default(),
        )
        .expect("writable");
        let run =
            "[run]\ninit = \"start.safetensors\"\nsteps = 1\n[model]\narch = \"resnet18\"\nwidth = 0.125\n";
        std::fs::write(dir.join("run.toml"), run).expect("writable");
        let output = dualprop(&["train", "run.toml", "--out", "run", "--device", "cpu"], dir);
        let said = text(&output.stderr);
        let faults: Vec<&str> = said.lines().filter(|line| line.starts_with("dualprop: ")).collect();
        assert!(output.status.code() == Some(1) && faults.len() == 1, "{said}");
        let parts = ["run.init: start.safetensors", "\"layer1.0.conv1.weight\"", shown];
        assert!(parts.iter().all(|part| faults[0].contains(part)), "{said}");
        assert!(!dir.join("run/last.safetensors").exists());
        let _ = std::fs::remove_dir_all(dir.join("run"));
    }
}

/// What the command line is given by name may be a pipe too.
#[cfg(target_os = "linux")]
#[test]
fn pipes_on_the_command_line_are_refused_and_not_waited_for() {
    use rustix::fs::{CWD, FileType, mknodat};
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    import(dir, 1);
    mknodat(CWD, dir.join("pipe"), FileType::Fifo, 0o600.into(), 0).expect("a pipe");
    std::os::unix::fs::symlink("/dev/zero", dir.join("zero")).expect("a link");
    std::fs::create_dir(dir.join("run")).expect("writable");
    std::fs::write(dir.join("run/config.toml"), "[run]\nsteps = 1\n").expect("writable");
    mknodat(CWD, dir.join("run/metrics.jsonl"), FileType::Fifo, 0o600.into(), 0).expect("a pipe");
    for odd in ["pipe", "zero"] {
        let commands: [&[&str]; 6] = [
            &["train", odd],
            &["sweep", odd, "--out", "out"],
            &["predict", odd, "x.png"],
            &["import", odd, "--arch", "resnet18", "--out", "out"],
            &[
                "import",
                "plain.safetensors",
                "--arch",
                "resnet18",
                "--width",
                "0.125",
                "--classes",
                odd,
                "--out",
                "out",
            ],
            &["export", odd, "--to", "safetensors", "--out", "out"],
        ];
        for arguments in commands {
            let message = fails(arguments, 1, dir);
            let says =
                message.contains("a pipe, a socket or a device") || message.contains("not a regular file");
            assert!(message.contains(odd) && says, "{arguments:?}: {message}");
        }
    }
    let message = fails(&["compare", "run", "--out", "page.html"], 1, dir);
    assert!(message.contains("run"), "{message}");
    assert!(!dir.join("out").exists() && !dir.join("page.html").exists());
}
