//! The pages of a column: where they lie, found by walking over their headers, and what is in one of them. A
//! page is the smallest thing that can be read alone, a mebibyte as a rule; a row group has hundreds of
//! images.

use super::footer::Column;
use super::page_header::{PageHeader, PageKind};
use super::values::{self, Values};
use anyhow::{Context, anyhow, bail, ensure};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

/// Bytes that are read for a header; most take fifty, those with statistics of long values some thousands.
const HEADER_ROOM: [u64; 2] = [1 << 12, 1 << 20];

/// Most values of a page; writers begin a new one long before.
const MOST_VALUES: u32 = 1 << 22;

/// A page's bytes may become so many, and beyond that [`MAX_RATIO`] times what they are in the file.
const TRUSTED_BYTES: u64 = 64 << 20;

/// See [`TRUSTED_BYTES`].
const MAX_RATIO: u64 = 2048;

/// Most bytes of a page.
const MOST_BYTES: u32 = 1 << 30;

/// Bytes that lie in a file beside each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) offset: u64,
    pub(super) length: u64,
}

impl Span {
    /// Reads them. Fails where the file has fewer.
    pub(super) fn read(self, file: &mut File) -> std::io::Result<Vec<u8>> {
        file.seek(SeekFrom::Start(self.offset))?;
        let mut bytes = Vec::new();
        file.take(self.length).read_to_end(&mut bytes)?;
        if (bytes.len() as u64) < self.length {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(bytes)
    }
}

/// How a column is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    Plain,
    Snappy,
    Gzip,
    Zstd,
    /// `CompressionCodec` in Parquet's numbers.
    Other(i64),
}

impl Codec {
    /// The codec of this number in Parquet's `CompressionCodec`.
    pub(super) fn of(number: i64) -> Self {
        match number {
            0 => Self::Plain,
            1 => Self::Snappy,
            2 => Self::Gzip,
            6 => Self::Zstd,
            other => Self::Other(other),
        }
    }

    /// The `size` bytes that `bytes` are made of.
    fn decompress(self, bytes: Vec<u8>, size: usize) -> anyhow::Result<Vec<u8>> {
        let within = |reader: &mut dyn Read| -> anyhow::Result<Vec<u8>> {
            let mut out = Vec::with_capacity(size);
            // One byte more than there should be shows that there are too many.
            reader.take(size as u64 + 1).read_to_end(&mut out).context("a page cannot be decompressed")?;
            Ok(out)
        };
        let out = match self {
            Self::Plain => bytes,
            Self::Snappy => {
                let mut out = vec![0; size];
                let written = snap::raw::Decoder::new().decompress(&bytes, &mut out);
                ensure!(written.is_ok_and(|written| written == size), "a page cannot be decompressed");
                out
            }
            Self::Gzip => within(&mut flate2::read::MultiGzDecoder::new(bytes.as_slice()))?,
            Self::Zstd => {
                let decoder = ruzstd::decoding::StreamingDecoder::new(bytes.as_slice());
                within(&mut decoder.map_err(|_| anyhow!("a page cannot be decompressed"))?)?
            }
            Self::Other(number) => {
                let name = match number {
                    3 => "lzo".to_owned(),
                    4 => "brotli".to_owned(),
                    5 | 7 => "lz4".to_owned(),
                    number => format!("method {number}"),
                };
                bail!("it is compressed by {name}; write it with compression snappy, zstd, gzip or none")
            }
        };
        ensure!(out.len() == size, "a page has {} bytes instead of {size}: the file is damaged", out.len());
        Ok(out)
    }
}

/// The part of a column in one row group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk {
    pub(super) span: Span,
    pub(super) codec: Codec,
}

/// A page with its header.
#[derive(Clone, Copy, Debug)]
struct Page {
    /// Number of its first row in the row group.
    first_row: u64,
    /// Where its header starts.
    offset: u64,
    header: PageHeader,
}

/// Where the pages of a column in one row group lie.
#[derive(Debug)]
pub(super) struct Pages {
    codec: Codec,
    dictionary: Option<Page>,
    data: Vec<Page>,
}

impl Pages {
    /// Walks over the headers of a column that has `rows` rows in a row group. A column without repeated
    /// values has a value, or its absence, for each row.
    pub(super) fn find(file: &mut File, chunk: &Chunk, rows: u64) -> anyhow::Result<Self> {
        let end = chunk.span.offset.saturating_add(chunk.span.length);
        let (mut at, mut first_row) = (chunk.span.offset, 0);
        let mut pages = Self { codec: chunk.codec, dictionary: None, data: Vec::new() };
        while at < end && first_row < rows {
            let header = header(file, Span { offset: at, length: end - at })?;
            let length = u64::from(header.length) + u64::from(header.compressed);
            ensure!(length <= end - at, "a page does not lie in its column: the file is damaged");
            let room = TRUSTED_BYTES.max(MAX_RATIO * u64::from(header.compressed));
            ensure!(
                header.uncompressed <= MOST_BYTES && u64::from(header.uncompressed) <= room,
                "a page of {} bytes asks for {}: the file is damaged",
                header.compressed,
                header.uncompressed
            );
            let values = u64::from(header.values);
            let page = Page { first_row, offset: at, header };
            match header.kind {
                // A value takes four bytes at least.
                PageKind::Dictionary => {
                    ensure!(
                        4 * values <= u64::from(header.uncompressed),
                        "a dictionary of {} bytes says it has {values} values: the file is damaged",
                        header.uncompressed
                    );
                    pages.dictionary = Some(page);
                }
                PageKind::Data | PageKind::DataV2 { .. } => {
                    ensure!(
                        header.values <= MOST_VALUES && values <= rows - first_row,
                        "a page says it has {values} values: the file is damaged"
                    );
                    if values > 0 {
                        pages.data.push(page);
                    }
                    first_row += values;
                }
                PageKind::Other => {}
            }
            at += length;
        }
        ensure!(
            first_row == rows,
            "a row group says it has {rows} rows, and its pages hold {first_row}: the file is damaged"
        );
        Ok(pages)
    }

    /// The number of pages.
    pub(super) fn len(&self) -> usize {
        self.data.len()
    }

    /// The page that holds row `row` of the row group, and the row's place in it.
    pub(super) fn page_of(&self, row: u64) -> (usize, usize) {
        let page = self.data.partition_point(|page| page.first_row <= row) - 1;
        (page, (row - self.data[page].first_row) as usize)
    }

    /// Decodes page `page`: a value for each of its rows.
    pub(super) fn decode(&self, file: &mut File, column: &Column, page: usize) -> anyhow::Result<Values> {
        let page = self.data[page];
        let (levels, bytes) = self.read(file, page)?;
        let dictionary = match self.dictionary {
            Some(dictionary) if values::uses_dictionary(page.header.encoding) => {
                let (_, bytes) = self.read(file, dictionary)?;
                Some((bytes, dictionary.header.values as usize))
            }
            _ => None,
        };
        values::decode(column, &page.header, levels, bytes, dictionary)
    }

    /// The bytes of a page, decompressed; what lies before the compressed part is the first of the two.
    fn read(&self, file: &mut File, page: Page) -> anyhow::Result<(Vec<u8>, Vec<u8>)> {
        let header = page.header;
        let (offset, length) = (page.offset + u64::from(header.length), u64::from(header.compressed));
        let mut levels = Span { offset, length }.read(file).context("a page cannot be read")?;
        let size = header.uncompressed as usize;
        let PageKind::DataV2 { levels: [repetition, definition], is_compressed } = header.kind else {
            return Ok((Vec::new(), self.codec.decompress(levels, size)?));
        };
        let before = repetition as usize + definition as usize;
        ensure!(before <= levels.len().min(size), "a page has more levels than bytes: the file is damaged");
        let bytes = levels.split_off(before);
        let codec = if is_compressed { self.codec } else { Codec::Plain };
        // Nothing may be compressed to nothing.
        let bytes = if size == before { Vec::new() } else { codec.decompress(bytes, size - before)? };
        Ok((levels.split_off(repetition as usize), bytes))
    }
}

fn header(file: &mut File, rest: Span) -> anyhow::Result<PageHeader> {
    for room in HEADER_ROOM {
        let bytes =
            Span { length: rest.length.min(room), ..rest }.read(file).context("a page cannot be read")?;
        if let Some(header) = PageHeader::parse(&bytes)? {
            return Ok(header);
        }
    }
    Err(anyhow!("a page header is cut off: the file is damaged"))
}
