//! The sample run: a finished run of this program that is part of the program file, so that every pane has
//! something to show before anything was trained. `scripts/sample` makes it anew.

use crate::interop::atomic::{create_folder, write_atomic};
use crate::training::run_folder::RunFiles;
use anyhow::Context as _;
use std::path::{Path, PathBuf};

/// Takes a file of the sample into the program.
macro_rules! sample_file {
    ($name:literal) => {
        ($name, include_bytes!(concat!("../../../assets/sample/", $name)).as_slice())
    };
}

/// The files of the sample's run folder, the one that makes it a run folder last.
const FILES: [(&str, &[u8]); 7] = [
    sample_file!("config.toml"),
    sample_file!("log.txt"),
    sample_file!("bn_stats.jsonl"),
    sample_file!("best.safetensors"),
    sample_file!("pictures.safetensors"),
    sample_file!("ended.json"),
    sample_file!("metrics.jsonl"),
];

/// The sample's run folder within the program's own `storage` folder.
pub fn folder(storage: &Path) -> PathBuf {
    storage.join("sample")
}

/// Writes the sample's run folder into `storage` unless it is there, and returns its path. Fails with one
/// sentence when it cannot be written.
pub fn place(storage: &Path) -> anyhow::Result<PathBuf> {
    let dir = folder(storage);
    if RunFiles::of(&dir).metrics().is_file() {
        return Ok(dir);
    }
    let refused = || format!("the sample run cannot be written to {}", dir.display());
    create_folder(&dir).with_context(refused)?;
    for (name, content) in FILES {
        write_atomic(&dir.join(name), |file| file.write_all(content)).with_context(refused)?;
    }
    Ok(dir)
}
