//! Takes tar archives apart, believing nothing that they say: files and folders alone come out, under names
//! that stay in the target, and no more of them than a limit.

use crate::config::path_faults::without_code;
use crate::config::reading;
use crate::data::leavings::is_leaving;
use crate::interop::atomic::sentence;
use anyhow::{Context as _, anyhow, bail, ensure};
use flate2::read::MultiGzDecoder;
use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;
use tar::EntryType;

/// Most entries of an archive; the largest known one has 750,000.
const MOST_ENTRIES: usize = 2_000_000;

/// Most folders in folders.
const MOST_LEVELS: usize = 16;

/// Unpacks the archive at `path`, compressed by gzip or not whatever its name says, into the empty folder
/// `out`, without the first `strip` folders of each name; at most `limit` bytes. `heard` gets the bytes of
/// the archive read so far and in all. Says whether it is all there, which it is not where `goes_on` said no.
pub(super) fn tar(
    path: &Path,
    out: &Path,
    strip: usize,
    limit: u64,
    goes_on: &dyn Fn() -> bool,
    heard: &mut dyn FnMut(u64, u64),
) -> anyhow::Result<bool> {
    let file =
        reading::open(path).map_err(|e| anyhow!(crate::config::path_faults::unreadable_file(path, &e)))?;
    let total = file.metadata().map_or(0, |found| found.len());
    let read = Rc::new(Cell::new(0));
    let mut inner = BufReader::with_capacity(1 << 18, file);
    let is_compressed = inner.fill_buf().is_ok_and(|first| first.starts_with(&[0x1f, 0x8b]));
    let counting = Counting { inner, read: Rc::clone(&read) };
    let stream: Box<dyn Read> =
        if is_compressed { Box::new(MultiGzDecoder::new(counting)) } else { Box::new(counting) };
    let broken = || format!("the archive {} cannot be unpacked", path.display());
    let mut archive = tar::Archive::new(stream);
    let mut left = limit;
    for (number, entry) in archive.entries().with_context(broken)?.enumerate() {
        if !goes_on() {
            return Ok(false);
        }
        heard(read.get(), total);
        ensure!(number < MOST_ENTRIES, "{}: it holds more than {MOST_ENTRIES} files", broken());
        let mut entry = entry.with_context(broken)?;
        let name = entry.path().with_context(broken)?.into_owned();
        let inside = inside(&name).ok_or_else(|| {
            anyhow!("{}: its entry {:?} would lie outside the folder", broken(), name.display().to_string())
        })?;
        let kind = entry.header().entry_type();
        match kind {
            EntryType::XGlobalHeader => continue,
            EntryType::Regular | EntryType::Continuous | EntryType::Directory => {}
            _ => bail!("{}: its entry {} is no file but a link or a device", broken(), name.display()),
        }
        let below: PathBuf = inside.iter().skip(strip).collect();
        let is_left = |part: &std::ffi::OsStr| part.to_str().is_some_and(is_leaving);
        if below.as_os_str().is_empty() || below.iter().any(is_left) {
            continue;
        }
        let target = out.join(&below);
        if kind == EntryType::Directory {
            fs::create_dir_all(&target).map_err(|error| anyhow!(sentence(&target, &error)))?;
            continue;
        }
        ensure!(entry.size() <= left, "{}: it holds more than {limit} bytes", broken());
        left -= entry.size();
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(|error| anyhow!(sentence(parent, &error)))?;
        }
        let mut written = File::create_new(&target).map_err(|e| anyhow!(sentence(&target, &e)))?;
        io::copy(&mut entry, &mut written).map_err(|e| match e.kind() {
            // What is wrong with the archive is an error of reading it.
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => anyhow!(sentence(&target, &e)),
            _ => anyhow!("{}: {}", cannot_write(&target), without_code(&e.to_string())),
        })?;
    }
    heard(total, total);
    Ok(true)
}

fn cannot_write(path: &Path) -> String {
    format!("cannot unpack to {}", path.display())
}

/// The name of an entry as a path below any folder; `None` where it leads out of it, or is too deep.
fn inside(name: &Path) -> Option<PathBuf> {
    let mut inside = PathBuf::new();
    for component in name.components() {
        match component {
            // Backslashes and colons mean something on some systems.
            Component::Normal(part) if part.to_str().is_some_and(|part| !part.contains(['\\', ':'])) => {
                inside.push(part);
            }
            Component::CurDir => {}
            _ => return None,
        }
    }
    (inside.components().count() <= MOST_LEVELS).then_some(inside)
}

/// A reader that tells how much was read.
struct Counting<R> {
    inner: R,
    read: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read.set(self.read.get() + count as u64);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    /// An archive of entries with the names given as they are, which the crate's own writer would refuse.
    fn archive(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, kind, content) in entries {
            let mut header = tar::Header::new_ustar();
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(*kind);
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            bytes.extend(header.as_bytes());
            bytes.extend(*content);
            bytes.resize(bytes.len().next_multiple_of(512), 0);
        }
        bytes.extend([0; 1024]);
        bytes
    }

    fn unpack(bytes: &[u8], strip: usize, limit: u64) -> (tempfile::TempDir, anyhow::Result<bool>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.tar");
        fs::write(&path, bytes).unwrap();
        let out = dir.path().join("out");
        fs::create_dir(&out).unwrap();
        let result = tar(&path, &out, strip, limit, &|| true, &mut |_, _| ());
        (dir, result)
    }

    #[test]
    fn files_come_out_below_the_target_without_the_first_folder() {
        let bytes = archive(&[
            ("top/", EntryType::Directory, b""),
            ("./top/a/1.txt", EntryType::Regular, b"one"),
            ("top/._a", EntryType::Regular, b"left over from macOS"),
            ("top/b/", EntryType::Directory, b""),
        ]);
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&bytes).unwrap();
        for bytes in [bytes, packed.finish().unwrap()] {
            let (dir, result) = unpack(&bytes, 1, 3);
            assert!(result.unwrap());
            assert_eq!(fs::read(dir.path().join("out/a/1.txt")).unwrap(), b"one");
            assert!(dir.path().join("out/b").is_dir());
            assert_eq!(fs::read_dir(dir.path().join("out")).unwrap().count(), 2);
        }
    }

    #[test]
    fn what_leads_outside_or_is_no_file_is_refused() {
        for name in ["../x", "a/../../x", "/x", "a\\..\\x", "C:x"] {
            let (dir, result) = unpack(&archive(&[(name, EntryType::Regular, b"1")]), 0, 9);
            let text = format!("{:#}", result.unwrap_err());
            assert!(text.contains("outside the folder"), "{name}: {text}");
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "{name}");
        }
        for kind in [EntryType::Symlink, EntryType::Link, EntryType::Fifo, EntryType::Char] {
            let (dir, result) = unpack(&archive(&[("x", kind, b"")]), 0, 9);
            let text = format!("{:#}", result.unwrap_err());
            assert!(text.contains("a link or a device"), "{kind:?}: {text}");
            assert_eq!(fs::read_dir(dir.path().join("out")).unwrap().count(), 0);
        }
        let deep = "a/".repeat(17) + "x";
        assert!(unpack(&archive(&[(&deep, EntryType::Regular, b"1")]), 0, 9).1.is_err());
    }

    #[test]
    fn too_much_too_often_or_cut_off_is_refused() {
        let two = archive(&[("a", EntryType::Regular, b"123"), ("b", EntryType::Regular, b"45")]);
        assert!(unpack(&two, 0, 5).1.unwrap());
        let text = format!("{:#}", unpack(&two, 0, 4).1.unwrap_err());
        assert!(text.contains("more than 4 bytes"), "{text}");
        let twice = archive(&[("a", EntryType::Regular, b"1"), ("a", EntryType::Regular, b"2")]);
        assert!(unpack(&twice, 0, 9).1.is_err());
        for end in [100, 513, 700] {
            assert!(unpack(&two[..end], 0, 9).1.is_err(), "cut at {end}");
        }
        assert!(unpack(b"no archive at all", 0, 9).1.is_err());
    }
}
