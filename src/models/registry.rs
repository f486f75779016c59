//! The table of all architectures by name: what a family shares and what a member adds.

use super::efficientnet::{self, Scale};
use super::mobilenet_v3::{MobileNet, mobilenet_v3};
use super::options::ModelOptions;
use super::preact_resnet::preact_resnet;
use super::resnet::resnet;
use super::stages::{Blocks, ResidualBranch};
use crate::config::ModelConfig;
use crate::gpu::Element;
use crate::graph::{BnConstants, Network, Padding, training_bytes_per_image};
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
    /// How fresh weights are drawn.
    pub init: InitRule,
    /// Epsilon and momentum of its batch norms.
    pub bn: BnConstants,
    layers: Layers,
}

/// How a family draws fresh weights; [`super::init`] has the formulas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitRule {
    /// EfficientNet's code, which timm uses for MobileNets too: normal by the outputs, the classifier uniform
    /// by the outputs, biases 0.
    TensorFlow,
    /// torchvision's ResNets: normal by the outputs, the classifier PyTorch's default.
    Torchvision,
    /// PyTorch's default everywhere, as the common CIFAR code has it: uniform by the inputs.
    PyTorch,
}

#[derive(Clone, Copy, Debug)]
enum Layers {
    Efficient(Scale),
    Mobile(MobileNet),
    Residual(Blocks),
    PreActivated(Blocks),
}

/// Batch norm of the EfficientNet code for TPUs, where the momentum is 0.99 in TensorFlow's convention.
const TENSORFLOW_BN: BnConstants = BnConstants { eps: 1e-3, momentum: 0.01 };

/// PyTorch's defaults.
const PYTORCH_BN: BnConstants = BnConstants { eps: 1e-5, momentum: 0.1 };

/// Factors, resolution and dropout are those of the EfficientNet code's table.
const fn efficientnet(
    name: &'static str,
    padding: Padding,
    width: f64,
    depth: f64,
    input_size: usize,
    dropout: f32,
) -> Architecture {
    let layers = Layers::Efficient(Scale { width, depth, padding, lite: false });
    let bn = if matches!(padding, Padding::Same) { TENSORFLOW_BN } else { PYTORCH_BN };
    Architecture { name, input_size, dropout, init: InitRule::TensorFlow, bn, layers }
}

/// Factors, resolution and dropout are those of the EfficientNet-Lite code's table.
const fn efficientnet_lite(
    name: &'static str,
    width: f64,
    depth: f64,
    input_size: usize,
    dropout: f32,
) -> Architecture {
    let layers = Layers::Efficient(Scale { width, depth, padding: Padding::Same, lite: true });
    Architecture { name, input_size, dropout, init: InitRule::TensorFlow, bn: TENSORFLOW_BN, layers }
}

/// Batch norm is timm's; the dropout rate is that of the paper (section 6.1.1).
const fn mobilenet(name: &'static str, layers: MobileNet) -> Architecture {
    let layers = Layers::Mobile(layers);
    Architecture { name, input_size: 224, dropout: 0.2, init: InitRule::TensorFlow, bn: PYTORCH_BN, layers }
}

const fn resnet_of(name: &'static str, branch: ResidualBranch, counts: [usize; 4]) -> Architecture {
    Architecture {
        name,
        input_size: 224,
        dropout: 0.0,
        init: InitRule::Torchvision,
        bn: PYTORCH_BN,
        layers: Layers::Residual(Blocks { branch, counts }),
    }
}

const fn preact_resnet_of(name: &'static str, branch: ResidualBranch, counts: [usize; 4]) -> Architecture {
    Architecture {
        name,
        input_size: 32,
        dropout: 0.0,
        init: InitRule::PyTorch,
        bn: PYTORCH_BN,
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
    efficientnet_lite("tf_efficientnet_lite0", 1.0, 1.0, 224, 0.2),
    efficientnet_lite("tf_efficientnet_lite1", 1.0, 1.1, 240, 0.2),
    efficientnet_lite("tf_efficientnet_lite2", 1.1, 1.2, 260, 0.3),
    efficientnet_lite("tf_efficientnet_lite3", 1.2, 1.4, 280, 0.3),
    efficientnet_lite("tf_efficientnet_lite4", 1.4, 1.8, 300, 0.3),
    mobilenet("mobilenetv3_large_100", MobileNet::Large),
    mobilenet("mobilenetv3_small_100", MobileNet::Small),
    resnet_of("resnet18", ResidualBranch::Basic, [2, 2, 2, 2]),
    resnet_of("resnet34", ResidualBranch::Basic, [3, 4, 6, 3]),
    resnet_of("resnet50", ResidualBranch::Bottleneck, [3, 4, 6, 3]),
    resnet_of("resnet101", ResidualBranch::Bottleneck, [3, 4, 23, 3]),
    resnet_of("resnet152", ResidualBranch::Bottleneck, [3, 8, 36, 3]),
    resnet_of("resnet200", ResidualBranch::Bottleneck, [3, 24, 36, 3]),
    preact_resnet_of("preact_resnet18", ResidualBranch::Basic, [2, 2, 2, 2]),
    preact_resnet_of("preact_resnet50", ResidualBranch::Bottleneck, [3, 4, 6, 3]),
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

/// The network `arch`, or a sentence that lists what there is. Fails too where more stages are frozen than it
/// has.
pub fn build(arch: &str, options: &ModelOptions) -> anyhow::Result<Network> {
    let Architecture { bn, layers, .. } = *find(arch)?;
    let bn = BnConstants { momentum: options.bn_momentum.unwrap_or(bn.momentum), ..bn };
    let network = match layers {
        Layers::Efficient(scale) => efficientnet::efficientnet(scale, bn, options),
        Layers::Mobile(net) => mobilenet_v3(net, bn, options),
        Layers::Residual(blocks) => resnet(&blocks, bn, options),
        Layers::PreActivated(blocks) => preact_resnet(&blocks, bn, options),
    };
    let (most, frozen) = (network.feature_stages(), options.frozen);
    anyhow::ensure!(
        frozen.stages <= most,
        "model.freeze = {}: {arch} has {most} stages before its classifier; expected 0 to {most}",
        frozen.stages
    );
    Ok(Network { frozen, ..network })
}

/// One row of `dualprop models`.
#[derive(Clone, Debug, Serialize)]
pub struct ModelSummary {
    /// timm's name.
    pub arch: &'static str,
    /// Trainable values with one BN domain.
    pub parameters: u64,
    /// Multiply-adds of convolutions and dense layers for one image.
    pub macs: u64,
    /// Side of the native input, pixels.
    pub input_size: usize,
    /// Dropout rate of the published recipe.
    pub dropout: f32,
    /// Stages before the classifier, which `model.freeze` counts from the input.
    pub stages: usize,
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
    /// The architecture's size at its native input, with `classes` classes.
    pub fn summary(&self, classes: usize) -> anyhow::Result<ModelSummary> {
        let network = build(self.name, &ModelOptions::plain(classes, self.input_size))?;
        let bytes = |element, recompute| training_bytes_per_image(&network, element, recompute);
        Ok(ModelSummary {
            arch: self.name,
            parameters: network.layout.trainable(),
            macs: network.macs(),
            input_size: self.input_size,
            dropout: self.dropout,
            stages: network.feature_stages(),
            training_bytes_per_image: bytes(Element::F32, false),
            recomputed_bytes_per_image: bytes(Element::F32, true),
            training_bytes_per_image_f16: bytes(Element::F16, false),
            recomputed_bytes_per_image_f16: bytes(Element::F16, true),
        })
    }
}

/// Why timm's network of this name is not this one, in words; `None` where weights load into it.
pub fn differs_from_timm(config: &ModelConfig) -> Option<String> {
    let ModelConfig { arch, width, depth, stem_stride, .. } = config;
    let is_pre_activated = find(arch).is_ok_and(|known| matches!(known.layers, Layers::PreActivated(_)));
    if is_pre_activated {
        return Some(format!("timm has no {arch}"));
    }
    let scaled = [("width", *width), ("depth", *depth)].into_iter().filter(|(_, factor)| *factor != 1.0);
    let scaled: Vec<String> = scaled.map(|(key, factor)| format!("model.{key} = {factor}")).collect();
    if !scaled.is_empty() {
        return Some(format!("timm has no {arch} with {}", scaled.join(" and ")));
    }
    (*stem_stride != 2).then(|| {
        format!("timm's {arch} needs a first convolution of stride {stem_stride} (model.stem_stride)")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::schema::{Kind, field};

    #[test]
    fn a_momentum_of_the_users_leaves_the_rest_of_batch_norm() {
        let plain = ModelOptions::plain(10, 32);
        let options = ModelOptions { bn_momentum: Some(0.5), ..plain.clone() };
        for arch in names() {
            let bn = |options| build(arch, options).unwrap().bn;
            assert_eq!(bn(&options), BnConstants { momentum: 0.5, ..bn(&plain) }, "{arch}");
        }
    }

    #[test]
    fn the_configuration_offers_exactly_these() {
        let Kind::Choice(choices) = field("model.arch").unwrap().kind else { panic!("a choice of names") };
        assert_eq!(choices, names());
    }

    #[test]
    fn what_timm_has_not_is_said() {
        let config = |arch: &str, width, stem_stride| {
            let arch = arch.to_owned();
            differs_from_timm(&ModelConfig { arch, width, stem_stride, ..ModelConfig::default() })
        };
        assert_eq!(config("resnet18", 1.0, 2), None);
        let said = |found: Option<String>| found.expect("a difference");
        assert_eq!(said(config("resnet18", 0.5, 2)), "timm has no resnet18 with model.width = 0.5");
        assert_eq!(said(config("preact_resnet18", 1.0, 1)), "timm has no preact_resnet18");
        assert!(said(config("resnet18", 1.0, 1)).contains("stride 1"));
    }
}
