//! What is wrong with the set-up, by key, and the way to the fields at fault.

use super::{ESSENTIAL, RUN_DIR, SetUpForm, is_idle};
use crate::config::schema;

impl SetUpForm {
    /// The sentence on what is wrong with a key, if anything is.
    pub fn fault(&self, path: &str) -> Option<&str> {
        let typed = self.faults.get(path).map(String::as_str);
        typed.or_else(|| self.start.is_asked.then(|| self.start.of(path, &self.start_check()))?)
    }

    /// All that is known to be wrong: key and sentence, in the order of the schema, the run folder last.
    pub fn faults(&self) -> Vec<(&str, &str)> {
        let mut keys: Vec<&str> = self.faults.keys().map(String::as_str).collect();
        if self.start.is_asked {
            keys.extend(self.start.keys());
        }
        let place = |key: &str| {
            let place = schema::fields().iter().position(|field| field.path == key);
            place.unwrap_or(usize::MAX)
        };
        keys.sort_by_key(|key| (place(key), *key));
        keys.dedup();
        keys.into_iter().filter_map(|key| Some((key, self.fault(key)?))).collect()
    }

    /// Whether some entry is wrong, so that the configuration has an older value of it.
    pub fn has_faults(&self) -> bool {
        self.faults.keys().any(|key| key != RUN_DIR)
    }

    /// Whether something on the disk was amiss at the last look, which another program may have mended.
    pub fn has_faults_on_disk(&self) -> bool {
        self.start.is_asked && self.start.has_any_on_disk()
    }

    /// Takes over a preflight's sentence on the field that its check is about; false where it is about none.
    pub fn take_refusal(&mut self, check: &str, sentence: &str) -> bool {
        let key = match check {
            "Data" if self.config.data.source.needs_path() => "data.path",
            "Run folder" => RUN_DIR,
            _ => return false,
        };
        self.start.blame(key, sentence);
        self.fault(key).is_some()
    }

    /// Leads to the first fault; false where there is none.
    pub fn jump_to_fault(&mut self) -> bool {
        let first = self.faults().first().map(|(key, _)| (*key).to_owned());
        first.map(|key| self.jump_to(&key)).is_some()
    }

    /// Has the pane show the field of a key.
    pub fn jump_to(&mut self, key: &str) {
        if key != RUN_DIR && (!ESSENTIAL.contains(&key) || is_idle(self, key)) {
            self.show_all = true;
            self.search.clear();
        }
        self.jump = Some(key.to_owned());
    }
}
