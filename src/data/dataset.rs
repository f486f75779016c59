//! The one view that training and evaluation have of a set of labelled images.

use super::Picture;
use std::sync::Arc;

/// A fixed, ordered set of labelled images.
pub trait Dataset: Send + Sync {
    fn len(&self) -> usize;

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn class_names(&self) -> &[String];

    /// Class of image `index`, without decoding it.
    fn label(&self, index: usize) -> usize;

    /// A name for messages and file names: the path below the split, or `val/00012` for made images.
    fn name(&self, index: usize) -> String;

    /// Sentences on what is odd about the set: files that are left out, classes that look alike.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Decodes image `index` to `[size, size, 3]` RGB bytes: the shorter side is resized to `size`, then the
    /// centre is cropped; an image of exactly that size is used as it is.
    fn load(&self, index: usize, size: usize) -> anyhow::Result<Vec<u8>>;

    /// Decodes image `index` whole, at its own size. A set without a size of its own draws it at `size`.
    fn decode(&self, index: usize, size: usize) -> anyhow::Result<Picture> {
        Picture::new(size, size, self.load(index, size)?)
    }

    /// The pixels of image `index`, as [`Self::load`] gives it at `size`, that show its object: `[size,
    /// size]` row by row. `None` where the set does not know them.
    fn mask(&self, _index: usize, _size: usize) -> Option<Vec<bool>> {
        None
    }
}

/// Sets with the names that reports give them.
pub type NamedSets = Vec<(String, Arc<dyn Dataset>)>;

/// The parts of a data set.
#[derive(Clone)]
pub struct Splits {
    pub train: Arc<dyn Dataset>,
    pub val: Arc<dyn Dataset>,
    /// Further evaluation sets by name, such as `val-stylized`.
    pub extra: NamedSets,
}

impl Splits {
    /// The [`Dataset::notes`] of all parts.
    pub fn notes(&self) -> Vec<String> {
        let parts = [&self.train, &self.val].into_iter().chain(self.extra.iter().map(|(_, set)| set));
        parts.flat_map(|set| set.notes()).collect()
    }
}
