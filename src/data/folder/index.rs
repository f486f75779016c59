//! The list of a big folder's files, kept on disk between runs: listing a million files takes minutes on a
//! slow disk, reading this takes a second.
//!
//! Evidence that a class folder is unchanged is its modification time, which every file system moves when an
//! entry comes, goes or is renamed. A folder changed in the last moments before it was listed is not trusted:
//! a second change within one tick of the clock would leave no trace.
//!
//! The file: a magic word, the folder's path, the classes with time, names and what was left out, a CRC-32C
//! of it all. Whatever
//! is wrong with it only means that the folder is listed again.

use super::listing::Listing;
use anyhow::ensure;
use etcetera::BaseStrategy;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const MAGIC: &[u8; 8] = b"DPFILES2";

/// Coarsest clock of a file system (FAT's).
const TICK: Duration = Duration::from_secs(2);

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
        let folders = etcetera::base_strategy::choose_native_strategy().ok()?;
        Some(Self { dir: folders.cache_dir().join("dualprop").join("folders"), least_files: 20_000 })
    }

    /// What is known of the split at `dir`; nothing where there is no sound file.
    pub(super) fn load(&self, dir: &Path) -> BTreeMap<String, Listed> {
        let Some((file, key)) = self.place(dir) else { return BTreeMap::new() };
        std::fs::read(file).ok().and_then(|bytes| parse(&bytes, &key)).unwrap_or_default()
    }

    /// Keeps the list of the split at `dir`.
    pub(super) fn save<'a>(
        &self,
        dir: &Path,
        classes: impl ExactSizeIterator<Item = (&'a str, Option<Stamp>, &'a str, &'a LeftOut)>,
    ) -> anyhow::Result<()> {
        let Some((file, key)) = self.place(dir) else { return Ok(()) };
        let mut bytes = MAGIC.to_vec();
        put(&mut bytes, &key);
        bytes.extend((classes.len() as u32).to_le_bytes());
        for (class, stamp, names, left_out) in classes {
            put(&mut bytes, class.as_bytes());
            let stamp = stamp.unwrap_or(Stamp::UNTRUSTED);
            bytes.extend(stamp.seconds.to_le_bytes());
            bytes.extend(stamp.nanoseconds.to_le_bytes());
            ensure!(u32::try_from(names.len()).is_ok(), "the file names of one class take more than 4 GiB");
            put(&mut bytes, names.as_bytes());
            bytes.extend((left_out.0.len() as u32).to_le_bytes());
            for (kind, files) in &left_out.0 {
                put(&mut bytes, kind.as_bytes());
                bytes.extend(files.to_le_bytes());
            }
        }
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        std::fs::create_dir_all(&self.dir)?;
        let mut written = tempfile::NamedTempFile::new_in(&self.dir)?;
        written.write_all(&bytes)?;
        written.persist(file)?;
        Ok(())
    }

    /// The file for the split at `dir`, and the path that must stand in it: two paths may share a file's
    /// name.
    fn place(&self, dir: &Path) -> Option<(PathBuf, Vec<u8>)> {
        let key = dir.canonicalize().ok()?.as_os_str().as_encoded_bytes().to_vec();
        Some((self.dir.join(format!("{:08x}.files", crc32c::crc32c(&key))), key))
    }
}

/// A folder's modification time since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    seconds: u64,
    nanoseconds: u32,
}

impl Stamp {
    /// No time has so many nanoseconds.
    const UNTRUSTED: Self = Self { seconds: 0, nanoseconds: u32::MAX };

    /// Of the folder `dir`, to be taken before it is listed; `None` where the time proves nothing.
    pub(super) fn of(dir: &Path) -> Option<Self> {
        let modified = std::fs::metadata(dir).ok()?.modified().ok()?;
        if SystemTime::now().duration_since(modified).ok()? <= TICK {
            return None;
        }
        let since = modified.duration_since(UNIX_EPOCH).ok()?;
        Some(Self { seconds: since.as_secs(), nanoseconds: since.subsec_nanos() })
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

/// A length and so many bytes.
fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u32).to_le_bytes());
    out.extend(bytes);
}

fn parse(bytes: &[u8], key: &[u8]) -> Option<BTreeMap<String, Listed>> {
    let (body, checksum) = bytes.split_last_chunk::<4>()?;
    if crc32c::crc32c(body) != u32::from_le_bytes(*checksum) {
        return None;
    }
    let mut rest = body.strip_prefix(MAGIC)?;
    if take(&mut rest)? != key {
        return None;
    }
    let mut classes = BTreeMap::new();
    for _ in 0..number(&mut rest)? {
        let class = String::from_utf8(take(&mut rest)?.to_vec()).ok()?;
        let (seconds, after) = rest.split_first_chunk::<8>()?;
        rest = after;
        let stamp = Stamp { seconds: u64::from_le_bytes(*seconds), nanoseconds: number(&mut rest)? };
        let names = String::from_utf8(take(&mut rest)?.to_vec()).ok()?;
        let mut left_out = LeftOut::default();
        for _ in 0..number(&mut rest)? {
            let kind = String::from_utf8(take(&mut rest)?.to_vec()).ok()?;
            left_out.0.insert(kind, number(&mut rest)?);
        }
        classes.insert(class, Listed { stamp, listing: Listing { names, left_out } });
    }
    Some(classes)
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    let (value, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    Some(u32::from_le_bytes(*value))
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = number(rest)? as usize;
    let (bytes, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(bytes)
}
