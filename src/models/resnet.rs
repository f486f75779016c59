//! ResNet (He et al. 2015) in torchvision's v1.5 form, the stride in the 3×3 convolution; names are
//! torchvision's and timm's.

use super::options::ModelOptions;
use super::scaling::round_channels;
use super::stages::{Block, Blocks, STEM, stages};
use crate::graph::{BnConstants, Network, NetworkBuilder, NodeId, Padding};
use crate::kernels::activation::Activation::{None as Linear, Relu};

const PADDING: Padding = Padding::Symmetric;

pub(super) fn resnet(blocks: &Blocks, bn: BnConstants, options: &ModelOptions) -> Network {
    let (mut net, input) = NetworkBuilder::new(options.image_size, options.domains, bn);
    let stem = round_channels(STEM, options.width);
    let x = net.conv("conv1", input, stem, 7, options.stem_stride, PADDING);
    let x = net.batch_norm("bn1", x, Relu);
    let x = net.max_pool(x, 3, 2);
    let x = stages(&mut net, x, blocks, options, residual_block);
    net.classify("fc", x, options.classes, options.dropout)
}

fn residual_block(net: &mut NetworkBuilder, input: NodeId, block: &Block) -> NodeId {
    let name = &block.name;
    let convolutions = block.convolutions();
    let mut x = input;
    for (index, c) in convolutions.iter().enumerate() {
        let activation = if index + 1 < convolutions.len() { Relu } else { Linear };
        x = net.conv(&format!("{name}.conv{}", index + 1), x, c.channels, c.kernel, c.stride, PADDING);
        x = net.batch_norm(&format!("{name}.bn{}", index + 1), x, activation);
    }
    let shortcut = if block.projects(net, input) {
        let projected = net.conv(&format!("{name}.downsample.0"), input, block.out, 1, block.stride, PADDING);
        net.batch_norm(&format!("{name}.downsample.1"), projected, Linear)
    } else {
        input
    };
    net.add(shortcut, x, Relu, block.drop_rate)
}
