//! What a pass through a network computes: on which images, through which BN domains, with which gradients.

use crate::config::FusionRule;
use crate::gpu::BufferId;

/// Images of a pass that share a BN domain: they are contiguous, and domains do not repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassSegment {
    pub images: usize,
    pub domain: usize,
}

/// What batch norm normalises by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistics {
    /// The batch's, and the running ones move.
    BatchUpdating,
    /// The batch's; running statistics stay untouched (attacks).
    Batch,
    Running,
}

/// What a pass computes.
#[derive(Clone, Debug, PartialEq)]
pub struct PassSpec {
    pub segments: Vec<PassSegment>,
    pub statistics: Statistics,
    /// Dropout and drop-path active.
    pub regularize: bool,
    pub weight_gradients: bool,
    pub input_gradient: bool,
    /// Keep block outputs only, and compute the rest again in the backward pass: the same bits with less memory.
    pub recompute: bool,
    pub fusion: FusionRule,
    /// Number of the first image in the step, so that random masks do not depend on how a step is cut into passes.
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

    pub fn images(&self) -> usize {
        self.segments.iter().map(|s| s.images).sum()
    }
}

/// The arenas that a pass works on.
#[derive(Clone, Copy, Debug)]
pub struct PassBuffers {
    pub params: BufferId,
    pub gradients: BufferId,
    pub running: BufferId,
    /// Laid out as the parameters: weights with batch norms folded into them by [`super::fold_weights`]; `None`: a pass
    /// that folds does it itself.
    pub folded: Option<BufferId>,
}
