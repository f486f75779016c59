//! The corrupted view of training images: every showing of an image is corrupted by a draw of its own.

use super::augment::{Placement, Showing, Shown};
use super::corruptions::{Corruption, Corruptor, ParameterSet};
use super::random::Purpose;
use crate::config::Config;

/// How the corrupted view is made. Corruption, severity and their draws follow from the showing alone.
#[derive(Clone)]
pub struct Corrupting {
    corruptor: Corruptor,
    /// At least one.
    corruptions: Vec<Corruption>,
    /// At least one, each 1..=5.
    severities: Vec<u8>,
}

impl Corrupting {
    /// What `[method.corrupted]` of a valid configuration says, with the strengths for its image size.
    pub fn from_config(config: &Config) -> Self {
        let corrupted = &config.method.corrupted;
        Self {
            corruptor: Corruptor::new(ParameterSet::of_size(config.data.image_size), config.run.seed),
            corruptions: corrupted.corruptions(),
            severities: corrupted.severity.clone(),
        }
    }

    /// The corrupted view of a clean one, which is cropped and flipped first.
    pub(super) fn corrupted(&self, clean: &Shown, size: usize, showing: &Showing) -> Shown {
        let mut random = showing.random(Purpose::CorruptedBranch);
        let corruption = self.corruptions[random.below(self.corruptions.len() as u32) as usize];
        let severity = self.severities[random.below(self.severities.len() as u32) as usize];
        let id = u64::from(random.bits()) << 32 | u64::from(random.bits());
        let framed = clean.placement.apply(clean.rgb.clone(), size);
        let rgb = self.corruptor.apply(corruption, severity, &framed, size, size, id);
        Shown { rgb, placement: Placement::default() }
    }
}

impl std::fmt::Debug for Corrupting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = f.debug_struct("Corrupting");
        out.field("corruptions", &self.corruptions).field("severities", &self.severities);
        out.finish_non_exhaustive()
    }
}
