//! What a block of images gives through each BN domain, every forward pass made at most once.

use crate::evaluation::auto_domain::{Through, chosen};
use crate::evaluation::inference::{ImageBatch, Inference, Outcome};
use crate::gpu::{Gpu, GpuError};

/// What a forward pass left; empty where there was none.
#[derive(Clone, Default)]
struct Seen {
    outcome: Outcome,
    /// `[n, h, w, C]`; empty where nobody asked for features.
    features: Vec<f32>,
}

/// The passes over one block of images so far.
pub(super) struct Passes<'a> {
    images: ImageBatch<'a>,
    /// Whether passes leave the features that maps are made of.
    with_features: bool,
    /// By domain.
    seen: Vec<Seen>,
    /// Whether the images are the current ones on the GPU.
    current: bool,
}

impl<'a> Passes<'a> {
    /// No pass yet over `images`, of a network of so many domains.
    pub(super) fn new(images: ImageBatch<'a>, domains: usize, with_features: bool) -> Self {
        Self { images, with_features, seen: vec![Seen::default(); domains], current: false }
    }

    /// What the images give, with the features before the pooling `[n, h, w, C]` where they are wanted. No
    /// other images may come on the GPU between two calls.
    pub(super) fn through(
        &mut self,
        gpu: &mut Gpu,
        inference: &mut Inference,
        through: Through,
    ) -> Result<(Outcome, Vec<f32>), GpuError> {
        let choices = match through {
            Through::Domain(domain) => vec![domain; self.images.labels.len()],
            Through::Auto => {
                self.current = false;
                inference.choose_domains(gpu, self.images)?
            }
        };
        for (domain, seen) in self.seen.iter_mut().enumerate() {
            if choices.contains(&domain) && seen.outcome.loss.is_empty() {
                seen.outcome = match std::mem::replace(&mut self.current, true) {
                    true => inference.forward_current(gpu, self.images.labels, domain)?,
                    false => inference.forward(gpu, self.images, domain)?,
                };
                if self.with_features {
                    seen.features = inference.features(&gpu.device, choices.len())?;
                }
            }
        }
        let outcomes: Vec<&Outcome> = self.seen.iter().map(|seen| &seen.outcome).collect();
        let features: Vec<&[f32]> = self.seen.iter().map(|seen| seen.features.as_slice()).collect();
        Ok((Outcome::chosen(&outcomes, &choices), chosen(&features, &choices)))
    }
}
