//! Image folders: `DIR/train/CLASS/*.png` and `DIR/val/CLASS/*.png`, also `.jpg`, `.jpeg` and `.webp` in any
//! case. Classes are the folders' names in bytewise order; images stand in the order of classes, then of file
//! names.

mod index;
mod listing;

use anyhow::ensure;
use std::path::{Path, PathBuf};

pub use self::index::FolderIndex;
use super::{Dataset, Framing, Picture, picture};

/// One split of an image folder. All file names share one string, so a million files need about 40 MB.
pub struct Folder {
    dir: PathBuf,
    classes: Vec<String>,
    /// Index of each class's first image, and the number of images at the end.
    class_starts: Vec<usize>,
    /// Each ended by `/`.
    names: String,
    /// Where the slash behind each file's name stands in `names`.
    name_ends: Vec<usize>,
    framing: Framing,
}

impl Folder {
    /// Lists `root/split`, believing `index` where it has an unchanged class folder and keeping there what
    /// was found. `progress` hears (class folders done, class folders in all).
    pub fn open(
        root: &Path,
        split: &str,
        index: Option<&FolderIndex>,
        mut progress: impl FnMut(usize, usize),
    ) -> anyhow::Result<Self> {
        let dir = root.join(split);
        ensure!(
            dir.is_dir(),
            "`data.path`: there is no folder {}; expected DIR/train/CLASS/*.png and DIR/val/CLASS/*.png below {}",
            dir.display(),
            root.display()
        );
        let classes = listing::classes(&dir)?;
        ensure!(!classes.is_empty(), "`data.path`: {} holds no class folders", dir.display());
        let known = index.map(|index| index.load(&dir)).unwrap_or_default();
        let mut changed = known.len() != classes.len();
        let mut stamps = Vec::with_capacity(classes.len());
        let (mut names, mut name_ends, mut class_starts) = (String::new(), Vec::new(), vec![0]);
        listing::files(&dir, &classes, known, |class, found| {
            let start = names.len();
            names.push_str(&found.names);
            name_ends.extend(found.names.match_indices('/').map(|(end, _)| start + end));
            class_starts.push(name_ends.len());
            stamps.push(found.stamp);
            changed |= found.read;
            progress(class + 1, classes.len());
        })?;
        ensure!(
            !name_ends.is_empty(),
            "`data.path`: the class folders of {} hold no .png, .jpg, .jpeg or .webp files",
            dir.display()
        );
        names.shrink_to_fit();
        name_ends.shrink_to_fit();
        let framing = Framing::default();
        let set = Self { dir, classes, class_starts, names, name_ends, framing };
        if let Some(index) = index.filter(|index| changed && set.len() >= index.least_files) {
            let classes = (0..set.classes.len())
                .map(|class| (set.classes[class].as_str(), stamps[class], set.class_names_text(class)));
            if let Err(error) = index.save(&set.dir, classes) {
                // Only the next start is slower for it.
                tracing::warn!("cannot keep the file list of {}: {error:#}", set.dir.display());
            }
        }
        Ok(set)
    }

    /// The same folder with its images framed in another way.
    pub fn framed(self, framing: Framing) -> Self {
        Self { framing, ..self }
    }

    /// The splits of the folder `root` whose names start with `prefix`, in bytewise order.
    pub(super) fn splits(root: &Path, prefix: &str) -> anyhow::Result<Vec<String>> {
        listing::folders(root, prefix)
    }

    /// Where the name of image `index` starts in `names`.
    fn name_start(&self, index: usize) -> usize {
        if index == 0 { 0 } else { self.name_ends[index - 1] + 1 }
    }

    fn file_name(&self, index: usize) -> &str {
        &self.names[self.name_start(index)..self.name_ends[index]]
    }

    /// The file names of a class, each ended by `/`.
    fn class_names_text(&self, class: usize) -> &str {
        &self.names[self.name_start(self.class_starts[class])..self.name_start(self.class_starts[class + 1])]
    }
}

impl Dataset for Folder {
    fn len(&self) -> usize {
        self.name_ends.len()
    }

    fn class_names(&self) -> &[String] {
        &self.classes
    }

    fn label(&self, index: usize) -> usize {
        self.class_starts.partition_point(|&start| start <= index) - 1
    }

    fn name(&self, index: usize) -> String {
        format!("{}/{}", self.classes[self.label(index)], self.file_name(index))
    }

    fn load(&self, index: usize, size: usize) -> anyhow::Result<Vec<u8>> {
        self.decode(index, size)?.into_square(size, self.framing)
    }

    fn decode(&self, index: usize, _size: usize) -> anyhow::Result<Picture> {
        let path = self.dir.join(&self.classes[self.label(index)]).join(self.file_name(index));
        picture::read(&path)
    }
}
