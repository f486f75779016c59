//! What both ResNet families share: four stages of residual blocks, each but the first halving the map's
//! side.

use super::options::ModelOptions;
use super::scaling::{round_channels, round_repeats};
use crate::graph::{NetworkBuilder, NodeId};

/// Width of the stem and of the first stage's inner convolutions.
pub(super) const STEM: usize = 64;

/// Widths of the stages' inner convolutions.
const WIDTHS: [usize; 4] = [64, 128, 256, 512];

/// The residual branch of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ResidualBranch {
    /// Two 3×3 convolutions of the stage's width.
    Basic,
    /// 1×1, 3×3 and 1×1, the last four times as wide.
    Bottleneck,
}

impl ResidualBranch {
    /// Output channels over the inner width. A factor and not a width: the rounding rule applies before it.
    fn expansion(self) -> usize {
        match self {
            Self::Basic => 1,
            Self::Bottleneck => 4,
        }
    }
}

/// The kind of a net's blocks and how many each stage has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blocks {
    /// The branch of every block.
    pub branch: ResidualBranch,
    /// Blocks of each stage.
    pub counts: [usize; 4],
}

/// One block's place in the net.
pub(super) struct Block {
    /// `layer2.0`
    pub name: String,
    branch: ResidualBranch,
    /// Channels of the inner convolutions.
    inner: usize,
    /// Channels of the sum.
    pub out: usize,
    pub stride: usize,
    pub drop_rate: f32,
}

/// One convolution of a block's branch.
pub(super) struct Convolution {
    pub kernel: usize,
    pub channels: usize,
    pub stride: usize,
}

impl Block {
    /// The branch's convolutions in order; the 3×3 one takes the block's stride.
    pub(super) fn convolutions(&self) -> Vec<Convolution> {
        let convolution = |kernel, channels, stride| Convolution { kernel, channels, stride };
        match self.branch {
            ResidualBranch::Basic => {
                vec![convolution(3, self.inner, self.stride), convolution(3, self.out, 1)]
            }
            ResidualBranch::Bottleneck => vec![
                convolution(1, self.inner, 1),
                convolution(3, self.inner, self.stride),
                convolution(1, self.out, 1),
            ],
        }
    }

    /// Whether the shortcut has to change the shape of what comes in.
    pub(super) fn projects(&self, net: &NetworkBuilder, input: NodeId) -> bool {
        self.stride != 1 || net.shape(input).channels != self.out
    }
}

/// Appends `layer1` to `layer4` behind `input`, each block made by `build`.
pub(super) fn stages(
    net: &mut NetworkBuilder,
    input: NodeId,
    blocks: &Blocks,
    options: &ModelOptions,
    build: impl Fn(&mut NetworkBuilder, NodeId, &Block) -> NodeId,
) -> NodeId {
    let total: usize = blocks.counts.iter().map(|count| round_repeats(*count, options.depth)).sum();
    let (mut x, mut index) = (input, 0);
    for (stage, (width, count)) in WIDTHS.iter().zip(blocks.counts).enumerate() {
        net.begin_stage();
        let inner = round_channels(*width, options.width);
        for repeat in 0..round_repeats(count, options.depth) {
            let block = Block {
                name: format!("layer{}.{repeat}", stage + 1),
                branch: blocks.branch,
                inner,
                out: inner * blocks.branch.expansion(),
                stride: if repeat == 0 && stage > 0 { 2 } else { 1 },
                drop_rate: options.drop_path * index as f32 / total as f32,
            };
            x = build(net, x, &block);
            index += 1;
        }
    }
    x
}
