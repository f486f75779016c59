//! Safetensors files of named f32 tensors. Written in a fixed order, so equal contents give equal bytes; read
//! with every length checked against the file before memory is taken.

use super::atomic::write_atomic;
use super::rounding::Rounding;
use super::shards;
use crate::config::path_faults::unreadable_file;
use crate::config::reading;
use crate::data::file_kind::{FileKind, INDEX, LOOKED_AT, recognise};
use anyhow::{Context, anyhow, bail, ensure};
use safetensors::Dtype;
use safetensors::tensor::Metadata;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Largest header that is read. EfficientNet-B8 with three domains and optimizer state has about 2 MB.
const MAX_HEADER_BYTES: u64 = 64 << 20;

/// Values in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub shape: Vec<usize>,
    pub data: Vec<f32>,
}

impl Tensor {
    pub fn elements(&self) -> usize {
        self.data.len()
    }
}

/// The contents of one file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TensorFile {
    pub metadata: BTreeMap<String, String>,
    pub tensors: BTreeMap<String, Tensor>,
    /// Single numbers stored as U64 tensors of no dimension.
    pub integers: BTreeMap<String, u64>,
}

impl TensorFile {
    /// Reads a file, or the files that an index of a model in several names; f16, bf16 and f64 become f32,
    /// PyTorch's integer `num_batches_tracked` is left out. Every fault is one sentence that names the file.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        Self::read_where(path, |_, _| true)
    }

    /// Reads metadata and integers alone, without the tensors, which takes little time for a file of any
    /// size.
    pub fn read_facts(path: &Path) -> anyhow::Result<Self> {
        Self::read_where(path, |dtype, shape| dtype == Dtype::U64 && shape.is_empty())
    }

    fn read_where(path: &Path, wanted: fn(Dtype, &[usize]) -> bool) -> anyhow::Result<Self> {
        match opened(path)? {
            (_, Some(INDEX)) => {
                shards::read(path, |part| Self::read_one(part, opened(part)?, wanted)).map_err(unusable(path))
            }
            opened => Self::read_one(path, opened, wanted),
        }
    }

    fn read_one(
        path: &Path,
        (file, kind): (File, Option<FileKind>),
        wanted: fn(Dtype, &[usize]) -> bool,
    ) -> anyhow::Result<Self> {
        match kind {
            Some(kind) => Err(unusable(path)(anyhow!("it is {kind}"))),
            None => Self::read_from(file, wanted).map_err(unusable(path)),
        }
    }

    /// Fails with the first tensor that has a value which is no finite number, or a negative running
    /// variance.
    pub fn check_values(&self) -> anyhow::Result<()> {
        for (name, tensor) in &self.tensors {
            if let Some(at) = tensor.data.iter().position(|value| !value.is_finite()) {
                bail!(
                    "tensor \"{name}\" has the value {} at place {at}; expected finite numbers",
                    tensor.data[at]
                );
            }
            if name.ends_with("running_var")
                && let Some(at) = tensor.data.iter().position(|value| *value < 0.0)
            {
                bail!("\"{name}\" is {} at channel {at}; a variance is 0 or more", tensor.data[at]);
            }
        }
        Ok(())
    }

    fn read_from(mut file: File, wanted: impl Fn(Dtype, &[usize]) -> bool) -> anyhow::Result<Self> {
        ensure!(file.metadata()?.is_file(), "it is not a regular file");
        let size = file.metadata()?.len();
        let mut length = [0; 8];
        file.read_exact(&mut length).map_err(|_| anyhow!("it ends within its first 8 bytes"))?;
        let length = u64::from_le_bytes(length);
        let available = size.saturating_sub(8);
        ensure!(length <= MAX_HEADER_BYTES, "it is no safetensors file");
        ensure!(
            length <= available,
            "its header should take {length} bytes, the file has {available} (truncated, or another format)"
        );
        let mut header = vec![0; usize::try_from(length)?];
        file.read_exact(&mut header).context("its header cannot be read")?;
        let metadata: Metadata =
            serde_json::from_slice(&header).map_err(|e| anyhow!("its header is damaged: {e}"))?;
        let expected = metadata.data_len() as u64;
        ensure!(
            expected == available - length,
            "its tensors should take {expected} bytes, the file has {} (truncated or damaged)",
            available - length
        );
        let mut contents = Self::default();
        if let Some(entries) = metadata.metadata() {
            contents.metadata = entries.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        }
        for name in metadata.offset_keys() {
            let info = metadata.info(&name).ok_or_else(|| anyhow!("its header is damaged at \"{name}\""))?;
            if !wanted(info.dtype, &info.shape) {
                continue;
            }
            file.seek(SeekFrom::Start(8 + length + info.data_offsets.0 as u64))?;
            let mut bytes = vec![0; info.data_offsets.1 - info.data_offsets.0];
            file.read_exact(&mut bytes).with_context(|| format!("its tensor \"{name}\" cannot be read"))?;
            contents.keep(&name, info.dtype, info.shape.clone(), &bytes)?;
        }
        Ok(contents)
    }

    fn keep(&mut self, name: &str, dtype: Dtype, shape: Vec<usize>, bytes: &[u8]) -> anyhow::Result<()> {
        let data = match dtype {
            Dtype::F32 => values(bytes, f32::from_le_bytes),
            Dtype::F64 => values(bytes, |b| f64::from_le_bytes(b) as f32),
            Dtype::BF16 => values(bytes, |b| f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16)),
            Dtype::F16 => values(bytes, |b| f32_from_f16(u16::from_le_bytes(b))),
            Dtype::U64 if shape.is_empty() => {
                let value =
                    bytes.try_into().map(u64::from_le_bytes).map_err(|_| anyhow!("\"{name}\" is damaged"))?;
                self.integers.insert(name.to_string(), value);
                return Ok(());
            }
            _ if name.ends_with("num_batches_tracked") => return Ok(()),
            other => bail!("its tensor \"{name}\" has type {other:?}; expected F32, F16, BF16 or F64"),
        };
        self.tensors.insert(name.to_string(), Tensor { shape, data });
        Ok(())
    }
}

/// The file, from its start, and what it is where it is no safetensors file.
fn opened(path: &Path) -> anyhow::Result<(File, Option<FileKind>)> {
    // Before it is opened: a pipe would wait for a writer.
    if path.is_dir() {
        bail!("{} is a folder; expected a safetensors file", path.display());
    }
    if path.metadata().is_ok_and(|data| !data.is_file()) {
        bail!("{} is not a regular file; expected a safetensors file", path.display());
    }
    let mut file = reading::open(path).map_err(|e| anyhow!(unreadable_file(path, &e)))?;
    let mut first = Vec::new();
    let found = Read::by_ref(&mut file).take(LOOKED_AT as u64).read_to_end(&mut first);
    let kind = found.ok().and_then(|_| recognise(&first));
    file.rewind().map_err(|e| unusable(path)(e.into()))?;
    Ok((file, kind))
}

/// Names the file of a fault.
fn unusable(path: &Path) -> impl Fn(anyhow::Error) -> anyhow::Error + '_ {
    move |e| anyhow!("{} is no usable safetensors file: {e:#}", path.display())
}

/// Writes a file whole or not at all; see [`TensorFile`] for the parts.
pub fn write(
    path: &Path,
    metadata: &BTreeMap<String, String>,
    tensors: &BTreeMap<String, Tensor>,
    integers: &BTreeMap<String, u64>,
) -> anyhow::Result<()> {
    let stored = tensors.iter().map(|(name, tensor)| (name, &tensor.shape, Stored::F32(&tensor.data)));
    write_stored(path, metadata, &stored.collect::<Vec<_>>(), integers)
}

/// As [`write()`] without integers, but what has two dimensions or more is stored as f16. Vectors, biases and
/// the numbers of batch norms, stay f32: they take little room, and a variance may be beyond f16. Fails where
/// a weight is; returns what the rounding cost.
pub fn write_f16(
    path: &Path,
    metadata: &BTreeMap<String, String>,
    tensors: &BTreeMap<String, Tensor>,
) -> anyhow::Result<Rounding> {
    let mut rounding = Rounding::default();
    let stored = tensors.iter().map(|(name, tensor)| {
        let is_weight = tensor.shape.len() > 1;
        let numbers = if is_weight {
            Stored::F16(rounding.round(name, &tensor.data)?)
        } else {
            Stored::F32(&tensor.data)
        };
        Ok((name, &tensor.shape, numbers))
    });
    let stored = stored.collect::<anyhow::Result<Vec<_>>>()?;
    write_stored(path, metadata, &stored, &BTreeMap::new())?;
    Ok(rounding)
}

/// A tensor's numbers as a file holds them.
enum Stored<'a> {
    F32(&'a [f32]),
    /// Little endian.
    F16(Vec<u8>),
}

impl Stored<'_> {
    fn dtype(&self) -> &'static str {
        match self {
            Self::F32(_) => "F32",
            Self::F16(_) => "F16",
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::F32(values) => 4 * values.len(),
            Self::F16(bytes) => bytes.len(),
        }
    }
}

fn write_stored(
    path: &Path,
    metadata: &BTreeMap<String, String>,
    tensors: &[(&String, &Vec<usize>, Stored<'_>)],
    integers: &BTreeMap<String, u64>,
) -> anyhow::Result<()> {
    write_atomic(path, |out| {
        let mut header = Map::new();
        if !metadata.is_empty() {
            header.insert("__metadata__".into(), json!(metadata));
        }
        // Eight-byte numbers first, then those of four: readers that map the file want every tensor aligned
        // to its element size.
        let mut order: Vec<&(&String, &Vec<usize>, Stored<'_>)> = tensors.iter().collect();
        order.sort_by_key(|(_, _, numbers)| matches!(numbers, Stored::F16(_)));
        let mut offset = 0;
        let mut place = |bytes: usize| {
            let begin = offset;
            offset += bytes;
            [begin, offset]
        };
        for name in integers.keys() {
            header.insert(name.clone(), entry("U64", &[], place(8)));
        }
        for (name, shape, numbers) in &order {
            header.insert((*name).clone(), entry(numbers.dtype(), shape, place(numbers.bytes())));
        }
        let mut text = serde_json::to_string(&header)?;
        text.extend(std::iter::repeat_n(' ', text.len().next_multiple_of(8) - text.len()));
        out.write_all(&(text.len() as u64).to_le_bytes())?;
        out.write_all(text.as_bytes())?;
        for value in integers.values() {
            out.write_all(&value.to_le_bytes())?;
        }
        for (_, _, numbers) in order {
            match numbers {
                Stored::F32(values) => {
                    values.iter().try_for_each(|value| out.write_all(&value.to_le_bytes()))?;
                }
                Stored::F16(bytes) => out.write_all(bytes)?,
            }
        }
        Ok(())
    })
}

fn entry(dtype: &str, shape: &[usize], offsets: [usize; 2]) -> Value {
    json!({ "dtype": dtype, "shape": shape, "data_offsets": offsets })
}

fn values<const N: usize>(bytes: &[u8], convert: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    bytes.as_chunks::<N>().0.iter().map(|chunk| convert(*chunk)).collect()
}

/// IEEE half precision to single precision, exact.
fn f32_from_f16(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from(bits >> 10 & 0x1f);
    let fraction = f32::from(bits & 0x3ff) / 1024.0;
    match exponent {
        0 => sign * fraction * 2.0_f32.powi(-14),
        31 if bits & 0x3ff == 0 => sign * f32::INFINITY,
        31 => f32::NAN,
        _ => sign * (1.0 + fraction) * 2.0_f32.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_is_converted_exactly() {
        let cases = [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0001, 2.0_f32.powi(-24)),
            (0x3555, 0.333_251_95),
            (0xfc00, f32::NEG_INFINITY),
        ];
        for (bits, value) in cases {
            assert_eq!(f32_from_f16(bits), value, "{bits:#06x}");
        }
        assert!(f32_from_f16(0x7e00).is_nan());
    }

    #[test]
    fn other_precisions_are_read_and_counters_dropped() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("x.safetensors");
        let header = concat!(
            r#"{"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]},"b":{"dtype":"BF16","shape":[1],"#,
            r#""data_offsets":[2,4]},"c":{"dtype":"F64","shape":[1],"data_offsets":[4,12]},"#,
            r#""bn1.num_batches_tracked":{"dtype":"I64","shape":[],"data_offsets":[12,20]}}"#
        );
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend(0x3c00_u16.to_le_bytes());
        bytes.extend(0xbf80_u16.to_le_bytes());
        bytes.extend(0.5_f64.to_le_bytes());
        bytes.extend(7_i64.to_le_bytes());
        std::fs::write(&path, bytes).expect("writable");
        let file = TensorFile::read(&path).expect("a valid file");
        let read: Vec<_> = file.tensors.iter().map(|(k, t)| (k.as_str(), t.data.clone())).collect();
        assert_eq!(read, [("a", vec![1.0]), ("b", vec![-1.0]), ("c", vec![0.5])]);
    }

    #[test]
    fn sizes_that_overflow_are_an_error() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("x.safetensors");
        for end in [u64::MAX, u64::MAX - 7, 1 << 62] {
            let header = format!(r#"{{"a":{{"dtype":"U8","shape":[{end}],"data_offsets":[0,{end}]}}}}"#);
            let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
            bytes.extend(header.as_bytes());
            std::fs::write(&path, bytes).expect("writable");
            let error = TensorFile::read(&path).expect_err("no such tensor").to_string();
            assert!(error.contains("x.safetensors"), "{error}");
        }
    }
}
