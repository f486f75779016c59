//! Pre-activation ResNet (He et al. 2016) in its CIFAR form: 3×3 stem without BN, BN + ReLU before each
//! convolution and before the pooling. Names follow the common CIFAR PyTorch code, with `bn` for the last BN.

use super::options::ModelOptions;
use super::scaling::round_channels;
use super::stages::{Block, Blocks, STEM, stages};
use crate::graph::{BnConstants, Network, NetworkBuilder, NodeId, Padding};
use crate::kernels::activation::Activation::{None as Linear, Relu};

const PADDING: Padding = Padding::Symmetric;

pub(super) fn preact_resnet(blocks: &Blocks, bn: BnConstants, options: &ModelOptions) -> Network {
    let (mut net, input) = NetworkBuilder::new(options.image_size, options.domains, bn);
    // The stem keeps the image's size whatever `options.stem_stride` says: these nets are for small images.
    let x = net.conv("conv1", input, round_channels(STEM, options.width), 3, 1, PADDING);
    let x = stages(&mut net, x, blocks, options, preact_block);
    let x = net.batch_norm("bn", x, Relu);
    net.classify("linear", x, options.classes, options.dropout)
}

/// A projecting shortcut sees the activated input, an identity shortcut the raw one.
fn preact_block(net: &mut NetworkBuilder, input: NodeId, block: &Block) -> NodeId {
    let name = &block.name;
    let activated = net.batch_norm(&format!("{name}.bn1"), input, Relu);
    let shortcut = if block.projects(net, input) {
        net.conv(&format!("{name}.shortcut.0"), activated, block.out, 1, block.stride, PADDING)
    } else {
        input
    };
    let mut x = activated;
    for (index, c) in block.convolutions().iter().enumerate() {
        if index > 0 {
            x = net.batch_norm(&format!("{name}.bn{}", index + 1), x, Relu);
        }
        x = net.conv(&format!("{name}.conv{}", index + 1), x, c.channels, c.kernel, c.stride, PADDING);
    }
    net.add(shortcut, x, Linear, block.drop_rate)
}
