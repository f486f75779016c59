//! The list of a big folder's files, kept on disk between runs: listing a million files takes minutes on a
//! slow disk, reading this takes a second.
//!
//! Evidence that a class folder is unchanged is its modification time, which every file system moves when an
//! entry comes, goes or is renamed. The file has the classes with time, names and what was left out.

use super::listing::Listing;
use crate::data::kept::{self, KeptFile, Stamp, number, put, take_text};
use anyhow::ensure;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"DPFILES2";

/// Where the lists are kept, and from which size on it is worth it.
#[derive(Clone, Debug)]
pub struct FolderIndex {
    pub dir: PathBuf,
    /// Splits with fewer files are listed each time.
    pub least_files: usize,
}

impl FolderIndex {
    /// In the user's cache folder; `None` where the system names none.
    pub fn of_user() -> Option<Self> {
        Some(Self { dir: kept::user_folder("folders")?, least_files: kept::LEAST_IMAGES })
    }

    /// What is known of the split at `dir`; nothing where there is no sound file.
    pub(super) fn load(&self, dir: &Path) -> BTreeMap<String, Listed> {
        self.file(dir).and_then(|file| parse(&file.read()?)).unwrap_or_default()
    }

    /// Keeps the list of the split at `dir`.
    pub(super) fn save<'a>(
        &self,
        dir: &Path,
        classes: impl ExactSizeIterator<Item = (&'a str, Option<Stamp>, &'a str, &'a LeftOut)>,
    ) -> anyhow::Result<()> {
        let Some(file) = self.file(dir) else { return Ok(()) };
        let mut bytes = (classes.len() as u32).to_le_bytes().to_vec();
        for (class, stamp, names, left_out) in classes {
            put(&mut bytes, class.as_bytes());
            Stamp::put(stamp, &mut bytes);
            ensure!(u32::try_from(names.len()).is_ok(), "the file names of one class take more than 4 GiB");
            put(&mut bytes, names.as_bytes());
            bytes.extend((left_out.0.len() as u32).to_le_bytes());
            for (kind, files) in &left_out.0 {
                put(&mut bytes, kind.as_bytes());
                bytes.extend(files.to_le_bytes());
            }
        }
        file.write(&bytes)
    }

    fn file(&self, dir: &Path) -> Option<KeptFile> {
        KeptFile::new(&self.dir, "files", MAGIC, dir)
    }
}

/// The files of one class.
pub(super) struct Listed {
    pub(super) stamp: Stamp,
    pub(super) listing: Listing,
}

/// Files that are no images, counted by kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct LeftOut(BTreeMap<String, u32>);

impl LeftOut {
    /// Counts one more file of a kind.
    pub(super) fn add(&mut self, kind: &str) {
        *self.0.entry(kind.to_owned()).or_default() += 1;
    }

    /// Counts those of another folder too.
    pub(super) fn append(&mut self, other: &Self) {
        for (kind, files) in &other.0 {
            *self.0.entry(kind.clone()).or_default() += files;
        }
    }

    /// The number of files in all.
    pub(super) fn files(&self) -> u32 {
        self.0.values().sum()
    }

    /// Kinds with their number of files, the most first.
    pub(super) fn by_count(&self) -> Vec<(&str, u32)> {
        let mut kinds: Vec<(&str, u32)> =
            self.0.iter().map(|(kind, files)| (kind.as_str(), *files)).collect();
        kinds.sort_by_key(|(_, files)| std::cmp::Reverse(*files));
        kinds
    }
}

fn parse(mut rest: &[u8]) -> Option<BTreeMap<String, Listed>> {
    let rest = &mut rest;
    let mut classes = BTreeMap::new();
    for _ in 0..number(rest)? {
        let class = take_text(rest)?;
        let stamp = Stamp::take(rest)?;
        let names = take_text(rest)?;
        let mut left_out = LeftOut::default();
        for _ in 0..number(rest)? {
            let kind = take_text(rest)?;
            left_out.0.insert(kind, number(rest)?);
        }
        classes.insert(class, Listed { stamp, listing: Listing { names, left_out } });
    }
    Some(classes)
}
