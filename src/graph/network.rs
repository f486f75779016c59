//! A network as nodes in the order of computation. Shapes are per image; the batch comes in when a pass is
//! built.

use super::pad4;
use super::params::{ParamKind, ParamLayout};
use super::pass::Statistics;
use crate::kernels::activation::Activation;
use crate::kernels::conv::ConvShape;
use crate::kernels::depthwise::DepthwiseShape;

/// Height, width and logical channels of one image's activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Rows of the map.
    pub height: usize,
    /// Columns of the map.
    pub width: usize,
    /// Channels without padding.
    pub channels: usize,
}

impl Shape {
    /// Numbers of one image on the GPU, where the channels are padded to a multiple of 4.
    pub fn padded_len(self) -> usize {
        self.height * self.width * super::pad4(self.channels)
    }
}

/// How a convolution or pooling pads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// TensorFlow's SAME: output = ceil(input / stride), the odd row and column at the bottom and right.
    Same,
    /// (kernel − 1) / 2 on every side.
    Symmetric,
}

impl Padding {
    /// The output's size and the padding before the input along one axis, for an input of `input` cells.
    pub fn along(self, input: usize, kernel: usize, stride: usize) -> (usize, usize) {
        match self {
            Self::Same => {
                let output = input.div_ceil(stride);
                let total = ((output - 1) * stride + kernel).saturating_sub(input);
                (output, total / 2)
            }
            Self::Symmetric => {
                let pad = (kernel - 1) / 2;
                ((input + 2 * pad - kernel) / stride + 1, pad)
            }
        }
    }
}

/// Index into [`Network::nodes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeId(pub usize);

/// What a node computes. Indices point into the [`ParamLayout`].
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// The normalised image, 3 channels.
    Input,
    /// A dense convolution. A dense layer is a convolution with a bias on a 1×1 map.
    Conv {
        /// Index of the weight.
        weight: usize,
        /// Index of the bias, where there is one.
        bias: Option<usize>,
        /// Side of the square kernel.
        kernel: usize,
        /// Stride in both directions.
        stride: usize,
        /// How the input is padded.
        padding: Padding,
    },
    /// A depthwise convolution: one filter a channel, no bias.
    Depthwise {
        /// Index of the weight.
        weight: usize,
        /// Side of the square kernel.
        kernel: usize,
        /// Stride in both directions.
        stride: usize,
        /// How the input is padded.
        padding: Padding,
    },
    /// Batch norm and the activation behind it.
    BatchNorm {
        /// Index of the BN layer.
        layer: usize,
        /// The activation behind it.
        activation: Activation,
    },
    /// An activation that follows no batch norm, over a vector `[N, 1, 1, C]` behind the pooling.
    Activation {
        /// The activation.
        activation: Activation,
    },
    /// x · gate(expand · hidden(reduce · mean(x) + bias) + bias), `hidden` and `gate` the activations.
    SqueezeExcite {
        /// Weight and bias of the first dense layer.
        reduce: (usize, usize),
        /// Weight and bias of the second dense layer.
        expand: (usize, usize),
        /// Channels between the layers.
        inner: usize,
        /// The activation behind the first layer.
        hidden: Activation,
        /// The activation behind the second layer.
        gate: Activation,
    },
    /// The end of a residual block; the inputs are the shortcut and the branch.
    Add {
        /// The activation behind the sum.
        activation: Activation,
        /// The share of the images in [0, 1) whose branch is left out in training.
        drop_rate: f32,
    },
    /// Max pooling with symmetric padding.
    MaxPool {
        /// Side of the square window.
        kernel: usize,
        /// Stride in both directions.
        stride: usize,
    },
    /// The mean over all positions: `[N, H, W, C]` becomes `[N, 1, 1, C]`.
    GlobalPool,
    /// Dropout of single numbers in training.
    Dropout {
        /// The share of the numbers that become 0, in (0, 1).
        rate: f32,
    },
}

/// One operation with where its inputs come from.
#[derive(Clone, Debug)]
pub struct Node {
    /// What the node computes.
    pub op: Op,
    /// The nodes whose outputs it reads; all of them come before it.
    pub inputs: Vec<NodeId>,
    /// The output of one image.
    pub shape: Shape,
    /// The stage that it belongs to, from 0 at the input.
    pub stage: usize,
}

/// What all BN layers of a network have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BnConstants {
    /// Added to the variance before its root.
    pub eps: f32,
    /// PyTorch's convention: running = (1 − momentum)·running + momentum·batch.
    pub momentum: f32,
}

/// The part of a network that training leaves as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frozen {
    /// How many stages from the input keep their weights, gammas and betas.
    pub stages: usize,
    /// How many stages from the input have batch norms that keep their running statistics, and normalise by
    /// them in every pass.
    pub statistics: usize,
}

/// A network with its parameters' places.
#[derive(Clone, Debug)]
pub struct Network {
    /// All nodes in the order of computation.
    pub nodes: Vec<Node>,
    /// Where the parameters lie in the arenas.
    pub layout: ParamLayout,
    /// Epsilon and momentum of all batch norms.
    pub bn: BnConstants,
    /// Side of the square input, pixels.
    pub image_size: usize,
    /// Classes of the last layer.
    pub classes: usize,
    /// The activated map `[N, h, w, C]` that feeds the global pooling: what class activation maps are made
    /// of.
    pub features: NodeId,
    /// The last node, `[N, classes]`.
    pub logits: NodeId,
    /// Index of the classifier's weight in the layout.
    pub classifier: usize,
    /// The dense layer between pooling and classifier, where the network has one.
    pub hidden: Option<Hidden>,
    /// What training leaves as it is; nothing in a network that was just built.
    pub frozen: Frozen,
}

/// A dense layer with an activation between the pooling and the classifier of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hidden {
    /// Index of its weight in the layout.
    pub weight: usize,
    /// Index of its bias in the layout.
    pub bias: usize,
    /// The activation behind it.
    pub activation: Activation,
}

/// What a builder must know of a [`Hidden`] layer.
#[derive(Clone, Copy, Debug)]
pub struct HiddenLayer<'a> {
    /// timm's name of the layer.
    pub name: &'a str,
    /// Its output channels.
    pub channels: usize,
    /// The activation behind it.
    pub activation: Activation,
}

impl Network {
    /// The node `id`.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// Stages before the classifier: as many can be frozen.
    pub fn feature_stages(&self) -> usize {
        self.layout.stages - 1
    }

    /// Whether the parameters of node `id` stay as they are.
    pub fn is_frozen(&self, id: NodeId) -> bool {
        self.node(id).stage < self.frozen.stages
    }

    /// Whether training moves the running statistics of some batch norm.
    pub fn moves_statistics(&self) -> bool {
        self.layout.bn.iter().any(|bn| bn.stage >= self.frozen.statistics)
    }

    /// What the batch norm `id` normalises by in a pass that normalises by `pass`.
    pub fn statistics(&self, id: NodeId, pass: Statistics) -> Statistics {
        if self.node(id).stage < self.frozen.statistics { Statistics::Running } else { pass }
    }

    /// For each node: the nodes that read its output, in order.
    pub(super) fn consumers(&self) -> Vec<Vec<usize>> {
        let mut all = vec![Vec::new(); self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            for input in &node.inputs {
                all[input.0].push(index);
            }
        }
        all
    }

    /// Multiply-adds of the convolutions and dense layers for one image.
    pub fn macs(&self) -> u64 {
        self.nodes.iter().map(|node| self.node_macs(node)).sum()
    }

    /// The kernel's shape of the convolution `node` over a batch of `images`.
    pub(super) fn conv_shape(&self, node: &Node, images: usize) -> ConvShape {
        let Op::Conv { kernel, stride, padding, .. } = node.op else { unreachable!("called for this op") };
        let input = self.node(node.inputs[0]).shape;
        ConvShape {
            images,
            in_h: input.height,
            in_w: input.width,
            in_c: pad4(input.channels),
            out_h: node.shape.height,
            out_w: node.shape.width,
            out_c: pad4(node.shape.channels),
            kernel,
            stride,
            pad_top: padding.along(input.height, kernel, stride).1,
            pad_left: padding.along(input.width, kernel, stride).1,
        }
    }

    /// The kernel's shape of the depthwise convolution `node` over a batch of `images`.
    pub(super) fn depthwise_shape(&self, node: &Node, images: usize) -> DepthwiseShape {
        let Op::Depthwise { kernel, stride, padding, .. } = node.op else {
            unreachable!("called for this op")
        };
        let input = self.node(node.inputs[0]).shape;
        DepthwiseShape {
            images,
            in_h: input.height,
            in_w: input.width,
            out_h: node.shape.height,
            out_w: node.shape.width,
            channels: pad4(input.channels),
            kernel,
            stride,
            pad_top: padding.along(input.height, kernel, stride).1,
            pad_left: padding.along(input.width, kernel, stride).1,
        }
    }

    fn node_macs(&self, node: &Node) -> u64 {
        let positions = (node.shape.height * node.shape.width) as u64;
        let weights = |index: usize| self.layout.parameters[index].kind.file_len() as u64;
        match &node.op {
            Op::Conv { weight, .. } | Op::Depthwise { weight, .. } => positions * weights(*weight),
            Op::SqueezeExcite { reduce, expand, .. } => weights(reduce.0) + weights(expand.0),
            _ => 0,
        }
    }
}

/// Builds a network node by node; models are written against this.
pub struct NetworkBuilder {
    nodes: Vec<Node>,
    layout: ParamLayout,
    bn: BnConstants,
    image_size: usize,
}

impl NetworkBuilder {
    /// A builder for square images of `image_size` pixels and `domains` BN domains (at least 1), and the node
    /// of the normalised input `[N, S, S, 3]`.
    pub fn new(image_size: usize, domains: usize, bn: BnConstants) -> (Self, NodeId) {
        let shape = Shape { height: image_size, width: image_size, channels: 3 };
        let input = Node { op: Op::Input, inputs: Vec::new(), shape, stage: 0 };
        (Self { nodes: vec![input], layout: ParamLayout::new(domains), bn, image_size }, NodeId(0))
    }

    /// Begins the next stage: the layers that follow are frozen, or get a learning rate of their own,
    /// together.
    pub fn begin_stage(&mut self) {
        self.layout.begin_stage();
    }

    /// The output of node `id` for one image.
    pub fn shape(&self, id: NodeId) -> Shape {
        self.nodes[id.0].shape
    }

    fn push(&mut self, op: Op, inputs: &[NodeId], shape: Shape) -> NodeId {
        let stage = self.layout.stages - 1;
        self.nodes.push(Node { op, inputs: inputs.to_vec(), shape, stage });
        NodeId(self.nodes.len() - 1)
    }

    /// A convolution of x without bias, with `out` output channels and timm's `name`.
    pub fn conv(
        &mut self,
        name: &str,
        x: NodeId,
        out: usize,
        kernel: usize,
        stride: usize,
        padding: Padding,
    ) -> NodeId {
        let input = self.shape(x);
        let kind = ParamKind::Conv { out, input: input.channels, kernel };
        let weight = self.layout.add(format!("{name}.weight"), kind);
        let shape = Shape {
            height: padding.along(input.height, kernel, stride).0,
            width: padding.along(input.width, kernel, stride).0,
            channels: out,
        };
        self.push(Op::Conv { weight, bias: None, kernel, stride, padding }, &[x], shape)
    }

    /// A depthwise convolution of x, with timm's `name`.
    pub fn depthwise(
        &mut self,
        name: &str,
        x: NodeId,
        kernel: usize,
        stride: usize,
        padding: Padding,
    ) -> NodeId {
        let input = self.shape(x);
        let kind = ParamKind::Depthwise { channels: input.channels, kernel };
        let weight = self.layout.add(format!("{name}.weight"), kind);
        let shape = Shape {
            height: padding.along(input.height, kernel, stride).0,
            width: padding.along(input.width, kernel, stride).0,
            channels: input.channels,
        };
        self.push(Op::Depthwise { weight, kernel, stride, padding }, &[x], shape)
    }

    /// Batch norm of x with the activation behind it, and timm's `name`.
    pub fn batch_norm(&mut self, name: &str, x: NodeId, activation: Activation) -> NodeId {
        let shape = self.shape(x);
        let layer = self.layout.add_bn(name.to_owned(), shape.channels);
        self.push(Op::BatchNorm { layer, activation }, &[x], shape)
    }

    /// Squeeze-and-excitation over x with `inner` channels between its dense layers, and the activations of
    /// both layers.
    pub fn squeeze_excite(
        &mut self,
        name: &str,
        x: NodeId,
        inner: usize,
        hidden: Activation,
        gate: Activation,
    ) -> NodeId {
        let shape = self.shape(x);
        let c = shape.channels;
        let mut dense = |part: &str, out: usize, input: usize| {
            let kind = ParamKind::Conv { out, input, kernel: 1 };
            let weight = self.layout.add(format!("{name}.{part}.weight"), kind);
            (weight, self.layout.add(format!("{name}.{part}.bias"), ParamKind::Bias { channels: out }))
        };
        let reduce = dense("conv_reduce", inner, c);
        let expand = dense("conv_expand", c, inner);
        self.push(Op::SqueezeExcite { reduce, expand, inner, hidden, gate }, &[x], shape)
    }

    /// The sum of `shortcut` and `branch`, which have the same shape, with the activation behind it; in
    /// training the branch is left out for the share `drop_rate` of the images.
    pub fn add(
        &mut self,
        shortcut: NodeId,
        branch: NodeId,
        activation: Activation,
        drop_rate: f32,
    ) -> NodeId {
        debug_assert_eq!(self.shape(shortcut), self.shape(branch));
        let shape = self.shape(branch);
        self.push(Op::Add { activation, drop_rate }, &[shortcut, branch], shape)
    }

    /// Max pooling of x with symmetric padding.
    pub fn max_pool(&mut self, x: NodeId, kernel: usize, stride: usize) -> NodeId {
        let input = self.shape(x);
        let shape = Shape {
            height: Padding::Symmetric.along(input.height, kernel, stride).0,
            width: Padding::Symmetric.along(input.width, kernel, stride).0,
            channels: input.channels,
        };
        self.push(Op::MaxPool { kernel, stride }, &[x], shape)
    }

    /// Global average pooling, dropout at `rate` and the classifier, which end the network.
    pub fn classify(mut self, name: &str, features: NodeId, classes: usize, rate: f32) -> Network {
        let pooled = self.global_pool(features);
        self.finish(name, features, pooled, None, classes, rate)
    }

    /// As [`Self::classify`], with a dense layer and its activation behind the pooling.
    pub fn classify_through(
        mut self,
        hidden: &HiddenLayer<'_>,
        name: &str,
        features: NodeId,
        classes: usize,
        rate: f32,
    ) -> Network {
        let pooled = self.global_pool(features);
        let HiddenLayer { channels, activation, .. } = *hidden;
        self.begin_stage();
        // timm has it as a pointwise convolution, with that shape in its files.
        let kind = ParamKind::Conv { out: channels, input: self.shape(pooled).channels, kernel: 1 };
        let (x, weight, bias) = self.dense(hidden.name, kind, pooled, channels);
        let shape = self.shape(x);
        let x = self.push(Op::Activation { activation }, &[x], shape);
        self.finish(name, features, x, Some(Hidden { weight, bias, activation }), classes, rate)
    }

    fn global_pool(&mut self, features: NodeId) -> NodeId {
        let channels = self.shape(features).channels;
        self.push(Op::GlobalPool, &[features], Shape { height: 1, width: 1, channels })
    }

    /// A dense layer over the vector x; its node, and the indices of its weight and bias.
    fn dense(&mut self, name: &str, kind: ParamKind, x: NodeId, out: usize) -> (NodeId, usize, usize) {
        let weight = self.layout.add(format!("{name}.weight"), kind);
        let bias = self.layout.add(format!("{name}.bias"), ParamKind::Bias { channels: out });
        let op = Op::Conv { weight, bias: Some(bias), kernel: 1, stride: 1, padding: Padding::Symmetric };
        (self.push(op, &[x], Shape { height: 1, width: 1, channels: out }), weight, bias)
    }

    fn finish(
        mut self,
        name: &str,
        features: NodeId,
        mut x: NodeId,
        hidden: Option<Hidden>,
        classes: usize,
        dropout: f32,
    ) -> Network {
        let vector = self.shape(x);
        if dropout > 0.0 {
            x = self.push(Op::Dropout { rate: dropout }, &[x], vector);
        }
        self.begin_stage();
        let kind = ParamKind::Dense { out: classes, input: vector.channels };
        let (logits, classifier, _) = self.dense(name, kind, x, classes);
        Network {
            nodes: self.nodes,
            layout: self.layout,
            bn: self.bn,
            image_size: self.image_size,
            classes,
            features,
            logits,
            classifier,
            hidden,
            frozen: Frozen::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_padding_is_tensorflows() {
        // B0's stem and stage 3 at 224 px, B2's stage 3 at 65.
        assert_eq!(Padding::Same.along(224, 3, 2), (112, 0));
        assert_eq!(Padding::Same.along(56, 5, 2), (28, 1));
        assert_eq!(Padding::Same.along(65, 5, 2), (33, 2));
        assert_eq!(Padding::Same.along(7, 3, 1), (7, 1));
        assert_eq!(Padding::Symmetric.along(224, 7, 2), (112, 3));
        assert_eq!(Padding::Same.along(1, 3, 2), (1, 1));
    }
}
