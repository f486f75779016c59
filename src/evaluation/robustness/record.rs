//! The folder that an evaluation can be resumed from, also after it was killed.
//!
//! | file | holds |
//! | --- | --- |
//! | `evaluation.json` | what was asked: an object of plain values |
//! | `rows.jsonl` | a [`Row`] a line for every condition and domain that is finished |
//! | `partial.json` | the figures of a pass that is not finished; gone when it is |
//! | `.lock` | locked as long as a program measures into the folder |

use super::pass::Tallies;
use super::row::Row;
use crate::config::path_faults::unreadable_file;
use crate::config::reading;
use crate::interop::atomic::{create_folder, sentence, write_atomic};
use anyhow::{Context as _, anyhow, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// Holds what was asked.
pub const ASKED_FILE: &str = "evaluation.json";

/// The fact that names a checkpoint by its content.
pub const CHECKSUM: &str = "checksum";

/// Facts that say where something lies and not what it is: another path to the same files is no other
/// evaluation.
const PLACES: [&str; 2] = ["checkpoint", "path"];

/// The rows that an evaluation has so far, kept in a folder where there is one.
#[derive(Debug, Default)]
pub struct Record {
    dir: Option<PathBuf>,
    /// Open as long as the folder is this record's; a killed program's lock goes with it.
    _lock: Option<File>,
    rows: Vec<Row>,
    partial: Option<Partial>,
}

/// The content of `partial.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Partial {
    /// Number of the pass among those of the evaluation.
    pass: usize,
    tallies: Tallies,
}

impl Record {
    /// Begins an evaluation in `dir`, or goes on with the one that is there. Fails where that is another than
    /// `asked`, naming the first fact that differs.
    pub fn open(dir: &Path, asked: &Map<String, Value>) -> anyhow::Result<Self> {
        create_folder(dir)?;
        let lock = lock(dir)?;
        let file = dir.join(ASKED_FILE);
        match reading::read(&file, reading::MOST_TEXT) {
            Ok(bytes) => {
                let begun: Map<String, Value> = serde_json::from_slice(&bytes)
                    .map_err(|e| anyhow!("{} is no record of an evaluation: {e}", file.display()))?;
                check_same(&file, &begun, asked)?;
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let text = serde_json::to_vec_pretty(asked)?;
                write_atomic(&file, |out| out.write_all(&text))?;
            }
            Err(error) => bail!(unreadable_file(&file, &error)),
        }
        let rows = whole_rows(&rows_file(dir))?;
        // What cannot be read was not finished, and is measured again.
        let partial = reading::read(&dir.join("partial.json"), reading::MOST_TEXT).ok();
        let partial = partial.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ok(Self { dir: Some(dir.to_owned()), _lock: Some(lock), rows, partial })
    }

    /// The finished rows in the order in which they were finished.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// How far pass number `pass` had come.
    pub fn tallies(&self, pass: usize) -> Tallies {
        self.partial
            .as_ref()
            .filter(|partial| partial.pass == pass)
            .map(|p| p.tallies.clone())
            .unwrap_or_default()
    }

    /// Keeps how far pass number `pass` has come, in the folder too where there is one.
    pub fn keep(&mut self, pass: usize, tallies: &Tallies) -> anyhow::Result<()> {
        let partial = self.partial.insert(Partial { pass, tallies: tallies.clone() });
        let Some(dir) = &self.dir else { return Ok(()) };
        let text = serde_json::to_vec(partial)?;
        write_atomic(&dir.join("partial.json"), |out| out.write_all(&text))
    }

    /// Adds the rows of a pass that is finished, without those that are there.
    pub fn finish(&mut self, rows: Vec<Row>) -> anyhow::Result<()> {
        let fresh: Vec<Row> = rows
            .into_iter()
            .filter(|row| !self.rows.iter().any(|known| known.is_of_same_cell(row)))
            .collect();
        if let Some(dir) = &self.dir {
            let mut text = String::new();
            for row in &fresh {
                text += &serde_json::to_string(row)?;
                text.push('\n');
            }
            let path = rows_file(dir);
            let append = || {
                let mut file = File::options().append(true).create(true).open(&path)?;
                file.write_all(text.as_bytes())?;
                file.sync_data()
            };
            append().map_err(|e: std::io::Error| anyhow!(sentence(&path, &e)))?;
            // A record that stays says no more than the rows do.
            let _ = std::fs::remove_file(dir.join("partial.json"));
        }
        self.partial = None;
        self.rows.extend(fresh);
        Ok(())
    }
}

/// The rows of an evaluation that was kept in `dir`, or in the folder `evaluation` of the run `dir`.
pub fn rows_in(dir: &Path) -> anyhow::Result<Vec<Row>> {
    let files = [rows_file(&dir.join("evaluation")), rows_file(dir)];
    let Some(file) = files.iter().find(|file| file.is_file()) else {
        bail!(
            "{} holds no evaluation: there is no {}; `dualprop eval … --resume {}` makes one",
            dir.display(),
            files[0].display(),
            dir.join("evaluation").display()
        );
    };
    let text =
        reading::read_text(file, reading::MOST_TEXT).map_err(|e| anyhow!(unreadable_file(file, &e)))?;
    parse(file, &text)
}

/// What was asked of the evaluation that was kept in `dir`, or in the folder `evaluation` of the run `dir`.
pub fn facts_in(dir: &Path) -> anyhow::Result<Map<String, Value>> {
    let files = [dir.join("evaluation"), dir.to_owned()].map(|folder| folder.join(ASKED_FILE));
    let file = files.iter().find(|file| file.is_file());
    let file =
        file.with_context(|| format!("{} holds no evaluation: it has no {ASKED_FILE}", dir.display()))?;
    let text = reading::read(file, reading::MOST_TEXT).map_err(|e| anyhow!(unreadable_file(file, &e)))?;
    serde_json::from_slice(&text)
        .map_err(|e| anyhow!("{} is no record of an evaluation: {e}", file.display()))
}

/// The value of [`CHECKSUM`] for a checkpoint: CRC-32C of the file.
pub fn checksum_of(checkpoint: &Path) -> anyhow::Result<String> {
    let unreadable = |error| anyhow!(unreadable_file(checkpoint, &error));
    let mut file = reading::open(checkpoint).map_err(unreadable)?;
    let (mut sum, mut piece) = (0, vec![0; 1 << 20]);
    loop {
        match file.read(&mut piece).map_err(unreadable)? {
            0 => return Ok(format!("crc32c:{sum:08x}")),
            count => sum = crc32c::crc32c_append(sum, &piece[..count]),
        }
    }
}

/// Takes the folder for one program. Not every file system has locks.
fn lock(dir: &Path) -> anyhow::Result<File> {
    let path = dir.join(".lock");
    let file = File::options().write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(|error| anyhow!(sentence(&path, &error)))?;
    if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
        bail!("another program measures into {} now; wait for it or choose another folder", dir.display());
    }
    Ok(file)
}

fn rows_file(dir: &Path) -> PathBuf {
    dir.join("rows.jsonl")
}

/// The rows of a file; half a line at its end, which a killed program leaves, is taken off it.
fn whole_rows(file: &Path) -> anyhow::Result<Vec<Row>> {
    let text = match reading::read_text(file, reading::MOST_TEXT) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => bail!(unreadable_file(file, &error)),
    };
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    if whole < text.len() {
        let cut = || File::options().write(true).open(file)?.set_len(whole as u64);
        cut().map_err(|e: std::io::Error| anyhow!(sentence(file, &e)))?;
    }
    parse(file, &text[..whole])
}

fn parse(file: &Path, text: &str) -> anyhow::Result<Vec<Row>> {
    let row = |(number, line): (usize, &str)| {
        serde_json::from_str(line)
            .map_err(|e| anyhow!("{}, line {}: no row of an evaluation ({e})", file.display(), number + 1))
    };
    text.lines().enumerate().map(row).collect()
}

fn check_same(file: &Path, begun: &Map<String, Value>, asked: &Map<String, Value>) -> anyhow::Result<()> {
    let keys = asked.keys().chain(begun.keys()).filter(|key| !PLACES.contains(&key.as_str()));
    let Some(key) = keys.into_iter().find(|key| begun.get(*key) != asked.get(*key)) else { return Ok(()) };
    let word = |facts: &Map<String, Value>| facts.get(key).map_or("nothing".into(), Value::to_string);
    bail!(
        "{} was begun with {key} {}, and this command has {}; expected the same command, or --resume with another \
         folder",
        file.display(),
        word(begun),
        word(asked)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::robustness::pass::Tally;
    use crate::evaluation::robustness::row::RUNNING;
    use serde_json::json;

    fn asked(limit: usize) -> Map<String, Value> {
        let facts = json!({"checkpoint": "here/a", "step": 3, "limit": limit, "domains": ["main"]});
        facts.as_object().cloned().unwrap()
    }

    fn row(severity: u8) -> Row {
        Row {
            data: "shapes".into(),
            split: "val".into(),
            domain: "main".into(),
            statistics: RUNNING.into(),
            attack: None,
            corruption: Some("fog".into()),
            severity: Some(severity),
            images: 3,
            left_out: 0,
            loss: f32::NAN,
            top1: 1.0 / 3.0,
            top5: 1.0,
            localisation: None,
        }
    }

    #[test]
    fn rows_outlive_the_program_and_half_a_line_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let mut record = Record::open(dir.path(), &asked(0)).unwrap();
        record.finish(vec![row(1), row(2)]).unwrap();
        let file = rows_file(dir.path());
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("{text}{{\"data\":\"sha")).unwrap();
        drop(record);
        let mut record = Record::open(dir.path(), &asked(0)).unwrap();
        let message = Record::open(dir.path(), &asked(0)).unwrap_err().to_string();
        assert!(message.contains("another program measures into"), "{message}");
        assert_eq!(record.rows().len(), 2);
        assert_eq!(record.rows()[1].top1, row(2).top1);
        assert!(record.rows()[1].loss.is_nan());
        record.finish(vec![row(2), row(3)]).unwrap();
        let severities: Vec<_> = rows_in(dir.path()).unwrap().iter().map(|row| row.severity).collect();
        assert_eq!(severities, [Some(1), Some(2), Some(3)]);
    }

    #[test]
    fn a_pass_goes_on_from_what_was_kept_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let tallies = Tallies { next: 64, cells: vec![vec![Tally { images: 63, ..Tally::default() }]] };
        let mut record = Record::open(dir.path(), &asked(0)).unwrap();
        record.keep(2, &tallies).unwrap();
        drop(record);
        let mut record = Record::open(dir.path(), &asked(0)).unwrap();
        assert_eq!(record.tallies(2), tallies);
        assert_eq!(record.tallies(1), Tallies::default());
        record.finish(vec![row(1)]).unwrap();
        drop(record);
        assert_eq!(Record::open(dir.path(), &asked(0)).unwrap().tallies(2), Tallies::default());
        std::fs::write(dir.path().join("partial.json"), "{\"pass\":2,").unwrap();
        assert_eq!(Record::open(dir.path(), &asked(0)).unwrap().tallies(2), Tallies::default());
    }

    #[test]
    fn another_evaluation_is_refused_by_what_differs() {
        let dir = tempfile::tempdir().unwrap();
        Record::open(dir.path(), &asked(0)).unwrap();
        let mut moved = asked(0);
        moved.insert("checkpoint".into(), "there/a".into());
        Record::open(dir.path(), &moved).unwrap();
        let message = Record::open(dir.path(), &asked(50)).unwrap_err().to_string();
        assert!(
            message.contains("evaluation.json was begun with limit 0, and this command has 50"),
            "{message}"
        );
        std::fs::write(dir.path().join("evaluation.json"), "[").unwrap();
        let message = Record::open(dir.path(), &asked(0)).unwrap_err().to_string();
        assert!(message.contains("evaluation.json is no record"), "{message}");
        let message = rows_in(&dir.path().join("none")).unwrap_err().to_string();
        assert!(message.contains("holds no evaluation") && message.contains("--resume"), "{message}");
    }
}
