//! Images as a model sees them, clean and attacked, kept for as long as they are asked for again: while a slider of the
//! attack moves nothing but the attack is computed, and another class or kind of map takes no pass at all.

use super::look::{ImageChoice, Look, Pixels};
use crate::config::AttackConfig;
use crate::evaluation::snapshot::{best, loss};
use crate::evaluation::{Model, Seen};

/// What was seen last.
#[derive(Default)]
pub(super) struct Views {
    clean: Option<CleanView>,
    attacked: Option<AttackedView>,
}

pub(super) struct CleanView {
    choice: ImageChoice,
    pub images: Pixels,
    /// `[n, S, S, 3]`, 0..255
    pub pixels: Vec<f32>,
    /// By domain.
    pub seen: Vec<Seen>,
}

pub(super) struct AttackedView {
    attack: AttackConfig,
    domain: usize,
    seed: u64,
    /// The classes that the losses refer to.
    pub labels: Vec<usize>,
    /// `[n, S, S, 3]`, 0..255
    pub pixels: Vec<f32>,
    /// By domain.
    pub seen: Vec<Seen>,
    /// Cross-entropy against the labels through the attacked domain, nats, `[iterations + 1][n]`: before each
    /// iteration and after the last.
    pub losses: Vec<Vec<f32>>,
}

impl Views {
    /// The views for `look`. `load` reads the images when others are asked for.
    pub(super) fn of(
        &mut self,
        model: &mut Model,
        look: &Look,
        load: impl FnOnce(&Model) -> anyhow::Result<Pixels>,
    ) -> anyhow::Result<(&CleanView, &AttackedView)> {
        let clean = match self.clean.take_if(|clean| clean.choice == look.images) {
            Some(clean) => clean,
            None => {
                self.attacked = None;
                CleanView::new(model, look, load(model)?)?
            }
        };
        let clean = self.clean.insert(clean);
        let same = |attacked: &mut AttackedView| {
            (&attacked.attack, attacked.domain, attacked.seed) == (&look.attack, look.domain, look.seed)
        };
        let attacked = match self.attacked.take_if(same) {
            Some(attacked) => attacked,
            None => AttackedView::new(model, look, clean)?,
        };
        Ok((clean, self.attacked.insert(attacked)))
    }
}

fn seen_by_domain(model: &mut Model, pixels: &[f32]) -> anyhow::Result<Vec<Seen>> {
    (0..model.meta().domains.len()).map(|domain| model.see(pixels, domain)).collect()
}

impl CleanView {
    fn new(model: &mut Model, look: &Look, images: Pixels) -> anyhow::Result<Self> {
        let pixels = images.floats();
        let seen = seen_by_domain(model, &pixels)?;
        Ok(Self { choice: look.images.clone(), images, pixels, seen })
    }
}

impl AttackedView {
    fn new(model: &mut Model, look: &Look, clean: &CleanView) -> anyhow::Result<Self> {
        let classes = model.meta().classes.len();
        let guesses = clean.seen[look.domain].logits.chunks_exact(classes).map(|logits| best(logits, 1));
        let guesses = guesses.map(|guesses| guesses.first().map_or(0, |guess| guess.class));
        let labels: Vec<usize> =
            clean.images.labels.iter().zip(guesses).map(|(known, guess)| known.unwrap_or(guess)).collect();
        let (attack, domain, seed) = (look.attack.clone(), look.domain, look.seed);
        let (pixels, mut losses) =
            model.traced_attack(&clean.pixels, &labels, &attack, domain, seed, &clean.images.ids)?;
        let seen = seen_by_domain(model, &pixels)?;
        let ends = seen[domain].logits.chunks_exact(classes).zip(&labels);
        losses.push(ends.map(|(logits, label)| loss(logits, *label)).collect());
        Ok(Self { attack, domain, seed, labels, pixels, seen, losses })
    }
}
