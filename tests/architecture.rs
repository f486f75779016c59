//! Modules depend on each other in one direction only: the order of `src/lib.rs`'s first lines.

use std::path::{Path, PathBuf};

/// Lowest first. A module may use those before it, and itself.
const ORDER: &[&str] = &[
    "words",
    "config",
    "gpu",
    "kernels",
    "graph",
    "models",
    "data",
    "interop",
    "fetch",
    "training",
    "evaluation",
    "session",
    "report",
    "export",
    "guide",
    "app",
    "cli",
];

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    files_of(folder, &["rs"], files);
}

fn files_of(folder: &Path, extensions: &[&str], files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // What was built in `benches/peers` is no source.
        if path.is_dir() && !path.ends_with("target") {
            files_of(&path, extensions, files);
        } else if path.extension().is_some_and(|e| extensions.iter().any(|known| e == *known)) {
            files.push(path);
        }
    }
}

/// The files with these endings in every folder that holds code.
fn all_files(extensions: &[&str]) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "tests", "benches", "examples", "shaders"] {
        files_of(&root.join(folder), extensions, &mut files);
    }
    assert!(files.len() > 30, "the source was not found");
    files
}

#[test]
fn modules_use_only_what_stands_below_them() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    let mut wrong = Vec::new();
    for file in &files {
        let relative = file.strip_prefix(&src).unwrap();
        let module = relative.components().next().unwrap().as_os_str().to_string_lossy();
        let Some(place) = ORDER.iter().position(|m| *m == module) else { continue };
        for (number, line) in std::fs::read_to_string(file).unwrap().lines().enumerate() {
            for used in line.split("crate::").skip(1) {
                let name: String =
                    used.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                if ORDER.iter().position(|m| *m == name).is_some_and(|p| p > place) {
                    wrong.push(format!("{}:{}: {module} uses {name}", relative.display(), number + 1));
                }
            }
        }
    }
    assert!(files.len() > 30, "the source was not found");
    assert!(wrong.is_empty(), "dependencies against the order:\n{}", wrong.join("\n"));
}

#[test]
fn every_folder_of_the_source_has_a_place_in_the_order() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in std::fs::read_dir(src).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            let name = entry.file_name().to_string_lossy().into_owned();
            assert!(ORDER.contains(&name.as_str()), "src/{name} is not in the order");
        }
    }
}

/// A frame of the window never waits for a disk: files are touched by the readers of run folders and by the
/// functions that the window runs on helper threads, and nowhere else in it.
#[test]
fn the_window_touches_files_on_helper_threads_alone() {
    const READERS: [&str; 8] = [
        "model/bn_history.rs",
        "model/free_folder.rs",
        "model/history.rs",
        "model/recents.rs",
        "model/runs/list.rs",
        "model/sample.rs",
        "shell/window/disk.rs",
        "shell/window/folder.rs",
    ];
    const TOUCHES: [&str; 20] = [
        "std::fs",
        "fs::",
        "File::",
        "OpenOptions",
        ".is_file()",
        ".is_dir()",
        ".exists()",
        ".try_exists()",
        ".metadata()",
        ".modified()",
        ".canonicalize()",
        "read_dir(",
        "Config::load",
        "Checkpoint::load(",
        "bn_layers_of(",
        "pictures::load(",
        "is_at_work(",
        "create_folder(",
        "write_atomic(",
        ".save_atomic(",
    ];
    let app = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/app");
    let mut files = Vec::new();
    rust_files(&app, &mut files);
    let mut wrong = Vec::new();
    for file in &files {
        let name = file.strip_prefix(&app).unwrap().to_string_lossy().replace('\\', "/");
        let text = std::fs::read_to_string(file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for (number, line) in code.lines().enumerate() {
            let touches = TOUCHES.iter().any(|touch| line.contains(touch));
            // What the command line names is read before the first frame.
            let is_before_frames = name == "mod.rs" && line.contains("Config::load");
            if touches && !READERS.contains(&name.as_str()) && !is_before_frames {
                wrong.push(format!("src/app/{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(files.len() > 30, "the source was not found");
    assert!(wrong.is_empty(), "the window touches files in a frame:\n{}", wrong.join("\n"));
}

/// A pipe is waited for and a device has no end: what others wrote is opened where both are refused. The
/// GPU's caches are the program's own, and a folder is opened to sync it.
#[test]
fn files_are_opened_where_pipes_are_refused() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    let mut wrong = Vec::new();
    for file in &files {
        let name = file.strip_prefix(&src).unwrap().to_string_lossy().replace('\\', "/");
        let is_elsewhere = name.starts_with("gpu/")
            || ["config/reading.rs", "interop/atomic.rs", "data/corruptions/referee.rs"]
                .contains(&name.as_str());
        let text = std::fs::read_to_string(file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for (number, line) in code.lines().enumerate().filter(|_| !is_elsewhere) {
            let opens = [
                " File::open(",
                "(File::open(",
                "fs::File::open(",
                "fs::read(",
                "fs::read_to_string(",
                "::image_dimensions(",
            ];
            if opens.iter().any(|call| line.contains(call)) {
                wrong.push(format!("src/{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(files.len() > 30, "the source was not found");
    assert!(wrong.is_empty(), "expected config::reading in place of\n{}", wrong.join("\n"));
}

/// What `Device::object_counts` counts, no other module makes; the window has a device of its own.
#[test]
fn gpu_objects_are_made_where_they_are_counted() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    for (call, place) in [
        (".create_buffer(", "gpu/device.rs"),
        (".write_buffer(", "gpu/device.rs"),
        (".create_compute_pipeline(", "gpu/device.rs"),
        (".create_bind_group(", "gpu/object_counts.rs"),
    ] {
        let mut found = Vec::new();
        for file in files.iter().filter(|file| !file.starts_with(src.join("app"))) {
            let calls = std::fs::read_to_string(file).unwrap().matches(call).count();
            found.extend(std::iter::repeat_n(file.strip_prefix(&src).unwrap().to_path_buf(), calls));
        }
        assert_eq!(found, [Path::new(place)], "calls of {call}");
    }
}

/// The line on which an import stands apart from the one before it, counted from 1.
fn import_apart(text: &str) -> Option<usize> {
    // The last thing before a blank line was an import, or is one that goes on.
    let (mut after_import, mut within, mut blank) = (false, false, false);
    for (number, line) in text.lines().enumerate() {
        if line.is_empty() {
            blank = true;
            continue;
        }
        let begins = line.starts_with("use ");
        if begins && after_import && blank {
            return Some(number + 1);
        }
        within |= begins;
        after_import = within;
        within &= !line.ends_with(';');
        blank = false;
    }
    None
}

/// One block, which rustfmt can order.
#[test]
fn the_imports_of_a_file_stand_together() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = all_files(&["rs"]);
    let apart = files.iter().filter_map(|file| {
        let line = import_apart(&std::fs::read_to_string(file).unwrap())?;
        Some(format!("{}:{line}", file.strip_prefix(root).unwrap().display()))
    });
    let apart: Vec<String> = apart.collect();
    assert!(apart.is_empty(), "a blank line between imports:\n{}", apart.join("\n"));
    assert_eq!(import_apart("use a;\nuse b::{\n    c,\n};\n\nmod d;\n\nuse e;\n"), None);
    assert_eq!(import_apart("use b::{\n    c,\n};\n\nuse e;\n"), Some(5));
}

/// `x/mod.rs`, not `x.rs` beside `x/`; tests likewise `x/main.rs`.
#[test]
fn a_module_with_parts_is_in_the_folder_of_its_parts() {
    let files = all_files(&["rs"]);
    let has_parts = |file: &&PathBuf| {
        let folder = file.with_extension("");
        files.iter().any(|part| part.parent() == Some(folder.as_path()))
    };
    let outside: Vec<_> = files.iter().filter(has_parts).collect();
    assert!(outside.is_empty(), "beside the folder of their parts: {outside:?}");
}

/// Rustfmt wraps code at `max_width` and leaves comments alone.
#[test]
fn comments_end_where_code_does() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = all_files(&["rs", "wgsl"]);
    let mut long = Vec::new();
    for file in &files {
        for (number, line) in std::fs::read_to_string(file).unwrap().lines().enumerate() {
            if line.trim_start().starts_with("//") && line.chars().count() > 110 {
                long.push(format!("{}:{}", file.strip_prefix(root).unwrap().display(), number + 1));
            }
        }
    }
    assert!(long.is_empty(), "comments longer than 110 characters:\n{}", long.join("\n"));
}
