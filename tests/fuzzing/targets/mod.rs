//! What is held of every reader of files that others wrote, whatever is in them: it does not panic, comes to
//! an end, takes no more memory than [`Target::most_bytes`], and says what is wrong in a sentence that names
//! the file. What it reads and can write is read again as the same. The tests
//! beside this folder and the fuzzer in `fuzz/` call the same functions.

mod image;
mod image_index;
mod model;
mod run_folder;
mod sets;
mod text;
#[cfg(feature = "gui")]
mod window;

use std::cell::RefCell;
use std::path::PathBuf;
use tempfile::TempDir;

/// A reader and what it may take.
pub(crate) struct Target {
    /// Name of the fuzz target and of the folder of its corpus.
    pub(crate) name: &'static str,
    /// Hands an input to the reader and checks what comes of it.
    pub(crate) run: fn(&[u8]),
    /// Makes lengths and checksums of a changed input fit again, so that what is behind them is reached too.
    #[allow(dead_code, reason = "the fuzzer changes inputs by what it sees of the program")]
    pub(crate) repair: fn(&mut Vec<u8>),
    /// Most bytes of memory for any input of up to 128 KiB.
    #[allow(dead_code, reason = "the fuzzer has a limit of its own")]
    pub(crate) most_bytes: usize,
}

const MIB: usize = 1 << 20;

fn as_it_is(_: &mut Vec<u8>) {}

/// All targets; those of the window are in builds with one.
pub(crate) const TARGETS: &[Target] = &[
    Target {
        name: "safetensors",
        run: model::safetensors,
        repair: |bytes| model::fit_header(bytes),
        most_bytes: 32 * MIB,
    },
    Target { name: "model_index", run: model::index, repair: as_it_is, most_bytes: 32 * MIB },
    Target { name: "toml", run: text::toml, repair: as_it_is, most_bytes: 64 * MIB },
    Target { name: "sweep", run: text::sweep, repair: as_it_is, most_bytes: 128 * MIB },
    Target { name: "cifar", run: sets::cifar, repair: sets::whole_records, most_bytes: 32 * MIB },
    Target { name: "idx", run: sets::idx, repair: as_it_is, most_bytes: 32 * MIB },
    Target { name: "npy", run: sets::npy, repair: as_it_is, most_bytes: 32 * MIB },
    Target { name: "csv", run: sets::csv, repair: as_it_is, most_bytes: 32 * MIB },
    Target { name: "tar", run: sets::tar, repair: |bytes| sets::fit_checksums(bytes), most_bytes: 96 * MIB },
    Target {
        name: "parquet",
        run: sets::parquet,
        repair: |bytes| sets::fit_footer(bytes),
        most_bytes: 192 * MIB,
    },
    Target { name: "image", run: image::image, repair: as_it_is, most_bytes: 512 * MIB },
    Target { name: "image_index", run: image_index::image_index, repair: as_it_is, most_bytes: 32 * MIB },
    Target { name: "metrics", run: run_folder::metrics, repair: as_it_is, most_bytes: 64 * MIB },
    Target {
        name: "pictures",
        run: run_folder::pictures,
        repair: |bytes| model::fit_header(bytes),
        most_bytes: 64 * MIB,
    },
    #[cfg(feature = "gui")]
    Target { name: "layout", run: window::layout, repair: as_it_is, most_bytes: 64 * MIB },
    #[cfg(feature = "gui")]
    Target { name: "recents", run: window::recents, repair: as_it_is, most_bytes: 32 * MIB },
];

/// Runs the target `name` on one input.
#[allow(dead_code, reason = "the fuzzer runs one target by its name")]
pub(crate) fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.expect("a target of that name").run)(bytes);
}

thread_local! {
    static FOLDER: RefCell<Option<TempDir>> = const { RefCell::new(None) };
}

/// A folder of this thread's own. What lies in it from the input before is overwritten.
fn folder() -> PathBuf {
    FOLDER.with_borrow_mut(|folder| {
        folder.get_or_insert_with(|| tempfile::tempdir().expect("a temporary folder")).path().to_owned()
    })
}

/// Writes a file below [`folder`], with its folders.
fn written(name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder().join(name);
    if std::fs::write(&path, bytes).is_err() {
        std::fs::create_dir_all(path.parent().expect("a file")).expect("a folder");
        std::fs::write(&path, bytes).expect("writable");
    }
    path
}

/// Writes a file below [`folder`] that stays as it is for all inputs.
fn once(name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder().join(name);
    if path.exists() { path } else { written(name, bytes) }
}

/// Holds that `text` says something, and that it names `part`; a front end makes one line of it.
fn says(text: &str, part: &str) {
    assert!(!text.trim().is_empty() && text.contains(part), "it does not name {part}: {text:?}");
}
