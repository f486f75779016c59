//! Public data sets: where they are, how they are downloaded, and how they become what [`data`](crate::data)
//! reads. No other module speaks to the network.
//!
//! A set is gathered in a folder beside its place, `NAME.part`, and renamed at the end: there is a whole set
//! or none. What was downloaded stays in that folder, and the next attempt goes on from it.

mod arrange;
mod checksum;
mod mat;
mod table;
mod transfer;
mod unpack;

use self::arrange::arrange;
use self::transfer::Transfer;
use crate::config::path_faults::without_code;
use crate::interop::atomic::{create_folder, sentence};
use crate::interop::free_space::free_bytes;
use anyhow::{anyhow, bail, ensure};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf, absolute};
use std::sync::atomic::{AtomicBool, Ordering};

pub use self::checksum::Checksum;
pub use self::table::{Content, Layout, PublicSet, RemoteFile, SETS, find};
pub use self::transfer::Patience;

/// The file that keeps a second attempt out of a folder.
const LOCK: &str = "lock";

/// What the work says when it was asked to stop.
#[derive(Debug, thiserror::Error)]
#[error("stopped; what was downloaded is kept in {}, and the same command goes on from it", .0.display())]
pub struct Stopped(pub PathBuf);

/// How far the work is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Bytes of all files that are here, of so many.
    Downloading { done: u64, total: u64 },
    /// Bytes of a file whose checksum is taken, of so many.
    Verifying { done: u64, total: u64 },
    /// Bytes of a file's archive that are unpacked, of so many.
    Unpacking { done: u64, total: u64 },
}

/// Where a set is put, and how.
#[derive(Clone, Debug)]
pub struct FetchOptions {
    /// New or empty folder.
    pub out: PathBuf,
    /// An address that has all files of the set side by side, in place of the official ones.
    pub mirror: Option<String>,
    pub patience: Patience,
}

/// The folder in which a set for `out` is gathered.
pub fn part_folder(out: &Path) -> anyhow::Result<PathBuf> {
    let whole =
        absolute(out).map_err(|error| anyhow!("{}: {}", out.display(), without_code(&error.to_string())))?;
    let name = whole.file_name().ok_or_else(|| anyhow!("{} is no name of a folder", out.display()))?;
    let mut name = name.to_owned();
    name.push(".part");
    Ok(whole.with_file_name(name))
}

/// Fails unless `out` is a new or empty folder and its disk has room for what is still missing of the set:
/// the files and what they hold, at the same time.
pub fn check_place(set: &PublicSet, out: &Path) -> anyhow::Result<()> {
    match fs::read_dir(out) {
        Ok(mut entries) => ensure!(
            entries.next().is_none(),
            "the folder {} is not empty; name a new one by --out",
            out.display()
        ),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => bail!("cannot write to {}: {}", out.display(), without_code(&error.to_string())),
    }
    let part = part_folder(out)?;
    let here: u64 = set.files.iter().map(|file| kept_bytes(&part, file)).sum();
    let needed = set.room().saturating_sub(here);
    let there = part.ancestors().find(|folder| folder.is_dir());
    if let Some(free) = there.and_then(free_bytes) {
        ensure!(
            free >= needed,
            "{} needs {} of free space at {}, and there are {}; free some, or name another disk by --out",
            set.name,
            in_words(needed),
            out.display(),
            in_words(free)
        );
    }
    Ok(())
}

/// Bytes of a file that are in the folder already, downloaded or unpacked.
fn kept_bytes(part: &Path, file: &RemoteFile) -> u64 {
    let size = |path: PathBuf| fs::metadata(path).map_or(0, |found| found.len());
    if part.join(unpacked_name(file)).is_dir() {
        return file.unpacked();
    }
    size(part.join(file.name())).max(size(part.join(part_name(file)))).min(file.bytes)
}

fn part_name(file: &RemoteFile) -> String {
    format!("{}.part", file.name())
}

fn unpacked_name(file: &RemoteFile) -> String {
    format!("{}.unpacked", file.name())
}

/// A number of bytes for people: `168.5 MB`.
pub fn in_words(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// Downloads, verifies and unpacks a set to `options.out`. Fails with a sentence, and with [`Stopped`] once
/// `stop` is set; what was downloaded is kept then, but for files that are not what they should be.
pub fn fetch(
    set: &PublicSet,
    options: &FetchOptions,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(Stage),
) -> anyhow::Result<()> {
    check_place(set, &options.out)?;
    let part = part_folder(&options.out)?;
    create_folder(&part)?;
    let locked = lock(&part)?;
    let result = gather(set, options, &part, stop, progress);
    drop(locked);
    let _ = fs::remove_file(part.join(LOCK));
    // It stays where there is something to go on from.
    let _ = fs::remove_dir(&part);
    result
}

/// Makes the set in the folder `part`, and puts it to its place.
fn gather(
    set: &PublicSet,
    options: &FetchOptions,
    part: &Path,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(Stage),
) -> anyhow::Result<()> {
    let total = set.bytes();
    let mut before = 0;
    for file in set.files {
        let unpacked = part.join(unpacked_name(file));
        if !unpacked.is_dir() {
            let transfer = Transfer {
                address: file.address(options.mirror.as_deref()),
                file,
                folder: part,
                patience: options.patience,
                stop,
            };
            let archive = transfer.run(&mut |stage| {
                progress(match stage {
                    Stage::Downloading { done, .. } => Stage::Downloading { done: before + done, total },
                    other => other,
                })
            })?;
            take_apart(file, &archive, &unpacked, stop, progress)?;
        }
        before += file.bytes;
        progress(Stage::Downloading { done: before, total });
        ensure!(!stop.load(Ordering::Relaxed), Stopped(part.to_owned()));
    }
    // What an attempt that was cut off has moved there already stays there.
    let whole = part.join(format!("{}.set", set.name));
    let parts: Vec<PathBuf> = set.files.iter().map(|file| part.join(unpacked_name(file))).collect();
    arrange(set, &parts, &whole)?;
    if options.out.exists() {
        // Only some systems rename onto an empty folder.
        fs::remove_dir(&options.out).map_err(|error| anyhow!(sentence(&options.out, &error)))?;
    }
    fs::rename(&whole, &options.out).map_err(|error| anyhow!(sentence(&options.out, &error)))?;
    // The set is whole; what cannot be cleared away harms nothing.
    for unpacked in parts {
        let _ = fs::remove_dir_all(unpacked);
    }
    Ok(())
}

/// Makes the folder `unpacked` of a verified file, whole or not at all, and removes the file.
fn take_apart(
    file: &RemoteFile,
    archive: &Path,
    unpacked: &Path,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(Stage),
) -> anyhow::Result<()> {
    let making = unpacked.with_extension("making");
    remove(&making)?;
    create_folder(&making)?;
    match file.content {
        Content::File => {
            let target = making.join(file.name());
            fs::rename(archive, &target).map_err(|error| anyhow!(sentence(&target, &error)))?;
        }
        Content::Tar { strip } => {
            let limit = file.unpacked();
            let goes_on = || !stop.load(Ordering::Relaxed);
            let finished = unpack::tar(archive, &making, strip, limit, &goes_on, &mut |done, total| {
                progress(Stage::Unpacking { done, total })
            })?;
            if !finished {
                remove(&making)?;
                let folder = unpacked.parent().unwrap_or(unpacked);
                bail!(Stopped(folder.to_owned()));
            }
        }
    }
    fs::rename(&making, unpacked).map_err(|error| anyhow!(sentence(unpacked, &error)))?;
    if matches!(file.content, Content::Tar { .. }) {
        fs::remove_file(archive).map_err(|error| anyhow!(sentence(archive, &error)))?;
    }
    Ok(())
}

/// Removes what an earlier attempt left at `folder`.
fn remove(folder: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => bail!(sentence(folder, &error)),
        _ => Ok(()),
    }
}

/// Keeps a second attempt out of the folder for as long as the file is open.
fn lock(part: &Path) -> anyhow::Result<File> {
    let path = part.join(LOCK);
    let file = File::create(&path).map_err(|error| anyhow!(sentence(&path, &error)))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("another `dualprop data fetch` is at work in {}; wait for it", part.display())
        }
        // Some network disks know no locks.
        Err(TryLockError::Error(_)) => Ok(file),
    }
}
