//! Batch norms with running statistics, folded into the convolutions before them: in attacks with fixed
//! statistics, and in inference.
//!
//! Such a batch norm is `scale * x + shift` with fixed numbers. One launch a layer multiplies the weights by
//! the scale of their output channel and computes the shift, which the convolution adds as it stores; so the
//! forward pass has no batch norm left. The gradient of the image needs the folded weights and the
//! activation's slope. The kernel that completes a gradient multiplies by that slope as it stores. A batch
//! norm's own backward pass reads x and dy and writes dx; of these three passes over the tensor a folded one
//! leaves one read, or none where it has no activation.
//!
//! The convolution stores `act(u)`, u = scale * x + shift, where nothing needs u again. The slope of ReLU and
//! ReLU6 is computed from their output ([`Activation::slope_from`]); SiLU's and hard swish's is computed from
//! u. Therefore a pass with a backward part stores u for these and lets the consumers apply the activation as
//! they read, or, where that costs more than a second write, stores both (see [`super::fusion`]).
//!
//! Folding reads and writes the weights once, and replaces the launch that would compute scale and shift.
//! Whether a convolution is folded does not depend on the batch: otherwise the last bits of an image's
//! results would depend on the images beside it.
//!
//! Both forms of the kernels fold. A GPU saves launches and memory traffic; on a software adapter an attack
//! becomes some 5 % faster (measured on llvmpipe), because part of the work of the passes that are saved
//! moves into the stores of the convolutions.

use super::forward::Forward;
use super::network::{Network, NodeId, Op};
use super::pad4;
use super::pass::{PassBuffers, PassSpec, Statistics};
use super::plan::PlanBuilder;
use super::value::{Value, float_range};
use crate::config::FusionRule;
use crate::gpu::{BufferId, View};
use crate::kernels::activation::{Activation, SlopeFrom};
use crate::kernels::fold::{FoldShape, fold};
use crate::kernels::fusion::Epilogue;

/// A convolution of one pass with the batch norm behind it folded into its weights.
#[derive(Clone, Copy)]
pub(super) struct FoldedConv {
    /// The weights times the batch norm's scale, in the layout of the convolution's own.
    weights: View,
    /// `[C]`, added to the convolution's result.
    shift: View,
    /// The batch norm's output as its consumers read it.
    pub(super) output: Value,
}

/// Where the folded weights and the shift of a convolution lie.
#[derive(Clone, Copy)]
struct FoldedPlace {
    weights: View,
    shift: View,
}

/// Where a convolution stores its result, and what it does with the result before.
pub(super) struct ConvStore {
    pub(super) epilogue: Epilogue,
    /// Where the kernel writes what the epilogue makes of its result.
    pub(super) output: View,
    /// The tensor that counts as the convolution's own output: the one that the backward pass computes the
    /// slope from.
    pub(super) value: View,
}

/// For each node: whether it is a convolution that takes the batch norm behind it into its weights, in a pass
/// whose caller asks for the outputs of the `placed` nodes.
pub(super) fn folded_convolutions(network: &Network, spec: &PassSpec, placed: &[NodeId]) -> Vec<bool> {
    let mut folded = vec![false; network.nodes.len()];
    // Several domains would need several sets of weights, and weight gradients would be those of the folded
    // weights.
    if spec.fusion == FusionRule::Off
        || spec.statistics != Statistics::Running
        || spec.segments.len() != 1
        || spec.weight_gradients
    {
        return folded;
    }
    let consumers = network.consumers();
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

/// Whether the convolution at `index`, whose folded batch norm has no activation and feeds a sum, still finds
/// the sum's gradient as it was. That gradient passes through the sum and the batch norm unchanged, so one
/// tensor serves both summands, and the kernels behind the other summand add to it. They must come after the
/// convolution has read it.
fn keeps_gradient(network: &Network, consumers: &[Vec<usize>], index: usize) -> bool {
    let sums = consumers[index + 1].iter().filter(|c| matches!(network.nodes[**c].op, Op::Add { .. }));
    let others = sums.flat_map(|sum| network.nodes[*sum].inputs.iter().map(move |input| (*sum, input.0)));
    others
        .filter(|(_, other)| *other != index + 1)
        .all(|(sum, other)| !consumers[other].iter().any(|c| (index..sum).contains(c)))
}

/// Appends one launch for each convolution that a pass of `spec` folds. The folded weights and shifts go to
/// `folded`, a buffer of the parameters' layout.
pub fn fold_weights(
    builder: &mut PlanBuilder,
    network: &Network,
    spec: &PassSpec,
    buffers: PassBuffers,
    folded: BufferId,
) {
    for (index, folds) in folded_convolutions(network, spec, &[]).into_iter().enumerate() {
        if folds {
            let to = place(network, index, folded);
            launch(builder, network, spec, buffers, index, to);
        }
    }
}

/// The place of a folded convolution in a buffer of the parameters' layout: that of its weights, and for the
/// shift that of gamma in the first domain.
fn place(network: &Network, index: usize, buffer: BufferId) -> FoldedPlace {
    let (weight, layer) = layers(network, index);
    let parameter = &network.layout.parameters[weight];
    let bn = &network.layout.bn[layer];
    FoldedPlace {
        weights: float_range(buffer, parameter.offset, parameter.kind.padded_len()),
        shift: float_range(buffer, bn.param_offset, pad4(bn.channels)),
    }
}

/// The index of the weight of the convolution at `index`, and of the BN layer behind it.
fn layers(network: &Network, index: usize) -> (usize, usize) {
    match (&network.nodes[index].op, &network.nodes[index + 1].op) {
        (Op::Conv { weight, .. } | Op::Depthwise { weight, .. }, Op::BatchNorm { layer, .. }) => {
            (*weight, *layer)
        }
        _ => unreachable!("only a convolution with its batch norm is folded"),
    }
}

/// Appends the launch that folds the batch norm behind the convolution at `index` into its weights, at `to`.
fn launch(
    builder: &mut PlanBuilder,
    network: &Network,
    spec: &PassSpec,
    buffers: PassBuffers,
    index: usize,
    to: FoldedPlace,
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
        to.weights,
        to.shift,
    ));
}

impl Forward<'_> {
    /// How the convolution at `index` stores; `None` unless its batch norm is folded into it. `y` is there
    /// for the convolution's own output.
    pub(super) fn folded_store(
        &mut self,
        builder: &mut PlanBuilder,
        index: usize,
        y: View,
    ) -> Option<ConvStore> {
        if !self.folds[index] {
            return None;
        }
        let FoldedPlace { weights, shift } = self.folded_place(builder, index);
        let norm = NodeId(index + 1);
        let Op::BatchNorm { activation, .. } = self.network.node(norm).op else {
            unreachable!("it is folded")
        };
        let placed = self.placed.iter().find(|(id, _)| *id == norm).map(|(_, view)| *view);
        let keeps_input = self.spec.input_gradient && activation.slope_from() == SlopeFrom::Input;
        let (store, output) = if !keeps_input {
            // The activated tensor serves the consumers and the slope.
            let y = placed.unwrap_or(y);
            let epilogue = Epilogue::Shift { shift, activation, kept: None };
            (ConvStore { epilogue, output: y, value: y }, Value::Stored(y))
        } else if self.on_load[norm.0] {
            let epilogue = Epilogue::Shift { shift, activation: Activation::None, kept: None };
            let output = Value::Normalized { x: y, state: None, activation, gate: None };
            (ConvStore { epilogue, output: y, value: y }, output)
        } else {
            let activated = placed
                .unwrap_or_else(|| builder.stored(y.size as usize / y.element.bytes() as usize, y.element));
            let epilogue = Epilogue::Shift { shift, activation, kept: Some(y) };
            (ConvStore { epilogue, output: activated, value: y }, Value::Stored(activated))
        };
        self.folded[index] = Some(FoldedConv { weights, shift, output });
        Some(store)
    }

    /// The folded weights and the shift of the convolution at `index`: those of this pass where they are
    /// computed, else the caller's, else new ones with the launch that computes them.
    fn folded_place(&self, builder: &mut PlanBuilder, index: usize) -> FoldedPlace {
        if let Some(FoldedConv { weights, shift, .. }) = self.folded[index] {
            return FoldedPlace { weights, shift };
        }
        let network = self.network;
        if let Some(buffer) = self.buffers.folded {
            return place(network, index, buffer);
        }
        let (weight, layer) = layers(network, index);
        let to = FoldedPlace {
            weights: builder.tensor(network.layout.parameters[weight].kind.padded_len()),
            shift: builder.tensor(pad4(network.layout.bn[layer].channels)),
        };
        launch(builder, network, &self.spec, self.buffers, index, to);
        to
    }

    /// The weights of the convolution at `index` as its kernels read them; `weight` is the index of its own.
    pub(super) fn weights(&self, index: usize, weight: usize) -> View {
        self.folded[index].map_or_else(|| self.parameter(weight), |folded| folded.weights)
    }
}
