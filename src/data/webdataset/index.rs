//! The lists of a big set's shards, kept on disk between runs: reading the headers of a million members takes
//! minutes on a slow disk. Evidence that a shard is unchanged is its length with its modification time.

use super::shard::Shard;
use crate::data::kept::{self, KeptFile, Stamp, long, number, put, take_text};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"DPSHARD1";

/// Where the lists are kept, and from which size on it is worth it.
#[derive(Clone, Debug)]
pub(super) struct ShardIndex {
    pub(super) dir: PathBuf,
    /// Parts with fewer images are listed each time.
    pub(super) least_images: usize,
}

/// A shard's list, and what the shard was like when it was listed.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    stamp: Option<Stamp>,
    /// Bytes.
    length: u64,
    pub(super) shard: Shard,
}

/// A shard's list, and whether it is another than the kept one.
pub(super) struct Listed {
    pub(super) kept: Kept,
    pub(super) is_new: bool,
}

/// The list of the shard at `path`: the one that is known, where the shard is unchanged.
pub(super) fn unchanged_or_listed(path: &Path, known: Option<Kept>) -> anyhow::Result<Listed> {
    let stamp = Stamp::of(path);
    let length = std::fs::metadata(path).map_or(0, |data| data.len());
    if let Some(known) =
        known.filter(|known| stamp.is_some() && known.stamp == stamp && known.length == length)
    {
        return Ok(Listed { kept: known, is_new: false });
    }
    Ok(Listed { kept: Kept { stamp, length, shard: Shard::list(path)? }, is_new: true })
}

impl ShardIndex {
    /// In the user's cache folder; `None` where the system names none.
    pub(super) fn of_user() -> Option<Self> {
        Some(Self { dir: kept::user_folder("shards")?, least_images: kept::LEAST_IMAGES })
    }

    /// What is known of the shards of a part of the set in `root`, by path.
    pub(super) fn load(&self, root: &Path, part: &str) -> BTreeMap<PathBuf, Kept> {
        let parse = |bytes: Vec<u8>| {
            let rest = &mut bytes.as_slice();
            let mut shards = BTreeMap::new();
            for _ in 0..number(rest)? {
                let path = root.join(take_text(rest)?);
                let (stamp, length) = (Stamp::take(rest)?, long(rest)?);
                shards.insert(path, Kept { stamp: Some(stamp), length, shard: Shard::take(rest)? });
            }
            Some(shards)
        };
        self.file(root, part).and_then(|file| parse(file.read()?)).unwrap_or_default()
    }

    /// Keeps the lists of the shards of a part of the set in `root`.
    pub(super) fn save<'a>(
        &self,
        root: &Path,
        part: &str,
        shards: impl ExactSizeIterator<Item = (&'a PathBuf, &'a Kept)>,
    ) -> anyhow::Result<()> {
        let Some(file) = self.file(root, part) else { return Ok(()) };
        let mut bytes = (shards.len() as u32).to_le_bytes().to_vec();
        for (path, kept) in shards {
            let below = path.strip_prefix(root).unwrap_or(path);
            put(&mut bytes, below.to_string_lossy().as_bytes());
            Stamp::put(kept.stamp, &mut bytes);
            bytes.extend(kept.length.to_le_bytes());
            kept.shard.put(&mut bytes)?;
        }
        file.write(&bytes)
    }

    /// A file for each part, which the magic word tells from those of other parts of the same folder.
    fn file(&self, root: &Path, part: &str) -> Option<KeptFile> {
        KeptFile::new(&self.dir, &format!("{part}.shards"), MAGIC, root)
    }
}
