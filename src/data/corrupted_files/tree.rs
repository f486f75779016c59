//! Trees of folders `CORRUPTION/SEVERITY/CLASS/image`, the layout of ImageNet-C. Its images are of the
//! network's size, 224 pixels, and were resized and cropped before they were corrupted (hendrycks/robustness,
//! make_imagenet_c.py): here they are used as they are.

use super::FileCell;
use crate::config::Interpolation;
use crate::data::{Dataset, Folder, FolderIndex, Framing};
use std::path::Path;
use std::sync::Arc;

/// The folders of `dir` that hold severities.
pub(super) fn corruptions(dir: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for name in Folder::splits(dir, "")? {
        if !severities(&dir.join(&name))?.is_empty() {
            names.push(name);
        }
    }
    Ok(names)
}

/// The severities of a corruption's folder, ascending.
pub(super) fn severities(dir: &Path) -> anyhow::Result<Vec<u8>> {
    let mut found: Vec<u8> = Folder::splits(dir, "")?.iter().filter_map(|name| severity(name)).collect();
    found.sort_unstable();
    Ok(found)
}

fn severity(name: &str) -> Option<u8> {
    name.parse().ok().filter(|severity: &u8| (1..=5).contains(severity) && name.len() == 1)
}

pub(super) fn open(
    dir: &Path,
    cell: &FileCell,
    interpolation: Interpolation,
) -> anyhow::Result<Arc<dyn Dataset>> {
    let (root, split) = (dir.join(&cell.corruption), cell.severity.to_string());
    let index = FolderIndex::of_user();
    let folder = Folder::open(&root, &split, index.as_ref(), |_, _| ())?;
    Ok(Arc::new(folder.framed(Framing { crop_ratio: 1.0, interpolation })))
}
