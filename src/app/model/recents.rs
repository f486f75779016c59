//! The runs, configurations and data folders that were used last, kept between sessions, and the search for a
//! run that a crash left unfinished.

use crate::training::events::Finish;
use crate::training::run_folder::{self, RunFiles, is_at_work};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// So many paths of each kind are kept.
const KEPT: usize = 10;

/// The paths that were used last, the newest of each kind first.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Recents {
    pub runs: Vec<PathBuf>,
    pub configs: Vec<PathBuf>,
    pub data: Vec<PathBuf>,
    /// Seconds that a preflight predicted on this computer, by preset.
    pub preset_seconds: BTreeMap<String, f64>,
}

fn remember(list: &mut Vec<PathBuf>, path: &Path) {
    // The same place under one name, wherever the program is started next.
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    list.retain(|known| *known != path);
    list.insert(0, path);
    list.truncate(KEPT);
}

impl Recents {
    /// Puts a run folder first.
    pub fn add_run(&mut self, dir: &Path) {
        remember(&mut self.runs, dir);
    }

    /// Drops a run folder that is no longer there.
    pub fn forget_run(&mut self, dir: &Path) {
        let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        self.runs.retain(|known| *known != dir);
    }

    /// Puts a configuration file first.
    pub fn add_config(&mut self, file: &Path) {
        remember(&mut self.configs, file);
    }

    /// Puts a data folder first.
    pub fn add_data(&mut self, dir: &Path) {
        remember(&mut self.data, dir);
    }

    /// Those of the paths that are still there. Looks at the disk.
    pub fn existing(&self) -> BTreeSet<PathBuf> {
        let all = self.runs.iter().chain(&self.configs).chain(&self.data);
        all.filter(|path| path.exists()).cloned().collect()
    }

    /// The newest run that neither completed nor was stopped, if it left a checkpoint. `None` when the newest
    /// run ended well. Reads files, so not for each frame.
    pub fn unfinished(&self) -> Option<PathBuf> {
        let newest = self.runs.iter().map(RunFiles::of).find(|files| files.log().is_file())?;
        let can_go_on = newest.last().is_file() && !is_at_work(&newest);
        let ended_well =
            || run_folder::ended(&newest).is_some_and(|ended| !matches!(ended, Finish::Failed(_)));
        (can_go_on && !ended_well()).then(|| newest.dir().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::training::run_folder::RunFolder;

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
        let mut recents = Recents::default();
        recents.add_run(&dir);
        let files = RunFiles::of(&dir);
        let (mut run, _) = RunFolder::open(&dir, &Config::default(), false).expect("a new folder");
        std::fs::write(files.last(), b"").expect("writable");
        assert_eq!(recents.unfinished(), None, "it is still at work");
        run.end(&Finish::StoppedAndSaved, 7).expect("writable");
        drop(run);
        assert_eq!(recents.unfinished(), None);
        let failed = r#"{"how":"failed","reason":"the loss is no longer a finite number","step":7}"#;
        std::fs::write(files.ended(), failed).expect("writable");
        assert!(recents.unfinished().is_some());
        std::fs::remove_file(files.ended()).expect("there");
        assert!(recents.unfinished().is_some(), "it was cut off");
        std::fs::remove_file(files.last()).expect("there");
        assert_eq!(recents.unfinished(), None, "without a checkpoint there is nothing to go on from");
    }
}
