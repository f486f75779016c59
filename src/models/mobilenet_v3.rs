//! MobileNetV3 (Howard et al. 2019), as timm's `mobilenetv3_large_100` and `mobilenetv3_small_100`: hard
//! swish in its later stages, hard-sigmoid gates, and a dense layer with hard swish between pooling and
//! classifier.

use super::inverted_residual::{GateShape, InvertedResidual};
use super::options::ModelOptions;
use super::scaling::{round_channels, stage_repeats};
use crate::graph::{BnConstants, HiddenLayer, Network, NetworkBuilder, Padding};
use crate::kernels::activation::Activation::{self, HardSigmoid, HardSwish, Relu};

const PADDING: Padding = Padding::Symmetric;

/// One member of the family.
#[derive(Clone, Copy, Debug)]
pub(super) enum MobileNet {
    /// The paper's table 1.
    Large,
    /// The paper's table 2.
    Small,
}

/// Equal blocks in a row. Stride is the first block's, the others have 1.
struct Row {
    repeats: usize,
    kernel: usize,
    stride: usize,
    /// Expanded channels over those that come in; 1: the block does not expand.
    expand: f64,
    out: usize,
    excites: bool,
    activation: Activation,
}

const fn row(
    repeats: usize,
    kernel: usize,
    stride: usize,
    expand: f64,
    out: usize,
    excites: bool,
    activation: Activation,
) -> Row {
    Row { repeats, kernel, stride, expand, out, excites, activation }
}

const LARGE: &[&[Row]] = &[
    &[row(1, 3, 1, 1.0, 16, false, Relu)],
    &[row(1, 3, 2, 4.0, 24, false, Relu), row(1, 3, 1, 3.0, 24, false, Relu)],
    &[row(3, 5, 2, 3.0, 40, true, Relu)],
    &[
        row(1, 3, 2, 6.0, 80, false, HardSwish),
        row(1, 3, 1, 2.5, 80, false, HardSwish),
        row(2, 3, 1, 2.3, 80, false, HardSwish),
    ],
    &[row(2, 3, 1, 6.0, 112, true, HardSwish)],
    &[row(3, 5, 2, 6.0, 160, true, HardSwish)],
];

const SMALL: &[&[Row]] = &[
    &[row(1, 3, 2, 1.0, 16, true, Relu)],
    &[row(1, 3, 2, 4.5, 24, false, Relu), row(1, 3, 1, 3.67, 24, false, Relu)],
    &[row(1, 5, 2, 4.0, 40, true, HardSwish), row(2, 5, 1, 6.0, 40, true, HardSwish)],
    &[row(2, 5, 1, 3.0, 48, true, HardSwish)],
    &[row(3, 5, 2, 6.0, 96, true, HardSwish)],
];

const STEM: usize = 16;

impl MobileNet {
    fn stages(self) -> &'static [&'static [Row]] {
        match self {
            Self::Large => LARGE,
            Self::Small => SMALL,
        }
    }

    /// Channels of the map that feeds the pooling, and of the dense layer behind it.
    fn head(self) -> (usize, usize) {
        match self {
            Self::Large => (960, 1280),
            Self::Small => (576, 1024),
        }
    }
}

/// The network of one member of the family. As in timm, factors below 0.75 leave the stem as it is, and no
/// factor changes the dense layer behind the pooling.
pub(super) fn mobilenet_v3(member: MobileNet, bn: BnConstants, options: &ModelOptions) -> Network {
    let width = options.width;
    let (mut net, input) = NetworkBuilder::new(options.image_size, options.domains, bn);
    let stem = if width < 0.75 { STEM } else { round_channels(STEM, width) };
    let x = net.conv("conv_stem", input, stem, 3, options.stem_stride, PADDING);
    let mut x = net.batch_norm("bn1", x, HardSwish);
    let repeats_of = |rows: &[Row]| {
        let repeats: Vec<usize> = rows.iter().map(|row| row.repeats).collect();
        stage_repeats(&repeats, options.depth)
    };
    let stages = member.stages();
    // The convolution behind the stages counts as a block.
    let total = stages.iter().flat_map(|rows| repeats_of(rows)).sum::<usize>() + 1;
    let mut index = 0;
    for (number, rows) in stages.iter().enumerate() {
        net.begin_stage();
        let mut within = 0;
        for (row, repeats) in rows.iter().zip(repeats_of(rows)) {
            for repeat in 0..repeats {
                let channels = net.shape(x).channels;
                let expanded = round_channels(channels, row.expand);
                let expanded = (row.expand > 1.0).then_some(expanded);
                let excites = |channels| GateShape {
                    inner: round_channels(channels, 0.25),
                    hidden: Relu,
                    gate: HardSigmoid,
                };
                let block = InvertedResidual {
                    name: format!("blocks.{number}.{within}"),
                    kernel: row.kernel,
                    stride: if repeat == 0 { row.stride } else { 1 },
                    expanded,
                    out: round_channels(row.out, width),
                    activation: row.activation,
                    excitation: row.excites.then(|| excites(expanded.unwrap_or(channels))),
                    padding: PADDING,
                    drop_rate: options.drop_path * index as f32 / total as f32,
                };
                x = block.build(&mut net, x);
                index += 1;
                within += 1;
            }
        }
    }
    let (features, hidden) = member.head();
    net.begin_stage();
    let name = format!("blocks.{}.0", stages.len());
    let x = net.conv(&format!("{name}.conv"), x, round_channels(features, width), 1, 1, PADDING);
    let x = net.batch_norm(&format!("{name}.bn1"), x, HardSwish);
    let hidden = HiddenLayer { name: "conv_head", channels: hidden, activation: HardSwish };
    net.classify_through(&hidden, "classifier", x, options.classes, options.dropout)
}
