//! The search for a run folder that a new run may write to.

use crate::training::run_folder::may_begin_in;
use std::path::{Path, PathBuf};

/// Parent of run folders that the program names itself.
const RUNS: &str = "runs";

/// The folder of the first run called `name`; of later ones a number follows.
pub fn first(name: &str) -> PathBuf {
    Path::new(RUNS).join(if name.is_empty() { "run" } else { name })
}

/// What a search for a run folder goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderSearch {
    /// The run's name; may be empty.
    pub name: String,
    /// The typed folder; empty: a free one is wanted.
    pub typed: String,
}

/// What a search for a run folder found.
#[derive(Clone, Debug)]
pub struct FoundFolder {
    pub searched: FolderSearch,
    /// A folder named after the run that is not there yet.
    pub free: PathBuf,
    /// Whether the folder that a start would write to holds something.
    pub is_in_use: bool,
}

impl FolderSearch {
    /// Looks at the disk.
    pub fn run(self) -> FoundFolder {
        let name = &self.name;
        let base = first(name);
        let numbered = (2..1000).map(|n| base.with_file_name(format!("{name}-{n}")));
        let mut candidates = std::iter::once(base.clone()).chain(numbered);
        let free = candidates.find(|dir| !dir.exists()).unwrap_or(base);
        let out = if self.typed.is_empty() { free.clone() } else { PathBuf::from(&self.typed) };
        FoundFolder { searched: self, free, is_in_use: !may_begin_in(&out) }
    }
}
