//! The forward pass as launches. Every value that the backward pass reads stays a named tensor; how long it
//! lives follows from its last use.

use super::blocks::recomputed;
use super::fold::{ConvStore, FoldedConv, folded_convolutions};
use super::fusion::{plan_on_load, takes_statistics};
use super::network::{Network, Node, NodeId, Op};
use super::pass::{PassBuffers, PassSpec, Statistics};
use super::plan::PlanBuilder;
use super::value::{Value, float_range};
use super::{pad4, params::BnPlace};
use crate::gpu::{BufferId, Caps, Element, View};
use crate::kernels::activation::{self, Activation};
use crate::kernels::batch_norm::{self, Partials};
use crate::kernels::conv;
use crate::kernels::depthwise;
use crate::kernels::dropout;
use crate::kernels::fusion::{Epilogue, Fusion, Prologue, Slices};
use crate::kernels::pool;
use crate::kernels::residual::{self, BranchNorm};
use crate::kernels::squeeze_excite::{self, Excitation};
use std::ops::Range;

/// A forward pass in a plan: the tensors that later stages read.
pub struct Forward<'a> {
    pub(super) network: &'a Network,
    pub(super) spec: PassSpec,
    pub(super) buffers: PassBuffers,
    pub(super) caps: Caps,
    /// Images of each batch-norm segment, in the order of the batch.
    pub(super) segments: Vec<usize>,
    /// Output of each node, `[N, H, W, C]`.
    pub(super) values: Vec<Value>,
    /// For each BN layer whose state is made: `[segment][mean | rstd | scale | shift]`.
    pub(super) states: Vec<Option<View>>,
    /// For each squeeze-and-excitation that is computed: its gate, and what its backward pass reads.
    pub(super) excitations: Vec<Option<Excitation>>,
    /// For each node: whether it is a batch norm or gate that its consumers apply as they read.
    pub(super) on_load: Vec<bool>,
    /// For each node: whether it is a convolution that takes the batch norm behind it into its weights.
    pub(super) folds: Vec<bool>,
    /// For each node of [`Self::folds`] that is computed: its folded weights and the batch norm's output.
    pub(super) folded: Vec<Option<FoldedConv>>,
    /// The nodes whose outputs the caller asked for, and where they go.
    pub(super) placed: Vec<(NodeId, View)>,
    /// For each convolution that takes the statistics of the batch norm behind it: their slices and partial
    /// sums.
    statistics: Vec<Option<(Slices, View)>>,
}

impl<'a> Forward<'a> {
    /// Appends the forward pass over `input`, the normalised images `[N, S, S, 4]`. The maps up to the
    /// features, and in the backward pass their gradients, are stored as `input` is; what follows the pooling
    /// is f32, as are all vectors. The outputs of nodes in `placed` go to the caller's buffers.
    pub fn build(
        builder: &mut PlanBuilder,
        network: &'a Network,
        spec: PassSpec,
        buffers: PassBuffers,
        caps: Caps,
        input: View,
        placed: &[(NodeId, View)],
    ) -> Self {
        let mut on_load = vec![false; network.nodes.len()];
        let placed_ids: Vec<NodeId> = placed.iter().map(|(id, _)| *id).collect();
        for plan in plan_on_load(network, &caps, &spec, &placed_ids) {
            on_load[plan.node] = plan.on_load;
        }
        let folds = folded_convolutions(network, &spec, &placed_ids);
        let mut pass = Self {
            network,
            segments: spec.segments.iter().map(|s| s.images).collect(),
            spec,
            buffers,
            caps,
            values: Vec::with_capacity(network.nodes.len()),
            states: vec![None; network.layout.bn.len()],
            excitations: vec![None; network.nodes.len()],
            on_load,
            folds,
            folded: vec![None; network.nodes.len()],
            placed: placed.to_vec(),
            statistics: vec![None; network.nodes.len()],
        };
        for (index, node) in network.nodes.iter().enumerate() {
            let value = match node.op {
                Op::Input => Value::Stored(input),
                _ => {
                    let given = placed.iter().find(|(id, _)| id.0 == index).map(|(_, view)| *view);
                    let element = if index <= network.features.0 { input.element } else { Element::F32 };
                    let y = given
                        .unwrap_or_else(|| builder.stored(pass.images() * node.shape.padded_len(), element));
                    pass.node(builder, index, node, y)
                }
            };
            pass.values.push(value);
        }
        pass
    }

    /// The logits, `[N, classes]` with the classes padded to a multiple of 4.
    pub fn logits(&self) -> View {
        self.stored(self.network.logits)
    }

    /// The activated map that feeds the pooling, `[N, h, w, C]`, of a pass that was asked for it.
    pub fn features(&self) -> View {
        self.stored(self.network.features)
    }

    /// The output of a node that is stored.
    pub(super) fn stored(&self, id: NodeId) -> View {
        match self.values[id.0] {
            Value::Stored(view) => view,
            Value::Normalized { .. } => unreachable!("node {} is read by kernels that normalise", id.0),
        }
    }

    /// The output of a node for a kernel that normalises what it reads: the stored tensor and how to read it.
    pub(super) fn operand(&self, id: NodeId) -> (View, Fusion<'_>) {
        match self.values[id.0] {
            Value::Stored(view) => (view, Fusion::NONE),
            Value::Normalized { x, state, activation, gate } => {
                let prologue = match (state, gate) {
                    (Some(state), None) => Prologue::Norm { state, activation },
                    (Some(state), Some(gate)) => Prologue::GatedNorm { state, activation, gate },
                    (None, gate) => Prologue::Folded { activation, gate },
                };
                (x, Fusion { prologue, segments: &self.segments, ..Fusion::NONE })
            }
        }
    }

    /// How the output of a node is stored.
    pub(super) fn element(&self, id: NodeId) -> Element {
        match self.values[id.0] {
            Value::Stored(view) | Value::Normalized { x: view, .. } => view.element,
        }
    }

    pub(super) fn images(&self) -> usize {
        self.spec.images()
    }

    /// Appends the launches of a node. Its output goes to `y`, unless its consumers compute it as they read.
    fn node(&mut self, builder: &mut PlanBuilder, index: usize, node: &Node, y: View) -> Value {
        match &node.op {
            Op::Input => {}
            Op::Conv { weight, bias, .. } => {
                let shape = self.network.conv_shape(node, self.images());
                let b = bias.map(|b| self.parameter(b));
                let taken = self.take_statistics(builder, index, |pass| {
                    conv::slices(&pass.caps, &shape, false, &pass.segments)
                });
                let store = self.store(builder, index, y, taken);
                let w = self.weights(index, *weight);
                let (x, mut fusion) = self.operand(node.inputs[0]);
                self.add_epilogue(&mut fusion, store.epilogue);
                builder.push(conv::forward(&self.caps, &shape, x, w, b, store.output, &fusion));
                return Value::Stored(store.value);
            }
            Op::Depthwise { weight, .. } => {
                let shape = self.network.depthwise_shape(node, self.images());
                let taken = self.take_statistics(builder, index, |pass| {
                    depthwise::slices(&pass.caps, &shape, false, &pass.segments)
                });
                let store = self.store(builder, index, y, taken);
                let w = self.weights(index, *weight);
                let (x, mut fusion) = self.operand(node.inputs[0]);
                self.add_epilogue(&mut fusion, store.epilogue);
                builder.push(depthwise::forward(&self.caps, &shape, x, w, store.output, &fusion));
                return Value::Stored(store.value);
            }
            Op::BatchNorm { layer, activation } => {
                if let Some(folded) = self.folded[node.inputs[0].0] {
                    return folded.output;
                }
                let x = self.stored(node.inputs[0]);
                // Statistics are those of the first time when a block is recomputed.
                let state = match self.states[*layer] {
                    Some(state) => state,
                    None => self.batch_norm_state(builder, index, *layer, node),
                };
                if self.on_load[index] {
                    let state = Some(state);
                    return Value::Normalized { x, state, activation: *activation, gate: None };
                }
                let shape = self.bn_shape(*layer, node.shape);
                builder.push(batch_norm::apply(&shape, *activation, x, state, y));
            }
            Op::Activation { activation } => {
                let elements = self.images() * node.shape.padded_len();
                builder.push(activation::forward(*activation, elements, self.stored(node.inputs[0]), y));
            }
            Op::SqueezeExcite { .. } => {
                let excitation = match self.excitations[index] {
                    Some(excitation) => excitation,
                    None => self.excite(builder, node),
                };
                self.excitations[index] = Some(excitation);
                let gate = Some(excitation.gate);
                match self.values[node.inputs[0].0] {
                    Value::Normalized { x, state, activation, .. } if self.on_load[index] => {
                        return Value::Normalized { x, state, activation, gate };
                    }
                    Value::Stored(x) if self.on_load[index] => {
                        return Value::Normalized { x, state: None, activation: Activation::None, gate };
                    }
                    _ => {}
                }
                let shape = self.scale_shape(node.shape);
                let (x, fusion) = self.operand(node.inputs[0]);
                builder.push(squeeze_excite::channel_scale(&shape, x, excitation.gate, y, &fusion));
            }
            Op::Add { activation, .. } => {
                let shortcut = self.stored(node.inputs[0]);
                let (branch, norm) = match self.values[node.inputs[1].0] {
                    Value::Stored(view) => (view, None),
                    Value::Normalized { x, state, .. } => {
                        let norm = |state| BranchNorm { state, segments: &self.segments };
                        (x, state.map(norm))
                    }
                };
                let shape = self.residual_shape(index, node);
                builder.push(residual::forward(&shape, *activation, shortcut, branch, norm, y));
            }
            Op::MaxPool { .. } => {
                builder.push(pool::max_pool(&self.pool_shape(node), self.stored(node.inputs[0]), y));
            }
            Op::GlobalPool => {
                let shape = self.scale_shape(self.network.node(node.inputs[0]).shape);
                let (x, fusion) = self.operand(node.inputs[0]);
                builder.push(pool::global_average(&shape, x, y, &fusion));
            }
            Op::Dropout { .. } => {
                let x = self.stored(node.inputs[0]);
                match self.dropout_shape(index, node) {
                    Some(shape) => builder.push(dropout::forward(&shape, x, y)),
                    None => return Value::Stored(x),
                }
            }
        }
        Value::Stored(y)
    }

    /// The partial sums that the convolution at `index` writes of its output's statistics; `None` unless the
    /// batch norm behind it normalises by this batch and [`takes_statistics`] lets the convolution take the
    /// sums.
    fn take_statistics(
        &mut self,
        builder: &mut PlanBuilder,
        index: usize,
        slices: impl FnOnce(&Self) -> Slices,
    ) -> Option<View> {
        let follower = self.network.nodes.get(index + 1)?;
        let Op::BatchNorm { layer, .. } = follower.op else { return None };
        let wanted = takes_statistics(&self.caps, self.spec.fusion, &self.network.nodes[index].op)
            && self.statistics_of(NodeId(index + 1)) != Statistics::Running
            && follower.inputs[0].0 == index
            && self.states[layer].is_none();
        wanted.then(|| {
            let slices = slices(self);
            let partials = builder.tensor(slices.elements(pad4(follower.shape.channels)));
            self.statistics[index] = Some((slices, partials));
            partials
        })
    }

    /// Where and how the convolution at `index` stores: folded where its batch norm is, otherwise plainly
    /// into `y`, and with the partial sums `statistics` where it takes them.
    fn store(
        &mut self,
        builder: &mut PlanBuilder,
        index: usize,
        y: View,
        statistics: Option<View>,
    ) -> ConvStore {
        let epilogue = statistics.map_or(Epilogue::None, |partials| Epilogue::Statistics { partials });
        self.folded_store(builder, index, y).unwrap_or(ConvStore { epilogue, output: y, value: y })
    }

    fn add_epilogue<'s>(&'s self, fusion: &mut Fusion<'s>, epilogue: Epilogue) {
        fusion.epilogue = epilogue;
        if epilogue != Epilogue::None {
            fusion.segments = &self.segments;
        }
    }

    /// Appends launches that compute the inner values of `block` once more, into tensors of their own.
    pub(super) fn recompute(&mut self, builder: &mut PlanBuilder, block: &Range<usize>) {
        let network = self.network;
        let again = recomputed(network, block);
        for index in again.iter().copied() {
            // Computing a folded convolution computes its batch norm.
            if self.folds[index] && !again.contains(&(index + 1)) {
                continue;
            }
            let node = &network.nodes[index];
            let elements = self.images() * node.shape.padded_len();
            let y = builder.stored(elements, self.element(NodeId(index)));
            self.values[index] = self.node(builder, index, node, y);
        }
    }

    /// What the batch norm `id` normalises by.
    pub(super) fn statistics_of(&self, id: NodeId) -> Statistics {
        self.network.statistics(id, self.spec.statistics)
    }

    fn batch_norm_state(
        &mut self,
        builder: &mut PlanBuilder,
        index: usize,
        layer: usize,
        node: &Node,
    ) -> View {
        let statistics = self.statistics_of(NodeId(index));
        let (caps, input) = (&self.caps, node.inputs[0]);
        let shape = self.bn_shape(layer, node.shape);
        let place = &self.network.layout.bn[layer];
        let (params, running) = (self.bn_params(place), self.bn_running(place));
        let state = builder.tensor(shape.state_elements());
        if statistics == Statistics::Running {
            builder.push(batch_norm::finalize_running(&shape, params, running, state));
        } else {
            let (slices, partials) = self.statistics[input.0].clone().unwrap_or_else(|| {
                let slices = shape.slices(caps);
                let partials = builder.tensor(slices.elements(shape.channels));
                builder.push(batch_norm::statistics(caps, &shape, self.stored(input), partials));
                (slices, partials)
            });
            let running = (statistics == Statistics::BatchUpdating).then_some(running);
            let partials = Partials { slices: &slices, sums: partials };
            builder.push(batch_norm::finalize_batch(caps, &shape, partials, params, running, state));
        }
        self.states[layer] = Some(state);
        state
    }

    pub(super) fn parameter(&self, index: usize) -> View {
        self.parameter_in(self.buffers.params, index)
    }

    pub(super) fn parameter_in(&self, buffer: BufferId, index: usize) -> View {
        let parameter = &self.network.layout.parameters[index];
        float_range(buffer, parameter.offset, parameter.kind.padded_len())
    }

    pub(super) fn bn_params(&self, place: &BnPlace) -> View {
        self.bn_params_in(self.buffers.params, place)
    }

    pub(super) fn bn_params_in(&self, buffer: BufferId, place: &BnPlace) -> View {
        float_range(buffer, place.param_offset, place.domain_stride * self.network.layout.domains)
    }

    fn bn_running(&self, place: &BnPlace) -> View {
        let floats = place.domain_stride * self.network.layout.domains;
        float_range(self.buffers.running, place.running_offset, floats)
    }
}
