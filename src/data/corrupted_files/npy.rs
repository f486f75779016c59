//! Reads NumPy's array files, versions 1 to 3, of bytes and whole numbers in C order. Source of the layout:
//! NumPy's documentation of `numpy.lib.format`.

use crate::config::path_faults::unreadable_file;
use crate::config::reading;
use anyhow::{Context as _, anyhow, bail, ensure};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// Longest header that is read, bytes.
const MAX_HEADER: usize = 64 << 10;

/// An array in a file.
pub(super) struct Array {
    path: PathBuf,
    file: File,
    /// Where its values start.
    start: u64,
    /// NumPy's word for the type of a value, such as `|u1` or `<i8`.
    kind: String,
    pub(super) shape: Vec<usize>,
}

impl Array {
    /// Opens an array and reads what it holds; fails where the file is shorter than that.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let mut file = reading::open(path).map_err(|e| anyhow!("--path: {}", unreadable_file(path, &e)))?;
        let shown = path.display();
        let broken = || format!("{shown} is no NumPy array: its header cannot be read");
        let mut magic = [0; 8];
        file.read_exact(&mut magic).with_context(broken)?;
        ensure!(magic.starts_with(b"\x93NUMPY") && (1..=3).contains(&magic[6]), broken());
        let mut length = [0; 4];
        let length_bytes = if magic[6] == 1 { 2 } else { 4 };
        file.read_exact(&mut length[..length_bytes]).with_context(broken)?;
        let length = u32::from_le_bytes(length) as usize;
        ensure!(length <= MAX_HEADER, broken());
        let mut header = vec![0; length];
        file.read_exact(&mut header).with_context(broken)?;
        let header = String::from_utf8_lossy(&header);
        let (kind, shape) = described(&header).with_context(broken)?;
        ensure!(
            value(&header, "fortran_order").is_some_and(|word| word.starts_with("False")),
            "{shown} is in Fortran order; expected an array in C order, as numpy.save writes it by default"
        );
        let array =
            Self { path: path.to_owned(), start: (8 + length_bytes + length) as u64, file, kind, shape };
        let width = array.width()? as u64;
        let count = array.shape.iter().try_fold(1_u64, |all, side| all.checked_mul(*side as u64));
        let needed = count.and_then(|count| count.checked_mul(width)?.checked_add(array.start));
        let there = array.file.metadata().with_context(broken)?.len();
        ensure!(
            needed.is_some_and(|needed| needed <= there),
            "{shown} has {there} bytes, too few for its shape {:?} of {}: the file is cut off",
            array.shape,
            array.kind
        );
        Ok(array)
    }

    /// Bytes of a value.
    fn width(&self) -> anyhow::Result<usize> {
        match self.kind.as_str() {
            "|u1" | "|i1" => Ok(1),
            "<i2" | "<u2" => Ok(2),
            "<i4" | "<u4" => Ok(4),
            "<i8" | "<u8" => Ok(8),
            other => bail!("{} holds values of type {other}; expected whole numbers", self.path.display()),
        }
    }

    /// Whether it holds bytes.
    pub(super) fn is_of_bytes(&self) -> bool {
        self.kind == "|u1"
    }

    /// The bytes of `count` values from value `first` on.
    pub(super) fn bytes(&mut self, first: usize, count: usize) -> anyhow::Result<Vec<u8>> {
        let width = self.width()?;
        let mut bytes = vec![0; count * width];
        let read = (|| {
            self.file.seek(SeekFrom::Start(self.start + (first * width) as u64))?;
            self.file.read_exact(&mut bytes)
        })();
        read.map_err(|e: std::io::Error| anyhow!("--path: {}", unreadable_file(&self.path, &e)))?;
        Ok(bytes)
    }

    /// All values as whole numbers from 0; a negative one becomes too large for a class.
    pub(super) fn whole_numbers(&mut self) -> anyhow::Result<Vec<u64>> {
        let (width, signed) = (self.width()?, self.kind.contains('i'));
        let bytes = self.bytes(0, self.shape.iter().product())?;
        let number = |bytes: &[u8]| {
            let negative = signed && bytes[width - 1] >= 128;
            let value = bytes.iter().rev().fold(0, |value, byte| (value << 8) | u64::from(*byte));
            if negative { u64::MAX } else { value }
        };
        Ok(bytes.chunks_exact(width).map(number).collect())
    }
}

/// The text behind `'key':` in the header, a Python dict.
fn value<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let (_, behind) = header.split_once(&format!("'{key}'"))?;
    Some(behind.trim_start().strip_prefix(':')?.trim_start())
}

/// The type of the values and the shape.
fn described(header: &str) -> Option<(String, Vec<usize>)> {
    let (kind, _) = value(header, "descr")?.strip_prefix('\'')?.split_once('\'')?;
    let (sides, _) = value(header, "shape")?.strip_prefix('(')?.split_once(')')?;
    let sides = sides.split(',').map(str::trim).filter(|side| !side.is_empty());
    Some((kind.to_owned(), sides.map(|side| side.parse().ok()).collect::<Option<_>>()?))
}
