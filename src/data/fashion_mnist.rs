//! Fashion-MNIST in its original IDX files, as they are or still compressed (`.gz`). Grey images of 28×28.
//! Source of the format: yann.lecun.com/exdb/mnist and github.com/zalandoresearch/fashion-mnist.

use super::Framing;
use super::packed::Packed;
use crate::config::path_faults::unreadable_file;
use crate::config::reading;
use anyhow::{Context, anyhow, bail, ensure};
use flate2::read::GzDecoder;
use std::io::Read;
use std::path::Path;

const CLASSES: [&str; 10] =
    ["t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle_boot"];

/// Reads one split from the folder `dir`.
pub(super) fn open(dir: &Path, train: bool, framing: Framing) -> anyhow::Result<Packed> {
    let prefix = if train { "train" } else { "t10k" };
    let (shape, pixels) = read_idx::<3>(dir, &format!("{prefix}-images-idx3-ubyte"))?;
    let ([count], labels) = read_idx::<1>(dir, &format!("{prefix}-labels-idx1-ubyte"))?;
    ensure!(count == shape[0], "{}: {prefix} has {} images but {count} labels", dir.display(), shape[0]);
    ensure!(
        shape[1] == shape[2] && shape[1] > 0,
        "{}: {prefix} has images of {}×{} pixels, expected square ones",
        dir.display(),
        shape[2],
        shape[1]
    );
    if let Some(i) = labels.iter().position(|&label| usize::from(label) >= CLASSES.len()) {
        bail!("{}: image {i} of {prefix} has label {}, expected 0 to 9", dir.display(), labels[i]);
    }
    Ok(Packed {
        split: if train { "train" } else { "val" },
        classes: CLASSES.map(String::from).to_vec(),
        side: shape[1],
        planes: 1,
        labels,
        pixels,
        framing,
    })
}

/// Reads an IDX file of bytes with `D` dimensions: a magic number (type 8, then D), the big-endian sizes, the
/// data.
fn read_idx<const D: usize>(dir: &Path, name: &str) -> anyhow::Result<([usize; D], Vec<u8>)> {
    let plain = dir.join(name);
    let packed = dir.join(format!("{name}.gz"));
    let path = if plain.exists() || !packed.exists() { plain } else { packed };
    let open = || -> std::io::Result<Box<dyn Read>> {
        let file = reading::open(&path)?;
        Ok(if path.extension().is_some_and(|end| end == "gz") {
            Box::new(GzDecoder::new(file))
        } else {
            Box::new(file)
        })
    };
    let mut reader = open().map_err(|e| anyhow!("`data.path`: {}", unreadable_file(&path, &e)))?;
    let unreadable = || format!("{} is cut off or not an IDX file", path.display());
    let mut word = [0u8; 4];
    reader.read_exact(&mut word).with_context(unreadable)?;
    ensure!(word == [0, 0, 8, D as u8], "{} is not an IDX file of bytes in {D} dimensions", path.display());
    let mut shape = [0; D];
    let mut length = 1u64;
    for size in &mut shape {
        reader.read_exact(&mut word).with_context(unreadable)?;
        let value = u32::from_be_bytes(word);
        *size = value as usize;
        length = length.saturating_mul(u64::from(value));
    }
    // Ten times the original set; a damaged header must not ask for all memory.
    const MOST: u64 = 470_400_000;
    ensure!(
        length > 0 && length <= MOST,
        "{} states {length} bytes of data, expected 1 to {MOST}",
        path.display()
    );
    let mut data = Vec::new();
    reader.take(length + 1).read_to_end(&mut data).with_context(unreadable)?;
    ensure!(
        data.len() as u64 == length,
        "{} holds {} than the {length} bytes of data that it states",
        path.display(),
        if (data.len() as u64) < length { "less" } else { "more" }
    );
    Ok((shape, data))
}
