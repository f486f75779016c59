//! A part of a set whose labels stand in a list: what such sets share, wherever their images are.

use super::labels::Labels;
use super::{Dataset, Framing, Picture};
use crate::words::counted;

/// Images by number, wherever they are kept.
pub(super) trait Images: Send + Sync {
    /// What messages call image `index`.
    fn name(&self, index: usize) -> String;

    /// Decodes image `index` whole.
    fn picture(&self, index: usize) -> anyhow::Result<Picture>;
}

/// Images with their labels.
pub(super) struct Labelled<I> {
    pub(super) images: I,
    pub(super) labels: Labels,
    /// Sentences on what is odd about the part.
    pub(super) notes: Vec<String>,
    pub(super) framing: Framing,
}

/// What the notes of a part say of images that have no label; `None` where all have one.
pub(super) fn unlabelled_note(part: &str, count: usize) -> Option<String> {
    (count > 0).then(|| format!("{part}: left out for want of a label: {}", counted(count, "image")))
}

impl<I: Images> Dataset for Labelled<I> {
    fn len(&self) -> usize {
        self.labels.of_images.len()
    }

    fn class_names(&self) -> &[String] {
        &self.labels.classes
    }

    fn label(&self, index: usize) -> usize {
        self.labels.of_images[index] as usize
    }

    fn name(&self, index: usize) -> String {
        self.images.name(index)
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn load(&self, index: usize, size: usize) -> anyhow::Result<Vec<u8>> {
        self.images.picture(index)?.into_square(size, self.framing)
    }

    fn decode(&self, index: usize, _size: usize) -> anyhow::Result<Picture> {
        self.images.picture(index)
    }
}
