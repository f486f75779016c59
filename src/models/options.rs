//! What decides a network's layers besides its architecture.

use crate::config::ModelConfig;
use crate::graph::Frozen;

/// What decides a network's layers.
#[derive(Clone, Debug)]
pub struct ModelOptions {
    /// Classes of the last layer.
    pub classes: usize,
    /// BN domains, main included; at least 1.
    pub domains: usize,
    /// Side of the square input, pixels.
    pub image_size: usize,
    /// Stride of the first convolution: 1 or 2.
    pub stem_stride: usize,
    /// Multiplies the architecture's width factor before the rounding rule.
    pub width: f64,
    /// Multiplies the architecture's depth factor before the ceiling.
    pub depth: f64,
    /// Weight of a batch in the running statistics; `None`: the architecture's own.
    pub bn_momentum: Option<f32>,
    /// Dropout rate on the pooled features, in [0, 1).
    pub dropout: f32,
    /// Drop rate of the last block; the ramp starts at 0 with the first.
    pub drop_path: f32,
    /// What training leaves as it is.
    pub frozen: Frozen,
}

impl ModelOptions {
    /// The options of a configuration, for images of `image_size` pixels, `classes` classes and `domains` BN
    /// domains.
    pub fn from_config(config: &ModelConfig, image_size: usize, classes: usize, domains: usize) -> Self {
        Self {
            classes,
            domains,
            image_size,
            stem_stride: config.stem_stride,
            width: config.width,
            depth: config.depth,
            bn_momentum: config.bn_momentum,
            dropout: config.dropout,
            drop_path: config.drop_path,
            frozen: Frozen { stages: config.freeze, statistics: config.fixed_statistics() },
        }
    }

    /// The architecture as published, one domain, nothing dropped.
    pub fn plain(classes: usize, image_size: usize) -> Self {
        Self {
            classes,
            domains: 1,
            image_size,
            stem_stride: 2,
            width: 1.0,
            depth: 1.0,
            bn_momentum: None,
            dropout: 0.0,
            drop_path: 0.0,
            frozen: Frozen::default(),
        }
    }
}
