//! Thrift's compact protocol as far as Parquet's metadata need it (thrift.apache.org, "Thrift Compact
//! protocol encoding"). Whoever reads asks for the fields that it knows and skips the others; nothing makes
//! room for a number of things that is only said.

use anyhow::{bail, ensure};

/// Types of fields.
pub(super) mod of_type {
    pub(in crate::data::parquet_set) const TRUE: u8 = 1;
    pub(in crate::data::parquet_set) const FALSE: u8 = 2;
    pub(in crate::data::parquet_set) const BYTE: u8 = 3;
    pub(in crate::data::parquet_set) const I16: u8 = 4;
    pub(in crate::data::parquet_set) const I32: u8 = 5;
    pub(in crate::data::parquet_set) const I64: u8 = 6;
    pub(in crate::data::parquet_set) const DOUBLE: u8 = 7;
    pub(in crate::data::parquet_set) const BINARY: u8 = 8;
    pub(in crate::data::parquet_set) const LIST: u8 = 9;
    pub(in crate::data::parquet_set) const SET: u8 = 10;
    pub(in crate::data::parquet_set) const MAP: u8 = 11;
    pub(in crate::data::parquet_set) const STRUCT: u8 = 12;
}

use of_type::{BINARY, BYTE, DOUBLE, FALSE, I16, I32, I64, LIST, MAP, SET, STRUCT, TRUE};

/// Structs and lists in each other that are skipped; Parquet's have six.
const MAX_DEPTH: usize = 16;

/// Bytes that are read.
pub(super) struct Input<'a> {
    rest: &'a [u8],
    /// Whether more was wanted than is there.
    pub(super) is_short: bool,
}

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, is_short: false }
    }

    /// Bytes that are left.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// Reads a struct: `take` gets the number and the type of each field, and reads it or calls
    /// [`Self::skip`].
    pub(super) fn structure(
        &mut self,
        mut take: impl FnMut(&mut Self, i64, u8) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut number = 0_i64;
        loop {
            let byte = self.byte()?;
            let of_type = byte & 0x0f;
            if of_type == 0 {
                return Ok(());
            }
            number = match byte >> 4 {
                0 => self.number()?,
                step => number.wrapping_add(i64::from(step)),
            };
            take(self, number, of_type)?;
        }
    }

    /// Reads a list: `take` reads an element, and gets its type.
    pub(super) fn list(
        &mut self,
        mut take: impl FnMut(&mut Self, u8) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let head = self.byte()?;
        let count = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
        // Each element takes a byte at least, so that a count that lies ends the bytes.
        for _ in 0..count {
            take(self, head & 0x0f)?;
        }
        Ok(())
    }

    /// Reads a whole number of any width.
    pub(super) fn number(&mut self) -> anyhow::Result<i64> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// Reads a text or bytes.
    pub(super) fn binary(&mut self) -> anyhow::Result<&'a [u8]> {
        let length = self.varint()?;
        self.bytes(usize::try_from(length)?)
    }

    /// Reads a text.
    pub(super) fn text(&mut self) -> anyhow::Result<String> {
        Ok(String::from_utf8_lossy(self.binary()?).into_owned())
    }

    /// Skips a value.
    pub(super) fn skip(&mut self, of_type: u8) -> anyhow::Result<()> {
        self.skip_within(of_type, MAX_DEPTH)
    }

    fn skip_within(&mut self, of_type: u8, depth: usize) -> anyhow::Result<()> {
        ensure!(depth > 0, "its metadata are damaged");
        match of_type {
            // The type of a field says its truth; in a list it takes a byte.
            TRUE | FALSE => {}
            BYTE => drop(self.byte()?),
            I16 | I32 | I64 => drop(self.varint()?),
            DOUBLE => drop(self.bytes(8)?),
            BINARY => drop(self.binary()?),
            LIST | SET => self.list(|input, element| input.skip_element(element, depth))?,
            MAP => {
                let count = self.varint()?;
                let types = if count > 0 { self.byte()? } else { 0 };
                for _ in 0..count {
                    self.skip_element(types >> 4, depth)?;
                    self.skip_element(types & 0x0f, depth)?;
                }
            }
            STRUCT => self.structure(|input, _, of_type| input.skip_within(of_type, depth - 1))?,
            _ => bail!("its metadata are damaged"),
        }
        Ok(())
    }

    fn skip_element(&mut self, of_type: u8, depth: usize) -> anyhow::Result<()> {
        self.skip_within(if matches!(of_type, TRUE | FALSE) { BYTE } else { of_type }, depth - 1)
    }

    fn byte(&mut self) -> anyhow::Result<u8> {
        Ok(self.bytes(1)?[0])
    }

    fn bytes(&mut self, count: usize) -> anyhow::Result<&'a [u8]> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            self.is_short = true;
            bail!("its metadata are cut off")
        };
        self.rest = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> anyhow::Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        bail!("its metadata are damaged")
    }
}
