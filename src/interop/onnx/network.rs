//! A network of this program as a graph of ONNX: the walk over its operations.
//!
//! A batch norm whose convolution nobody else reads is multiplied into that convolution's weights and bias,
//! in f64. The others, those of a pre-activation ResNet that stand behind a sum, stay batch norms. Tensors
//! are `[N, C, H, W]`, as all operators of ONNX have them.

use super::build::{Attribute, GraphBuilder, Value};
use super::message::{DataType, ModelProto, OperatorSetIdProto, StringStringEntryProto};
use super::{IR_VERSION, OPSET};
use crate::graph::params::ParamKind;
use crate::graph::{Network, Node, Op, Padding, Shape, pad4};
use crate::interop::rounding::Rounding;
use crate::kernels::activation::Activation;
use crate::models::init::Arenas;

/// What comes out through one BN domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Index of the domain in the network.
    pub domain: usize,
    /// Before the names of what only this domain has, such as `aux/`; empty where there is one domain.
    pub prefix: String,
    /// Name of the output `[N, classes]` with the logits.
    pub logits: String,
    /// Name of the output with their softmax, where that is wanted.
    pub probabilities: Option<String>,
}

/// What a graph has besides the network.
#[derive(Clone, Debug)]
pub struct OnnxOptions {
    /// The domains that images go through, at least one.
    pub outputs: Vec<Output>,
    /// Mean and spread of the RGB channels, of 1: the graph takes `pixels`, bytes `[N, S, S, 3]`, and makes
    /// the input of them. `None`: it takes `image`, the input itself, `[N, 3, S, S]`.
    pub pixels: Option<([f32; 3], [f32; 3])>,
    /// Whether weights are stored as f16. Biases and batch norms are f32 in any case.
    pub f16: bool,
    /// Facts for the file's metadata.
    pub facts: Vec<(String, String)>,
    /// Finished optimizer steps.
    pub step: u64,
    /// What the model is, for people.
    pub description: String,
}

/// The model of `network` with the weights of `arenas`, and what f16 cost where it was wanted. Fails where a
/// weight is beyond f16.
pub fn network_model(
    name: &str,
    network: &Network,
    arenas: &Arenas,
    options: &OnnxOptions,
) -> anyhow::Result<(ModelProto, Option<Rounding>)> {
    let mut builder = GraphBuilder::new(name, options.f16);
    let image = input(&mut builder, network.image_size, options.pixels);
    for output in &options.outputs {
        let Output { domain, prefix, .. } = output;
        let mut walk = Walk { builder: &mut builder, network, arenas, domain: *domain, prefix };
        walk.run(&image, &output.logits)?;
        let shape = [None, Some(network.classes)];
        builder.output(&output.logits, &shape, "Scores of the classes before the softmax");
        if let Some(name) = &output.probabilities {
            builder.node("Softmax", name.clone(), &[&output.logits], vec![Attribute::Int("axis", 1)]);
            builder.output(name, &shape, "Probabilities of the classes");
        }
    }
    let (graph, rounding) = builder.finish();
    let entry = |(key, value): &(String, String)| StringStringEntryProto {
        key: Some(key.clone()),
        value: Some(value.clone()),
    };
    let model = ModelProto {
        ir_version: Some(IR_VERSION),
        producer_name: Some(env!("CARGO_PKG_NAME").to_owned()),
        producer_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        model_version: Some(options.step as i64),
        doc_string: Some(options.description.clone()),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: Some(OPSET) }],
        metadata_props: options.facts.iter().map(entry).collect(),
    };
    Ok((model, rounding))
}

/// The network's input `[N, 3, S, S]`, from the graph's.
fn input(builder: &mut GraphBuilder, size: usize, pixels: Option<([f32; 3], [f32; 3])>) -> Value {
    let size = Some(size);
    let Some((mean, std)) = pixels else {
        let means = "RGB, normalised: (pixel / 255 - mean) / std, with mean and std of the metadata";
        return builder.input("image", DataType::Float, &[None, Some(3), size, size], means);
    };
    let means = "RGB bytes of images of the input size, row by row";
    let bytes = builder.input("pixels", DataType::Uint8, &[None, size, size, Some(3)], means);
    // (p / 255 − mean) / std = (p − 255 mean) / (255 std), with constants from f64.
    let scaled = |values: [f32; 3]| values.map(|value| (255.0 * f64::from(value)) as f32).to_vec();
    let numbers =
        builder.node("Cast", "pixels.f32", &[&bytes], vec![Attribute::Int("to", DataType::Float as i64)]);
    let mean = builder.constant("pixels.mean", &[3], || scaled(mean));
    let std = builder.constant("pixels.std", &[3], || scaled(std));
    let centred = builder.node("Sub", "pixels.centred", &[&numbers, &mean], vec![]);
    let normal = builder.node("Div", "pixels.normalised", &[&centred, &std], vec![]);
    builder.node("Transpose", "image", &[&normal], vec![Attribute::Ints("perm", vec![0, 3, 1, 2])])
}

/// One pass over a network through one domain.
struct Walk<'a> {
    builder: &'a mut GraphBuilder,
    network: &'a Network,
    arenas: &'a Arenas,
    domain: usize,
    /// See [`Output::prefix`].
    prefix: &'a str,
}

/// A batch norm's numbers of one domain, one a channel.
struct BatchNorm<'a> {
    gamma: &'a [f32],
    beta: &'a [f32],
    mean: &'a [f32],
    variance: &'a [f32],
}

impl<'a> Walk<'a> {
    /// Adds all nodes behind the network's input `image`; the last one's output is called `logits`.
    fn run(&mut self, image: &str, logits: &str) -> anyhow::Result<()> {
        let network = self.network;
        let mut readers = vec![0; network.nodes.len()];
        network.nodes.iter().flat_map(|node| &node.inputs).for_each(|input| readers[input.0] += 1);
        // The batch norm behind each convolution that takes it into its weights.
        let mut folded = vec![None; network.nodes.len()];
        for node in &network.nodes {
            if let Op::BatchNorm { layer, .. } = node.op {
                let from = node.inputs[0].0;
                let convolves =
                    matches!(network.nodes[from].op, Op::Conv { bias: None, .. } | Op::Depthwise { .. });
                folded[from] = (convolves && readers[from] == 1).then_some(layer);
            }
        }
        let mut values: Vec<Value> = Vec::with_capacity(network.nodes.len());
        for (index, node) in network.nodes.iter().enumerate() {
            let inputs: Vec<&str> = node.inputs.iter().map(|input| values[input.0].as_str()).collect();
            let value = match &node.op {
                Op::Input => image.to_owned(),
                Op::Conv { weight, bias: Some(bias), .. } => {
                    let name = if index == network.logits.0 { Some(logits) } else { None };
                    self.dense(inputs[0], (*weight, *bias), name)?
                }
                Op::Conv { weight, kernel, stride, padding, .. } => {
                    let window = self.window(node, *kernel, *stride, *padding);
                    self.convolution(inputs[0], *weight, folded[index], 1, window)?
                }
                Op::Depthwise { weight, kernel, stride, padding } => {
                    let window = self.window(node, *kernel, *stride, *padding);
                    self.convolution(inputs[0], *weight, folded[index], node.shape.channels, window)?
                }
                Op::BatchNorm { layer, activation } => {
                    let is_folded = folded[node.inputs[0].0].is_some();
                    let x = if is_folded { inputs[0].to_owned() } else { self.batch_norm(inputs[0], *layer) };
                    self.activation(&x, *activation)
                }
                Op::Activation { activation } => self.activation(inputs[0], *activation),
                Op::SqueezeExcite { reduce, expand, hidden, gate, .. } => {
                    let x = inputs[0].to_owned();
                    let mean = self.pool(&x, &self.layer(reduce.0));
                    let inner = self.dense(&mean, *reduce, None)?;
                    let inner = self.activation(&inner, *hidden);
                    let outer = self.dense(&inner, *expand, None)?;
                    let factor = self.activation(&outer, *gate);
                    let name = format!("{}{}.scaled", self.prefix, self.layer(expand.0));
                    self.builder.node("Mul", name, &[&x, &factor], vec![])
                }
                Op::Add { activation, .. } => {
                    let name = format!("{}.sum", inputs[1]);
                    let sum = self.builder.node("Add", name, &inputs, vec![]);
                    self.activation(&sum, *activation)
                }
                Op::MaxPool { kernel, stride } => {
                    let window = self.window(node, *kernel, *stride, Padding::Symmetric);
                    let name = format!("{}.pooled", inputs[0]);
                    self.builder.node("MaxPool", name, &inputs, window)
                }
                Op::GlobalPool => self.pool(inputs[0], "features"),
                Op::Dropout { .. } => inputs[0].to_owned(),
            };
            values.push(value);
        }
        Ok(())
    }

    /// timm's name of the layer that the parameter at `index` belongs to.
    fn layer(&self, index: usize) -> String {
        let name = &self.network.layout.parameters[index].name;
        name.strip_suffix(".weight").unwrap_or(name).to_owned()
    }

    /// The values of a parameter in file order.
    fn parameter(&self, index: usize) -> Vec<f32> {
        let parameter = &self.network.layout.parameters[index];
        parameter.kind.unpack(&self.arenas.params[parameter.offset..][..parameter.kind.padded_len()])
    }

    fn statistics(&self, layer: usize) -> BatchNorm<'a> {
        let (arenas, place) = (self.arenas, &self.network.layout.bn[layer]);
        let (channels, block) = (place.channels, self.domain * place.domain_stride);
        let (affine, running) = (place.param_offset + block, place.running_offset + block);
        BatchNorm {
            gamma: &arenas.params[affine..][..channels],
            beta: &arenas.params[affine + pad4(channels)..][..channels],
            mean: &arenas.running[running..][..channels],
            variance: &arenas.running[running + pad4(channels)..][..channels],
        }
    }

    /// Kernel, stride and padding of the convolution or pooling at `node`.
    fn window(&self, node: &Node, kernel: usize, stride: usize, padding: Padding) -> Vec<Attribute<'static>> {
        let Shape { height, width, .. } = self.network.node(node.inputs[0]).shape;
        let along = |side: usize| {
            let (out, before) = padding.along(side, kernel, stride);
            // What the last window reads beyond the input; it may end before the input does.
            (before, ((out - 1) * stride + kernel).saturating_sub(side + before))
        };
        let ((top, bottom), (left, right)) = (along(height), along(width));
        vec![
            Attribute::Ints("kernel_shape", vec![kernel; 2]),
            Attribute::Ints("strides", vec![stride; 2]),
            Attribute::Ints("pads", vec![top, left, bottom, right]),
        ]
    }

    /// A convolution with the batch norm `folded` in its weights, where there is one.
    fn convolution(
        &mut self,
        x: &str,
        weight: usize,
        folded: Option<usize>,
        groups: usize,
        mut window: Vec<Attribute<'static>>,
    ) -> anyhow::Result<Value> {
        window.push(Attribute::Int("group", groups as i64));
        let kind = self.network.layout.parameters[weight].kind;
        let (name, layer) = (self.network.layout.parameters[weight].name.clone(), self.layer(weight));
        let mut values = self.parameter(weight);
        let Some(bn) = folded else {
            let w = self.builder.weight(name, &kind.file_shape(), || values)?;
            return Ok(self.builder.node("Conv", format!("{}{layer}", self.prefix), &[x, &w], window));
        };
        let BatchNorm { gamma, beta, mean, variance } = self.statistics(bn);
        let (each, eps) = (values.len() / gamma.len(), f64::from(self.network.bn.eps));
        let mut shift = Vec::with_capacity(gamma.len());
        for (channel, filter) in values.chunks_exact_mut(each).enumerate() {
            let scale = f64::from(gamma[channel]) / (f64::from(variance[channel]) + eps).sqrt();
            filter.iter_mut().for_each(|w| *w = (f64::from(*w) * scale) as f32);
            shift.push((f64::from(beta[channel]) - f64::from(mean[channel]) * scale) as f32);
        }
        let prefix = self.prefix;
        let w = self.builder.weight(format!("{prefix}{name}"), &kind.file_shape(), || values)?;
        let b = self.builder.constant(format!("{prefix}{layer}.bias"), &[shift.len()], || shift);
        Ok(self.builder.node("Conv", format!("{prefix}{layer}"), &[x, &w, &b], window))
    }

    /// A dense layer over `[N, C, 1, 1]`. timm has some as pointwise convolutions, with that shape in its
    /// files. The classifier is a matrix, and gives `[N, classes]`.
    fn dense(
        &mut self,
        x: &str,
        (weight, bias): (usize, usize),
        name: Option<&str>,
    ) -> anyhow::Result<Value> {
        let network = self.network;
        let layout = &network.layout;
        let kind = layout.parameters[weight].kind;
        let (values, shift) = (self.parameter(weight), self.parameter(bias));
        let layer = self.layer(weight);
        let w = self.builder.weight(layout.parameters[weight].name.clone(), &kind.file_shape(), || values)?;
        let b = self.builder.constant(layout.parameters[bias].name.clone(), &[shift.len()], || shift);
        let name = name.map_or_else(|| format!("{}{layer}", self.prefix), str::to_owned);
        if !matches!(kind, ParamKind::Dense { .. }) {
            return Ok(self.builder.node("Conv", name, &[x, &w, &b], vec![]));
        }
        let flat = self.builder.node("Flatten", format!("{x}.flat"), &[x], vec![]);
        Ok(self.builder.node("Gemm", name, &[&flat, &w, &b], vec![Attribute::Int("transB", 1)]))
    }

    /// A batch norm that no convolution took.
    fn batch_norm(&mut self, x: &str, layer: usize) -> Value {
        let name = format!("{}{}", self.prefix, self.network.layout.bn[layer].name);
        let BatchNorm { gamma, beta, mean, variance } = self.statistics(layer);
        let parts = [("weight", gamma), ("bias", beta), ("running_mean", mean), ("running_var", variance)]
            .map(|(part, values)| (format!("{name}.{part}"), values.to_vec()));
        let [gamma, beta, mean, variance] =
            parts.map(|(name, values)| self.builder.constant(name, &[values.len()], || values));
        let eps = vec![Attribute::Float("epsilon", self.network.bn.eps)];
        self.builder.node("BatchNormalization", name, &[x, &gamma, &beta, &mean, &variance], eps)
    }

    /// The mean over all positions: `[N, C, H, W]` becomes `[N, C, 1, 1]`.
    fn pool(&mut self, x: &str, name: &str) -> Value {
        let name = format!("{}{name}.mean", self.prefix);
        self.builder.node("GlobalAveragePool", name, &[x], vec![])
    }

    fn activation(&mut self, x: &str, activation: Activation) -> Value {
        let builder = &mut *self.builder;
        let sixth = || vec![Attribute::Float("alpha", 1.0 / 6.0), Attribute::Float("beta", 0.5)];
        match activation {
            Activation::None => x.to_owned(),
            Activation::Relu => builder.node("Relu", format!("{x}.relu"), &[x], vec![]),
            Activation::Sigmoid => builder.node("Sigmoid", format!("{x}.sigmoid"), &[x], vec![]),
            Activation::Silu => {
                let gate = builder.node("Sigmoid", format!("{x}.sigmoid"), &[x], vec![]);
                builder.node("Mul", format!("{x}.silu"), &[x, &gate], vec![])
            }
            Activation::Relu6 => {
                let low = builder.constant("relu6.low", &[], || vec![0.0]);
                let high = builder.constant("relu6.high", &[], || vec![6.0]);
                builder.node("Clip", format!("{x}.relu6"), &[x, &low, &high], vec![])
            }
            Activation::HardSwish => builder.node("HardSwish", format!("{x}.hard_swish"), &[x], vec![]),
            Activation::HardSigmoid => {
                builder.node("HardSigmoid", format!("{x}.hard_sigmoid"), &[x], sixth())
            }
        }
    }
}
