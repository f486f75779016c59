//! What a step draws on the CPU: the mixing ratio, mixing partners, targets of an attack. Every draw depends
//! on the seed, the step and the micro-batch alone, so a resumed run repeats it.

use crate::config::{MixupConfig, Pairing};
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Beta, Distribution as _};

/// The uses of the seed, each a stream of its own.
#[derive(Clone, Copy, Debug)]
pub enum Stream {
    /// The ratio and the partners of mixup.
    Mixup,
    /// The box of CutMix.
    Cutmix,
    /// The wrong classes that targeted attacks aim at.
    Target,
    /// Fast AdvProp's order of the adversarial images.
    Pool,
    /// The squares that the Square attack proposes.
    Square,
}

/// A generator for one use in one micro-batch.
pub fn generator(seed: u64, stream: Stream, step: u64, micro: u64) -> ChaCha8Rng {
    let mut key = [0_u8; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&step.to_le_bytes());
    key[16..24].copy_from_slice(&micro.to_le_bytes());
    let name = match stream {
        Stream::Mixup => *b"mixup\0\0\0",
        Stream::Cutmix => *b"cutmix\0\0",
        Stream::Pool => *b"pool\0\0\0\0",
        Stream::Target => *b"target\0\0",
        Stream::Square => *b"square\0\0",
    };
    key[24..].copy_from_slice(&name);
    ChaCha8Rng::from_seed(key)
}

/// How the images of one batch are mixed.
#[derive(Default)]
pub struct Mixing {
    /// Weight of the image itself, 0..=1; its partner's is the rest.
    pub lambda: f32,
    /// Partner of each image of the batch.
    pub partners: Vec<u32>,
}

impl Mixing {
    /// Draws it anew for a batch of `images`.
    pub fn draw(&mut self, config: &MixupConfig, images: usize, rng: &mut ChaCha8Rng) -> anyhow::Result<()> {
        self.lambda = match config.lambda {
            Some(lambda) => lambda,
            None => {
                let beta = Beta::new(config.alpha, config.alpha)
                    .map_err(|e| anyhow::anyhow!("method.mixup.alpha = {}: {e}", config.alpha))?;
                beta.sample(rng) as f32
            }
        };
        self.partners.clear();
        self.partners.extend(0..images as u32);
        match config.pairing {
            Pairing::Random => self.partners.shuffle(rng),
            Pairing::Reverse => self.partners.reverse(),
        }
        Ok(())
    }
}

/// The box of CutMix, the same for every image of a batch: `[x0, y0, x1, y1]`, ends excluded. Its sides are
/// √(1 − λ) of the image's, its centre is uniform, and what leaves the image is cut off (CutMix, section
/// 3.1).
pub fn cutmix_box(lambda: f32, size: u32, rng: &mut ChaCha8Rng) -> [u32; 4] {
    let side = (f64::from(size) * (1.0 - f64::from(lambda)).max(0.0).sqrt()) as u32;
    let mut span = || {
        let centre = rng.random_range(0..size);
        (centre.saturating_sub(side / 2), (centre + side / 2).min(size))
    };
    let ((x0, x1), (y0, y1)) = (span(), span());
    [x0, y0, x1, y1]
}

/// The weight that is left to the image itself.
pub fn cutmix_lambda(corners: [u32; 4], size: u32) -> f32 {
    let [x0, y0, x1, y1] = corners.map(f64::from);
    (1.0 - (x1 - x0) * (y1 - y0) / f64::from(size).powi(2)) as f32
}

/// A class other than `label`, uniform among the wrong ones.
pub fn wrong_class(label: u32, classes: u32, rng: &mut ChaCha8Rng) -> u32 {
    if classes < 2 {
        return label;
    }
    (label + rng.random_range(1..classes)) % classes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_never_the_true_class_and_reaches_all_others() {
        let mut rng = generator(1, Stream::Target, 0, 0);
        let mut seen = [0; 5];
        for _ in 0..1000 {
            seen[wrong_class(3, 5, &mut rng) as usize] += 1;
        }
        assert_eq!(seen[3], 0);
        assert!(seen.iter().enumerate().all(|(class, n)| class == 3 || *n > 150), "{seen:?}");
    }

    #[test]
    fn a_cutmix_box_lies_in_the_image_and_its_area_is_the_partners_weight() {
        let mut rng = generator(1, Stream::Cutmix, 0, 0);
        assert_eq!(cutmix_lambda(cutmix_box(1.0, 9, &mut rng), 9), 1.0);
        let mut total = 0.0;
        for _ in 0..2000 {
            let corners @ [x0, y0, x1, y1] = cutmix_box(0.75, 32, &mut rng);
            assert!(x0 <= x1 && x1 <= 32 && y0 <= y1 && y1 <= 32 && x1 - x0 <= 16);
            total += cutmix_lambda(corners, 32);
        }
        // A box of 16 that the border cuts to 14 in the mean, so 1 − (14/32)² is left.
        assert!((total / 2000.0 - 0.809).abs() < 0.01, "{total}");
    }

    #[test]
    fn mixing_repeats_by_step_and_pairs_as_asked() {
        let config = MixupConfig { alpha: 0.4, ..MixupConfig::default() };
        let draw = |step| {
            let mut mixing = Mixing::default();
            mixing.draw(&config, 8, &mut generator(7, Stream::Mixup, step, 0)).unwrap();
            mixing
        };
        assert_eq!(draw(3).partners, draw(3).partners);
        assert_eq!(draw(3).lambda, draw(3).lambda);
        assert_ne!(draw(3).lambda, draw(4).lambda);
        let config = MixupConfig { pairing: Pairing::Reverse, lambda: Some(0.3), ..config };
        let mut mixing = draw(3);
        mixing.draw(&config, 4, &mut generator(0, Stream::Mixup, 0, 0)).unwrap();
        assert_eq!(mixing.partners, [3, 2, 1, 0]);
        assert_eq!(mixing.lambda, 0.3);
    }
}
