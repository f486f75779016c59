//! EfficientNet (Tan and Le 2019), as timm's `tf_efficientnet_*` with TensorFlow's SAME padding and
//! `efficientnet_*` with symmetric padding; and EfficientNet-Lite (`tf_efficientnet_lite*`): ReLU6 in place
//! of SiLU, no squeeze-and-excitation, and ends that are not scaled.

use super::inverted_residual::{GateShape, InvertedResidual};
use super::options::ModelOptions;
use super::scaling::{round_channels, round_repeats};
use crate::graph::{BnConstants, Network, NetworkBuilder, Padding};
use crate::kernels::activation::Activation::{Relu6, Sigmoid, Silu};

/// One member of the family.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    /// Width factor over B0.
    pub width: f64,
    /// Depth factor over B0.
    pub depth: f64,
    /// How its convolutions pad.
    pub padding: Padding,
    /// Whether it is an EfficientNet-Lite.
    pub lite: bool,
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

/// The network of one member of the family.
pub(super) fn efficientnet(scale: Scale, bn: BnConstants, options: &ModelOptions) -> Network {
    let Scale { padding, lite, .. } = scale;
    let (width, depth) = (scale.width * options.width, scale.depth * options.depth);
    let activation = if lite { Relu6 } else { Silu };
    // Lite nets keep the stem and the head as they are, and the first and last stage at one block.
    let ends = |channels| if lite { channels } else { round_channels(channels, width) };
    let last = STAGES.len() - 1;
    let repeats = |number: usize, stage: &Stage| {
        let fixed = lite && (number == 0 || number == last);
        if fixed { stage.repeats } else { round_repeats(stage.repeats, depth) }
    };
    let (mut net, input) = NetworkBuilder::new(options.image_size, options.domains, bn);
    let x = net.conv("conv_stem", input, ends(STEM), 3, options.stem_stride, padding);
    let mut x = net.batch_norm("bn1", x, activation);
    let total: usize = STAGES.iter().enumerate().map(|(number, stage)| repeats(number, stage)).sum();
    let mut index = 0;
    for (number, stage) in STAGES.iter().enumerate() {
        net.begin_stage();
        for repeat in 0..repeats(number, stage) {
            let channels = net.shape(x).channels;
            // The width comes from the block's input channels, not from the expanded ones.
            let inner = ((channels as f64 / 4.0).round_ties_even() as usize).max(1);
            let block = InvertedResidual {
                name: format!("blocks.{number}.{repeat}"),
                kernel: stage.kernel,
                stride: if repeat == 0 { stage.stride } else { 1 },
                expanded: (stage.expand > 1).then_some(channels * stage.expand),
                out: round_channels(stage.out, width),
                activation,
                excitation: (!lite).then_some(GateShape { inner, hidden: Silu, gate: Sigmoid }),
                padding,
                drop_rate: options.drop_path * index as f32 / total as f32,
            };
            x = block.build(&mut net, x);
            index += 1;
        }
    }
    net.begin_stage();
    let x = net.conv("conv_head", x, ends(HEAD), 1, 1, padding);
    let x = net.batch_norm("bn2", x, activation);
    net.classify("classifier", x, options.classes, options.dropout)
}
