//! One Parquet file of a set: its row groups and the labels of its rows, read at once, and its images, read
//! one by one.

use super::columns::Columns;
use super::footer::{Column, ColumnType, Footer};
use super::pages::{Chunk, Pages};
use super::values::Values;
use crate::config::path_faults::unreadable_file;
use crate::config::reading;
use anyhow::{Context, anyhow, ensure};
use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A file whose footer was read.
pub(super) struct ImageFile {
    pub(super) path: PathBuf,
    column: Column,
    groups: Vec<Group>,
}

/// A row group.
struct Group {
    /// Number of its first row in the file.
    first_row: u64,
    rows: u64,
    chunk: Chunk,
    /// Where its pages lie, once somebody has looked.
    pages: OnceLock<Result<Pages, String>>,
}

/// The labels of a file's rows.
#[derive(Default)]
pub(super) struct FileLabels {
    /// Labels that differ, as text.
    pub(super) texts: Vec<String>,
    /// Number of each row's label in `texts`; `None`: the row has none.
    pub(super) of_rows: Vec<Option<u32>>,
    /// Class names by number, of labels that are numbers.
    pub(super) names: Option<Vec<String>>,
    numbers: HashMap<String, u32>,
}

impl ImageFile {
    /// Reads the footer and all labels of the file at `path`. Fails with a sentence that names it.
    pub(super) fn open(path: &Path) -> anyhow::Result<(Self, FileLabels)> {
        Self::read(path).with_context(|| format!("the Parquet file {} cannot be used", path.display()))
    }

    fn read(path: &Path) -> anyhow::Result<(Self, FileLabels)> {
        let unreadable = |e: std::io::Error| anyhow!(unreadable_file(path, &e));
        let mut file = reading::open(path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        let footer = Footer::read(&mut file, length)?;
        let columns = Columns::of(&footer)?;
        let column = &footer.columns[columns.label];
        let mut labels = FileLabels { names: columns.names, ..FileLabels::default() };
        let (mut first_row, mut groups) = (0_u64, Vec::with_capacity(footer.groups.len()));
        for (rows, chunks) in footer.groups {
            let chunk = |column: usize| -> anyhow::Result<Chunk> {
                let chunk = chunks.get(column).copied().context("a row group lacks a column")?;
                let span = chunk.span;
                let lies_in_it = span.offset.checked_add(span.length).is_some_and(|end| end <= length);
                ensure!(lies_in_it, "a column does not lie in the file: it is cut off or damaged");
                Ok(chunk)
            };
            // An image takes a byte at least, if it is one.
            ensure!(
                first_row.checked_add(rows).is_some_and(|all| all <= length),
                "it says it has {rows} rows in a row group, which its {length} bytes cannot hold"
            );
            labels.read(&mut file, column, &chunk(columns.label)?, rows)?;
            groups.push(Group { first_row, rows, chunk: chunk(columns.image)?, pages: OnceLock::new() });
            first_row += rows;
        }
        let column = footer.columns[columns.image].clone();
        Ok((Self { path: path.to_owned(), column, groups }, labels))
    }

    /// Where row `row` is: row group, page in it, place in the page.
    pub(super) fn place(&self, row: u64) -> anyhow::Result<(usize, usize, usize)> {
        let group = self.groups.partition_point(|group| group.first_row <= row) - 1;
        let (page, place) = self.pages(group)?.page_of(row - self.groups[group].first_row);
        Ok((group, page, place))
    }

    /// The images of a page.
    pub(super) fn page(&self, group: usize, page: usize) -> anyhow::Result<Values> {
        self.pages(group)?.decode(&mut self.file()?, &self.column, page)
    }

    fn pages(&self, group: usize) -> anyhow::Result<&Pages> {
        let Group { rows, chunk, pages, .. } = &self.groups[group];
        let find = || Pages::find(&mut self.file()?, chunk, *rows);
        let pages = pages.get_or_init(|| find().map_err(|error| format!("{error:#}")));
        pages.as_ref().map_err(|text| anyhow!("{text}"))
    }

    fn file(&self) -> anyhow::Result<File> {
        reading::open(&self.path).map_err(|e| anyhow!(unreadable_file(&self.path, &e)))
    }
}

impl FileLabels {
    /// Adds the labels of a row group.
    fn read(&mut self, file: &mut File, column: &Column, chunk: &Chunk, rows: u64) -> anyhow::Result<()> {
        let pages = Pages::find(file, chunk, rows)?;
        for page in 0..pages.len() {
            let values = pages.decode(file, column, page)?;
            for row in 0..values.len() {
                let text = values.get(row).map(|bytes| text(bytes, column.of_type)).transpose()?;
                // Where classes have names, -1 stands for none.
                let says_none = |text: &String| text.is_empty() || (self.names.is_some() && text == "-1");
                let text = text.filter(|text| !says_none(text));
                let number = text.map(|text| self.number(text));
                self.of_rows.push(number);
            }
        }
        Ok(())
    }

    fn number(&mut self, text: String) -> u32 {
        if let Some(number) = self.numbers.get(&text) {
            return *number;
        }
        let number = self.texts.len() as u32;
        self.texts.push(text.clone());
        self.numbers.insert(text, number);
        number
    }
}

/// A label as text.
fn text(bytes: &[u8], of_type: ColumnType) -> anyhow::Result<String> {
    Ok(match (of_type, bytes) {
        (ColumnType::Int32, &[a, b, c, d]) => i32::from_le_bytes([a, b, c, d]).to_string(),
        (ColumnType::Int64, &[a, b, c, d, e, f, g, h]) => {
            i64::from_le_bytes([a, b, c, d, e, f, g, h]).to_string()
        }
        (_, bytes) => std::str::from_utf8(bytes).context("a label is no UTF-8 text")?.trim().to_owned(),
    })
}
