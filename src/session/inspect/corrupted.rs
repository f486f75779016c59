//! One image of a set under a corruption at rising severity, and what every domain takes it for.

use super::opened::Opened;
use crate::config::{Corruption, ParameterSet};
use crate::data::corruptions::SEVERITIES;
use crate::evaluation::softmax::top_guesses;
use crate::training::events::Guess;

/// Which image to corrupt, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Corrupt {
    /// Name of the set.
    pub split: String,
    /// Number of the image in the set; numbers past its end begin anew.
    pub index: usize,
    /// The corruption.
    pub corruption: Corruption,
    /// Strengths of the severities; `None`: those for the size of the model's images.
    pub parameters: Option<ParameterSet>,
}

/// The answer to a [`Corrupt`].
#[derive(Clone, Debug)]
pub struct CorruptedImage {
    /// Finished steps of the model.
    pub step: u64,
    /// What was asked.
    pub request: Corrupt,
    /// Strengths of the severities.
    pub parameters: ParameterSet,
    /// Name of the image in its set.
    pub name: String,
    /// The true class.
    pub label: usize,
    /// Side of the pictures, pixels.
    pub size: usize,
    /// The image as it is, then at severity 1 to 5: the pixels that a measurement of the set has.
    pub versions: Vec<CorruptedVersion>,
}

/// An image at one severity, or as it is.
#[derive(Clone, Debug)]
pub struct CorruptedVersion {
    /// RGB, `[size, size, 3]`.
    pub pixels: Vec<u8>,
    /// The most probable class through each domain.
    pub guesses: Vec<Guess>,
}

/// Makes the pictures and shows them to the model.
pub(super) fn corrupt(opened: &mut Opened, request: &Corrupt) -> anyhow::Result<CorruptedImage> {
    let set = opened.matched(&request.split)?.set.clone();
    let corruptor = opened.corruptor(request.parameters);
    let model = &mut opened.model;
    let (size, classes) = (model.meta().image_size, model.meta().classes.len());
    anyhow::ensure!(!set.is_empty(), "{}: there is no image to corrupt", request.split);
    let index = request.index % set.len();
    let clean = set.load(index, size)?;
    let corrupted =
        |severity| corruptor.apply(request.corruption, severity, &clean, size, size, index as u64);
    let pictures: Vec<Vec<u8>> = std::iter::once(clean.clone()).chain(SEVERITIES.map(corrupted)).collect();
    let pixels: Vec<f32> = pictures.iter().flatten().map(|byte| f32::from(*byte)).collect();
    let mut by_domain: Vec<Vec<Vec<Guess>>> = Vec::new();
    for domain in 0..model.meta().domains.len() {
        let logits = model.logits(&pixels, domain)?;
        by_domain.push(logits.chunks_exact(classes).map(|row| top_guesses(row, 1)).collect());
    }
    let version = |(place, pixels): (usize, Vec<u8>)| CorruptedVersion {
        pixels,
        guesses: by_domain.iter().flat_map(|rows| rows[place].clone()).collect(),
    };
    Ok(CorruptedImage {
        step: model.meta().step,
        request: request.clone(),
        parameters: corruptor.set(),
        name: set.name(index),
        label: set.label(index),
        size,
        versions: pictures.into_iter().enumerate().map(version).collect(),
    })
}
