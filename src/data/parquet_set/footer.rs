//! The footer of a Parquet file: its columns, its row groups and what its writer noted, `FileMetaData` in
//! Parquet's `parquet.thrift`.

use super::pages::{Chunk, Codec, Span};
use super::thrift::Input;
use super::thrift::of_type::{BINARY, I32, I64, LIST, STRUCT};
use anyhow::{Context, bail, ensure};
use std::fs::File;

/// Largest footer, bytes. One of 12,000 row groups takes ten MiB.
const MOST_BYTES: u64 = 256 << 20;

/// Columns in columns.
const MAX_DEPTH: usize = 16;

/// The physical type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnType {
    Int32,
    Int64,
    /// Bytes of any length.
    Bytes,
    Other,
}

/// A column that holds values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    /// Its names from the outermost on.
    pub(super) path: Vec<String>,
    pub(super) of_type: ColumnType,
    /// Whether its bytes are UTF-8 text.
    pub(super) is_text: bool,
    /// Whether a row may have several values.
    pub(super) is_repeated: bool,
    /// The definition level of a value that is there.
    pub(super) max_level: u32,
}

/// A footer.
#[derive(Debug, Default)]
pub(super) struct Footer {
    pub(super) columns: Vec<Column>,
    /// Rows of each row group, and its part of each column.
    pub(super) groups: Vec<(u64, Vec<Chunk>)>,
    /// Keys and values.
    pub(super) notes: Vec<(String, String)>,
}

/// An element of the schema, which lies there as a list of a tree's nodes, each before its children.
#[derive(Default)]
struct Element {
    of_type: Option<i64>,
    repetition: i64,
    name: String,
    children: i64,
    is_text: bool,
}

impl Footer {
    /// Reads the footer of a file of `length` bytes.
    pub(super) fn read(file: &mut File, length: u64) -> anyhow::Result<Self> {
        /// Its length, and a word.
        const TAIL: u64 = 8;
        let tail = match length.checked_sub(TAIL) {
            Some(offset) => Span { offset, length: TAIL }.read(file).context("its footer cannot be read")?,
            None => Vec::new(),
        };
        ensure!(!tail.ends_with(b"PARE"), "it is encrypted; write it without encryption");
        ensure!(
            tail.ends_with(b"PAR1"),
            "it does not end as a Parquet file does: it is none, or was cut off"
        );
        let size = u64::from(u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]));
        ensure!(
            size <= (length - TAIL).min(MOST_BYTES),
            "its footer says it has {size} bytes, and the file has {length}: it is damaged"
        );
        let span = Span { offset: length - TAIL - size, length: size };
        Self::parse(&span.read(file).context("its footer cannot be read")?)
    }

    fn parse(bytes: &[u8]) -> anyhow::Result<Self> {
        let mut elements = Vec::new();
        let mut footer = Self::default();
        Input::new(bytes).structure(|input, field, of_type| match (field, of_type) {
            (2, LIST) => input.list(|input, _| {
                elements.push(element(input)?);
                Ok(())
            }),
            (4, LIST) => input.list(|input, _| {
                footer.groups.push(row_group(input)?);
                Ok(())
            }),
            (5, LIST) => input.list(|input, _| {
                footer.notes.push(note(input)?);
                Ok(())
            }),
            (_, of_type) => input.skip(of_type),
        })?;
        let mut elements = elements.into_iter();
        let root = elements.next().context("its schema is empty")?;
        for _ in 0..root.children {
            leaves(&mut elements, &[], (false, 0), &mut footer.columns)?;
        }
        Ok(footer)
    }
}

/// Takes the next node with all below it.
fn leaves(
    elements: &mut std::vec::IntoIter<Element>,
    above: &[String],
    (mut is_repeated, mut level): (bool, u32),
    columns: &mut Vec<Column>,
) -> anyhow::Result<()> {
    let element = elements.next().context("its schema is cut off")?;
    ensure!(above.len() < MAX_DEPTH, "its schema is too deep");
    match element.repetition {
        0 => {}
        repetition => {
            level += 1;
            is_repeated |= repetition == 2;
        }
    }
    let path = [above, &[element.name]].concat();
    if element.children > 0 {
        for _ in 0..element.children {
            leaves(elements, &path, (is_repeated, level), columns)?;
        }
        return Ok(());
    }
    let of_type = match element.of_type {
        Some(1) => ColumnType::Int32,
        Some(2) => ColumnType::Int64,
        Some(6) => ColumnType::Bytes,
        _ => ColumnType::Other,
    };
    columns.push(Column { path, of_type, is_text: element.is_text, is_repeated, max_level: level });
    Ok(())
}

fn element(input: &mut Input<'_>) -> anyhow::Result<Element> {
    let mut found = Element::default();
    input.structure(|input, field, of_type| {
        match (field, of_type) {
            (1, I32) => found.of_type = Some(input.number()?),
            (3, I32) => found.repetition = input.number()?,
            (4, BINARY) => found.name = input.text()?,
            (5, I32) => found.children = input.number()?,
            // Texts are of the converted type 0, of the logical type 1.
            (6, I32) => found.is_text |= input.number()? == 0,
            (10, STRUCT) => input.structure(|input, field, of_type| {
                found.is_text |= field == 1;
                input.skip(of_type)
            })?,
            (_, of_type) => input.skip(of_type)?,
        }
        Ok(())
    })?;
    Ok(found)
}

fn row_group(input: &mut Input<'_>) -> anyhow::Result<(u64, Vec<Chunk>)> {
    let (mut rows, mut chunks) = (None, Vec::new());
    input.structure(|input, field, of_type| {
        match (field, of_type) {
            (1, LIST) => input.list(|input, _| {
                let mut chunk = None;
                input.structure(|input, field, of_type| match (field, of_type) {
                    (3, STRUCT) => {
                        chunk = Some(column_chunk(input)?);
                        Ok(())
                    }
                    (_, of_type) => input.skip(of_type),
                })?;
                chunks.push(chunk.context("a row group lacks a column")?);
                Ok(())
            })?,
            (3, I64) => rows = Some(input.number()?),
            (_, of_type) => input.skip(of_type)?,
        }
        Ok(())
    })?;
    let rows = rows.and_then(|rows| u64::try_from(rows).ok());
    Ok((rows.context("a row group does not say how many rows it has")?, chunks))
}

fn column_chunk(input: &mut Input<'_>) -> anyhow::Result<Chunk> {
    // By number of field: codec, size, start of the data and of the dictionary.
    let mut found = [None; 12];
    input.structure(|input, field, of_type| match (field, of_type) {
        (4, I32) | (7 | 9 | 11, I64) => {
            found[field as usize] = Some(input.number()?);
            Ok(())
        }
        (_, of_type) => input.skip(of_type),
    })?;
    let number = |field: usize| found[field].and_then(|value| u64::try_from(value).ok());
    // Some writers give a dictionary's offset as 0 where there is none.
    let offset = number(11).filter(|offset| *offset > 0).or(number(9));
    let (Some(offset), Some(length)) = (offset, number(7)) else {
        bail!("a column does not say where it lies")
    };
    Ok(Chunk { span: Span { offset, length }, codec: Codec::of(found[4].unwrap_or_default()) })
}

fn note(input: &mut Input<'_>) -> anyhow::Result<(String, String)> {
    let mut found = (String::new(), String::new());
    input.structure(|input, field, of_type| {
        match (field, of_type) {
            (1, BINARY) => found.0 = input.text()?,
            (2, BINARY) => found.1 = input.text()?,
            (_, of_type) => input.skip(of_type)?,
        }
        Ok(())
    })?;
    Ok(found)
}
