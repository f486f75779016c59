//! Kernel variants that timed trials chose on this adapter. The file: JSON with the identity of [`Kept`] and the
//! choices; what their words mean is the kernels' business.

use super::kept::{Identity, Kept};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// A variant's name for each class of work that was tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choices(pub BTreeMap<String, String>);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    identity: Identity,
    choices: BTreeMap<String, String>,
}

/// Where the choices are kept.
pub fn file(kept: &Kept) -> PathBuf {
    kept.file("choices", "json")
}

impl Choices {
    pub fn get(&self, class: &str) -> Option<&str> {
        self.0.get(class).map(String::as_str)
    }

    /// What was kept, nothing if there is no file. The error is a sentence that says why a file is not used.
    pub fn load(kept: &Kept) -> Result<Self, String> {
        let path = file(kept);
        let refuse = |why: String| format!("the kernel choices in {} are not used: {why}", path.display());
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(refuse(e.to_string())),
        };
        let file: File =
            serde_json::from_slice(&bytes).map_err(|e| refuse(format!("it is damaged ({e})")))?;
        if file.identity != *kept.identity() {
            return Err(refuse("they were made with another driver or version of this program".to_owned()));
        }
        Ok(Self(file.choices))
    }

    /// Keeps the choices for later runs.
    pub fn save(&self, kept: &Kept) -> Result<(), String> {
        let file = File { identity: kept.identity().clone(), choices: self.0.clone() };
        let text = serde_json::to_string_pretty(&file).map_err(|e| e.to_string())?;
        kept.write(&self::file(kept), text.as_bytes())
    }

    /// The same choices, for as long as the program runs, so that [`super::Caps`] can be copied about. Equal ones share
    /// their memory, and a program opens few devices.
    pub(super) fn lasting(self) -> &'static Self {
        static ALL: Mutex<Vec<&'static Choices>> = Mutex::new(Vec::new());
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = all.iter().find(|c| ***c == self) {
            return same;
        }
        let lasting: &'static Self = Box::leak(Box::new(self));
        all.push(lasting);
        lasting
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::{AdapterReport, adapters};

    #[test]
    fn choices_come_back_and_unusable_files_are_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let report = adapters().remove(0);
        let kept = Kept::at(folder.path(), &report);
        assert_eq!(Choices::load(&kept), Ok(Choices::default()), "nothing was kept yet");
        let choices = Choices(BTreeMap::from([("a class".to_owned(), "a variant".to_owned())]));
        choices.save(&kept).unwrap();
        assert_eq!(Choices::load(&kept), Ok(choices));

        let other = Kept::at(folder.path(), &AdapterReport { driver: "next".to_owned(), ..report });
        let error = Choices::load(&other).unwrap_err();
        assert!(error.contains("another driver"), "{error}");
        let text = std::fs::read_to_string(file(&kept)).unwrap();
        for damaged in ["", "[]", &text[..text.len() / 2], &text.replacen("choices", "other", 1)] {
            std::fs::write(file(&kept), damaged).unwrap();
            let error = Choices::load(&kept).unwrap_err();
            assert!(error.contains("choices-") && error.contains("damaged"), "{error}");
        }
    }
}
