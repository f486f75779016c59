//! A file of a run folder that only grows, line by line.

use crate::interop::atomic::{sentence, write_atomic};
use anyhow::anyhow;
use serde::Serialize;
use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;

/// What could not be written waits and is written before the next lines, so that a full disk that is cleared
/// leaves no gap.
#[derive(Debug)]
pub(super) struct Appender {
    path: PathBuf,
    file: File,
    /// Bytes of whole lines in the file.
    length: u64,
    /// Lines that could not be written.
    waiting: String,
}

impl Appender {
    pub(super) fn open(path: PathBuf) -> anyhow::Result<Self> {
        let open = || {
            let file = File::options().read(true).append(true).create(true).open(&path)?;
            let length = file.metadata()?.len();
            Ok((file, length))
        };
        let (file, length) = open().map_err(|e: std::io::Error| anyhow!(sentence(&path, &e)))?;
        Ok(Self { path, file, length, waiting: String::new() })
    }

    /// The same lines in a file of another folder. They are read through the open file, which outlives its
    /// name: somebody may have deleted the folder.
    pub(super) fn copied_to(&self, path: PathBuf) -> anyhow::Result<Self> {
        write_atomic(&path, |out| {
            let mut file = &self.file;
            file.seek(SeekFrom::Start(0))?;
            std::io::copy(&mut file, out)?;
            out.write_all(self.waiting.as_bytes())
        })?;
        Self::open(path)
    }

    fn text(&mut self, text: &str) -> anyhow::Result<()> {
        self.waiting += text;
        if let Err(error) = self.file.write_all(self.waiting.as_bytes()) {
            // Half a line must not stand before the same line whole. Where even that fails, readers skip it.
            let _ = self.file.set_len(self.length);
            return Err(anyhow!(sentence(&self.path, &error)));
        }
        self.length += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }

    /// Adds a line of JSON for each of `lines`, in one write.
    pub(super) fn json_lines(&mut self, lines: impl Iterator<Item = impl Serialize>) -> anyhow::Result<()> {
        let mut text = String::new();
        for line in lines {
            text += &serde_json::to_string(&line)?;
            text.push('\n');
        }
        self.text(&text)
    }

    /// Adds a line of comma-separated values for each of `lines`, in one write, and in an empty file the
    /// names of the columns before them.
    pub(super) fn csv_lines(&mut self, lines: impl Iterator<Item = impl Serialize>) -> anyhow::Result<()> {
        let is_new = self.length == 0 && self.waiting.is_empty();
        self.text(&csv_text(lines, is_new)?)
    }

    pub(super) fn line(&mut self, line: &str) -> anyhow::Result<()> {
        self.text(&format!("{}\n", line.replace('\n', " ")))
    }

    /// Writes what waits and makes all of it durable.
    pub(super) fn sync(&mut self) -> anyhow::Result<()> {
        self.text("")?;
        self.file.sync_data().map_err(|e| anyhow!(sentence(&self.path, &e)))
    }
}

/// Lines of comma-separated values, with the names of the columns before them where `names` says so.
pub(super) fn csv_text(lines: impl Iterator<Item = impl Serialize>, names: bool) -> anyhow::Result<String> {
    let mut writer = csv::WriterBuilder::new().has_headers(names).from_writer(Vec::new());
    for line in lines {
        writer.serialize(line)?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_could_not_be_written_come_before_the_next() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("log.txt");
        let mut log = Appender::open(path.clone()).expect("a new file");
        log.line("first").expect("writable");
        let writable = std::mem::replace(&mut log.file, File::open(&path).expect("there"));
        assert!(log.line("second").expect_err("opened for reading").to_string().contains("log.txt"));
        assert!(log.line("third").is_err());
        log.file = writable;
        log.line("fourth").expect("writable");
        assert_eq!(std::fs::read_to_string(&path).expect("there"), "first\nsecond\nthird\nfourth\n");
    }
}
