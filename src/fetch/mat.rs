//! Reads arrays of numbers from MATLAB files of version 5, as SciPy's and MATLAB's `save` write them: real
//! matrices, compressed or not. Source of the format: MathWorks, "MAT-File Format" (R2024a), chapter 1.

use anyhow::{Context as _, bail, ensure};
use flate2::read::ZlibDecoder;
use std::io::Read as _;

/// Longest element that is read, bytes.
const MOST_BYTES: usize = 16 << 20;

// Data types of elements.
const INT8: u32 = 1;
const UINT8: u32 = 2;
const INT16: u32 = 3;
const UINT16: u32 = 4;
const INT32: u32 = 5;
const UINT32: u32 = 6;
const DOUBLE: u32 = 9;
const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;

/// The values of the array `name` in a file, column by column, as whole numbers from 0. Fails where the file
/// has none of that name, or one of other values.
pub(super) fn whole_numbers(file: &[u8], name: &str) -> anyhow::Result<Vec<usize>> {
    ensure!(
        file.len() > 128 && file[124..128] == [0, 1, b'I', b'M'],
        "it is no MATLAB file of version 5 of a little-endian machine"
    );
    let mut rest = &file[128..];
    while !rest.is_empty() {
        let element = element(&mut rest)?;
        let inflated;
        let matrix = match element.kind {
            COMPRESSED => {
                let mut bytes = Vec::new();
                let mut inflating = ZlibDecoder::new(element.bytes).take(MOST_BYTES as u64);
                inflating.read_to_end(&mut bytes).context("its compressed data are damaged")?;
                inflated = bytes;
                self::element(&mut inflated.as_slice())?
            }
            _ => element,
        };
        if matrix.kind != MATRIX {
            continue;
        }
        let mut parts = matrix.bytes;
        let (_flags, _shape) = (self::element(&mut parts)?, self::element(&mut parts)?);
        if self::element(&mut parts)?.bytes == name.as_bytes() {
            return numbers(&self::element(&mut parts)?);
        }
    }
    bail!("it has no array {name:?}")
}

struct Element<'a> {
    kind: u32,
    bytes: &'a [u8],
}

/// Takes the next element off `rest`.
fn element<'a>(rest: &mut &'a [u8]) -> anyhow::Result<Element<'a>> {
    let cut_off = "it is cut off";
    let (head, behind) = rest.split_at_checked(8).context(cut_off)?;
    let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    // A small element has its length in the upper half of the first word and its bytes in the second.
    if word(0) >> 16 != 0 {
        let length = (word(0) >> 16) as usize;
        let bytes = head[4..].get(..length).context(cut_off)?;
        *rest = behind;
        return Ok(Element { kind: word(0) & 0xffff, bytes });
    }
    let (kind, length) = (word(0), word(4) as usize);
    ensure!(length <= MOST_BYTES, "an element of it has {length} bytes, more than is expected of labels");
    let (bytes, behind) = behind.split_at_checked(length).context(cut_off)?;
    // Compressed elements alone are not padded to 8 bytes.
    let padding = if kind == COMPRESSED { 0 } else { length.next_multiple_of(8) - length };
    *rest = behind.get(padding..).unwrap_or_default();
    Ok(Element { kind, bytes })
}

fn numbers(element: &Element) -> anyhow::Result<Vec<usize>> {
    let width = match element.kind {
        INT8 | UINT8 => 1,
        INT16 | UINT16 => 2,
        INT32 | UINT32 => 4,
        DOUBLE => 8,
        other => bail!("its values are of type {other}, expected whole numbers"),
    };
    let value = |bytes: &[u8]| -> Option<usize> {
        if element.kind == DOUBLE {
            let value = f64::from_le_bytes(bytes.try_into().ok()?);
            return (value.fract() == 0.0 && (0.0..1e9).contains(&value)).then_some(value as usize);
        }
        let signed = matches!(element.kind, INT8 | INT16 | INT32);
        let negative = signed && bytes[width - 1] >= 128;
        let value = bytes.iter().rev().fold(0, |value, byte| (value << 8) | usize::from(*byte));
        (!negative).then_some(value)
    };
    let values: Option<Vec<usize>> = element.bytes.chunks_exact(width).map(value).collect();
    values.context("its values are not all whole numbers from 0")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    /// An element, padded.
    fn packed(kind: u32, bytes: &[u8]) -> Vec<u8> {
        let mut element = [kind.to_le_bytes(), (bytes.len() as u32).to_le_bytes()].concat();
        element.extend(bytes);
        element.resize(element.len().next_multiple_of(8), 0);
        element
    }

    fn matrix(name: &str, kind: u32, values: &[u8]) -> Vec<u8> {
        let flags = packed(UINT32, &[6, 0, 0, 0, 0, 0, 0, 0]);
        let shape = packed(INT32, &[1, 0, 0, 0, values.len() as u8, 0, 0, 0]);
        packed(MATRIX, &[flags, shape, packed(INT8, name.as_bytes()), packed(kind, values)].concat())
    }

    fn file(elements: &[Vec<u8>]) -> Vec<u8> {
        let mut file = b"MATLAB 5.0 MAT-file".to_vec();
        file.resize(124, b' ');
        file.extend([0, 1, b'I', b'M']);
        file.extend(elements.concat());
        file
    }

    fn compressed(element: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(element).unwrap();
        let bytes = encoder.finish().unwrap();
        [&COMPRESSED.to_le_bytes()[..], &(bytes.len() as u32).to_le_bytes(), &bytes].concat()
    }

    #[test]
    fn arrays_are_found_by_name_in_any_whole_type() {
        let doubles: Vec<u8> = [3.0_f64, 102.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        // A name of up to four letters lies in the head of its element.
        let small =
            [[&(4_u32 << 16 | INT8).to_le_bytes()[..], b"tiny"].concat(), packed(UINT16, &[7, 1, 2, 0])];
        let head = [packed(UINT32, &[2; 8]), packed(INT32, &[1; 8])].concat();
        let tiny = packed(MATRIX, &[head, small.concat()].concat());
        let all = file(&[
            compressed(&matrix("labels", UINT8, &[1, 77, 255])),
            matrix("other", DOUBLE, &doubles),
            tiny,
        ]);
        assert_eq!(whole_numbers(&all, "labels").unwrap(), [1, 77, 255]);
        assert_eq!(whole_numbers(&all, "other").unwrap(), [3, 102]);
        assert_eq!(whole_numbers(&all, "tiny").unwrap(), [263, 2]);
        assert!(whole_numbers(&all, "none").unwrap_err().to_string().contains("no array \"none\""));
    }

    #[test]
    fn damaged_files_are_refused_and_never_panic() {
        let half: Vec<u8> = 0.5_f64.to_le_bytes().to_vec();
        assert!(whole_numbers(&file(&[matrix("x", DOUBLE, &half)]), "x").is_err());
        assert!(whole_numbers(&file(&[matrix("x", INT8, &[255])]), "x").is_err());
        let whole = file(&[compressed(&matrix("labels", UINT8, &[1, 2, 3])), matrix("x", UINT8, &[4])]);
        for end in 0..whole.len() - 16 {
            assert!(whole_numbers(&whole[..end], "x").is_err(), "cut at {end}");
        }
        for i in 0..whole.len() {
            let mut broken = whole.clone();
            broken[i] ^= 0xff;
            let _ = whole_numbers(&broken, "labels");
        }
    }
}
