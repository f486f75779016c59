//! Pre-activation ResNet (He et al. 2016) in its CIFAR form: 3×3 stem without BN, BN + ReLU before each convolution
//! and before the pooling. Names follow the common CIFAR PyTorch code, with `bn` for the last BN.

use super::efficientnet::{round_channels, round_repeats};
use super::registry::ModelOptions;
use crate::graph::{BnLayer, Network, NetworkBuilder, NodeId, Padding};
use crate::kernels::batch_norm::Activation::{None as Linear, Relu};

const WIDTHS: [usize; 4] = [64, 128, 256, 512];
const BLOCKS: [usize; 4] = [2, 2, 2, 2];

pub(super) fn preact_resnet18(options: &ModelOptions) -> Network {
    let bn = BnLayer { eps: 1e-5, momentum: 0.1 };
    let (mut net, input) = NetworkBuilder::new(options.image_size, options.domains, bn);
    let stem = round_channels(64, options.width);
    // The contract fixes the stem's stride at 1.
    let mut x = net.conv("conv1", input, stem, 3, 1, Padding::Symmetric);
    let total: usize = BLOCKS.iter().map(|b| round_repeats(*b, options.depth)).sum();
    let mut block = 0;
    for (stage, (width, blocks)) in WIDTHS.iter().zip(BLOCKS).enumerate() {
        let out = round_channels(*width, options.width);
        for repeat in 0..round_repeats(blocks, options.depth) {
            let stride = if repeat == 0 && stage > 0 { 2 } else { 1 };
            let drop_rate = options.drop_path * block as f32 / total as f32;
            x = preact_block(&mut net, &format!("layer{}.{repeat}", stage + 1), x, out, stride, drop_rate);
            block += 1;
        }
    }
    let x = net.batch_norm("bn", x, Relu);
    net.classify("linear", x, options.classes, options.dropout)
}

/// A projecting shortcut sees the activated input, an identity shortcut the raw one.
fn preact_block(
    net: &mut NetworkBuilder,
    name: &str,
    input: NodeId,
    out: usize,
    stride: usize,
    drop_rate: f32,
) -> NodeId {
    let padding = Padding::Symmetric;
    let activated = net.batch_norm(&format!("{name}.bn1"), input, Relu);
    let shortcut = if stride != 1 || net.shape(input).channels != out {
        net.conv(&format!("{name}.shortcut.0"), activated, out, 1, stride, padding)
    } else {
        input
    };
    let x = net.conv(&format!("{name}.conv1"), activated, out, 3, stride, padding);
    let x = net.batch_norm(&format!("{name}.bn2"), x, Relu);
    let x = net.conv(&format!("{name}.conv2"), x, out, 3, 1, padding);
    net.add(shortcut, x, Linear, drop_rate)
}
