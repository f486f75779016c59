//! CIFAR-10-C and CIFAR-100-C (Hendrycks and Dietterich 2019): a file `CORRUPTION.npy` for each corruption,
//! `[50000, 32, 32, 3]` bytes, CIFAR's 10,000 test images at severity 1, then at 2, up to 5; `labels.npy` has
//! their classes in CIFAR's numbers.

use super::npy::Array;
use super::{CorruptedKind, FileCell};
use crate::config::Interpolation;
use crate::data::leavings::is_leaving;
use crate::data::{Dataset, Framing, Picture};
use anyhow::{Context as _, ensure};
use std::path::Path;
use std::sync::Arc;

const SIDE: usize = 32;
const SEVERITIES: usize = 5;

/// Most images of an array, ten times the original's: those of a severity are kept in memory.
const MOST_IMAGES: usize = 500_000;
const LABELS: &str = "labels";
const CIFAR10: &str = include_str!("../../../assets/classes/cifar10.txt");
const CIFAR100: &str = include_str!("../../../assets/classes/cifar100.txt");

/// The arrays of `dir` but for the labels, in bytewise order.
pub(super) fn corruptions(dir: &Path) -> anyhow::Result<Vec<String>> {
    let entries = std::fs::read_dir(dir).with_context(|| format!("--path: cannot list {}", dir.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let name = name.to_str().filter(|name| !is_leaving(name)).and_then(|name| name.strip_suffix(".npy"));
        names.extend(name.filter(|name| *name != LABELS).map(String::from));
    }
    names.sort_unstable();
    Ok(names)
}

/// The images of a corruption at one severity.
struct CifarC {
    cell: FileCell,
    classes: Vec<String>,
    labels: Vec<u8>,
    /// `[image, 32, 32, 3]`.
    pixels: Vec<u8>,
    framing: Framing,
}

/// Reads the images of one severity, a fifth of the array.
pub(super) fn open(
    dir: &Path,
    cell: &FileCell,
    kind: CorruptedKind,
    interpolation: Interpolation,
) -> anyhow::Result<Arc<dyn Dataset>> {
    let path = dir.join(format!("{}.npy", cell.corruption));
    let mut array = Array::open(&path)?;
    let count = array.shape.first().copied().unwrap_or(0);
    ensure!(
        array.is_of_bytes() && array.shape == [count, SIDE, SIDE, 3] && count > 0 && count % SEVERITIES == 0,
        "{} is of shape {:?}; expected [50000, 32, 32, 3] bytes, five severities of as many images each",
        path.display(),
        array.shape
    );
    ensure!(count <= MOST_IMAGES, "{} has {count} images; expected at most {MOST_IMAGES}", path.display());
    let each = count / SEVERITIES;
    let first = (usize::from(cell.severity) - 1) * each;
    let area = SIDE * SIDE * 3;
    let pixels = array.bytes(first * area, each * area)?;
    let classes: Vec<String> = match kind {
        CorruptedKind::Cifar100 => CIFAR100,
        _ => CIFAR10,
    }
    .lines()
    .map(String::from)
    .collect();
    let labels_path = dir.join(format!("{LABELS}.npy"));
    let mut labels = Array::open(&labels_path)?;
    ensure!(
        labels.shape == [count],
        "{} is of shape {:?}; expected [{count}], a class for each image of {}",
        labels_path.display(),
        labels.shape,
        path.display()
    );
    let labels = labels.whole_numbers()?;
    if let Some(wrong) = labels.iter().position(|label| *label >= classes.len() as u64) {
        anyhow::bail!(
            "{}: entry {wrong} is no class of CIFAR-{1}; expected 0 to {2}",
            labels_path.display(),
            classes.len(),
            classes.len() - 1
        );
    }
    let labels = labels[first..first + each].iter().map(|label| *label as u8).collect();
    let framing = Framing { crop_ratio: 1.0, interpolation };
    Ok(Arc::new(CifarC { cell: cell.clone(), classes, labels, pixels, framing }))
}

impl Dataset for CifarC {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn class_names(&self) -> &[String] {
        &self.classes
    }

    fn label(&self, index: usize) -> usize {
        usize::from(self.labels[index])
    }

    fn name(&self, index: usize) -> String {
        format!("{}/{}/{index:05}", self.cell.corruption, self.cell.severity)
    }

    fn load(&self, index: usize, size: usize) -> anyhow::Result<Vec<u8>> {
        self.decode(index, size)?.into_square(size, self.framing)
    }

    fn decode(&self, index: usize, _size: usize) -> anyhow::Result<Picture> {
        let area = SIDE * SIDE * 3;
        Picture::new(SIDE, SIDE, self.pixels[index * area..][..area].to_vec())
    }
}
