//! What Start looks at before a run begins: the values of the set-up together, and on the disk its data and
//! the folder that the run would write to. Each fault belongs to a key, and is told as long as what it was
//! found for is still set up.

use super::form::{RUN_DIR, SetUpForm};
use super::free_folder::{FolderSearch, FoundFolder};
use crate::config::{Config, DataSource};
use crate::gpu::DeviceChoice;
use std::collections::BTreeMap;

/// What of a set-up is looked for on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartCheck {
    pub folder: FolderSearch,
    pub source: DataSource,
    /// The data folder; empty where the source needs none.
    pub data: String,
    /// The file that lists the classes to use; may be empty.
    pub classes: String,
}

/// What was found on the disk.
#[derive(Clone, Debug)]
pub struct CheckedStart {
    pub checked: StartCheck,
    pub folder: FoundFolder,
    /// Sentences by key.
    pub faults: BTreeMap<String, String>,
}

/// The faults that a start found beside the texts that cannot be read.
#[derive(Debug, Default)]
pub struct StartFaults {
    /// A start was asked for; from then on the faults are kept up to date.
    pub is_asked: bool,
    values: BTreeMap<String, String>,
    on_disk: Option<CheckedStart>,
    /// What was last asked for on the disk.
    asked: Option<StartCheck>,
}

impl StartFaults {
    /// Checks the values of `config` together.
    pub fn check_values(&mut self, config: &Config) {
        self.values.clear();
        for error in config.faults() {
            self.values.entry(error.key).or_insert(error.message);
        }
    }

    /// Takes over what was found on the disk; a late look at an earlier set-up tells nothing.
    pub fn take(&mut self, found: CheckedStart) {
        if self.asked.as_ref().is_none_or(|asked| *asked == found.checked) {
            self.on_disk = Some(found);
        }
    }

    /// Takes over what a preflight found wrong with a key after the look at the disk had found nothing; the
    /// next look takes its place.
    pub fn blame(&mut self, key: &str, sentence: &str) {
        if let Some(found) = &mut self.on_disk {
            found.faults.insert(key.to_owned(), sentence.to_owned());
        }
    }

    /// Whether `now` is another set-up than the one that was last looked for; it counts as looked for then.
    pub fn wants(&mut self, now: &StartCheck) -> bool {
        let wants = self.is_asked && self.asked.as_ref() != Some(now);
        if wants {
            self.asked = Some(now.clone());
        }
        wants
    }

    /// Whether something on the disk was amiss at the last look.
    pub fn has_any_on_disk(&self) -> bool {
        self.on_disk.as_ref().is_some_and(|found| !found.faults.is_empty())
    }

    /// The sentence on what is wrong with a key in the set-up `now`.
    pub fn of<'a>(&'a self, path: &str, now: &StartCheck) -> Option<&'a str> {
        let on_disk = self.on_disk.as_ref().filter(|found| found.is_of(path, now));
        let found = self.values.get(path).or_else(|| on_disk?.faults.get(path));
        found.map(String::as_str)
    }

    /// The keys that may have a fault.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        let on_disk = self.on_disk.iter().flat_map(|found| found.faults.keys());
        self.values.keys().chain(on_disk).map(String::as_str)
    }
}

/// A set-up that was tried out: what a preflight or a start got.
#[derive(Clone, Debug)]
pub struct Tried {
    config: Config,
    run_dir: String,
    device: DeviceChoice,
}

impl Tried {
    /// The set-up as it is.
    pub fn of(form: &SetUpForm) -> Self {
        let (config, device) = (form.config().clone(), form.device.clone());
        Self { config, run_dir: form.run_dir.clone(), device }
    }

    /// Whether the form still says the same.
    pub fn is(&self, form: &SetUpForm) -> bool {
        self.config == *form.config() && self.run_dir == form.run_dir && self.device == form.device
    }
}

impl CheckedStart {
    /// Whether what was found for a key holds for the set-up `now` too.
    fn is_of(&self, path: &str, now: &StartCheck) -> bool {
        let then = &self.checked;
        match path {
            RUN_DIR => then.folder == now.folder,
            "data.path" => (then.source, &then.data) == (now.source, &now.data),
            _ => then.classes == now.classes,
        }
    }
}
