//! Checksums of downloaded files.

use crate::config::reading;
use anyhow::anyhow;
use md5::Md5;
use sha2::{Digest, Sha256};
use std::io::Read as _;
use std::path::Path;

/// The checksum of a file as its source publishes it, in lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    Sha256(&'static str),
    /// It finds damage, and no more; a file may be made to have it.
    Md5(&'static str),
}

impl Checksum {
    /// Its kind and its digits.
    pub fn parts(self) -> (&'static str, &'static str) {
        match self {
            Self::Sha256(digits) => ("SHA-256", digits),
            Self::Md5(digits) => ("MD5", digits),
        }
    }

    /// The digits that the file at `path` has. `heard` gets the bytes read so far and says whether to go on;
    /// `None` where it does not.
    pub(super) fn of_file(
        self,
        path: &Path,
        heard: &mut dyn FnMut(u64) -> bool,
    ) -> anyhow::Result<Option<String>> {
        match self {
            Self::Sha256(_) => digits::<Sha256>(path, heard),
            Self::Md5(_) => digits::<Md5>(path, heard),
        }
    }
}

fn digits<D: Digest>(path: &Path, heard: &mut dyn FnMut(u64) -> bool) -> anyhow::Result<Option<String>> {
    let unreadable = |error| anyhow!(crate::config::path_faults::unreadable_file(path, &error));
    let mut file = reading::open(path).map_err(unreadable)?;
    let mut digest = D::new();
    let mut buffer = vec![0; 1 << 20];
    let mut read = 0;
    loop {
        let count = file.read(&mut buffer).map_err(unreadable)?;
        if count == 0 {
            break;
        }
        digest.update(&buffer[..count]);
        read += count as u64;
        if !heard(read) {
            return Ok(None);
        }
    }
    Ok(Some(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()))
}
