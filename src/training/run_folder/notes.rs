//! What a user wrote about a run. No program that trains reads it, and it may be changed while one does.

use super::RunFiles;
use crate::config::path_faults::unreadable_file;
use crate::config::reading;
use crate::interop::atomic::write_atomic;
use anyhow::bail;
use serde::{Deserialize, Serialize};
use std::io::{ErrorKind, Read as _};

/// Bytes of a file of notes at most.
const MOST_BYTES: u64 = 1 << 17;
/// Characters of a name and of notes at most.
pub const LONGEST_NAME: usize = 200;
/// See [`LONGEST_NAME`].
pub const LONGEST_NOTES: usize = 20_000;

/// The content of `notes.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunNotes {
    /// What the run is called in place of its folder's name; empty for that.
    pub name: String,
    /// Free text.
    pub notes: String,
    /// Marked by the user.
    pub starred: bool,
}

impl RunNotes {
    /// Reads the notes of a run folder; a folder without them has empty ones. The error is a sentence that
    /// names the file.
    pub fn load(files: &RunFiles) -> anyhow::Result<Self> {
        let path = files.notes();
        let file = match reading::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            other => other,
        };
        let mut bytes = Vec::new();
        match file.and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes)) {
            Err(error) => bail!(unreadable_file(&path, &error)),
            Ok(_) if bytes.len() as u64 > MOST_BYTES => {
                bail!("{} is too long; expected notes of at most {MOST_BYTES} bytes", path.display());
            }
            Ok(_) => {}
        }
        match serde_json::from_slice::<Self>(&bytes) {
            Ok(notes) => Ok(notes),
            Err(error) => bail!("{} holds no notes of a run ({error}); write them anew", path.display()),
        }
    }

    /// Writes the notes into a run folder, whole or not at all. A name is one line.
    pub fn save(&self, files: &RunFiles) -> anyhow::Result<()> {
        let name: String = self.name.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        for (what, text, most) in [("name", &name, LONGEST_NAME), ("notes", &self.notes, LONGEST_NOTES)] {
            let count = text.chars().count();
            if count > most {
                bail!("the {what} of a run has {count} characters; expected at most {most}");
            }
        }
        let text = serde_json::to_vec_pretty(&Self { name, ..self.clone() })?;
        write_atomic(&files.notes(), |out| out.write_all(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_read_as_they_were_written_and_damaged_ones_are_a_sentence() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let files = RunFiles::of(dir.path());
        assert_eq!(RunNotes::load(&files).expect("none yet"), RunNotes::default());
        let notes = RunNotes { name: " best\nof all ".into(), notes: "a\nb".into(), starred: true };
        notes.save(&files).expect("writable");
        let read = RunNotes::load(&files).expect("just written");
        assert_eq!(read, RunNotes { name: "best of all".into(), ..notes.clone() });
        std::fs::write(files.notes(), r#"{"starred":true,"later":1}"#).expect("writable");
        assert!(RunNotes::load(&files).expect("what is missing is empty").starred);
        for (damaged, expected) in [("{\"name\":", "holds no notes"), ("[1]", "holds no notes")] {
            std::fs::write(files.notes(), damaged).expect("writable");
            let error = RunNotes::load(&files).expect_err(damaged).to_string();
            assert!(error.contains(expected) && error.contains("notes.json"), "{error}");
        }
        std::fs::write(files.notes(), vec![b' '; 1 << 18]).expect("writable");
        assert!(RunNotes::load(&files).expect_err("too long").to_string().contains("is too long"));
        let long = RunNotes { name: "x".repeat(201), ..notes };
        assert!(long.save(&files).expect_err("too long").to_string().contains("expected at most 200"));
        let gone = RunFiles::of(dir.path().join("gone"));
        let error = RunNotes::default().save(&gone).expect_err("no folder").to_string();
        assert!(error.contains("its folder does not exist"), "{error}");
    }
}
