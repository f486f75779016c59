//! ResNet (He et al. 2015) with basic blocks, as torchvision and timm name it.

use super::efficientnet::{round_channels, round_repeats};
use super::registry::ModelOptions;
use crate::graph::{BnLayer, Network, NetworkBuilder, NodeId, Padding};
use crate::kernels::batch_norm::Activation::{None as Linear, Relu};

const WIDTHS: [usize; 4] = [64, 128, 256, 512];
const BLOCKS: [usize; 4] = [2, 2, 2, 2];

pub(super) fn resnet18(options: &ModelOptions) -> Network {
    let bn = BnLayer { eps: 1e-5, momentum: 0.1 };
    let (mut net, input) = NetworkBuilder::new(options.image_size, options.domains, bn);
    let stem = round_channels(64, options.width);
    let x = net.conv("conv1", input, stem, 7, options.stem_stride, Padding::Symmetric);
    let x = net.batch_norm("bn1", x, Relu);
    let mut x = net.max_pool(x, 3, 2);
    let total: usize = BLOCKS.iter().map(|b| round_repeats(*b, options.depth)).sum();
    let mut block = 0;
    for (stage, (width, blocks)) in WIDTHS.iter().zip(BLOCKS).enumerate() {
        let out = round_channels(*width, options.width);
        for repeat in 0..round_repeats(blocks, options.depth) {
            let stride = if repeat == 0 && stage > 0 { 2 } else { 1 };
            let drop_rate = options.drop_path * block as f32 / total as f32;
            x = basic_block(&mut net, &format!("layer{}.{repeat}", stage + 1), x, out, stride, drop_rate);
            block += 1;
        }
    }
    net.classify("fc", x, options.classes, options.dropout)
}

fn basic_block(
    net: &mut NetworkBuilder,
    name: &str,
    input: NodeId,
    out: usize,
    stride: usize,
    drop_rate: f32,
) -> NodeId {
    let padding = Padding::Symmetric;
    let x = net.conv(&format!("{name}.conv1"), input, out, 3, stride, padding);
    let x = net.batch_norm(&format!("{name}.bn1"), x, Relu);
    let x = net.conv(&format!("{name}.conv2"), x, out, 3, 1, padding);
    let x = net.batch_norm(&format!("{name}.bn2"), x, Linear);
    let shortcut = if stride != 1 || net.shape(input).channels != out {
        let projected = net.conv(&format!("{name}.downsample.0"), input, out, 1, stride, padding);
        net.batch_norm(&format!("{name}.downsample.1"), projected, Linear)
    } else {
        input
    };
    net.add(shortcut, x, Relu, drop_rate)
}
