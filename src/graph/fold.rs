//! Batch norms with running statistics as part of the convolutions before them: attacks with fixed statistics, and
//! inference.
//!
//! Such a batch norm is `scale * x + shift` with fixed numbers. One launch a layer multiplies the weights by the scale
//! of their output channel and makes the shift, which the convolution adds as it stores; so the forward pass has no
//! batch norm left. The gradient of the image needs the folded weights and the activation's slope, which the kernel
//! that completes a gradient applies as it stores: of the three passes over the tensor that the backward pass of such
//! a batch norm takes (read x and dy, write dx) one read is left, and none without an activation.
//!
//! What is stored: `act(u)`, u = scale * x + shift, where nothing asks for u again. ReLU's slope follows from its
//! output; SiLU's does not, so a pass with a backward part stores u and lets the consumers apply the SiLU as they
//! read, or, where that costs more than a second write, stores both ([`super::fusion`]'s rule).
//!
//! Folding costs a read and a write of the weights, and takes the place of the launch that would make scale and shift.
//! Whether to fold does not depend on the batch: results would depend on it in their last bits.
//!
//! Both forms fold: a GPU saves launches and traffic; a software adapter takes some 5 % off an attack (measured on
//! llvmpipe), because what the passes took comes back in part as work in the stores of the convolutions.

use super::forward::{Forward, Value, float_range};
use super::fusion::consumers;
use super::network::{Network, NodeId, Op};
use super::pad4;
use super::pass::{PassBuffers, PassSpec, Statistics};
use super::plan::PlanBuilder;
use crate::config::FusionRule;
use crate::gpu::{BufferId, View};
use crate::kernels::batch_norm::Activation;
use crate::kernels::fold::{FoldShape, fold};
use crate::kernels::fusion::Epilogue;

/// A convolution's weights with the batch norm behind it in them.
#[derive(Clone, Copy)]
struct Folded {
    weights: View,
    shift: View,
}

/// What has become of a folded convolution in a pass.
#[derive(Clone, Copy, Default)]
pub(super) struct Folding {
    /// Once they are made.
    made: Option<Folded>,
    /// What the consumers of the batch norm read.
    behind: Option<Value>,
}

/// Where a convolution writes, folded or not.
pub(super) struct ConvStore {
    pub(super) epilogue: Epilogue,
    pub(super) output: View,
    /// The convolution's own value, which the slope is computed from.
    pub(super) value: View,
}

/// By node: the convolutions that take the batch norm behind them into their weights, in a pass whose outputs of
/// `placed` nodes are asked for.
pub(super) fn folded(network: &Network, spec: &PassSpec, placed: &[NodeId]) -> Vec<bool> {
    let mut folded = vec![false; network.nodes.len()];
    // The weights of several domains would differ; gradients would be those of the folded weights.
    if spec.fusion == FusionRule::Off
        || spec.statistics != Statistics::Running
        || spec.segments.len() != 1
        || spec.weight_gradients
    {
        return folded;
    }
    let consumers = consumers(network);
    for (index, node) in network.nodes.iter().enumerate() {
        let convolves = matches!(node.op, Op::Conv { bias: None, .. } | Op::Depthwise { .. });
        // The builder of every network puts a batch norm right behind its convolution.
        let Some(Op::BatchNorm { activation, .. }) = network.nodes.get(index + 1).map(|n| &n.op) else {
            continue;
        };
        folded[index] = convolves
            && consumers[index] == [index + 1]
            && !placed.contains(&NodeId(index))
            && (*activation != Activation::None || keeps_gradient(network, &consumers, index));
    }
    folded
}

/// Whether the gradient of a sum is still what it was when the convolution at `index` reads it as its own: without an
/// activation between them, it passes through sum and batch norm as it is, and the kernels behind the other summand
/// add to it.
fn keeps_gradient(network: &Network, consumers: &[Vec<usize>], index: usize) -> bool {
    let sums = consumers[index + 1].iter().filter(|c| matches!(network.nodes[**c].op, Op::Add { .. }));
    let others = sums.flat_map(|sum| network.nodes[*sum].inputs.iter().map(move |input| (*sum, input.0)));
    others
        .filter(|(_, other)| *other != index + 1)
        .all(|(sum, other)| !consumers[other].iter().any(|c| (index..sum).contains(c)))
}

/// Appends the launches that fold what a pass of `spec` wants folded into `folded`, a buffer of the parameters' layout.
pub fn fold_weights(
    builder: &mut PlanBuilder,
    network: &Network,
    spec: &PassSpec,
    buffers: PassBuffers,
    folded: BufferId,
) {
    for (index, wanted) in self::folded(network, spec, &[]).into_iter().enumerate() {
        if wanted {
            let made = place(network, index, folded);
            launch(builder, network, spec, buffers, index, made);
        }
    }
}

/// A convolution's parts of a buffer of the parameters' layout. The shift has gamma's place in the first domain.
fn place(network: &Network, index: usize, buffer: BufferId) -> Folded {
    let (weight, layer) = layers(network, index);
    let parameter = &network.layout.parameters[weight];
    let bn = &network.layout.bn[layer];
    Folded {
        weights: float_range(buffer, parameter.offset, parameter.kind.padded_len()),
        shift: float_range(buffer, bn.param_offset, pad4(bn.channels)),
    }
}

/// The weight of the convolution at `index`, and the layer of the batch norm behind.
fn layers(network: &Network, index: usize) -> (usize, usize) {
    match (&network.nodes[index].op, &network.nodes[index + 1].op) {
        (Op::Conv { weight, .. } | Op::Depthwise { weight, .. }, Op::BatchNorm { layer, .. }) => {
            (*weight, *layer)
        }
        _ => unreachable!("only a convolution with its batch norm is folded"),
    }
}

fn launch(
    builder: &mut PlanBuilder,
    network: &Network,
    spec: &PassSpec,
    buffers: PassBuffers,
    index: usize,
    made: Folded,
) {
    let (weight, layer) = layers(network, index);
    let (parameter, bn) = (&network.layout.parameters[weight], &network.layout.bn[layer]);
    let channels = pad4(bn.channels);
    let shape = FoldShape { rows: parameter.kind.padded_len() / channels, channels, eps: network.bn.eps };
    let domain = spec.segments[0].domain * bn.domain_stride;
    builder.push(fold(
        &shape,
        float_range(buffers.params, parameter.offset, parameter.kind.padded_len()),
        float_range(buffers.params, bn.param_offset + domain, 2 * channels),
        float_range(buffers.running, bn.running_offset + domain, 2 * channels),
        made.weights,
        made.shift,
    ));
}

impl Forward<'_> {
    /// How the convolution at `index` stores, where its batch norm is folded into it; `y` is there for its own value.
    pub(super) fn fold(&mut self, builder: &mut PlanBuilder, index: usize, y: View) -> Option<ConvStore> {
        let made = self.folds[index]?.made;
        let network = self.network;
        let made = match (made, self.buffers.folded) {
            (Some(made), _) => made,
            (None, Some(buffer)) => place(network, index, buffer),
            (None, None) => {
                let (weight, layer) = layers(network, index);
                let made = Folded {
                    weights: builder.tensor(network.layout.parameters[weight].kind.padded_len()),
                    shift: builder.tensor(pad4(network.layout.bn[layer].channels)),
                };
                launch(builder, network, &self.spec, self.buffers, index, made);
                made
            }
        };
        let norm = NodeId(index + 1);
        let Op::BatchNorm { activation, .. } = network.node(norm).op else { unreachable!("it is folded") };
        let asked = self.placed.iter().find(|(id, _)| *id == norm).map(|(_, view)| *view);
        let slope_from_input = activation == Activation::Silu && self.spec.input_gradient;
        let shift = |activation, kept| Epilogue::Shift { shift: made.shift, activation, kept };
        let (epilogue, output, value, behind) = if !slope_from_input {
            let y = asked.unwrap_or(y);
            (shift(activation, None), y, y, Value::Stored(y))
        } else if self.on_load[norm.0] {
            let behind = Value::Normalized { x: y, state: None, activation, gate: None };
            (shift(Activation::None, None), y, y, behind)
        } else {
            let output = asked
                .unwrap_or_else(|| builder.stored(y.size as usize / y.element.bytes() as usize, y.element));
            (shift(activation, Some(y)), output, y, Value::Stored(output))
        };
        self.folds[index] = Some(Folding { made: Some(made), behind: Some(behind) });
        Some(ConvStore { epilogue, output, value })
    }

    /// The value of the batch norm behind `convolution`, where that has it in its weights.
    pub(super) fn behind_folded(&self, convolution: NodeId) -> Option<Value> {
        self.folds[convolution.0]?.behind
    }

    /// The weights of the convolution at `index` as its kernels read them.
    pub(super) fn weights(&self, index: usize, weight: usize) -> View {
        let made = self.folds[index].and_then(|folding| folding.made);
        made.map_or_else(|| self.parameter(weight), |made| made.weights)
    }
}
