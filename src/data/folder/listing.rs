//! Finds the class folders and image files of a split, on several threads: a network disk answers many at a
//! time. Folders in a class folder belong to the class, as torchvision and timm have it.

use super::index::{LeftOut, Listed};
use crate::data::kept::Stamp;
use crate::data::leavings::is_leaving;
use crate::data::picture::has_image_ending;
use crate::data::pool::{OrderedPool, Stop, worker_count};
use anyhow::{Context, bail, ensure};
use std::collections::BTreeMap;
use std::fs::DirEntry;
use std::path::{Path, PathBuf};

/// Folders under way on a thread.
const JOBS_PER_WORKER: usize = 4;

/// Folders in folders that are looked into.
const MAX_DEPTH: usize = 32;

/// Links to folders that are followed in a class. Those that lead to one another multiply: ten folders with
/// links to all others are reached on ten million ways.
const MOST_LINKED: usize = 10_000;

/// Longest ending that a file is counted by; the rest of a name behind a dot is no ending.
const LONGEST_ENDING: usize = 8;

/// What was found in a class folder.
pub(super) struct Found {
    pub(super) stamp: Option<Stamp>,
    pub(super) listed: Listing,
    /// Whether the folder was read and not only its time.
    pub(super) read: bool,
}

/// The files of a class folder.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Listing {
    /// Paths of the images below the class folder with slashes, in bytewise order, each ended by a zero byte.
    pub(super) names: String,
    pub(super) left_out: LeftOut,
}

/// The class folders of a split, in bytewise order, without what systems leave behind.
pub(super) fn classes(dir: &Path) -> anyhow::Result<Vec<String>> {
    folders(dir, "")
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
        return Ok(Found { stamp, listed: known.listing, read: false });
    }
    let walk = Walk::of(dir)?;
    let mut names = String::with_capacity(walk.names.iter().map(|name| name.len() + 1).sum());
    for name in &walk.names {
        names.push_str(name);
        names.push('\0');
    }
    // The time of a folder says nothing of what is in the folders below it.
    let stamp = stamp.filter(|_| !walk.deep);
    Ok(Found { stamp, listed: Listing { names, left_out: walk.left_out }, read: true })
}

/// What was met on the way through a class folder.
#[derive(Default)]
pub(in crate::data) struct Walk {
    /// Paths of the images below the class folder with slashes, in bytewise order.
    pub(in crate::data) names: Vec<String>,
    /// Paths of the files that are no images by their names, likewise; a name that is not valid UTF-8 has
    /// replacement characters.
    pub(in crate::data) others: Vec<String>,
    left_out: LeftOut,
    /// Whether there are folders in it.
    deep: bool,
    /// Links to folders that were followed.
    linked: usize,
}

impl Walk {
    /// Walks the class folder `dir`.
    pub(in crate::data) fn of(dir: &Path) -> anyhow::Result<Self> {
        let mut walk = Self::default();
        walk.folder(dir, "", false, &mut Vec::new())?;
        walk.names.sort_unstable();
        walk.others.sort_unstable();
        Ok(walk)
    }

    /// Walks `dir`, whose path below the class folder is `below` (ended by a slash where it is not empty). A
    /// link led there if it is `linked`. `above` has the real paths of the folders around it: a link
    /// back to one of them ends the way.
    fn folder(
        &mut self,
        dir: &Path,
        below: &str,
        linked: bool,
        above: &mut Vec<PathBuf>,
    ) -> anyhow::Result<()> {
        let real = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
        if above.contains(&real) || above.len() > MAX_DEPTH {
            return Ok(());
        }
        self.linked += usize::from(linked);
        ensure!(
            self.linked <= MOST_LINKED,
            "`data.path`: more than {MOST_LINKED} links to folders lie in a class folder, {} among them; \
             remove those that lead to one another",
            dir.display()
        );
        above.push(real);
        for entry in entries(dir)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                self.left_out.add("with a name that is not valid UTF-8");
                self.others.push(format!("{below}{}", name.to_string_lossy()));
                continue;
            };
            if is_leaving(name) {
                continue;
            }
            if is_dir(&entry) {
                self.deep = true;
                let linked = entry.file_type().is_ok_and(|kind| kind.is_symlink());
                self.folder(&entry.path(), &format!("{below}{name}/"), linked, above)?;
            } else if has_image_ending(name) {
                self.names.push(format!("{below}{name}"));
            } else {
                self.left_out.add(&kind_of(name));
                self.others.push(format!("{below}{name}"));
            }
        }
        above.pop();
        Ok(())
    }
}

/// How a file that is no image is counted: by its ending.
fn kind_of(name: &str) -> String {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    match ending.filter(|ending| !ending.is_empty() && ending.chars().count() <= LONGEST_ENDING) {
        Some(ending) => format!(".{}", ending.to_lowercase().escape_debug()),
        None => "without an ending".to_owned(),
    }
}

/// Folders of `dir` whose name starts with `prefix`, in bytewise order, without what systems leave behind.
pub(in crate::data) fn folders(dir: &Path, prefix: &str) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in entries(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        match name.to_str() {
            Some(name) if !name.starts_with(prefix) || is_leaving(name) => {}
            Some(name) if is_dir(&entry) => names.push(name.to_owned()),
            None if is_dir(&entry) => {
                bail!("`data.path`: the name of {} is not valid UTF-8; rename it", entry.path().display())
            }
            _ => {}
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// What is in the folder `dir`, in no order.
pub(in crate::data) fn entries(dir: &Path) -> anyhow::Result<impl Iterator<Item = anyhow::Result<DirEntry>>> {
    let context = |dir: &Path| format!("`data.path`: cannot list the folder {}", dir.display());
    let entries = std::fs::read_dir(dir).with_context(|| context(dir))?;
    let dir = dir.to_owned();
    Ok(entries.map(move |entry| entry.with_context(|| context(&dir))))
}

/// Whether an entry is a folder, through a link where it is one.
pub(in crate::data) fn is_dir(entry: &DirEntry) -> bool {
    match entry.file_type() {
        Ok(kind) if !kind.is_symlink() => kind.is_dir(),
        _ => entry.path().is_dir(),
    }
}
