//! The values of a page: plain ones, and numbers of those in a dictionary. Encodings as in Parquet's
//! `Encodings.md`.

use super::footer::{Column, ColumnType};
use super::page_header::{PageHeader, PageKind};
use anyhow::{Context, bail, ensure};

const PLAIN: i64 = 0;
const PLAIN_DICTIONARY: i64 = 2;
const RLE_DICTIONARY: i64 = 8;

/// The values of a page's rows.
#[derive(Debug)]
pub(super) struct Values {
    /// What the values lie in: the page, or its dictionary.
    bytes: Vec<u8>,
    /// Start and length of each row's value in `bytes`; `None`: the row has none.
    places: Vec<Option<(u32, u32)>>,
}

impl Values {
    /// The number of rows.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// The value of a row; `None` where it has none.
    pub(super) fn get(&self, row: usize) -> Option<&[u8]> {
        let (start, length) = (*self.places.get(row)?)?;
        self.bytes.get(start as usize..)?.get(..length as usize)
    }

    /// Values one behind the other.
    #[cfg(test)]
    pub(super) fn of(values: &[&[u8]]) -> Self {
        let start = |place: usize| values[..place].iter().map(|value| value.len() as u32).sum();
        let places = values.iter().enumerate().map(|(place, value)| Some((start(place), value.len() as u32)));
        Self { bytes: values.concat(), places: places.collect() }
    }

    /// Bytes of memory that they take.
    pub(super) fn memory(&self) -> usize {
        self.bytes.len() + self.places.len() * size_of::<Option<(u32, u32)>>()
    }
}

/// Whether values of this encoding are numbers of those in a dictionary.
pub(super) fn uses_dictionary(encoding: i64) -> bool {
    matches!(encoding, PLAIN_DICTIONARY | RLE_DICTIONARY)
}

/// Decodes a page. `levels` has the definition levels of a page of version 2; `dictionary` is the bytes of
/// its dictionary's page and the number of values in it.
pub(super) fn decode(
    column: &Column,
    header: &PageHeader,
    levels: Vec<u8>,
    bytes: Vec<u8>,
    dictionary: Option<(Vec<u8>, usize)>,
) -> anyhow::Result<Values> {
    let rows = header.values as usize;
    let mut rest = bytes.as_slice();
    let is_there: Vec<bool> = if column.max_level == 0 {
        vec![true; rows]
    } else {
        let width = u32::BITS - column.max_level.leading_zeros();
        let levels = match header.kind {
            PageKind::DataV2 { .. } => levels.as_slice(),
            _ => {
                let length = take(&mut rest, 4)?;
                let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]);
                take(&mut rest, length as usize)?
            }
        };
        numbers(levels, width, rows)?.into_iter().map(|level| level == column.max_level).collect()
    };
    let count = is_there.iter().filter(|is_there| **is_there).count();
    let (found, bytes) = match (header.encoding, dictionary) {
        (PLAIN, _) => {
            let start = bytes.len() - rest.len();
            (plain(column.of_type, rest, start, count)?, bytes)
        }
        (encoding, Some((dictionary, entries))) if uses_dictionary(encoding) => {
            let entries = plain(column.of_type, &dictionary, 0, entries)?;
            let numbers = match rest.split_first() {
                Some((width, rest)) => numbers(rest, u32::from(*width), count)?,
                None => Vec::new(),
            };
            let entry = |number: u32| entries.get(number as usize).copied();
            let found: Option<Vec<(u32, u32)>> = numbers.into_iter().map(entry).collect();
            (found.context("a value is not in its dictionary: the file is damaged")?, dictionary)
        }
        (encoding, _) if uses_dictionary(encoding) => {
            bail!("a page's dictionary is missing: the file is damaged")
        }
        (encoding, _) => bail!(
            "its values have an encoding that is not read ({encoding}); write them plainly or with a dictionary"
        ),
    };
    ensure!(
        found.len() == count,
        "a page has {} values instead of {count}: the file is damaged",
        found.len()
    );
    let mut found = found.into_iter();
    let places = is_there.into_iter().map(|is_there| if is_there { found.next() } else { None }).collect();
    Ok(Values { bytes, places })
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> anyhow::Result<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(count).context("a page is cut off: the file is damaged")?;
    *rest = after;
    Ok(taken)
}

/// Start and length of `count` plain values, of which the first starts at `start`.
fn plain(
    of_type: ColumnType,
    mut rest: &[u8],
    start: usize,
    count: usize,
) -> anyhow::Result<Vec<(u32, u32)>> {
    let all = rest.len();
    let rest = &mut rest;
    // No room is made for a count that may lie.
    let mut places = Vec::new();
    for _ in 0..count {
        let length = match of_type {
            ColumnType::Int32 => 4,
            ColumnType::Int64 => 8,
            ColumnType::Bytes => {
                let length = take(rest, 4)?;
                u32::from_le_bytes([length[0], length[1], length[2], length[3]])
            }
            ColumnType::Other => bail!("a column is of a type that is not read"),
        };
        let place = start + all - rest.len();
        take(rest, length as usize)?;
        places.push((u32::try_from(place)?, length));
    }
    Ok(places)
}

/// `count` numbers of `width` bits: runs of one number, and groups of eight beside each other (the hybrid of
/// run-length encoding and bit-packing).
fn numbers(mut rest: &[u8], width: u32, count: usize) -> anyhow::Result<Vec<u32>> {
    ensure!(width <= 32, "a page has numbers of {width} bits: the file is damaged");
    let rest = &mut rest;
    let mut found = Vec::new();
    while found.len() < count {
        let head = varint(rest)?;
        let wanted = count - found.len();
        if head & 1 == 0 {
            let bytes = take(rest, width.div_ceil(8) as usize)?;
            let number = bytes.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte));
            let run = (head >> 1).min(wanted as u64) as usize;
            ensure!(run > 0, "a page has a run of no values: the file is damaged");
            found.extend(std::iter::repeat_n(number, run));
            continue;
        }
        // The last group may be longer than what is wanted, and cut off behind that.
        let packed = (head >> 1).saturating_mul(8).min(wanted as u64) as usize;
        ensure!(packed > 0, "a page has a group of no values: the file is damaged");
        let bytes = (head >> 1).saturating_mul(u64::from(width)).min(rest.len() as u64) as usize;
        let bytes = take(rest, bytes)?;
        ensure!(
            packed * width as usize <= 8 * bytes.len(),
            "a page is cut off in its numbers: the file is damaged"
        );
        found.extend((0..packed).map(|place| bits(bytes, place * width as usize, width)));
    }
    Ok(found)
}

/// The `width` bits from bit `at` on, the lowest first.
fn bits(bytes: &[u8], at: usize, width: u32) -> u32 {
    let bit = |bit: usize| u32::from(bytes[bit / 8] >> (bit % 8) & 1);
    (0..width).fold(0, |number, place| number | bit(at + place as usize) << place)
}

fn varint(rest: &mut &[u8]) -> anyhow::Result<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    bail!("a page has a length without end: the file is damaged")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn runs_and_packed_groups_are_the_numbers_of_parquets_own_example() {
        // Encodings.md: 0 to 7 in three bits.
        let packed = [0x03, 0b1000_1000, 0b1100_0110, 0b1111_1010];
        assert_eq!(numbers(&packed, 3, 8).unwrap(), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(numbers(&packed, 3, 5).unwrap(), [0, 1, 2, 3, 4]);
        let run = [&[10, 4][..], &packed].concat();
        assert_eq!(numbers(&run, 3, 9).unwrap(), [4, 4, 4, 4, 4, 0, 1, 2, 3]);
        assert_eq!(numbers(&[4, 0x34, 0x12], 13, 2).unwrap(), [0x1234, 0x1234]);
        assert_eq!(numbers(&[3], 0, 3).unwrap(), [0, 0, 0]);
        for lies in [&[][..], &[0x03, 1], &[0, 1], &[1], &[0xff; 12]] {
            assert!(numbers(lies, 3, 8).is_err(), "{lies:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_numbers_or_a_sentence(
            bytes in proptest::collection::vec(any::<u8>(), 0..100), width in 0_u32..40, count in 0_usize..1000,
        ) {
            if let Ok(found) = numbers(&bytes, width, count) {
                prop_assert_eq!(found.len(), count);
            }
        }
    }
}
