//! Lists that are kept in the user's cache between runs, and how what they list is known to be unchanged.
//!
//! A kept file: a magic word, the path of what it lists, the list, a CRC-32C of it all. Whatever is wrong
//! with it only means that the list is made again.

use crate::config::reading;
use etcetera::BaseStrategy;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Images from which on a part's list is worth keeping.
pub(super) const LEAST_IMAGES: usize = 20_000;

/// Largest list: names of a hundred million files.
const MOST_BYTES: u64 = 8 << 30;

/// Coarsest clock of a file system (FAT's).
const TICK: Duration = Duration::from_secs(2);

/// The folder `name` of the program in the user's cache folder; `None` where the system names none.
pub(super) fn user_folder(name: &str) -> Option<PathBuf> {
    let folders = etcetera::base_strategy::choose_native_strategy().ok()?;
    Some(folders.cache_dir().join("dualprop").join(name))
}

/// A file for a list about the path `about`.
pub(super) struct KeptFile {
    path: PathBuf,
    /// The first bytes, which name the format.
    magic: &'static [u8; 8],
    /// The path that must stand in it: two paths may share a file's name.
    key: Vec<u8>,
}

impl KeptFile {
    /// The file in `dir` with this ending; `None` where `about` is not there.
    pub(super) fn new(dir: &Path, ending: &str, magic: &'static [u8; 8], about: &Path) -> Option<Self> {
        let key = about.canonicalize().ok()?.as_os_str().as_encoded_bytes().to_vec();
        let path = dir.join(format!("{:08x}.{ending}", crc32c::crc32c(&key)));
        Some(Self { path, magic, key })
    }

    /// The list; `None` where there is no sound file.
    pub(super) fn read(&self) -> Option<Vec<u8>> {
        let bytes = reading::read(&self.path, MOST_BYTES).ok()?;
        let (body, checksum) = bytes.split_last_chunk::<4>()?;
        if crc32c::crc32c(body) != u32::from_le_bytes(*checksum) {
            return None;
        }
        let mut rest = body.strip_prefix(self.magic)?;
        (take(&mut rest)? == self.key).then(|| rest.to_vec())
    }

    /// Writes the list whole or not at all.
    pub(super) fn write(&self, list: &[u8]) -> anyhow::Result<()> {
        let mut bytes = self.magic.to_vec();
        put(&mut bytes, &self.key);
        bytes.extend(list);
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        let dir = self.path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(dir)?;
        let mut written = tempfile::NamedTempFile::new_in(dir)?;
        written.write_all(&bytes)?;
        written.persist(&self.path)?;
        Ok(())
    }
}

/// The time since 1970 at which a file or folder was last changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) seconds: u64,
    pub(super) nanoseconds: u32,
}

impl Stamp {
    /// No time has so many nanoseconds.
    pub(super) const UNTRUSTED: Self = Self { seconds: 0, nanoseconds: u32::MAX };

    /// Of `path`, to be taken before it is read; `None` where the time proves nothing: a second change within
    /// one tick of the clock would leave no trace.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let modified = std::fs::metadata(path).ok()?.modified().ok()?;
        if SystemTime::now().duration_since(modified).ok()? <= TICK {
            return None;
        }
        let since = modified.duration_since(UNIX_EPOCH).ok()?;
        Some(Self { seconds: since.as_secs(), nanoseconds: since.subsec_nanos() })
    }

    /// Writes it; where there is none, one that no file has.
    pub(super) fn put(stamp: Option<Self>, out: &mut Vec<u8>) {
        let stamp = stamp.unwrap_or(Self::UNTRUSTED);
        out.extend(stamp.seconds.to_le_bytes());
        out.extend(stamp.nanoseconds.to_le_bytes());
    }

    /// Reads what [`Self::put`] wrote.
    pub(super) fn take(rest: &mut &[u8]) -> Option<Self> {
        Some(Self { seconds: long(rest)?, nanoseconds: number(rest)? })
    }
}

/// A length and so many bytes.
pub(super) fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u32).to_le_bytes());
    out.extend(bytes);
}

/// Reads what [`put`] wrote.
pub(super) fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = number(rest)? as usize;
    let (bytes, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(bytes)
}

/// Reads what [`put`] wrote of a text.
pub(super) fn take_text(rest: &mut &[u8]) -> Option<String> {
    String::from_utf8(take(rest)?.to_vec()).ok()
}

/// Reads four bytes as a number.
pub(super) fn number(rest: &mut &[u8]) -> Option<u32> {
    let (value, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    Some(u32::from_le_bytes(*value))
}

/// Reads eight bytes as a number.
pub(super) fn long(rest: &mut &[u8]) -> Option<u64> {
    let (value, after) = rest.split_first_chunk::<8>()?;
    *rest = after;
    Some(u64::from_le_bytes(*value))
}
