//! The header before each page of a column: `PageHeader` in Parquet's `parquet.thrift`.

use super::thrift::Input;
use super::thrift::of_type::{I32, STRUCT, TRUE};
use anyhow::Context;

/// What a page holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageKind {
    Data,
    /// Data whose levels lie before the compressed part.
    DataV2 {
        /// Bytes of the repetition and the definition levels.
        levels: [u32; 2],
        is_compressed: bool,
    },
    Dictionary,
    /// What is skipped: an index.
    Other,
}

/// A page header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PageHeader {
    pub(super) kind: PageKind,
    /// Bytes of the header itself.
    pub(super) length: u32,
    /// Bytes behind the header.
    pub(super) compressed: u32,
    /// Bytes that they become.
    pub(super) uncompressed: u32,
    /// Values in the page, nulls included.
    pub(super) values: u32,
    /// `Encoding` in Parquet's numbers.
    pub(super) encoding: i64,
}

impl PageHeader {
    /// Reads the header that `bytes` start with; `None` where they end within it.
    pub(super) fn parse(bytes: &[u8]) -> anyhow::Result<Option<Self>> {
        let mut input = Input::new(bytes);
        match read(&mut input) {
            Ok(header) => Ok(Some(Self { length: (bytes.len() - input.left()) as u32, ..header })),
            Err(_) if input.is_short => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn read(input: &mut Input<'_>) -> anyhow::Result<PageHeader> {
    // By number of field: of the header (kind, uncompressed, compressed) and of what describes the page.
    let mut head = [None; 4];
    let mut page = [None; 8];
    input.structure(|input, field, of_type| match (field, of_type) {
        (1..=3, I32) => {
            head[field as usize] = Some(input.number()?);
            Ok(())
        }
        // Of a data page, of a dictionary, of a data page of version 2.
        (5 | 7 | 8, STRUCT) => input.structure(|input, field, of_type| match (field, of_type) {
            (1..=6, I32) => {
                page[field as usize] = Some(input.number()?);
                Ok(())
            }
            (7, of_type) if of_type <= 2 => {
                page[7] = Some(i64::from(of_type == TRUE));
                Ok(())
            }
            (_, of_type) => input.skip(of_type),
        }),
        (_, of_type) => input.skip(of_type),
    })?;
    let number = |value: Option<i64>, what: &str| {
        let value = value.with_context(|| format!("a page header does not say its {what}"))?;
        u32::try_from(value).with_context(|| format!("a page header says that its {what} is {value}"))
    };
    let (kind, values, encoding) = match number(head[1], "kind")? {
        0 => (PageKind::Data, page[1], page[2]),
        2 => (PageKind::Dictionary, page[1], page[2]),
        3 => {
            let levels = [number(page[6], "level size")?, number(page[5], "level size")?];
            (PageKind::DataV2 { levels, is_compressed: page[7] != Some(0) }, page[1], page[4])
        }
        _ => (PageKind::Other, Some(0), Some(0)),
    };
    Ok(PageHeader {
        kind,
        length: 0,
        compressed: number(head[3], "size")?,
        uncompressed: number(head[2], "uncompressed size")?,
        values: number(values, "number of values")?,
        encoding: encoding.context("a page header does not say its encoding")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A data page of 7 values, 300 bytes that become 1000, with a checksum and with statistics.
    const DATA: [u8; 26] = [
        0x15, 0, 0x15, 0xd0, 0x0f, 0x15, 0xd8, 0x04, 0x15, 1, 0x1c, 0x15, 14, 0x15, 0, 0x15, 6, 0x15, 6,
        0x1c, 0x18, 1, b'x', 0, 0, 0,
    ];

    #[test]
    fn a_header_says_what_the_page_is_and_how_large() {
        let kind = PageKind::Data;
        let expected =
            PageHeader { kind, length: 26, compressed: 300, uncompressed: 1000, values: 7, encoding: 0 };
        let more = [&DATA[..], &[1, 2, 3]].concat();
        assert_eq!(PageHeader::parse(&more).unwrap(), Some(expected));
        for end in 0..DATA.len() {
            assert_eq!(PageHeader::parse(&DATA[..end]).unwrap(), None, "cut at {end}");
        }
    }

    #[test]
    fn sizes_below_zero_are_refused() {
        let mut bytes = DATA;
        bytes[6] = 0xd9;
        assert!(PageHeader::parse(&bytes).unwrap_err().to_string().contains("-301"));
        bytes = DATA;
        bytes[12] = 15;
        assert!(PageHeader::parse(&bytes).unwrap_err().to_string().contains("number of values"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_header_or_a_sentence(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = PageHeader::parse(&bytes);
        }
    }
}
