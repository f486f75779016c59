//! Puts what was unpacked into the layout that the program reads.

use super::table::Layout;
use super::{PublicSet, mat};
use crate::config::reading;
use crate::interop::atomic::{create_folder, sentence};
use anyhow::{Context as _, anyhow, ensure};
use std::fs;
use std::path::{Path, PathBuf};

/// Moves the folders `parts`, one a file of the set and in its order, into the folder `whole`. What was moved
/// there by an earlier attempt stays.
pub(super) fn arrange(set: &PublicSet, parts: &[PathBuf], whole: &Path) -> anyhow::Result<()> {
    match set.layout {
        Layout::AsUnpacked => {
            create_folder(whole)?;
            parts.iter().try_for_each(|part| move_all(part, whole))
        }
        Layout::Evaluation => {
            let val = whole.join("val");
            create_folder(&val)?;
            parts.iter().try_for_each(|part| move_all(part, &val))
        }
        Layout::Flowers102 => flowers(parts, whole),
    }
}

/// Moves everything in `from` to `to`. What stands there already is of the same set: nothing is replaced.
fn move_all(from: &Path, to: &Path) -> anyhow::Result<()> {
    let entries = fs::read_dir(from).map_err(|error| anyhow!(sentence(from, &error)))?;
    for entry in entries {
        let entry = entry.map_err(|error| anyhow!(sentence(from, &error)))?;
        let target = to.join(entry.file_name());
        ensure!(!target.exists(), "two files of the set hold {}", entry.file_name().display());
        fs::rename(entry.path(), &target).map_err(|error| anyhow!(sentence(&target, &error)))?;
    }
    Ok(())
}

/// Images, labels and the split of Oxford's flowers as `SPLIT/CLASS/image`, with classes by Oxford's numbers,
/// `001` to `102`.
fn flowers(parts: &[PathBuf], whole: &Path) -> anyhow::Result<()> {
    /// Names of the parts, and of their arrays of image numbers.
    const SPLITS: [(&str, &str); 3] = [("train", "trnid"), ("val", "valid"), ("test", "tstid")];
    let [images, labels, split] = parts else { return Err(anyhow!("the set is not of three files")) };
    let array = |folder: &Path, file: &str, name: &str| {
        let path = folder.join(file);
        let bytes = reading::read(&path, reading::MOST_TEXT)
            .map_err(|e| anyhow!(crate::config::path_faults::unreadable_file(&path, &e)))?;
        mat::whole_numbers(&bytes, name).with_context(|| format!("cannot use {file}"))
    };
    let labels = array(labels, "imagelabels.mat", "labels")?;
    for (part, name) in SPLITS {
        for number in array(split, "setid.mat", name)? {
            let class = number.checked_sub(1).and_then(|at| labels.get(at));
            let class =
                class.with_context(|| format!("setid.mat: {name} has image {number}, which has no label"))?;
            let folder = whole.join(part).join(format!("{class:03}"));
            create_folder(&folder)?;
            let file = format!("image_{number:05}.jpg");
            let target = folder.join(&file);
            if target.exists() {
                continue;
            }
            fs::rename(images.join(&file), &target).map_err(|error| anyhow!(sentence(&target, &error)))?;
        }
    }
    Ok(())
}
