//! Finds the class folders and image files of a split, on several threads: a network disk answers many at a
//! time.

use super::index::{Listed, Stamp};
use crate::data::pool::{OrderedPool, Stop, worker_count};
use anyhow::{Context, bail};
use std::collections::BTreeMap;
use std::fs::DirEntry;
use std::path::{Path, PathBuf};

const EXTENSIONS: [&str; 4] = ["png", "jpg", "jpeg", "webp"];

/// Folders under way on a thread.
const JOBS_PER_WORKER: usize = 4;

/// What was found in a class folder.
pub(super) struct Found {
    pub(super) stamp: Option<Stamp>,
    /// File names in bytewise order, each ended by `/`.
    pub(super) names: String,
    /// Whether the folder was read and not only its time.
    pub(super) read: bool,
}

/// The class folders of a split, in bytewise order. Names starting with a dot are left out: they belong to
/// the system.
pub(super) fn classes(dir: &Path) -> anyhow::Result<Vec<String>> {
    list(dir, |entry, _| is_dir(entry))
}

/// Lists the classes of the split at `dir` and hands each to `take` with its number, in order. What `known`
/// says of an unchanged folder is believed.
pub(super) fn files(
    dir: &Path,
    classes: &[String],
    mut known: BTreeMap<String, Listed>,
    mut take: impl FnMut(usize, Found),
) -> anyhow::Result<()> {
    let workers = worker_count(0).min(classes.len()).max(1);
    let work = |(path, known): (PathBuf, Option<Listed>), _: &Stop| find(&path, known);
    let mut pool = OrderedPool::start("list-folders", workers, JOBS_PER_WORKER * workers, work)?;
    let mut waiting = classes.iter();
    for class in 0..classes.len() {
        while pool.room() > 0 {
            let Some(name) = waiting.next() else { break };
            pool.submit((dir.join(name), known.remove(name)))?;
        }
        let Some(found) = pool.next()? else { break };
        take(class, found?);
    }
    Ok(())
}

fn find(dir: &Path, known: Option<Listed>) -> anyhow::Result<Found> {
    let stamp = Stamp::of(dir);
    if let Some(known) = known.filter(|known| Some(known.stamp) == stamp) {
        return Ok(Found { stamp, names: known.names, read: false });
    }
    let mut names = String::new();
    for name in list(dir, |entry, name| is_image(name) && !is_dir(entry))? {
        names.push_str(&name);
        names.push('/');
    }
    Ok(Found { stamp, names, read: true })
}

/// Folders of `dir` whose name starts with `prefix`, in bytewise order.
pub(super) fn folders(dir: &Path, prefix: &str) -> anyhow::Result<Vec<String>> {
    list(dir, |entry, name| name.starts_with(prefix) && is_dir(entry))
}

/// Names in `dir` that `keep` wants, in bytewise order.
fn list(dir: &Path, keep: impl Fn(&DirEntry, &str) -> bool) -> anyhow::Result<Vec<String>> {
    let context = || format!("`data.path`: cannot list the folder {}", dir.display());
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).with_context(context)? {
        let entry = entry.with_context(context)?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            bail!("`data.path`: the name of {} is not valid UTF-8; rename it", entry.path().display());
        };
        if !name.starts_with('.') && keep(&entry, name) {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Whether an entry is a folder, through a link where it is one.
fn is_dir(entry: &DirEntry) -> bool {
    match entry.file_type() {
        Ok(kind) if !kind.is_symlink() => kind.is_dir(),
        _ => entry.path().is_dir(),
    }
}

fn is_image(name: &str) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(_, end)| EXTENSIONS.iter().any(|known| end.eq_ignore_ascii_case(known)))
}
