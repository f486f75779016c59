//! Random numbers that depend only on what they are for: a purpose and up to three counters. Two places that
//! draw for the same purpose and counters get the same numbers on every machine, in any order and on any
//! thread.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

/// What a stream of random numbers is for. The values are part of the definition of every data set and run: a
/// new purpose takes a new value, and no value ever changes.
#[derive(Clone, Copy, Debug)]
#[repr(u64)]
pub(crate) enum Purpose {
    EpochOrder = 1,
    Placement = 2,
    Scene = 3,
    SceneTexture = 4,
    Cutout = 5,
    Policy = 6,
    InceptionCrop = 7,
    BalancedOrder = 8,
    Color = 9,
    EvaluationSample = 10,
    Corruption = 11,
    FrostTexture = 12,
    CorruptedBranch = 13,
    LabelNoise = 14,
    CorruptedImages = 15,
    HeldOut = 16,
}

/// A stream of random numbers named by its purpose and counters.
pub(crate) struct Random(ChaCha8Rng);

impl Random {
    pub(crate) fn new(purpose: Purpose, counters: [u64; 3]) -> Self {
        let mut key = [0; 32];
        for (place, word) in key.chunks_exact_mut(8).zip([purpose as u64].into_iter().chain(counters)) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Uniform in `[0, 1)`, a multiple of 2⁻²⁴.
    pub(crate) fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 * (1.0 / 16_777_216.0)
    }

    /// Uniform in `[low, high)` up to rounding.
    pub(crate) fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Normal with mean 0 and standard deviation 1.
    pub(crate) fn normal(&mut self) -> f32 {
        StandardNormal.sample(&mut self.0)
    }

    /// A draw of another distribution.
    pub(crate) fn draw<T>(&mut self, distribution: &impl Distribution<T>) -> T {
        distribution.sample(&mut self.0)
    }

    pub(crate) fn chance(&mut self, p: f32) -> bool {
        self.unit() < p
    }

    /// Uniform in `0..n` without bias (Lemire's multiplication with rejection); `n` is at least 1.
    pub(crate) fn below(&mut self, n: u32) -> u32 {
        let threshold = n.wrapping_neg() % n;
        loop {
            let product = u64::from(self.0.next_u32()) * u64::from(n);
            if product as u32 >= threshold {
                return (product >> 32) as u32;
            }
        }
    }

    pub(crate) fn bits(&mut self) -> u32 {
        self.0.next_u32()
    }

    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    /// A uniformly drawn permutation of `0..n` (Fisher–Yates).
    pub(crate) fn permutation(&mut self, n: u32) -> Vec<u32> {
        let mut order: Vec<u32> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i as usize, self.below(i + 1) as usize);
        }
        order
    }
}
