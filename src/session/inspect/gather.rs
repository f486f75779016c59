//! Images of a set by their numbers as one domain sees them: those in a cell of a confusion matrix.

use super::opened::{Opened, named};
use crate::config::AttackConfig;
use crate::evaluation::confusion::{Confusion, Example, WORST};

/// Images gathered at a time.
pub const MOST_GATHERED: usize = WORST;

/// Which images to show, as which domain sees them.
#[derive(Clone, Debug, PartialEq)]
pub struct Gather {
    /// Name of the set.
    pub split: String,
    /// Their numbers in the set, up to [`MOST_GATHERED`].
    pub indices: Vec<usize>,
    /// Index of the domain.
    pub domain: usize,
    /// The attack through that domain that they undergo, with what draws its random starts; `None`: they are
    /// seen as they are.
    pub attack: Option<(AttackConfig, u64)>,
}

/// The answer to a [`Gather`].
#[derive(Clone, Debug)]
pub struct Gathered {
    /// Finished steps of the model.
    pub step: u64,
    /// What was asked.
    pub request: Gather,
    /// The images, the one with the highest loss first.
    pub examples: Vec<Example>,
}

/// Reads the images and shows them to the model.
pub(super) fn gather(opened: &mut Opened, request: &Gather) -> anyhow::Result<Gathered> {
    let set = named(&opened.sets, &request.split)?.clone();
    let model = &mut opened.model;
    let (size, classes, domains) =
        (model.meta().image_size, model.meta().classes.len(), model.meta().domains.len());
    anyhow::ensure!(request.domain < domains, "the model has no BN domain {}", request.domain);
    let indices: Vec<usize> = request.indices.iter().copied().take(MOST_GATHERED).collect();
    let mut pixels = Vec::new();
    for &index in &indices {
        anyhow::ensure!(index < set.len(), "{} has no image {index}; it has {}", request.split, set.len());
        pixels.extend(set.load(index, size)?.into_iter().map(f32::from));
    }
    let labels: Vec<usize> = indices.iter().map(|index| set.label(*index)).collect();
    if let Some((attack, seed)) = &request.attack {
        let ids: Vec<u32> = indices.iter().map(|index| *index as u32).collect();
        pixels = model.attack(&pixels, &labels, attack, request.domain, *seed, &ids)?;
    }
    let outcome = model.outcome(&pixels, Some(&labels), request.domain)?;
    let mut seen = Confusion::new(classes);
    let of_labels: Vec<u32> = labels.iter().map(|label| *label as u32).collect();
    seen.add(&outcome, &of_labels, &indices, &pixels, |index| set.name(index));
    Ok(Gathered { step: model.meta().step, request: request.clone(), examples: seen.worst })
}
