//! Image folders: `DIR/train/CLASS/*.png` and `DIR/val/CLASS/*.png` (`layout` knows other names of the
//! parts), also with the other endings of images, in any case, and in folders below. Classes are the folders'
//! names in bytewise order; images stand in the order of classes, then of their paths.

mod index;
mod layout;
pub(super) mod listing;

use anyhow::ensure;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Once;

pub use self::index::FolderIndex;
use self::index::LeftOut;
pub use self::layout::FolderLayout;
use super::picture::IMAGE_ENDINGS;
use super::{Dataset, Framing, Picture, comparable, picture};

/// Kinds of files that a message names.
const SHOWN_KINDS: usize = 8;

/// One split of an image folder. All file names share one string, so a million files need about 40 MB.
pub struct Folder {
    dir: PathBuf,
    classes: Vec<String>,
    /// Index of each class's first image, and the number of images at the end.
    class_starts: Vec<usize>,
    /// Paths below the class folders, each ended by a zero byte.
    names: String,
    /// Where the zero byte behind each file's path stands in `names`.
    name_ends: Vec<usize>,
    left_out: LeftOut,
    /// Name of the split.
    split: String,
    framing: Framing,
}

impl Folder {
    /// Lists `root/split`, or `root` where `split` is empty, believing `index` where it has an unchanged
    /// class folder and keeping there what was found. `progress` hears (class folders done, class folders in
    /// all).
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
        let mut left_out = Vec::with_capacity(classes.len());
        listing::files(&dir, &classes, known, |class, found| {
            let start = names.len();
            let listed = found.listed;
            names.push_str(&listed.names);
            name_ends.extend(listed.names.match_indices('\0').map(|(end, _)| start + end));
            left_out.push(listed.left_out);
            class_starts.push(name_ends.len());
            stamps.push(found.stamp);
            changed |= found.read;
            progress(class + 1, classes.len());
        })?;
        ensure!(
            !name_ends.is_empty(),
            "`data.path`: the class folders of {} hold no images, files that end with {}{}",
            dir.display(),
            IMAGE_ENDINGS.map(|ending| format!(".{ending}")).join(", "),
            left_out_text(&all_of(&left_out)).map_or(String::new(), |text| format!("; {text}"))
        );
        names.shrink_to_fit();
        name_ends.shrink_to_fit();
        let called = if split.is_empty() { "images" } else { split };
        let (framing, split) = (Framing::default(), called.to_owned());
        let all = all_of(&left_out);
        let set = Self { dir, classes, class_starts, names, name_ends, left_out: all, split, framing };
        if let Some(index) = index.filter(|index| changed && set.len() >= index.least_files) {
            let classes = (0..set.classes.len())
                .map(|class| (class, set.class_names_text(class)))
                .map(|(class, names)| (set.classes[class].as_str(), stamps[class], names, &left_out[class]));
            if let Err(error) = index.save(&set.dir, classes) {
                // Only the next start is slower for it, and the next split fails alike.
                static TOLD: Once = Once::new();
                let dir = set.dir.display();
                TOLD.call_once(|| tracing::warn!("cannot keep the file list of {dir}: {error:#}"));
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

    /// The paths of a class, each ended by a zero byte.
    fn class_names_text(&self, class: usize) -> &str {
        &self.names[self.name_start(self.class_starts[class])..self.name_start(self.class_starts[class + 1])]
    }
}

/// What all classes of a split leave out.
fn all_of(left_out: &[LeftOut]) -> LeftOut {
    let mut all = LeftOut::default();
    left_out.iter().for_each(|class| all.append(class));
    all
}

/// How many files of which kinds are no images: `5 files are left out: 3 .heic, 2 .txt`.
fn left_out_text(left_out: &LeftOut) -> Option<String> {
    let by_count = left_out.by_count();
    let mut kinds: Vec<String> =
        by_count.iter().take(SHOWN_KINDS).map(|(kind, files)| format!("{files} {kind}")).collect();
    let others: u32 = by_count.iter().skip(SHOWN_KINDS).map(|(_, files)| files).sum();
    if others > 0 {
        kinds.push(format!("{others} others"));
    }
    let files =
        if left_out.files() == 1 { "1 file is".into() } else { format!("{} files are", left_out.files()) };
    (!kinds.is_empty()).then(|| format!("{files} left out: {}", kinds.join(", ")))
}

/// A sentence on classes whose names look alike, though they are different folders.
fn look_alikes(classes: &[String]) -> Option<String> {
    let mut seen = BTreeMap::new();
    classes.iter().find_map(|class| {
        let before = seen.insert(comparable(class).to_lowercase(), class)?;
        Some(format!(
            "the class folders {before:?} and {class:?} look alike, but for capitals, spaces or how their letters \
             are composed; they are two classes"
        ))
    })
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

    fn notes(&self) -> Vec<String> {
        let sentences = [left_out_text(&self.left_out), look_alikes(&self.classes)];
        sentences.into_iter().flatten().map(|text| format!("{}: {text}", self.split)).collect()
    }

    fn decode(&self, index: usize, _size: usize) -> anyhow::Result<Picture> {
        let path = self.dir.join(&self.classes[self.label(index)]).join(self.file_name(index));
        picture::read(&path)
    }
}
