//! CIFAR-10 and CIFAR-100 in their original binary files: records of one label byte (CIFAR-100: a coarse and
//! a fine one, the fine one is the class) and 3072 bytes, the 32×32 planes red, green, blue.
//! Source of the layout: the data sets' own page, cs.toronto.edu/~kriz/cifar.html.

use super::Framing;
use super::packed::Packed;
use crate::config::path_faults::unreadable_file;
use crate::config::reading;
use anyhow::{Context, anyhow, bail, ensure};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

const SIDE: usize = 32;
const PIXELS: usize = 3 * SIDE * SIDE;

/// Most records of a file, ten times the largest of the original sets: all are kept in memory.
const MOST_RECORDS: u64 = 500_000;

/// Which of the two sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cifar {
    Ten,
    Hundred,
}

impl Cifar {
    fn classes(self) -> usize {
        match self {
            Cifar::Ten => 10,
            Cifar::Hundred => 100,
        }
    }

    /// Label bytes of a record; the last one is the class.
    fn label_bytes(self) -> usize {
        match self {
            Cifar::Ten => 1,
            Cifar::Hundred => 2,
        }
    }

    fn names_file(self) -> &'static str {
        match self {
            Cifar::Ten => "batches.meta.txt",
            Cifar::Hundred => "fine_label_names.txt",
        }
    }

    /// The folder that the official archive unpacks to.
    fn archive_folder(self) -> &'static str {
        match self {
            Cifar::Ten => "cifar-10-batches-bin",
            Cifar::Hundred => "cifar-100-binary",
        }
    }

    fn files(self, train: bool) -> &'static [&'static str] {
        match (self, train) {
            (Cifar::Ten, true) => &[
                "data_batch_1.bin",
                "data_batch_2.bin",
                "data_batch_3.bin",
                "data_batch_4.bin",
                "data_batch_5.bin",
            ],
            (Cifar::Ten, false) => &["test_batch.bin"],
            (Cifar::Hundred, true) => &["train.bin"],
            (Cifar::Hundred, false) => &["test.bin"],
        }
    }

    /// Reads one split from `path`, the folder of the files or the one that holds the archive's folder.
    pub(super) fn open(self, path: &Path, train: bool, framing: Framing) -> anyhow::Result<Packed> {
        let nested = path.join(self.archive_folder());
        let dir = if nested.is_dir() { nested } else { path.to_owned() };
        let mut set = Packed {
            split: if train { "train" } else { "val" },
            classes: self.class_names(&dir)?,
            side: SIDE,
            planes: 3,
            labels: Vec::new(),
            pixels: Vec::new(),
            framing,
        };
        for file in self.files(train) {
            self.read(&dir.join(file), &mut set)?;
        }
        Ok(set)
    }

    fn read(self, path: &Path, set: &mut Packed) -> anyhow::Result<()> {
        let file = reading::open(path).map_err(|e| anyhow!("`data.path`: {}", unreadable_file(path, &e)))?;
        let unreadable = || format!("cannot read {}", path.display());
        let length = file.metadata().with_context(unreadable)?.len();
        let record = (self.label_bytes() + PIXELS) as u64;
        ensure!(
            length > 0 && length % record == 0,
            "{} has {length} bytes, which is not a whole number of {record}-byte records: the file is cut off or not \
             the binary version of the set",
            path.display()
        );
        ensure!(
            length / record <= MOST_RECORDS,
            "{} has {length} bytes; expected at most {MOST_RECORDS} images in a file",
            path.display()
        );
        let count = (length / record) as usize;
        set.labels.reserve_exact(count);
        set.pixels.reserve_exact(count * PIXELS);
        let mut reader = BufReader::new(file);
        let mut labels = [0u8; 2];
        let labels = &mut labels[..self.label_bytes()];
        for i in 0..count {
            reader.read_exact(labels).with_context(unreadable)?;
            let label = labels[labels.len() - 1];
            ensure!(
                usize::from(label) < self.classes(),
                "image {i} of {} has label {label}, expected 0 to {}",
                path.display(),
                self.classes() - 1
            );
            set.labels.push(label);
            let start = set.pixels.len();
            set.pixels.resize(start + PIXELS, 0);
            reader.read_exact(&mut set.pixels[start..]).with_context(unreadable)?;
        }
        Ok(())
    }

    /// From the names file, one name a line; numbers where there is no such file.
    fn class_names(self, dir: &Path) -> anyhow::Result<Vec<String>> {
        let path: PathBuf = dir.join(self.names_file());
        let text = match reading::read_text(&path, reading::MOST_TEXT) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let width = (self.classes() - 1).to_string().len();
                return Ok((0..self.classes()).map(|i| format!("{i:0width$}")).collect());
            }
            Err(error) => bail!(unreadable_file(&path, &error)),
        };
        let names: Vec<String> =
            text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
        ensure!(
            names.len() == self.classes(),
            "{} holds {} class names, expected {}",
            path.display(),
            names.len(),
            self.classes()
        );
        Ok(names)
    }
}
