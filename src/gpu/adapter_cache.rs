//! Where the program keeps what it learned about an adapter: a folder of the user's cache, and an identity
//! that says for which adapter, driver and shaders a file was made. All of it can be made again, so a file
//! that is missing, damaged or made for something else counts as none.

use super::adapter::AdapterReport;
use super::shaders;
use etcetera::BaseStrategy as _;
use serde::{Deserialize, Serialize};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// What must be the same for a file of the cache to be of use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The adapter's name.
    pub adapter: String,
    /// The back end that wgpu reaches the adapter by.
    pub backend: String,
    /// Name and version of the driver.
    pub driver: String,
    /// Hash of all shader files.
    pub shaders: String,
}

/// The folder of one adapter's files, with the identity that a file must have to be used.
#[derive(Clone, Debug)]
pub struct AdapterCache {
    folder: PathBuf,
    identity: Identity,
}

impl AdapterCache {
    /// In the user's cache folder; `None` where the system names none.
    pub fn of_user(report: &AdapterReport) -> Option<Self> {
        let folders = etcetera::base_strategy::choose_native_strategy().ok()?;
        Some(Self::at(&folders.cache_dir().join("dualprop").join("gpu"), report))
    }

    /// In a folder of the caller's choice.
    pub fn at(folder: &Path, report: &AdapterReport) -> Self {
        let mut hasher = DefaultHasher::new();
        shaders::names().for_each(|name| (name, shaders::text_of(name)).hash(&mut hasher));
        let identity = Identity {
            adapter: report.name.clone(),
            backend: report.backend.clone(),
            driver: report.driver.clone(),
            shaders: format!("{:016x}", hasher.finish()),
        };
        Self { folder: folder.to_owned(), identity }
    }

    /// What a file of this cache must say about its adapter to be used.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// `WHAT-ADAPTER.ENDING`. A new driver or new shaders take over the file of the old ones.
    pub fn file(&self, what: &str, ending: &str) -> PathBuf {
        let adapter = format!("{}\n{}", self.identity.adapter, self.identity.backend);
        self.folder.join(format!("{what}-{:08x}.{ending}", crc32c::crc32c(adapter.as_bytes())))
    }

    /// Replaces a file as a whole; the error is one sentence that names it. Unlike a checkpoint it is not
    /// synced: after a crash it may be damaged, which its reader notices.
    pub fn write(&self, file: &Path, bytes: &[u8]) -> Result<(), String> {
        let attempt = || -> std::io::Result<()> {
            std::fs::create_dir_all(&self.folder)?;
            let mut temporary = tempfile::NamedTempFile::new_in(&self.folder)?;
            temporary.write_all(bytes)?;
            temporary.persist(file).map_err(|e| e.error)?;
            Ok(())
        };
        attempt().map_err(|e| format!("cannot write {}: {e}", file.display()))
    }
}
