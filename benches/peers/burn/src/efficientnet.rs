//! EfficientNet-B0 as one would write it with burn's modules.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::{sigmoid, silu};
use burn::tensor::backend::Backend;
use burn::tensor::{Distribution, Tensor};

pub const CLASSES: usize = 1000;
const DROPOUT: f64 = 0.2;
const DROP_PATH: f64 = 0.2;

/// Expansion, output channels, repeats, stride and kernel of each stage.
const STAGES: [[usize; 5]; 7] = [
    [1, 16, 1, 1, 3],
    [6, 24, 2, 2, 3],
    [6, 40, 2, 2, 5],
    [6, 80, 3, 2, 3],
    [6, 112, 3, 1, 5],
    [6, 192, 4, 2, 5],
    [6, 320, 1, 1, 3],
];

/// A convolution without bias and its batch norm.
#[derive(Module, Debug)]
struct ConvNorm<B: Backend> {
    conv: Conv2d<B>,
    norm: BatchNorm<B>,
}

impl<B: Backend> ConvNorm<B> {
    fn new(channels: [usize; 2], kernel: usize, stride: usize, groups: usize, device: &B::Device) -> Self {
        let pad = kernel / 2;
        let conv = Conv2dConfig::new(channels, [kernel, kernel])
            .with_stride([stride, stride])
            .with_groups(groups)
            .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
            .with_bias(false);
        let norm = BatchNormConfig::new(channels[1]).with_epsilon(1e-3).with_momentum(0.01);
        Self { conv: conv.init(device), norm: norm.init(device) }
    }

    fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        self.norm.forward(self.conv.forward(x))
    }
}

#[derive(Module, Debug)]
struct Block<B: Backend> {
    expand: Option<ConvNorm<B>>,
    depthwise: ConvNorm<B>,
    squeeze: Conv2d<B>,
    excite: Conv2d<B>,
    project: ConvNorm<B>,
    residual: bool,
    /// Share of images whose branch is dropped.
    drop: f64,
}

impl<B: Backend> Block<B> {
    fn new(
        [expansion, output, stride, kernel]: [usize; 4],
        input: usize,
        drop: f64,
        device: &B::Device,
    ) -> Self {
        let inner = input * expansion;
        let dense = |from, to| Conv2dConfig::new([from, to], [1, 1]).init(device);
        Self {
            expand: (expansion > 1).then(|| ConvNorm::new([input, inner], 1, 1, 1, device)),
            depthwise: ConvNorm::new([inner, inner], kernel, stride, inner, device),
            squeeze: dense(inner, input / 4),
            excite: dense(input / 4, inner),
            project: ConvNorm::new([inner, output], 1, 1, 1, device),
            residual: stride == 1 && input == output,
            drop,
        }
    }

    fn forward(&self, input: Tensor<B, 4>) -> Tensor<B, 4> {
        let mut x = input.clone();
        if let Some(expand) = &self.expand {
            x = silu(expand.forward(x));
        }
        x = silu(self.depthwise.forward(x));
        let pooled = x.clone().mean_dim(2).mean_dim(3);
        let gate = sigmoid(self.excite.forward(silu(self.squeeze.forward(pooled))));
        x = self.project.forward(x * gate);
        if !self.residual {
            return x;
        }
        if self.drop > 0.0 {
            let keep = 1.0 - self.drop;
            let [images, ..] = x.dims();
            let mask = Tensor::random([images, 1, 1, 1], Distribution::Bernoulli(keep), &x.device());
            x = x * (mask / keep);
        }
        x + input
    }
}

#[derive(Module, Debug)]
pub struct EfficientNet<B: Backend> {
    stem: ConvNorm<B>,
    blocks: Vec<Block<B>>,
    head: ConvNorm<B>,
    dropout: Dropout,
    classifier: Linear<B>,
}

impl<B: Backend> EfficientNet<B> {
    pub fn new(device: &B::Device) -> Self {
        let count: usize = STAGES.iter().map(|stage| stage[2]).sum();
        let (mut blocks, mut input) = (Vec::new(), 32);
        for [expansion, output, repeats, stride, kernel] in STAGES {
            for repeat in 0..repeats {
                let stride = if repeat == 0 { stride } else { 1 };
                let drop = DROP_PATH * blocks.len() as f64 / count as f64;
                blocks.push(Block::new([expansion, output, stride, kernel], input, drop, device));
                input = output;
            }
        }
        Self {
            stem: ConvNorm::new([3, 32], 3, 2, 1, device),
            blocks,
            head: ConvNorm::new([input, 1280], 1, 1, 1, device),
            dropout: DropoutConfig::new(DROPOUT).init(),
            classifier: LinearConfig::new(1280, CLASSES).init(device),
        }
    }

    /// Logits of normalised images `[N, 3, S, S]`.
    pub fn forward(&self, images: Tensor<B, 4>) -> Tensor<B, 2> {
        let mut x = silu(self.stem.forward(images));
        for block in &self.blocks {
            x = block.forward(x);
        }
        let features = silu(self.head.forward(x)).mean_dim(2).mean_dim(3);
        let [images, channels, ..] = features.dims();
        self.classifier.forward(self.dropout.forward(features.reshape([images, channels])))
    }
}
