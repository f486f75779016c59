//! The opened model, the sets that it can be shown, and images of them.

use super::Subject;
use crate::config::ParameterSet;
use crate::data::corruptions::Corruptor;
use crate::data::{Dataset, Framing, Matched, load_image_file};
use crate::evaluation::Model;
use anyhow::Context as _;
use std::path::PathBuf;
use std::sync::Arc;

/// A model with the sets that it can be shown.
pub(super) struct Opened {
    pub(super) model: Model,
    pub(super) sets: MatchedSets,
    /// Where the model comes from.
    pub(super) subject: Subject,
    /// What corrupted images last: its pictures of frost take a while.
    pub(super) corruptor: Option<Arc<Corruptor>>,
}

/// Sets under the model's labels, by name.
pub(super) type MatchedSets = Vec<(String, Matched)>;

impl Opened {
    /// The set of that name with how its classes were matched.
    pub(super) fn matched(&self, split: &str) -> anyhow::Result<&Matched> {
        matched(&self.sets, split)
    }

    /// What corrupts images with these strengths, or those for the size of the model's images, by the seed of
    /// the model's run.
    pub(super) fn corruptor(&mut self, parameters: Option<ParameterSet>) -> Arc<Corruptor> {
        let wanted = parameters.unwrap_or_else(|| ParameterSet::of_size(self.model.meta().image_size));
        let seed = self.model.config().run.seed;
        let made = self.corruptor.take().filter(|made| made.set() == wanted);
        let made = made.unwrap_or_else(|| Arc::new(Corruptor::new(wanted, seed)));
        Arc::clone(self.corruptor.insert(made))
    }
}

/// The set of that name; an error lists the names that there are.
pub(super) fn named<'a>(sets: &'a MatchedSets, split: &str) -> anyhow::Result<&'a Arc<dyn Dataset>> {
    Ok(&matched(sets, split)?.set)
}

fn matched<'a>(sets: &'a MatchedSets, split: &str) -> anyhow::Result<&'a Matched> {
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
    /// One image of a set by its name there.
    Named {
        /// Name of the set.
        split: String,
        /// Name of the image.
        name: String,
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
    pub(super) fn load(model: &Model, sets: &MatchedSets, choice: &ImageChoice) -> anyhow::Result<Self> {
        let size = model.meta().image_size;
        let framing = Framing::of(&model.config().data);
        let mut pixels = Self { names: Vec::new(), labels: Vec::new(), ids: Vec::new(), bytes: Vec::new() };
        match choice {
            ImageChoice::Data { split, first, count } => {
                let set = named(sets, split)?;
                for index in (0..*count.min(&set.len())).map(|n| (first + n) % set.len()) {
                    pixels.add(&**set, index, size)?;
                }
            }
            ImageChoice::Named { split, name } => {
                let set = named(sets, split)?;
                let found = (0..set.len()).find(|index| set.name(*index) == *name);
                let index = found.with_context(|| {
                    format!(
                        "{split} of the opened model has no image {name}; open a model of the run that the image is of"
                    )
                })?;
                pixels.add(&**set, index, size)?;
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

    /// Reads image `index` of a set.
    fn add(&mut self, set: &dyn Dataset, index: usize, size: usize) -> anyhow::Result<()> {
        self.bytes.extend(set.load(index, size)?);
        self.names.push(set.name(index));
        self.labels.push(Some(set.label(index)));
        self.ids.push(index as u32);
        Ok(())
    }

    /// Pixels as the model takes them, `[n, S, S, 3]` in 0..255.
    pub(super) fn floats(&self) -> Vec<f32> {
        self.bytes.iter().map(|b| f32::from(*b)).collect()
    }
}
