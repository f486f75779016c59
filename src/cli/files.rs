//! Names and contents of the files that `attack` and `cam` write.

use crate::interop::atomic::write_atomic;
use anyhow::Context;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder as _};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Stems of the output files, one for each image: the file's own stem, with a number where two images share
/// one (also where they differ only in case, which some file systems ignore). The second value tells the user
/// so.
pub(super) fn unique_stems(images: &[PathBuf]) -> (Vec<String>, Vec<String>) {
    let own = |path: &PathBuf| path.file_stem().map_or("image".into(), |s| s.to_string_lossy().into_owned());
    let mut counts = BTreeMap::new();
    for path in images {
        *counts.entry(own(path).to_lowercase()).or_insert(0_usize) += 1;
    }
    let mut taken = BTreeSet::new();
    let mut notes = Vec::new();
    let stems = images
        .iter()
        .map(|path| {
            let stem = own(path);
            let mut name = stem.clone();
            let mut number = 2;
            // A numbered name may not take one that another image has by itself.
            while taken.contains(&name.to_lowercase())
                || (name != stem && counts.contains_key(&name.to_lowercase()))
            {
                name = format!("{stem}-{number}");
                number += 1;
            }
            taken.insert(name.to_lowercase());
            if name != stem {
                notes.push(format!(
                    "{}: its files are named {name}.*, as {stem}.* belongs to another image",
                    path.display()
                ));
            }
            name
        })
        .collect();
    (stems, notes)
}

/// Writes square RGB bytes as a PNG.
pub(super) fn write_png(path: &Path, size: usize, rgb: &[u8]) -> anyhow::Result<()> {
    write_picture(path, size, size, rgb)
}

/// Writes RGB bytes `[height, width, 3]` as a PNG.
pub(super) fn write_picture(path: &Path, width: usize, height: usize, rgb: &[u8]) -> anyhow::Result<()> {
    let (width, height) = (u32::try_from(width)?, u32::try_from(height)?);
    let mut png = Vec::new();
    PngEncoder::new(&mut png)
        .write_image(rgb, width, height, ExtendedColorType::Rgb8)
        .with_context(|| format!("cannot encode {}", path.display()))?;
    write_atomic(path, |out| out.write_all(&png))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_one_name_get_files_of_their_own() {
        let paths = ["a/x.png", "b/x.jpg", "c/x-2.png", "d/X.png", "y.png"].map(PathBuf::from);
        let (stems, notes) = unique_stems(&paths);
        assert_eq!(stems, ["x", "x-3", "x-2", "X-4", "y"]);
        assert_eq!(notes.len(), 2);
        assert!(notes[0].starts_with("b/x.jpg"), "{}", notes[0]);
    }
}
