//! What a pass through a network computes: on which images, through which BN domains, with which gradients.

use crate::config::FusionRule;
use crate::gpu::BufferId;

/// Images of a pass that share a BN domain: they are contiguous, and domains do not repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassSegment {
    /// How many images.
    pub images: usize,
    /// Index of the domain; 0 is main.
    pub domain: usize,
}

/// What batch norm normalises by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistics {
    /// The batch's statistics, and the running ones move towards them.
    BatchUpdating,
    /// The batch's statistics; the running ones stay untouched, as in attacks.
    Batch,
    /// The running statistics.
    Running,
}

/// What a pass computes.
#[derive(Clone, Debug, PartialEq)]
pub struct PassSpec {
    /// The images in the order of the batch.
    pub segments: Vec<PassSegment>,
    /// What batch norm normalises by.
    pub statistics: Statistics,
    /// Whether dropout and drop-path are active.
    pub regularize: bool,
    /// Whether the backward pass computes the gradients of the parameters.
    pub weight_gradients: bool,
    /// Whether the backward pass computes the gradient of the normalised images.
    pub input_gradient: bool,
    /// Whether block outputs alone are kept, and the backward pass computes the rest again: the same bits
    /// with less memory.
    pub recompute: bool,
    /// Which batch norms and gates become part of the kernels beside them.
    pub fusion: FusionRule,
    /// Number of the first image in the step, so that random masks do not depend on how a step is cut into
    /// passes.
    pub first_image: u32,
}

impl PassSpec {
    /// Logits of `images` through `domain`, by running statistics.
    pub fn inference(images: usize, domain: usize, fusion: FusionRule) -> Self {
        Self {
            segments: vec![PassSegment { images, domain }],
            statistics: Statistics::Running,
            regularize: false,
            weight_gradients: false,
            input_gradient: false,
            recompute: false,
            fusion,
            first_image: 0,
        }
    }

    /// Images of the whole pass.
    pub fn images(&self) -> usize {
        self.segments.iter().map(|s| s.images).sum()
    }
}

/// The arenas that a pass works on.
#[derive(Clone, Copy, Debug)]
pub struct PassBuffers {
    /// The parameter arena.
    pub params: BufferId,
    /// The gradients of the parameters, laid out alike; a backward pass adds to it.
    pub gradients: BufferId,
    /// The running statistics.
    pub running: BufferId,
    /// Weights with batch norms folded into them by [`super::fold_weights`], laid out as the parameters;
    /// without it a pass folds them itself.
    pub folded: Option<BufferId>,
}
