//! Images as a model sees them, clean and attacked, kept for as long as they are asked for again: while a
//! slider of the attack moves nothing but the attack is computed, and another class or kind of map takes no
//! pass at all.

use super::opened::{ImageChoice, Pixels};
use crate::config::AttackConfig;
use crate::evaluation::softmax::{cross_entropy, top_guesses};
use crate::evaluation::{Model, Seen};

/// What was seen last.
#[derive(Default)]
pub(super) struct SeenImages {
    clean: Option<SeenClean>,
    attacked: Option<SeenAttacked>,
}

/// The chosen images as they are, seen through every domain.
pub(super) struct SeenClean {
    choice: ImageChoice,
    pub(super) images: Pixels,
    /// `[n, S, S, 3]`, 0..255
    pub(super) pixels: Vec<f32>,
    /// By domain.
    pub(super) seen: Vec<Seen>,
}

/// What the result of an attack depends on beside images and weights.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct AttackCall {
    pub(super) attack: AttackConfig,
    /// BN domain that the attack goes through.
    pub(super) domain: usize,
    /// Draws random starts and targets.
    pub(super) seed: u64,
}

/// The chosen images attacked through one domain and seen through every domain.
pub(super) struct SeenAttacked {
    call: AttackCall,
    /// The classes that the losses refer to.
    pub(super) labels: Vec<usize>,
    /// `[n, S, S, 3]`, 0..255
    pub(super) pixels: Vec<f32>,
    /// By domain.
    pub(super) seen: Vec<Seen>,
    /// Cross-entropy against the labels through the attacked domain, nats, `[iterations + 1][n]`: before each
    /// iteration and after the last.
    pub(super) losses: Vec<Vec<f32>>,
}

impl SeenImages {
    /// The chosen images clean and attacked, from what is kept where that is of the same. `load` reads the
    /// images when others are asked for.
    pub(super) fn of(
        &mut self,
        model: &mut Model,
        choice: &ImageChoice,
        call: AttackCall,
        load: impl FnOnce(&Model) -> anyhow::Result<Pixels>,
    ) -> anyhow::Result<(&SeenClean, &SeenAttacked)> {
        let clean = match self.clean.take_if(|clean| clean.choice == *choice) {
            Some(clean) => clean,
            None => {
                self.attacked = None;
                SeenClean::new(model, choice, load(model)?)?
            }
        };
        let clean = self.clean.insert(clean);
        let attacked = match self.attacked.take_if(|attacked| attacked.call == call) {
            Some(attacked) => attacked,
            None => SeenAttacked::new(model, call, clean)?,
        };
        Ok((clean, self.attacked.insert(attacked)))
    }
}

fn seen_by_domain(model: &mut Model, pixels: &[f32]) -> anyhow::Result<Vec<Seen>> {
    (0..model.meta().domains.len()).map(|domain| model.see(pixels, domain)).collect()
}

impl SeenClean {
    fn new(model: &mut Model, choice: &ImageChoice, images: Pixels) -> anyhow::Result<Self> {
        let pixels = images.floats();
        let seen = seen_by_domain(model, &pixels)?;
        Ok(Self { choice: choice.clone(), images, pixels, seen })
    }
}

impl SeenAttacked {
    fn new(model: &mut Model, call: AttackCall, clean: &SeenClean) -> anyhow::Result<Self> {
        let AttackCall { attack, domain, seed } = &call;
        let classes = model.meta().classes.len();
        let guesses = clean.seen[*domain].logits.chunks_exact(classes).map(|logits| top_guesses(logits, 1));
        let guesses = guesses.map(|guesses| guesses.first().map_or(0, |guess| guess.class));
        let labels: Vec<usize> =
            clean.images.labels.iter().zip(guesses).map(|(known, guess)| known.unwrap_or(guess)).collect();
        let (pixels, mut losses) =
            model.traced_attack(&clean.pixels, &labels, attack, *domain, *seed, &clean.images.ids)?;
        let seen = seen_by_domain(model, &pixels)?;
        let ends = seen[*domain].logits.chunks_exact(classes).zip(&labels);
        losses.push(ends.map(|(logits, label)| cross_entropy(logits, *label)).collect());
        Ok(Self { call, labels, pixels, seen, losses })
    }
}
