//! EfficientNet (Tan and Le 2019), as timm's `tf_efficientnet_*` with TensorFlow's SAME padding and `efficientnet_*`
//! with symmetric padding; both with the BN constants of the original code.

use super::registry::ModelOptions;
use super::scaling::{round_channels, round_repeats};
use crate::graph::{BnLayer, Network, NetworkBuilder, NodeId, Padding};
use crate::kernels::activation::Activation::{None as Linear, Sigmoid, Silu};

/// One member of the family: its factors over B0 and how its strided convolutions pad.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    pub width: f64,
    pub depth: f64,
    pub padding: Padding,
}

/// One stage of B0. Stride is the first block's, the others have 1.
struct Stage {
    repeats: usize,
    kernel: usize,
    stride: usize,
    expand: usize,
    out: usize,
}

const fn stage(repeats: usize, kernel: usize, stride: usize, expand: usize, out: usize) -> Stage {
    Stage { repeats, kernel, stride, expand, out }
}

const STAGES: [Stage; 7] = [
    stage(1, 3, 1, 1, 16),
    stage(2, 3, 2, 6, 24),
    stage(2, 5, 2, 6, 40),
    stage(3, 3, 2, 6, 80),
    stage(3, 5, 1, 6, 112),
    stage(4, 5, 2, 6, 192),
    stage(1, 3, 1, 6, 320),
];
const STEM: usize = 32;
const HEAD: usize = 1280;

pub(super) fn efficientnet(scale: &Scale, options: &ModelOptions) -> Network {
    let (width, depth) = (scale.width * options.width, scale.depth * options.depth);
    // TPU code: momentum 0.99 in TensorFlow's convention.
    let bn = BnLayer { eps: 1e-3, momentum: 0.01 };
    let (mut net, input) = NetworkBuilder::new(options.image_size, options.domains, bn);
    let stem = round_channels(STEM, width);
    let x = net.conv("conv_stem", input, stem, 3, options.stem_stride, scale.padding);
    let mut x = net.batch_norm("bn1", x, Silu);
    let total: usize = STAGES.iter().map(|s| round_repeats(s.repeats, depth)).sum();
    let mut index = 0;
    for (number, stage) in STAGES.iter().enumerate() {
        for repeat in 0..round_repeats(stage.repeats, depth) {
            let block = Block {
                name: format!("blocks.{number}.{repeat}"),
                kernel: stage.kernel,
                stride: if repeat == 0 { stage.stride } else { 1 },
                expand: stage.expand,
                out: round_channels(stage.out, width),
                padding: scale.padding,
                drop_rate: options.drop_path * index as f32 / total as f32,
            };
            x = block.build(&mut net, x);
            index += 1;
        }
    }
    let x = net.conv("conv_head", x, round_channels(HEAD, width), 1, 1, scale.padding);
    let x = net.batch_norm("bn2", x, Silu);
    net.classify("classifier", x, options.classes, options.dropout)
}

/// MBConv: expand, depthwise, squeeze and excite, project.
struct Block {
    name: String,
    kernel: usize,
    stride: usize,
    expand: usize,
    out: usize,
    padding: Padding,
    drop_rate: f32,
}

impl Block {
    fn build(&self, net: &mut NetworkBuilder, input: NodeId) -> NodeId {
        let Self { name, padding, .. } = self;
        let channels = net.shape(input).channels;
        // timm numbers the BN layers in order of appearance.
        let (mut x, mut bn) = (input, 1);
        if self.expand > 1 {
            x = net.conv(&format!("{name}.conv_pw"), x, channels * self.expand, 1, 1, *padding);
            x = net.batch_norm(&format!("{name}.bn{bn}"), x, Silu);
            bn += 1;
        }
        x = net.depthwise(&format!("{name}.conv_dw"), x, self.kernel, self.stride, *padding);
        x = net.batch_norm(&format!("{name}.bn{bn}"), x, Silu);
        // The width comes from the block's input channels, not from the expanded ones.
        let inner = ((channels as f64 / 4.0).round_ties_even() as usize).max(1);
        x = net.squeeze_excite(&format!("{name}.se"), x, inner, Silu, Sigmoid);
        // The block without expansion calls its projection `conv_pw`.
        let project = if self.expand > 1 { "conv_pwl" } else { "conv_pw" };
        x = net.conv(&format!("{name}.{project}"), x, self.out, 1, 1, *padding);
        x = net.batch_norm(&format!("{name}.bn{}", bn + 1), x, Linear);
        let skips = self.stride == 1 && channels == self.out;
        if skips { net.add(input, x, Linear, self.drop_rate) } else { x }
    }
}
