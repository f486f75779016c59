//! Image folders: `DIR/train/CLASS/*.png` and `DIR/val/CLASS/*.png`, also `.jpg`, `.jpeg` and `.webp` in any case.
//! Classes are the folders' names in bytewise order; images stand in the order of classes, then of file names.

use std::collections::BTreeSet;
use std::fs::DirEntry;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

use super::{Dataset, Picture, picture};

const EXTENSIONS: [&str; 4] = ["png", "jpg", "jpeg", "webp"];

/// One split of an image folder. All file names share one string, so a million files need about 40 MB.
pub struct Folder {
    dir: PathBuf,
    classes: Vec<String>,
    /// Index of each class's first image, and the number of images at the end.
    class_starts: Vec<usize>,
    names: String,
    /// Where each file's name ends in `names`.
    name_ends: Vec<usize>,
}

impl Folder {
    /// Lists `root/split`. Names starting with a dot are left out: they belong to the system.
    pub fn open(root: &Path, split: &str) -> anyhow::Result<Self> {
        let dir = root.join(split);
        ensure!(
            dir.is_dir(),
            "`data.path`: there is no folder {}; expected DIR/train/CLASS/*.png and DIR/val/CLASS/*.png below {}",
            dir.display(),
            root.display()
        );
        let classes = list(&dir, |entry, _| is_dir(entry))?;
        ensure!(!classes.is_empty(), "`data.path`: {} holds no class folders", dir.display());
        let mut set =
            Self { dir, classes, class_starts: vec![0], names: String::new(), name_ends: Vec::new() };
        for class in 0..set.classes.len() {
            for name in
                list(&set.dir.join(&set.classes[class]), |entry, name| is_image(name) && !is_dir(entry))?
            {
                set.names.push_str(&name);
                set.name_ends.push(set.names.len());
            }
            set.class_starts.push(set.name_ends.len());
        }
        ensure!(
            !set.name_ends.is_empty(),
            "`data.path`: the class folders of {} hold no .png, .jpg, .jpeg or .webp files",
            set.dir.display()
        );
        set.names.shrink_to_fit();
        set.name_ends.shrink_to_fit();
        Ok(set)
    }

    fn file_name(&self, index: usize) -> &str {
        let start = if index == 0 { 0 } else { self.name_ends[index - 1] };
        &self.names[start..self.name_ends[index]]
    }

    /// Fails unless both splits have the same classes, naming the difference.
    pub fn check_same_classes(&self, other: &Folder) -> anyhow::Result<()> {
        if self.classes == other.classes {
            return Ok(());
        }
        let only = |a: &Folder, b: &Folder| {
            let b: BTreeSet<&String> = b.classes.iter().collect();
            let extra: Vec<&str> = a.classes.iter().filter(|c| !b.contains(c)).map(String::as_str).collect();
            match extra.len() {
                0 => None,
                n if n > 10 => Some(format!(
                    "{} and {} more only in {}",
                    extra[..10].join(", "),
                    n - 10,
                    a.dir.display()
                )),
                _ => Some(format!("{} only in {}", extra.join(", "), a.dir.display())),
            }
        };
        let differences: Vec<String> = [only(self, other), only(other, self)].into_iter().flatten().collect();
        bail!("`data.path`: both splits must have the same class folders: {}", differences.join("; "));
    }
}

impl Dataset for Folder {
    fn len(&self) -> usize {
        self.name_ends.len()
    }

    fn class_names(&self) -> &[String] {
        &self.classes
    }

    fn label(&self, index: usize) -> usize {
        self.class_starts.partition_point(|&start| start <= index) - 1
    }

    fn name(&self, index: usize) -> String {
        format!("{}/{}", self.classes[self.label(index)], self.file_name(index))
    }

    fn load(&self, index: usize, size: usize) -> anyhow::Result<Vec<u8>> {
        self.decode(index, size)?.into_square(size)
    }

    fn decode(&self, index: usize, _size: usize) -> anyhow::Result<Picture> {
        let path = self.dir.join(&self.classes[self.label(index)]).join(self.file_name(index));
        picture::read(&path)
    }
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
