//! `--domain auto`: the BN domain of each image at test time, where nobody knows which one it belongs to. An
//! image goes through the domain whose running statistics of the first BN layer describe best what the image
//! brings there, and through main unless another describes it clearly better. What enters that layer does not
//! depend on a domain, so the choice costs the layers before it (a stem's convolution) and one pass over its
//! values, and the image needs the forward pass through the chosen domain alone. A measurement sends a block
//! through each domain that one of its images has, and through none again that is measured anyway.
//!
//! Per channel the image's values at the layer have a mean m and a variance v over space, and a domain has a
//! running mean μ and variance σ². The distance is the Kullback–Leibler divergence of the Gaussian (m, v)
//! from (μ, σ²), up to terms that all domains share: ½ ((m − μ)² + v) / σ² + ½ ln σ², averaged over the
//! channels. That is minus the mean log-likelihood of the values under the domain, without its constant.
//!
//! MixProp (section 3.3) and AdvProp (section 4.2) use main alone at test time and leave the choice by image
//! open; `docs/decisions/domain-auto.md` has what else was tried and what was measured.
//!
//! An attack has no gradient through the choice. Under `auto` an image is attacked through each domain in
//! turn, as somebody attacks who knows the rule, and the attack counts that is the worst for the image
//! through the domain that is chosen for it then.

use super::inference::{ImageBatch, Inference, Outcome, Strongest};
use crate::config::{AUTO, Domain, EvaluationAttack};
use crate::gpu::{Gpu, GpuError};
use crate::graph::{Op, pad4};
use crate::training::buffers;
use std::borrow::Borrow;

/// Values of the first BN layer's input that are read back at a time, which bounds the memory of a choice.
const MOST_VALUES: usize = 4 << 20;

/// What images go through at test time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Through {
    /// The BN domain of this index.
    Domain(usize),
    /// Each image through the domain that fits it.
    Auto,
}

impl From<usize> for Through {
    fn from(domain: usize) -> Self {
        Self::Domain(domain)
    }
}

impl Through {
    /// Each of so many domains, and behind them the choice by image where there are several.
    pub fn all(domains: usize) -> Vec<Self> {
        let auto = (domains > 1).then_some(Self::Auto);
        (0..domains).map(Self::Domain).chain(auto).collect()
    }

    /// The names of [`Self::all`].
    pub fn all_names(domains: usize) -> Vec<String> {
        Self::all(domains).into_iter().map(Self::name).collect()
    }

    /// The name in files, on the command line and in the window.
    pub fn name(self) -> String {
        match self {
            Self::Domain(domain) => Domain::name_of(domain),
            Self::Auto => AUTO.to_owned(),
        }
    }

    /// The place in [`Self::all`] of so many domains.
    pub fn place(self, domains: usize) -> usize {
        match self {
            Self::Domain(domain) => domain,
            Self::Auto => domains,
        }
    }

    /// The domains that images may go through, of a network of so many.
    pub fn domains(self, domains: usize) -> std::ops::Range<usize> {
        match self {
            Self::Domain(domain) => domain..domain + 1,
            Self::Auto => 0..domains,
        }
    }
}

/// Nats, mean over the channels, by which a domain's distance must be below main's. Where domains learn from
/// images alike in their first statistics (AdvProp's clean and attacked ones: 0.0005 apart, MixProp's: 0.05),
/// the order of the distances says nothing about the image.
const MARGIN: f64 = 0.01;

/// Mean and variance of each channel.
#[derive(Clone, Debug, PartialEq)]
struct Moments {
    /// `[C]`
    mean: Vec<f64>,
    /// `[C]`, biased.
    variance: Vec<f64>,
}

impl Moments {
    /// Those of the values `[rows, channels]` of one image.
    fn of_rows(rows: &[f32], channels: usize) -> Self {
        let count = (rows.len() / channels) as f64;
        let mut mean = vec![0.0; channels];
        for row in rows.chunks_exact(channels) {
            mean.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value) / count);
        }
        let mut variance = vec![0.0; channels];
        for row in rows.chunks_exact(channels) {
            let values = variance.iter_mut().zip(row).zip(&mean);
            values.for_each(|((sum, value), mean)| *sum += (f64::from(*value) - mean).powi(2) / count);
        }
        Self { mean, variance }
    }

    /// How badly a domain's running statistics describe these, nats, see the head of this file; `eps` is what
    /// batch norm adds to a variance.
    fn distance(&self, domain: &Self, eps: f64) -> f64 {
        let image = self.mean.iter().zip(&self.variance);
        let of_channel = |((m, v), (mean, variance)): ((&f64, &f64), (&f64, &f64))| {
            let variance = variance + eps;
            0.5 * (((m - mean).powi(2) + v) / variance + variance.ln())
        };
        let sum: f64 = image.zip(domain.mean.iter().zip(&domain.variance)).map(of_channel).sum();
        sum / self.mean.len() as f64
    }

    /// The domain of the least distance where that is [`MARGIN`] below main's, the first of equal ones; else
    /// main, also where distances are no numbers.
    fn nearest(&self, domains: &[Self], eps: f64) -> usize {
        let distance = |domain: usize| self.distance(&domains[domain], eps);
        let (mut best, mut least) = (0, distance(0) - MARGIN);
        for domain in 1..domains.len() {
            if distance(domain) < least {
                (best, least) = (domain, distance(domain));
            }
        }
        best
    }
}

/// Row i of what domain `choices[i]` gave, where every domain has a row for each image.
///
/// # Panics
///
/// Where a domain that was chosen has no rows.
pub fn chosen<T: Borrow<[f32]>>(by_domain: &[T], choices: &[usize]) -> Vec<f32> {
    let row = |(i, domain): (usize, &usize)| {
        let values = by_domain[*domain].borrow();
        let each = values.len() / choices.len();
        values[i * each..][..each].to_vec()
    };
    choices.iter().enumerate().flat_map(row).collect()
}

impl Outcome {
    /// For each image the outcome of its domain; domains that nobody chose may be empty.
    pub fn chosen(by_domain: &[&Self], choices: &[usize]) -> Self {
        let of = |i: usize| by_domain[choices[i]];
        let logits: Vec<&[f32]> = by_domain.iter().map(|outcome| outcome.logits.as_slice()).collect();
        Self {
            loss: (0..choices.len()).map(|i| of(i).loss[i]).collect(),
            top1: (0..choices.len()).map(|i| of(i).top1[i]).collect(),
            top5: (0..choices.len()).map(|i| of(i).top5[i]).collect(),
            logits: chosen(&logits, choices),
        }
    }
}

impl Inference {
    /// The domain that fits each image of a batch. The last images of the batch stay as current ones.
    pub fn choose_domains(&self, gpu: &mut Gpu, images: ImageBatch<'_>) -> Result<Vec<usize>, GpuError> {
        let network = self.network();
        let (layout, eps) = (&network.layout, f64::from(network.bn.eps));
        let first = network.nodes.iter().find(|node| matches!(node.op, Op::BatchNorm { layer: 0, .. }));
        let (Some(node), Some(place)) = (first, layout.bn.first()) else {
            return Ok(vec![0; images.labels.len()]);
        };
        let running = gpu.device.read_f32(self.running(), 0, layout.running_len)?;
        let domain = |domain: usize| {
            let at = place.running_offset + domain * place.domain_stride;
            let part = |from: usize| running[from..from + place.channels].iter().map(|v| f64::from(*v));
            Moments { mean: part(at).collect(), variance: part(at + pad4(place.channels)).collect() }
        };
        let domains: Vec<Moments> = (0..layout.domains).map(domain).collect();
        let (each, area) = (node.shape.padded_len(), network.image_size.pow(2) * 3);
        let at_a_time = (MOST_VALUES / each).clamp(1, self.batch());
        let mut choices = Vec::new();
        for begin in (0..images.labels.len()).step_by(at_a_time) {
            let range = begin..(begin + at_a_time).min(images.labels.len());
            let part = ImageBatch {
                pixels: &images.pixels[range.start * area..range.end * area],
                labels: &images.labels[range.clone()],
                ids: &images.ids[range.clone()],
            };
            let values = self.bn_input(gpu, part, 0, 0)?;
            let of_image = values.chunks_exact(values.len() / range.len());
            choices
                .extend(of_image.map(|rows| Moments::of_rows(rows, place.channels).nearest(&domains, eps)));
        }
        Ok(choices)
    }

    /// As [`Self::strongest`], through a domain or against the choice by image: then the images are attacked
    /// through each domain, and what is the worst through the domain that fits it counts.
    pub fn strongest_through(
        &mut self,
        gpu: &mut Gpu,
        images: ImageBatch<'_>,
        attack: &EvaluationAttack,
        through: Through,
        seed: u64,
    ) -> Result<Strongest, GpuError> {
        let mut tried = Vec::new();
        for domain in through.domains(self.network().layout.domains) {
            let found = self.strongest(gpu, images, attack, domain, seed, true)?;
            tried.push(match through {
                Through::Domain(_) => found,
                Through::Auto => self.against_auto(gpu, images, found.pixels)?,
            });
        }
        Ok(Strongest::worst(tried))
    }

    /// What the images give with other pixels, each through the domain that fits these.
    pub fn against_auto(
        &mut self,
        gpu: &mut Gpu,
        images: ImageBatch<'_>,
        pixels: Vec<f32>,
    ) -> Result<Strongest, GpuError> {
        let moved = ImageBatch { pixels: &pixels, ..images };
        let choices = self.choose_domains(gpu, moved)?;
        let mut by_domain = vec![Outcome::default(); self.network().layout.domains];
        for (domain, outcome) in by_domain.iter_mut().enumerate() {
            if choices.contains(&domain) {
                *outcome = self.forward(gpu, moved, domain)?;
            }
        }
        let outcome = Outcome::chosen(&by_domain.iter().collect::<Vec<_>>(), &choices);
        Ok(Strongest { outcome, pixels })
    }

    /// The arena of running statistics.
    fn running(&self) -> &wgpu::Buffer {
        self.buffer(buffers::RUNNING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(mean: [f64; 2], variance: [f64; 2]) -> Moments {
        Moments { mean: mean.to_vec(), variance: variance.to_vec() }
    }

    /// The divergences are those of PyTorch 2.9 in float64: `kl_divergence(Normal(m, v.sqrt()),
    /// Normal(mean, (variance + eps).sqrt())).mean()`.
    #[test]
    fn distances_differ_as_pytorchs_divergences_do() {
        let image = Moments::of_rows(&[1.0, -2.0, 3.0, 0.5, -1.0, 1.5, 0.5, -4.0], 2);
        assert_eq!(image, moments([0.875, -1.0], [2.046875, 4.625]));
        let domains = [moments([0.5, -0.5], [1.5, 4.0]), moments([2.0, -2.0], [3.0, 6.0])];
        let [a, b] = domains.each_ref().map(|domain| image.distance(domain, 1e-3));
        let [kl_a, kl_b] = [0.0551731048002099, 0.17105589686311995];
        assert!((a - b - (kl_a - kl_b)).abs() < 1e-12, "{a} {b}");
        assert!((a - 2.234241515003354 / 2.0).abs() < 1e-12, "{a}");
        assert_eq!(image.nearest(&domains, 1e-3), 0);
        let [first, second] = domains;
        assert_eq!(image.nearest(&[second, first], 1e-3), 1);
    }

    #[test]
    fn main_stays_unless_another_domain_is_clearly_nearer() {
        let image = moments([0.0, 1.0], [1.0, 1.0]);
        assert_eq!(image.nearest(&[image.clone(), image.clone()], 0.0), 0);
        // A mean that is off by d costs d² / 2 in one of two channels.
        let off = |nats: f64| moments([(4.0 * nats).sqrt(), 1.0], [1.0, 1.0]);
        assert_eq!(image.nearest(&[off(0.9 * MARGIN), image.clone()], 0.0), 0);
        assert_eq!(image.nearest(&[off(1.1 * MARGIN), image.clone()], 0.0), 1);
        assert_eq!(image.nearest(&[off(3.0 * MARGIN), off(MARGIN), image.clone(), image.clone()], 0.0), 2);
        let lost = moments([f64::NAN, 0.0], [1.0, 1.0]);
        assert_eq!(lost.nearest(&[image.clone(), image.clone()], 0.0), 0);
        assert_eq!(image.nearest(std::slice::from_ref(&image), 0.0), 0);
    }

    #[test]
    fn each_image_gets_the_row_of_its_domain() {
        let outcome = |first: f32| Outcome {
            loss: vec![first, first + 1.0],
            top1: vec![first > 0.0; 2],
            top5: vec![true; 2],
            logits: vec![first, 2.0, first + 1.0, 3.0],
        };
        let (main, aux) = (outcome(0.0), outcome(10.0));
        let found = Outcome::chosen(&[&main, &aux, &Outcome::default()], &[1, 0]);
        assert_eq!((found.loss, found.top1), (vec![10.0, 1.0], vec![true, false]));
        assert_eq!(found.logits, [10.0, 2.0, 1.0, 3.0]);
        assert_eq!(Through::all_names(2), ["main", "aux", AUTO]);
        assert_eq!(Through::all_names(1), ["main"]);
        assert_eq!(
            Through::all(3).into_iter().map(|through| through.place(3)).collect::<Vec<_>>(),
            [0, 1, 2, 3]
        );
    }
}
