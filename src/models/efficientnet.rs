//! EfficientNet (Tan and Le 2019) with TensorFlow's SAME padding and BN constants, as timm's `tf_efficientnet_*`.

use super::registry::ModelOptions;
use crate::graph::{BnLayer, Network, NetworkBuilder, NodeId, Padding};
use crate::kernels::batch_norm::Activation::{None as Linear, Silu};

/// One stage of the base network: repeats, kernel, stride of the first block, expansion, output channels.
struct Stage(usize, usize, usize, usize, usize);

const STAGES: [Stage; 7] = [
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
];
const STEM: usize = 32;
const HEAD: usize = 1280;

/// The official rounding rule: to multiples of 8, but never more than a tenth below.
pub(super) fn round_channels(channels: usize, width: f64) -> usize {
    let scaled = channels as f64 * width;
    let rounded = (((scaled + 4.0) / 8.0).floor() as usize * 8).max(8);
    if (rounded as f64) < 0.9 * scaled { rounded + 8 } else { rounded }
}

pub(super) fn round_repeats(repeats: usize, depth: f64) -> usize {
    ((depth * repeats as f64).ceil() as usize).max(1)
}

pub(super) fn b0(options: &ModelOptions) -> Network {
    let padding = Padding::Same;
    // TPU code: momentum 0.99 in TensorFlow's convention.
    let bn = BnLayer { eps: 1e-3, momentum: 0.01 };
    let (mut net, input) = NetworkBuilder::new(options.image_size, options.domains, bn);
    let stem = round_channels(STEM, options.width);
    let x = net.conv("conv_stem", input, stem, 3, options.stem_stride, padding);
    let mut x = net.batch_norm("bn1", x, Silu);
    let total: usize = STAGES.iter().map(|s| round_repeats(s.0, options.depth)).sum();
    let mut block = 0;
    for (stage, Stage(repeats, kernel, stride, expand, out)) in STAGES.iter().enumerate() {
        let out = round_channels(*out, options.width);
        for repeat in 0..round_repeats(*repeats, options.depth) {
            let stride = if repeat == 0 { *stride } else { 1 };
            let drop_rate = options.drop_path * block as f32 / total as f32;
            let name = format!("blocks.{stage}.{repeat}");
            x = mbconv(&mut net, &name, x, *kernel, stride, *expand, out, drop_rate);
            block += 1;
        }
    }
    let x = net.conv("conv_head", x, round_channels(HEAD, options.width), 1, 1, padding);
    let x = net.batch_norm("bn2", x, Silu);
    net.classify("classifier", x, options.classes, options.dropout)
}

/// Expand, depthwise, squeeze and excite, project; timm numbers the BN layers in order of appearance.
fn mbconv(
    net: &mut NetworkBuilder,
    name: &str,
    input: NodeId,
    kernel: usize,
    stride: usize,
    expand: usize,
    out: usize,
    drop_rate: f32,
) -> NodeId {
    let padding = Padding::Same;
    let channels = net.shape(input).channels;
    let (mut x, mut bn) = (input, 1);
    if expand > 1 {
        x = net.conv(&format!("{name}.conv_pw"), x, channels * expand, 1, 1, padding);
        x = net.batch_norm(&format!("{name}.bn{bn}"), x, Silu);
        bn += 1;
    }
    x = net.depthwise(&format!("{name}.conv_dw"), x, kernel, stride, padding);
    x = net.batch_norm(&format!("{name}.bn{bn}"), x, Silu);
    // The width comes from the block's input channels, not from the expanded ones.
    let inner = ((channels as f64 / 4.0).round_ties_even() as usize).max(1);
    x = net.squeeze_excite(&format!("{name}.se"), x, inner);
    // The block without expansion calls its projection `conv_pw`.
    let project = if expand > 1 { "conv_pwl" } else { "conv_pw" };
    x = net.conv(&format!("{name}.{project}"), x, out, 1, 1, padding);
    x = net.batch_norm(&format!("{name}.bn{}", bn + 1), x, Linear);
    if stride == 1 && channels == out { net.add(input, x, Linear, drop_rate) } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rounding_rule_gives_the_published_widths() {
        // Facts page 1.3: B1's stem and B2, B3 stages.
        assert_eq!(round_channels(40, 1.1), 48);
        assert_eq!(round_channels(16, 1.2), 24);
        assert_eq!(round_channels(112, 1.1), 120);
        assert_eq!(round_channels(1280, 1.1), 1408);
        assert_eq!(round_channels(32, 0.25), 8);
        assert_eq!(round_repeats(3, 1.1), 4);
        assert_eq!(round_repeats(1, 0.3), 1);
    }
}
