//! The architectures by name.

use super::{efficientnet, preact_resnet, resnet};
use crate::config::ModelConfig;
use crate::graph::Network;
use serde::Serialize;

/// Every architecture that [`build`] knows.
pub const ARCHITECTURES: &[&str] = &["tf_efficientnet_b0", "resnet18", "preact_resnet18"];

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
    match arch {
        "tf_efficientnet_b0" => Ok(efficientnet::b0(options)),
        "resnet18" => Ok(resnet::resnet18(options)),
        "preact_resnet18" => Ok(preact_resnet::preact_resnet18(options)),
        _ => anyhow::bail!(
            "model.arch: \"{arch}\" is not an architecture of this version; expected one of {}",
            ARCHITECTURES.join(", ")
        ),
    }
}

/// Side of the square input that `arch` was published for, pixels.
pub fn native_size(arch: &str) -> usize {
    if arch.starts_with("preact") { 32 } else { 224 }
}

/// One row of `dualprop models`.
#[derive(Clone, Debug, Serialize)]
pub struct ModelSummary {
    pub arch: String,
    /// Trainable values with one BN domain.
    pub parameters: u64,
    /// Multiply-adds of convolutions and dense layers for one image.
    pub macs: u64,
    /// Side of the native input, pixels.
    pub input_size: usize,
    /// Activation and gradient bytes of a vanilla training step, per image, by the exact plan.
    pub training_bytes_per_image: u64,
    /// The same with activation recomputation.
    pub recomputed_bytes_per_image: u64,
}

/// Learning-rate-free facts of an architecture.
pub fn summary(arch: &str, classes: usize, image_size: usize) -> anyhow::Result<ModelSummary> {
    let network = build(arch, &ModelOptions::plain(classes, image_size))?;
    Ok(ModelSummary {
        arch: arch.to_owned(),
        parameters: network.layout.trainable(),
        macs: network.macs(),
        input_size: image_size,
        training_bytes_per_image: crate::graph::training_bytes_per_image(&network, false),
        recomputed_bytes_per_image: crate::graph::training_bytes_per_image(&network, true),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Facts page 1.3, 1.8 and 1.9 (PreAct with He-style final BN).
    #[test]
    fn parameters_and_macs_equal_the_facts() {
        let cases = [
            ("tf_efficientnet_b0", 1000, 224, 5_288_548, 385_814_752),
            ("tf_efficientnet_b0", 100, 224, 4_135_648, 0),
            ("resnet18", 1000, 224, 11_689_512, 1_814_073_344),
            ("resnet18", 100, 224, 11_227_812, 0),
            ("preact_resnet18", 100, 32, 11_218_340, 555_468_800),
            ("preact_resnet18", 10, 32, 11_172_170, 555_422_720),
        ];
        for (arch, classes, size, parameters, macs) in cases {
            let network = build(arch, &ModelOptions::plain(classes, size)).unwrap();
            assert_eq!(network.layout.trainable(), parameters, "{arch} with {classes} classes");
            if macs > 0 {
                assert_eq!(network.macs(), macs, "{arch}");
            }
        }
    }

    #[test]
    fn a_second_domain_costs_its_bn_parameters_only() {
        for (arch, channels) in [("tf_efficientnet_b0", 21_008), ("resnet18", 4_800)] {
            let one = build(arch, &ModelOptions::plain(10, 224)).unwrap();
            let two = build(arch, &ModelOptions { domains: 2, ..ModelOptions::plain(10, 224) }).unwrap();
            assert_eq!(two.layout.trainable() - one.layout.trainable(), 2 * channels, "{arch}");
        }
    }
}
