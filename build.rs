//! Embeds every file below `shaders/` as a sorted table of (name without `.wgsl`, text).

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo::rerun-if-changed=shaders");
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("shaders");
    let mut files = Vec::new();
    collect(&root, &mut files);
    let name = |file: &Path| {
        let name = file.strip_prefix(&root).expect("below the root").with_extension("");
        name.to_string_lossy().replace('\\', "/")
    };
    // By name and not by path: a folder's path sorts before a file of the same name with an ending.
    files.sort_by_key(|file| name(file));
    let mut table = String::from("pub(super) const FILES: &[(&str, &str)] = &[\n");
    for file in files {
        let name = name(&file);
        writeln!(table, "    ({name:?}, include_str!({:?})),", file.display().to_string())
            .expect("a string grows");
    }
    table.push_str("];\n");
    let out = PathBuf::from(std::env::var("OUT_DIR").expect("cargo sets it")).join("shader_table.rs");
    std::fs::write(out, table).expect("OUT_DIR is writable");
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).expect("shaders/ is part of the source");
    for entry in entries {
        let path = entry.expect("readable entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "wgsl") {
            files.push(path);
        }
    }
}
