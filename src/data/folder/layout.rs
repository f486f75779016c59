//! Which folders below `data.path` hold the training and the validation images: `train` and `val`, or what
//! else people call them; a set without a validation part, or one that is nothing but class folders, is
//! divided.

use super::listing;
use crate::data::part_names::{self, EXTRA_PREFIX, USUAL_TRAIN};
use std::path::Path;

/// Where the parts of an image folder are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderLayout {
    /// The folder of the training images; empty where the class folders lie in the root itself.
    pub train: String,
    /// The folder of the validation images; `None`: they are held out of the training images.
    pub val: Option<String>,
}

impl FolderLayout {
    /// Looks at the names of the folders in `root`.
    pub fn of(root: &Path) -> anyhow::Result<Self> {
        let folders = listing::folders(root, "")?;
        let names: Vec<&str> = folders.iter().map(String::as_str).collect();
        let (train, val) = (part_names::train(&names), part_names::val(&names));
        // With one part alone, what is missing has its usual name in the message.
        let has_parts =
            train.is_some() || val.is_some() || folders.iter().any(|name| name.starts_with(EXTRA_PREFIX));
        let is_classes = !has_parts && folders.len() > 1;
        let train = train.unwrap_or(if is_classes { "" } else { USUAL_TRAIN }).to_owned();
        Ok(Self { train, val: val.map(str::to_owned) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(folders: &[&str]) -> (String, Option<String>) {
        let root = tempfile::tempdir().unwrap();
        for folder in folders {
            std::fs::create_dir(root.path().join(folder)).unwrap();
        }
        let FolderLayout { train, val } = FolderLayout::of(root.path()).unwrap();
        (train, val)
    }

    #[test]
    fn parts_are_found_under_the_names_that_people_give_them() {
        let of = |train: &str, val: Option<&str>| (train.to_owned(), val.map(str::to_owned));
        assert_eq!(layout(&["train", "val", "test"]), of("train", Some("val")));
        assert_eq!(layout(&["Training", "Validation"]), of("Training", Some("Validation")));
        assert_eq!(layout(&["train", "test"]), of("train", Some("test")));
        assert_eq!(layout(&["train"]), of("train", None));
        assert_eq!(layout(&["cat", "dog"]), of("", None));
        // What is missing keeps its usual name, for the message.
        assert_eq!(layout(&["val"]), of("train", Some("val")));
        assert_eq!(layout(&["val-sketch", "cat"]), of("train", None));
        assert_eq!(layout(&["photos"]), of("train", None));
        assert_eq!(layout(&[]), of("train", None));
    }
}
