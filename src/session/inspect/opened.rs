//! The opened model, the sets that it can be shown, and images of them.

use super::Subject;
use crate::data::{Dataset, Framing, NamedSets, load_image_file};
use crate::evaluation::Model;
use anyhow::Context as _;
use std::path::PathBuf;
use std::sync::Arc;

/// A model with the sets that it can be shown.
pub(super) struct Opened {
    pub(super) model: Model,
    pub(super) sets: NamedSets,
    /// Where the model comes from.
    pub(super) subject: Subject,
}

/// The set of that name; an error lists the names that there are.
pub(super) fn named<'a>(sets: &'a NamedSets, split: &str) -> anyhow::Result<&'a Arc<dyn Dataset>> {
    let found = sets.iter().find(|(name, _)| name == split).map(|(_, set)| set);
    found.with_context(|| {
        let names: Vec<&str> = sets.iter().map(|(name, _)| name.as_str()).collect();
        format!("there is no set \"{split}\"; expected one of {}", names.join(", "))
    })
}

/// Which images are looked at.
#[derive(Clone, Debug, PartialEq)]
pub enum ImageChoice {
    /// `count` consecutive images of a set, from `first`, around its end.
    Data {
        /// Name of the set.
        split: String,
        /// Index of the first image.
        first: usize,
        /// Number of images.
        count: usize,
    },
    /// Image files; their class is the one predicted for the clean image.
    Files(Vec<PathBuf>),
}

/// Images with their names, labels where known, and numbers that seed random starts.
pub(super) struct Pixels {
    pub(super) names: Vec<String>,
    pub(super) labels: Vec<Option<usize>>,
    pub(super) ids: Vec<u32>,
    /// `[n, S, S, 3]`
    pub(super) bytes: Vec<u8>,
}

impl Pixels {
    /// Reads the images at the model's size. Fails when one cannot be read or is of a class that the model
    /// lacks.
    pub(super) fn load(model: &Model, sets: &NamedSets, choice: &ImageChoice) -> anyhow::Result<Self> {
        let size = model.meta().image_size;
        let framing = Framing::of(&model.config().data);
        let mut pixels = Self { names: Vec::new(), labels: Vec::new(), ids: Vec::new(), bytes: Vec::new() };
        match choice {
            ImageChoice::Data { split, first, count } => {
                let set = named(sets, split)?;
                for index in (0..*count.min(&set.len())).map(|n| (first + n) % set.len()) {
                    pixels.bytes.extend(set.load(index, size)?);
                    pixels.names.push(set.name(index));
                    pixels.labels.push(Some(set.label(index)));
                    pixels.ids.push(index as u32);
                }
            }
            ImageChoice::Files(paths) => {
                for (index, path) in paths.iter().enumerate() {
                    pixels.bytes.extend(load_image_file(path, size, framing)?);
                    let name = path.file_name().unwrap_or(path.as_os_str());
                    pixels.names.push(name.to_string_lossy().into_owned());
                    pixels.labels.push(None);
                    pixels.ids.push(index as u32);
                }
            }
        }
        anyhow::ensure!(!pixels.names.is_empty(), "no image was chosen");
        Ok(pixels)
    }

    /// Pixels as the model takes them, `[n, S, S, 3]` in 0..255.
    pub(super) fn floats(&self) -> Vec<f32> {
        self.bytes.iter().map(|b| f32::from(*b)).collect()
    }
}
