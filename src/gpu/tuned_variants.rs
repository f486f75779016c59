//! The file of the kernel variants that timed trials chose on an adapter: JSON with the identity of the
//! [`AdapterCache`] and the chosen variants by class of work.

use super::adapter_cache::{AdapterCache, Identity};
use super::caps::TunedVariants;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::PathBuf;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    identity: Identity,
    choices: BTreeMap<String, String>,
}

/// The path of the file in the adapter's cache.
pub fn file(cache: &AdapterCache) -> PathBuf {
    cache.file("choices", "json")
}

impl TunedVariants {
    /// The variants that an earlier trial wrote, none if there is no file. The error is a sentence that says
    /// why a file is not used.
    pub fn load(cache: &AdapterCache) -> Result<Self, String> {
        let path = file(cache);
        let refuse = |why: String| format!("the kernel choices in {} are not used: {why}", path.display());
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(Self::default());
            }
            Err(e) => return Err(refuse(e.to_string())),
        };
        let file: File =
            serde_json::from_slice(&bytes).map_err(|e| refuse(format!("it is damaged ({e})")))?;
        if file.identity != *cache.identity() {
            return Err(refuse("they were made with another driver or version of this program".to_owned()));
        }
        Ok(Self(file.choices))
    }

    /// Writes the variants for later runs; the error is a sentence that names the file.
    pub fn save(&self, cache: &AdapterCache) -> Result<(), String> {
        let file = File { identity: cache.identity().clone(), choices: self.0.clone() };
        let text = serde_json::to_string_pretty(&file).map_err(|e| e.to_string())?;
        cache.write(&self::file(cache), text.as_bytes())
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
        let cache = AdapterCache::at(folder.path(), &report);
        assert_eq!(TunedVariants::load(&cache), Ok(TunedVariants::default()), "nothing was kept yet");
        let choices = TunedVariants(BTreeMap::from([("a class".to_owned(), "a variant".to_owned())]));
        choices.save(&cache).unwrap();
        assert_eq!(TunedVariants::load(&cache), Ok(choices));

        let other = AdapterCache::at(folder.path(), &AdapterReport { driver: "next".to_owned(), ..report });
        let error = TunedVariants::load(&other).unwrap_err();
        assert!(error.contains("another driver"), "{error}");
        let text = std::fs::read_to_string(file(&cache)).unwrap();
        for damaged in ["", "[]", &text[..text.len() / 2], &text.replacen("choices", "other", 1)] {
            std::fs::write(file(&cache), damaged).unwrap();
            let error = TunedVariants::load(&cache).unwrap_err();
            assert!(error.contains("choices-") && error.contains("damaged"), "{error}");
        }
    }
}
