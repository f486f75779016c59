//! Images as a model sees them, clean and attacked, kept for as long as they are asked for again: while a
//! slider of the attack moves nothing but the attack is computed, and another class or kind of map takes no
//! pass at all.

use super::opened::{ImageChoice, Pixels};
use crate::config::AttackConfig;
use crate::evaluation::auto_domain::{Through, chosen};
use crate::evaluation::inference::Outcome;
use crate::evaluation::softmax::{cross_entropy, top_guesses};
use crate::evaluation::{Model, Seen};

/// What was seen last.
#[derive(Default)]
pub(super) struct SeenImages {
    clean: Option<SeenClean>,
    attacked: Option<SeenAttacked>,
}

/// The chosen images as they are, seen through every domain and the choice by image.
pub(super) struct SeenClean {
    choice: ImageChoice,
    pub(super) images: Pixels,
    /// `[n, S, S, 3]`, 0..255
    pub(super) pixels: Vec<f32>,
    /// By [`Through::all`].
    pub(super) seen: Vec<Seen>,
    /// The domain that fits each image.
    pub(super) choices: Vec<usize>,
}

/// What the result of an attack depends on beside images and weights.
#[derive(Clone, Debug, PartialEq)]
pub struct AttackCall {
    /// The attack.
    pub attack: AttackConfig,
    /// What the attack goes through; `auto` as in [`super::Look::domain`].
    pub domain: Through,
    /// Draws random starts and targets.
    pub seed: u64,
}

/// The chosen images attacked and seen through every domain and the choice by image.
pub(super) struct SeenAttacked {
    call: AttackCall,
    /// The classes that the losses refer to.
    pub(super) labels: Vec<usize>,
    /// `[n, S, S, 3]`, 0..255
    pub(super) pixels: Vec<f32>,
    /// By [`Through::all`].
    pub(super) seen: Vec<Seen>,
    /// The domain that fits each image.
    pub(super) choices: Vec<usize>,
    /// Cross-entropy against the labels through the domain that each image was attacked through, nats,
    /// `[iterations + 1][n]`: before each iteration and after the last.
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

/// What passes through every domain see, by [`Through::all`], and the domain that fits each image.
pub(super) fn seen_through_all(model: &mut Model, pixels: &[f32]) -> anyhow::Result<(Vec<Seen>, Vec<usize>)> {
    let choices = model.choose_domains(pixels)?;
    let domains = 0..model.meta().domains.len();
    let mut seen: Vec<Seen> =
        domains.map(|domain| model.see(pixels, domain)).collect::<anyhow::Result<_>>()?;
    if seen.len() > 1 {
        let [logits, features] = [|seen: &Seen| seen.logits.clone(), |seen: &Seen| seen.features.clone()]
            .map(|part| chosen(&seen.iter().map(part).collect::<Vec<_>>(), &choices));
        seen.push(Seen { logits, features });
    }
    Ok((seen, choices))
}

impl SeenClean {
    fn new(model: &mut Model, choice: &ImageChoice, images: Pixels) -> anyhow::Result<Self> {
        let pixels = images.floats();
        let (seen, choices) = seen_through_all(model, &pixels)?;
        Ok(Self { choice: choice.clone(), images, pixels, seen, choices })
    }
}

/// An attack through one domain.
struct Tried {
    /// `[n, S, S, 3]`, 0..255
    pixels: Vec<f32>,
    /// By [`Through::all`].
    seen: Vec<Seen>,
    choices: Vec<usize>,
    /// `[iterations + 1][n]`
    losses: Vec<Vec<f32>>,
}

impl SeenAttacked {
    fn new(model: &mut Model, call: AttackCall, clean: &SeenClean) -> anyhow::Result<Self> {
        let (classes, domains) = (model.meta().classes.len(), model.meta().domains.len());
        let view = call.domain.place(domains);
        let guesses = clean.seen[view].logits.chunks_exact(classes).map(|logits| top_guesses(logits, 1));
        let guesses = guesses.map(|guesses| guesses.first().map_or(0, |guess| guess.class));
        let labels: Vec<usize> =
            clean.images.labels.iter().zip(guesses).map(|(known, guess)| known.unwrap_or(guess)).collect();
        let mut tried = Vec::new();
        for domain in call.domain.domains(domains) {
            let (attack, ids) = (&call.attack, &clean.images.ids);
            let (pixels, mut losses) =
                model.traced_attack(&clean.pixels, &labels, attack, domain, call.seed, ids)?;
            let (seen, choices) = seen_through_all(model, &pixels)?;
            let ends = seen[domain].logits.chunks_exact(classes).zip(&labels);
            losses.push(ends.map(|(logits, label)| cross_entropy(logits, *label)).collect());
            tried.push(Tried { pixels, seen, choices, losses });
        }
        Ok(Self::worst(call, labels, view, tried))
    }

    /// The attack that is the worst for each image as it is seen through `view`, a place in [`Through::all`].
    fn worst(call: AttackCall, labels: Vec<usize>, view: usize, tried: Vec<Tried>) -> Self {
        let of_labels: Vec<u32> = labels.iter().map(|label| *label as u32).collect();
        let outcome = |tried: &Tried| Outcome::of_logits(tried.seen[view].logits.clone(), &of_labels);
        let outcomes: Vec<Outcome> = tried.iter().map(outcome).collect();
        let places = Outcome::worst_places(&outcomes.iter().collect::<Vec<_>>());
        let worst = |values: &dyn Fn(&Tried) -> &[f32]| {
            chosen(&tried.iter().map(values).collect::<Vec<_>>(), &places)
        };
        let seen = (0..tried[0].seen.len()).map(|view| Seen {
            logits: worst(&|tried| &tried.seen[view].logits),
            features: worst(&|tried| &tried.seen[view].features),
        });
        let losses = (0..tried[0].losses.len()).map(|step| worst(&|tried| &tried.losses[step]));
        Self {
            call,
            labels,
            pixels: worst(&|tried| &tried.pixels),
            seen: seen.collect(),
            choices: places.iter().enumerate().map(|(i, place)| tried[*place].choices[i]).collect(),
            losses: losses.collect(),
        }
    }
}
