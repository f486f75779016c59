//! The runs, configurations and data folders that were used last, kept between sessions, and the search for a run that
//! a crash left unfinished.

use crate::training::run_folder::is_at_work;
use std::path::{Path, PathBuf};

/// Kept of each kind.
const KEPT: usize = 10;

/// Newest first.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Recents {
    pub runs: Vec<PathBuf>,
    pub configs: Vec<PathBuf>,
    pub data: Vec<PathBuf>,
}

fn remember(list: &mut Vec<PathBuf>, path: &Path) {
    // The same place under one name, wherever the program is started next.
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    list.retain(|known| *known != path);
    list.insert(0, path);
    list.truncate(KEPT);
}

impl Recents {
    pub fn add_run(&mut self, dir: &Path) {
        remember(&mut self.runs, dir);
    }

    pub fn add_config(&mut self, file: &Path) {
        remember(&mut self.configs, file);
    }

    pub fn add_data(&mut self, dir: &Path) {
        remember(&mut self.data, dir);
    }

    /// The newest run that ended without having been asked to: its log ends neither with its completion nor with a
    /// stop, and it left a checkpoint. `None` when the newest run ended well. Reads files, so not for each frame.
    pub fn unfinished(&self) -> Option<PathBuf> {
        let newest = self.runs.iter().find(|dir| dir.join("log.txt").is_file())?;
        (newest.join("last.safetensors").is_file() && was_cut_off(newest)).then(|| newest.clone())
    }
}

fn was_cut_off(dir: &Path) -> bool {
    if is_at_work(dir) {
        return false;
    }
    let Ok(log) = std::fs::read_to_string(dir.join("log.txt")) else { return false };
    let endings = ["completed", "stopped", "was complete already"];
    // Each line begins with the time.
    let words = log.lines().last().and_then(|line| line.split_once(' ')).map_or("", |(_, words)| words);
    !endings.iter().any(|ending| words.starts_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_comes_first_and_once() {
        let mut recents = Recents::default();
        for name in ["/a", "/b", "/a"] {
            recents.add_run(Path::new(name));
        }
        assert_eq!(recents.runs, [Path::new("/a"), Path::new("/b")]);
        for n in 0..30 {
            recents.add_data(Path::new(&format!("/{n}")));
        }
        assert_eq!(recents.data.len(), KEPT);
    }

    #[test]
    fn a_run_that_was_cut_off_is_found_and_one_that_ended_is_not() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let dir = folder.path().join("run");
        std::fs::create_dir(&dir).expect("writable");
        let mut recents = Recents::default();
        recents.add_run(&dir);
        let write = |log: &str| std::fs::write(dir.join("log.txt"), log).expect("writable");
        write("2026-11-21T07:30:00Z started by dualprop\n");
        assert_eq!(recents.unfinished(), None, "without a checkpoint there is nothing to go on from");
        std::fs::write(dir.join("last.safetensors"), b"").expect("writable");
        assert!(recents.unfinished().is_some());
        let lock = std::fs::File::create(dir.join(".lock")).expect("writable");
        lock.lock().expect("nobody else has it");
        assert_eq!(recents.unfinished(), None, "it is still at work");
        drop(lock);
        write("2026-11-21T07:30:00Z started\n2026-11-21T07:31:00Z stopped after step 7\n");
        assert_eq!(recents.unfinished(), None);
        write("2026-11-21T07:31:00Z failed: the loss is no longer a finite number\n");
        assert!(recents.unfinished().is_some());
    }
}
