//! An attack with several starts: the worst of them for each image.

use super::{Draws, ImageBatch, Inference, Outcome};
use crate::config::{Apgd, ApgdLoss, Attacker, EvaluationAttack};
use crate::gpu::{Gpu, GpuError};
use crate::kernels::dlr::LEAST_CLASSES;

/// Other classes that Auto-PGD's targeted loss aims at, at most (AutoAttack's number).
const MOST_AIMS: usize = 9;

/// What an attack came to, with one entry an image.
#[derive(Clone, Debug, Default)]
pub struct Strongest {
    /// Of the image after the start that fooled the network first, or else has the highest loss.
    pub outcome: Outcome,
    /// That image's pixels, `[n, S, S, 3]` in 0..255; empty where nobody asked for them.
    pub pixels: Vec<f32>,
}

impl EvaluationAttack {
    /// What keeps this attack from a network of so many classes, in a sentence.
    pub fn fault(&self, classes: usize) -> Option<String> {
        let targeted = matches!(self.attacker, Attacker::Apgd(Apgd { loss: ApgdLoss::TargetedDlr, .. }));
        (targeted && classes < LEAST_CLASSES).then(|| {
            format!(
                "apgd-t needs a model of at least {LEAST_CLASSES} classes, because its loss has the fourth \
                 largest logit in it; this one has {classes}: use apgd"
            )
        })
    }
}

impl Inference {
    /// Attacks a batch through `domain` as often as the attack says, with a targeted loss towards one class
    /// after another. Images that were fooled are not attacked again. `seed` draws, by image. The attack must
    /// have no [`EvaluationAttack::fault`] for this network.
    pub fn strongest(
        &mut self,
        gpu: &mut Gpu,
        images: ImageBatch<'_>,
        attack: &EvaluationAttack,
        domain: usize,
        seed: u64,
        keep_pixels: bool,
    ) -> Result<Strongest, GpuError> {
        let each = self.network.image_size.pow(2) * 3;
        let ranked = match &attack.attacker {
            Attacker::Apgd(Apgd { loss: ApgdLoss::TargetedDlr, .. }) => self.ranked(gpu, images, domain)?,
            _ => images.labels.iter().map(|label| vec![*label]).collect(),
        };
        let aims = ranked.first().map_or(0, Vec::len);
        let rounds = (0..aims).flat_map(|aim| (0..attack.restarts).map(move |start| (aim, start)));
        let mut strongest = Strongest::default();
        let mut live: Vec<usize> = (0..images.labels.len()).collect();
        for (round, (aim, start)) in rounds.enumerate() {
            let pixels: Vec<f32> =
                live.iter().flat_map(|i| &images.pixels[i * each..][..each]).copied().collect();
            let [labels, ids] =
                [images.labels, images.ids].map(|all| live.iter().map(|i| all[*i]).collect::<Vec<_>>());
            let part = ImageBatch { pixels: &pixels, labels: &labels, ids: &ids };
            let draws = Draws { seed, start };
            match &attack.attacker {
                Attacker::Signs(config) => self.attack_from(gpu, part, config, domain, draws)?,
                Attacker::Apgd(apgd) => {
                    let aims: Vec<u32> = live.iter().map(|i| ranked[*i][aim]).collect();
                    self.apgd(gpu, part, &aims, apgd, domain, draws)?;
                }
                Attacker::Square(square) => self.square(gpu, part, square, domain, draws)?,
            }
            let found = Strongest {
                outcome: self.forward_current(gpu, &labels, domain)?,
                pixels: match keep_pixels {
                    true => self.pixels(&gpu.device, labels.len())?,
                    false => Vec::new(),
                },
            };
            if round == 0 {
                strongest = found;
            } else {
                for (place, i) in live.iter().enumerate() {
                    strongest.take_worse(*i, &found, place);
                }
            }
            live.retain(|i| strongest.outcome.top1[*i]);
            if live.is_empty() {
                break;
            }
        }
        Ok(strongest)
    }

    /// The wrong classes of each image that a targeted loss aims at, the most probable for the clean image
    /// first.
    fn ranked(
        &mut self,
        gpu: &mut Gpu,
        images: ImageBatch<'_>,
        domain: usize,
    ) -> Result<Vec<Vec<u32>>, GpuError> {
        let outcome = self.forward(gpu, images, domain)?;
        let rows = outcome.logits.chunks_exact(self.network.classes).zip(images.labels);
        let rank = |(logits, label): (&[f32], &u32)| {
            let mut wrong: Vec<u32> = (0..logits.len() as u32).filter(|class| class != label).collect();
            wrong.sort_by(|a, b| logits[*b as usize].total_cmp(&logits[*a as usize]));
            wrong.truncate(MOST_AIMS);
            wrong
        };
        Ok(rows.map(rank).collect())
    }
}

impl Strongest {
    /// What is the worst for each image, as [`Outcome::worst`] has it, with its pixels. All are attacks on
    /// the same images.
    pub fn worst(attacks: impl IntoIterator<Item = Self>) -> Self {
        let attacks: Vec<Self> = attacks.into_iter().collect();
        let outcomes: Vec<&Outcome> = attacks.iter().map(|attack| &attack.outcome).collect();
        let Some(first) = attacks.first() else { return Self::default() };
        let each = first.pixels.len() / first.outcome.loss.len().max(1);
        let places = Outcome::worst_places(&outcomes);
        let pixels =
            places.iter().enumerate().flat_map(|(i, place)| &attacks[*place].pixels[i * each..][..each]);
        Self { pixels: pixels.copied().collect(), outcome: Outcome::worst(outcomes.iter().copied()) }
    }

    /// Takes image `place` of `found` as image `i`, where it is worse.
    fn take_worse(&mut self, i: usize, found: &Self, place: usize) {
        if !found.outcome.is_worse(place, &self.outcome, i) {
            return;
        }
        let each = self.pixels.len() / self.outcome.loss.len();
        self.outcome.take(i, &found.outcome, place);
        if each > 0 {
            self.pixels[i * each..][..each].copy_from_slice(&found.pixels[place * each..][..each]);
        }
    }
}

impl Outcome {
    /// Which of the outcomes is the worst for each image: wrong where one is, else of the highest loss. All
    /// are of the same images, and there is at least one.
    pub fn worst_places(outcomes: &[&Self]) -> Vec<usize> {
        let place = |i: usize| {
            let mut worst = 0;
            for place in 1..outcomes.len() {
                // Of two wrong ones the first stays, as after a start that fooled the network.
                if outcomes[worst].top1[i] && outcomes[place].is_worse(i, outcomes[worst], i) {
                    worst = place;
                }
            }
            worst
        };
        (0..outcomes[0].loss.len()).map(place).collect()
    }

    /// What is the worst for each image, see [`Self::worst_places`]; nothing of nothing.
    pub fn worst<'a>(outcomes: impl IntoIterator<Item = &'a Self>) -> Self {
        let outcomes: Vec<&Self> = outcomes.into_iter().collect();
        let Some(first) = outcomes.first() else { return Self::default() };
        let mut worst = (*first).clone();
        for (i, place) in Self::worst_places(&outcomes).into_iter().enumerate() {
            worst.take(i, outcomes[place], i);
        }
        worst
    }

    fn is_worse(&self, place: usize, known: &Self, i: usize) -> bool {
        !self.top1[place] || self.loss[place] > known.loss[i]
    }

    fn take(&mut self, i: usize, other: &Self, place: usize) {
        self.loss[i] = other.loss[place];
        self.top1[i] = other.top1[place];
        self.top5[i] = other.top5[place];
        let classes = self.logits.len() / self.loss.len();
        self.logits[i * classes..][..classes].copy_from_slice(&other.logits[place * classes..][..classes]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::gpu::Device;
    use crate::models::{ModelOptions, build, init::initialize, names};
    use std::sync::{Arc, MutexGuard};

    const SIZE: usize = 8;
    const CLASSES: usize = 6;

    /// A network whose logits are those of fresh weights times `scale`, and images with the classes that it
    /// sees in them.
    struct Fixture {
        gpu: Gpu,
        _alone: MutexGuard<'static, Arc<Device>>,
        inference: Inference,
        pixels: Vec<f32>,
        labels: Vec<u32>,
        ids: Vec<u32>,
    }

    impl Fixture {
        fn new(count: usize, scale: f32) -> Self {
            let alone = Device::for_tests();
            let device = Arc::clone(&alone);
            let mut gpu = Gpu::new(Arc::clone(&device));
            let options = ModelOptions {
                width: 0.25,
                depth: 0.3,
                stem_stride: 1,
                ..ModelOptions::plain(CLASSES, SIZE)
            };
            let network = build("resnet18", &options).unwrap();
            let mut arenas = initialize("resnet18", &network, 1);
            let tensors = names::export(&network.layout, &arenas);
            let scaled: Vec<(String, Vec<usize>, Vec<f32>)> = tensors
                .iter()
                .map(|(name, shape, data)| {
                    let factor = if name.starts_with("fc.") { scale } else { 1.0 };
                    (name.clone(), shape.clone(), data.iter().map(|v| v * factor).collect())
                })
                .collect();
            names::import(&network.layout, &mut arenas, |name| {
                let (_, shape, data) = scaled.iter().find(|(known, ..)| known == name)?;
                Some((shape.as_slice(), data.as_slice()))
            })
            .unwrap();
            let [weights, running] = [&arenas.params, &arenas.running].map(|values| {
                let buffer = gpu.device.storage("arena", values.len() as u64 * 4).unwrap();
                gpu.device.write(&buffer, 0, values);
                buffer
            });
            let config = Config::default();
            let mut inference =
                Inference::new(&device, &config, &network, count, &weights, &running, |_, _| {}).unwrap();
            let pixels: Vec<f32> = (0..count * SIZE * SIZE * 3).map(|i| (i * i % 251) as f32).collect();
            let ids: Vec<u32> = (10..10 + count as u32).collect();
            let unknown = vec![0; count];
            let images = ImageBatch { pixels: &pixels, labels: &unknown, ids: &ids };
            let outcome = inference.forward(&mut gpu, images, 0).unwrap();
            let best = |row: &[f32]| (0..CLASSES).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap() as u32;
            let labels = outcome.logits.chunks_exact(CLASSES).map(best).collect();
            Self { gpu, _alone: alone, inference, pixels, labels, ids }
        }

        fn attacked(&mut self, spec: &str, images: std::ops::Range<usize>) -> Strongest {
            let each = SIZE * SIZE * 3;
            let part = ImageBatch {
                pixels: &self.pixels[images.start * each..images.end * each],
                labels: &self.labels[images.clone()],
                ids: &self.ids[images],
            };
            let attack = EvaluationAttack::parse_spec(spec).unwrap();
            let found = self.inference.strongest(&mut self.gpu, part, &attack, 0, 3, true).unwrap();
            for (pixel, clean) in found.pixels.iter().zip(part.pixels) {
                assert!(
                    (f64::from(*pixel) - f64::from(*clean)).abs() <= f64::from(attack.epsilon()),
                    "{spec}"
                );
                assert!((0.0..=255.0).contains(pixel), "{spec}");
            }
            found
        }
    }

    fn right(found: &Strongest) -> usize {
        found.outcome.top1.iter().filter(|hit| **hit).count()
    }

    #[test]
    fn more_starts_are_never_weaker_and_other_starts_than_the_first() {
        let mut fixture = Fixture::new(4, 1.0);
        let one = fixture.attacked("pgd:eps=1,step=1,iters=1", 0..4);
        let four = fixture.attacked("pgd:eps=1,step=1,iters=1,restarts=4", 0..4);
        for i in 0..4 {
            assert!(!four.outcome.top1[i] || one.outcome.top1[i], "image {i}");
            assert!(!four.outcome.top1[i] || four.outcome.loss[i] >= one.outcome.loss[i], "image {i}");
        }
        assert_ne!(one.outcome.loss, four.outcome.loss, "four starts find nothing that one does not");
    }

    #[test]
    fn an_image_is_attacked_alike_alone_and_among_others() {
        let mut fixture = Fixture::new(4, 1.0);
        for spec in ["apgd:eps=2,iters=3", "apgd-t:eps=1,iters=2", "square:eps=2,queries=6"] {
            let all = fixture.attacked(spec, 0..4);
            let some = fixture.attacked(spec, 1..3);
            for (i, loss) in some.outcome.loss.iter().enumerate() {
                assert!((loss - all.outcome.loss[i + 1]).abs() < 1e-3, "{spec}: image {i}");
                assert_eq!(some.outcome.top1[i], all.outcome.top1[i + 1], "{spec}: image {i}");
            }
        }
    }

    /// Logits a hundred thousand times as large saturate the softmax: its gradient is zero in f32, and
    /// attacks along it stay where they start. Those that ask otherwise find what is there.
    #[test]
    fn a_model_that_hides_its_gradients_is_broken_all_the_same() {
        // One device at a time: the first network is gone before the second comes.
        let seen = right(&Fixture::new(6, 1.0).attacked("ifgsm:eps=24,step=6,iters=6", 0..6));
        let mut hidden = Fixture::new(6, 1e5);
        let blind = right(&hidden.attacked("ifgsm:eps=24,step=6,iters=6", 0..6));
        let ratio = right(&hidden.attacked("apgd-t:eps=24,iters=6", 0..6));
        let square = right(&hidden.attacked("square:eps=24,queries=60", 0..6));
        assert!(blind >= 5, "only {blind} of 6 images hold out along no gradient");
        for (attack, held) in [("gradients in sight", seen), ("the ratio", ratio), ("squares", square)] {
            assert!(
                held < blind,
                "{held} of 6 images hold out against {attack}, {blind} against hidden gradients"
            );
        }
    }

    #[test]
    fn a_targeted_ratio_needs_four_classes() {
        let attack = EvaluationAttack::parse_spec("apgd-t:eps=4").unwrap();
        assert!(attack.fault(3).unwrap().contains("at least 4 classes"));
        assert_eq!(attack.fault(4), None);
        assert_eq!(EvaluationAttack::parse_spec("apgd:eps=4").unwrap().fault(2), None);
    }
}
