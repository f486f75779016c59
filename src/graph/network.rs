//! A network as nodes in the order of computation. Shapes are per image; the batch comes in when a pass is built.

use super::pad4;
use super::params::{ParamKind, ParamLayout};
use crate::kernels::activation::Activation;
use crate::kernels::conv::ConvShape;
use crate::kernels::depthwise::DepthwiseShape;

/// Height, width and logical channels of one image's activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub height: usize,
    pub width: usize,
    pub channels: usize,
}

impl Shape {
    /// Floats of one image on the GPU.
    pub fn padded_len(self) -> usize {
        self.height * self.width * super::pad4(self.channels)
    }
}

/// How a convolution or pooling pads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// TensorFlow's: output = ceil(input / stride), the odd row and column at the bottom and right.
    Same,
    /// (kernel − 1) / 2 on every side.
    Symmetric,
}

impl Padding {
    /// (output size, padding before) along one axis.
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
    /// Dense convolution; a dense layer is one with a bias on a 1×1 map.
    Conv {
        weight: usize,
        bias: Option<usize>,
        kernel: usize,
        stride: usize,
        padding: Padding,
    },
    Depthwise {
        weight: usize,
        kernel: usize,
        stride: usize,
        padding: Padding,
    },
    /// Batch norm and the activation behind it.
    BatchNorm {
        layer: usize,
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
        hidden: Activation,
        gate: Activation,
    },
    /// Inputs: shortcut, branch. `drop_rate`: the branch is left out for that share of the images in training.
    Add {
        activation: Activation,
        drop_rate: f32,
    },
    MaxPool {
        kernel: usize,
        stride: usize,
    },
    GlobalPool,
    Dropout {
        rate: f32,
    },
}

/// One operation with where its inputs come from.
#[derive(Clone, Debug)]
pub struct Node {
    pub op: Op,
    pub inputs: Vec<NodeId>,
    pub shape: Shape,
}

/// What all BN layers of a network have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BnLayer {
    pub eps: f32,
    /// PyTorch's convention: running = (1 − momentum)·running + momentum·batch.
    pub momentum: f32,
}

/// A network with its parameters' places.
#[derive(Clone, Debug)]
pub struct Network {
    pub nodes: Vec<Node>,
    pub layout: ParamLayout,
    pub bn: BnLayer,
    pub image_size: usize,
    pub classes: usize,
    /// The activated map that feeds the global pooling: what CAM reads.
    pub features: NodeId,
    pub logits: NodeId,
    /// Index of the classifier's weight in the layout.
    pub classifier: usize,
}

impl Network {
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
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

    /// A convolution over a batch of `images`.
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

    /// A depthwise convolution over a batch of `images`.
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
    bn: BnLayer,
    image_size: usize,
}

impl NetworkBuilder {
    pub fn new(image_size: usize, domains: usize, bn: BnLayer) -> (Self, NodeId) {
        let shape = Shape { height: image_size, width: image_size, channels: 3 };
        let input = Node { op: Op::Input, inputs: Vec::new(), shape };
        (Self { nodes: vec![input], layout: ParamLayout::new(domains), bn, image_size }, NodeId(0))
    }

    pub fn shape(&self, id: NodeId) -> Shape {
        self.nodes[id.0].shape
    }

    fn push(&mut self, op: Op, inputs: &[NodeId], shape: Shape) -> NodeId {
        self.nodes.push(Node { op, inputs: inputs.to_vec(), shape });
        NodeId(self.nodes.len() - 1)
    }

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

    pub fn batch_norm(&mut self, name: &str, x: NodeId, activation: Activation) -> NodeId {
        let shape = self.shape(x);
        let layer = self.layout.add_bn(name.to_owned(), shape.channels);
        self.push(Op::BatchNorm { layer, activation }, &[x], shape)
    }

    /// Squeeze-and-excitation over x with `inner` channels between its dense layers, and the activations of both layers.
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

    pub fn max_pool(&mut self, x: NodeId, kernel: usize, stride: usize) -> NodeId {
        let input = self.shape(x);
        let shape = Shape {
            height: Padding::Symmetric.along(input.height, kernel, stride).0,
            width: Padding::Symmetric.along(input.width, kernel, stride).0,
            channels: input.channels,
        };
        self.push(Op::MaxPool { kernel, stride }, &[x], shape)
    }

    /// Global average pooling, dropout and the classifier; ends the network.
    pub fn classify(mut self, name: &str, features: NodeId, classes: usize, dropout: f32) -> Network {
        let channels = self.shape(features).channels;
        let vector = Shape { height: 1, width: 1, channels };
        let mut x = self.push(Op::GlobalPool, &[features], vector);
        if dropout > 0.0 {
            x = self.push(Op::Dropout { rate: dropout }, &[x], vector);
        }
        let kind = ParamKind::Dense { out: classes, input: channels };
        let weight = self.layout.add(format!("{name}.weight"), kind);
        let bias = self.layout.add(format!("{name}.bias"), ParamKind::Bias { channels: classes });
        let op = Op::Conv { weight, bias: Some(bias), kernel: 1, stride: 1, padding: Padding::Symmetric };
        let logits = self.push(op, &[x], Shape { height: 1, width: 1, channels: classes });
        Network {
            nodes: self.nodes,
            layout: self.layout,
            bn: self.bn,
            image_size: self.image_size,
            classes,
            features,
            logits,
            classifier: weight,
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
