//! The architectures by name.

use super::efficientnet::{self, Scale};
use super::preact_resnet::preact_resnet;
use super::resnet::resnet;
use super::stages::{Blocks, Branch};
use crate::config::ModelConfig;
use crate::gpu::Element;
use crate::graph::{Network, Padding, training_bytes_per_image};
use serde::Serialize;

/// An architecture with what it was published with.
#[derive(Clone, Copy, Debug)]
pub struct Architecture {
    /// timm's name.
    pub name: &'static str,
    /// Side of the square input, pixels.
    pub input_size: usize,
    /// Dropout rate on the pooled features in the published recipe.
    pub dropout: f32,
    layers: Layers,
}

#[derive(Clone, Copy, Debug)]
enum Layers {
    Efficient(Scale),
    Residual(Blocks),
    PreActivated(Blocks),
}

/// Factors, resolution and dropout are those of the EfficientNet code's table.
const fn efficientnet(
    name: &'static str,
    padding: Padding,
    width: f64,
    depth: f64,
    input_size: usize,
    dropout: f32,
) -> Architecture {
    let layers = Layers::Efficient(Scale { width, depth, padding });
    Architecture { name, input_size, dropout, layers }
}

const fn resnet_of(name: &'static str, branch: Branch, counts: [usize; 4]) -> Architecture {
    Architecture { name, input_size: 224, dropout: 0.0, layers: Layers::Residual(Blocks { branch, counts }) }
}

const fn preact_resnet_of(name: &'static str, branch: Branch, counts: [usize; 4]) -> Architecture {
    Architecture {
        name,
        input_size: 32,
        dropout: 0.0,
        layers: Layers::PreActivated(Blocks { branch, counts }),
    }
}

/// Every architecture that [`build`] knows, in the order of the configuration's choices.
pub const ARCHITECTURES: &[Architecture] = &[
    efficientnet("tf_efficientnet_b0", Padding::Same, 1.0, 1.0, 224, 0.2),
    efficientnet("tf_efficientnet_b1", Padding::Same, 1.0, 1.1, 240, 0.2),
    efficientnet("tf_efficientnet_b2", Padding::Same, 1.1, 1.2, 260, 0.3),
    efficientnet("tf_efficientnet_b3", Padding::Same, 1.2, 1.4, 300, 0.3),
    efficientnet("tf_efficientnet_b4", Padding::Same, 1.4, 1.8, 380, 0.4),
    efficientnet("tf_efficientnet_b5", Padding::Same, 1.6, 2.2, 456, 0.4),
    efficientnet("tf_efficientnet_b6", Padding::Same, 1.8, 2.6, 528, 0.5),
    efficientnet("tf_efficientnet_b7", Padding::Same, 2.0, 3.1, 600, 0.5),
    efficientnet("tf_efficientnet_b8", Padding::Same, 2.2, 3.6, 672, 0.5),
    efficientnet("efficientnet_b0", Padding::Symmetric, 1.0, 1.0, 224, 0.2),
    efficientnet("efficientnet_b1", Padding::Symmetric, 1.0, 1.1, 240, 0.2),
    efficientnet("efficientnet_b2", Padding::Symmetric, 1.1, 1.2, 260, 0.3),
    efficientnet("efficientnet_b3", Padding::Symmetric, 1.2, 1.4, 300, 0.3),
    efficientnet("efficientnet_b4", Padding::Symmetric, 1.4, 1.8, 380, 0.4),
    resnet_of("resnet18", Branch::Basic, [2, 2, 2, 2]),
    resnet_of("resnet34", Branch::Basic, [3, 4, 6, 3]),
    resnet_of("resnet50", Branch::Bottleneck, [3, 4, 6, 3]),
    resnet_of("resnet101", Branch::Bottleneck, [3, 4, 23, 3]),
    resnet_of("resnet152", Branch::Bottleneck, [3, 8, 36, 3]),
    resnet_of("resnet200", Branch::Bottleneck, [3, 24, 36, 3]),
    preact_resnet_of("preact_resnet18", Branch::Basic, [2, 2, 2, 2]),
    preact_resnet_of("preact_resnet50", Branch::Bottleneck, [3, 4, 6, 3]),
];

/// The names of [`ARCHITECTURES`].
pub fn names() -> Vec<&'static str> {
    ARCHITECTURES.iter().map(|a| a.name).collect()
}

/// The architecture of that name, or a sentence that lists what there is.
pub fn find(arch: &str) -> anyhow::Result<&'static Architecture> {
    ARCHITECTURES.iter().find(|a| a.name == arch).ok_or_else(|| {
        anyhow::anyhow!(
            "model.arch: \"{arch}\" is not an architecture of this version; expected one of {}",
            names().join(", ")
        )
    })
}

/// What decides a network's layers.
#[derive(Clone, Debug)]
pub struct ModelOptions {
    pub classes: usize,
    /// BN domains, main included; at least 1.
    pub domains: usize,
    pub image_size: usize,
    pub stem_stride: usize,
    /// Multiplies the architecture's width factor before the rounding rule.
    pub width: f64,
    /// Multiplies the architecture's depth factor before the ceiling.
    pub depth: f64,
    pub dropout: f32,
    /// Drop rate of the last block; the ramp starts at 0 with the first.
    pub drop_path: f32,
}

impl ModelOptions {
    pub fn from_config(config: &ModelConfig, image_size: usize, classes: usize, domains: usize) -> Self {
        Self {
            classes,
            domains,
            image_size,
            stem_stride: config.stem_stride,
            width: config.width,
            depth: config.depth,
            dropout: config.dropout,
            drop_path: config.drop_path,
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
            dropout: 0.0,
            drop_path: 0.0,
        }
    }
}

/// The network `arch`, or a sentence that lists what there is.
pub fn build(arch: &str, options: &ModelOptions) -> anyhow::Result<Network> {
    Ok(match &find(arch)?.layers {
        Layers::Efficient(scale) => efficientnet::efficientnet(scale, options),
        Layers::Residual(blocks) => resnet(blocks, options),
        Layers::PreActivated(blocks) => preact_resnet(blocks, options),
    })
}

/// One row of `dualprop models`.
#[derive(Clone, Debug, Serialize)]
pub struct ModelSummary {
    pub arch: &'static str,
    /// Trainable values with one BN domain.
    pub parameters: u64,
    /// Multiply-adds of convolutions and dense layers for one image.
    pub macs: u64,
    /// Side of the native input, pixels.
    pub input_size: usize,
    /// Dropout rate of the published recipe.
    pub dropout: f32,
    /// Activation and gradient bytes of a vanilla training step, per image, by the exact plan.
    pub training_bytes_per_image: u64,
    /// The same with activation recomputation.
    pub recomputed_bytes_per_image: u64,
    /// [`Self::training_bytes_per_image`] with `run.precision = "f16"`.
    pub training_bytes_per_image_f16: u64,
    /// [`Self::recomputed_bytes_per_image`] with `run.precision = "f16"`.
    pub recomputed_bytes_per_image_f16: u64,
}

impl Architecture {
    /// The architecture's size at its native input.
    pub fn summary(&self, classes: usize) -> anyhow::Result<ModelSummary> {
        let network = build(self.name, &ModelOptions::plain(classes, self.input_size))?;
        let bytes = |element, recompute| training_bytes_per_image(&network, element, recompute);
        Ok(ModelSummary {
            arch: self.name,
            parameters: network.layout.trainable(),
            macs: network.macs(),
            input_size: self.input_size,
            dropout: self.dropout,
            training_bytes_per_image: bytes(Element::F32, false),
            recomputed_bytes_per_image: bytes(Element::F32, true),
            training_bytes_per_image_f16: bytes(Element::F16, false),
            recomputed_bytes_per_image_f16: bytes(Element::F16, true),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::schema::{Kind, field};

    #[test]
    fn the_configuration_offers_exactly_these() {
        let Kind::Choice(choices) = field("model.arch").unwrap().kind else { panic!("a choice of names") };
        assert_eq!(choices, names());
    }
}
