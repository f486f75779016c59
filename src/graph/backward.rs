//! The backward pass as launches: nodes in reverse order, each turning the gradient of its output into gradients of
//! its inputs (written, or added where another consumer wrote before) and of its parameters (added to the arena).

use super::blocks::blocks;
use super::forward::{Forward, Statistics, dense_shape};
use super::network::{Node, NodeId, Op};
use super::pad4;
use super::plan::PlanBuilder;
use crate::gpu::View;
use crate::kernels::batch_norm::{self, Activation};
use crate::kernels::conv::{self, ConvShape};
use crate::kernels::fusion::Fusion;
use crate::kernels::squeeze_excite::{self, Nonlinearity};
use crate::kernels::{column_sum, depthwise, dropout, pool, residual};

/// What the backward pass leaves besides the weight gradients in their arena.
pub struct Gradients {
    /// Gradient of the normalised input, `[N, S, S, 4]`, when the pass asked for it.
    pub input: Option<View>,
}

struct Backward<'a, 'b> {
    forward: &'b Forward<'a>,
    builder: &'b mut PlanBuilder,
    /// Gradient of each node's output, once a consumer has written it.
    gradients: &'b mut [Option<View>],
}

impl Gradients {
    /// Appends the backward pass of `forward`, from the gradient of the logits `[N, classes]`.
    pub fn build(builder: &mut PlanBuilder, forward: &mut Forward<'_>, d_logits: View) -> Self {
        let network = forward.network;
        let mut gradients = vec![None; network.nodes.len()];
        gradients[network.logits.0] = Some(d_logits);
        for (position, block) in blocks(network).iter().rev().enumerate() {
            // The last block's values are still there when the backward pass begins.
            if forward.spec.recompute && position > 0 {
                forward.recompute(builder, block);
            }
            for index in block.clone().rev() {
                if let Some(dy) = gradients[index] {
                    let mut pass = Backward { forward, builder, gradients: &mut gradients };
                    pass.node(index, &network.nodes[index], dy);
                }
            }
        }
        Gradients { input: gradients[0] }
    }
}

impl Backward<'_, '_> {
    fn wants_gradient(&self, id: NodeId) -> bool {
        id.0 != 0 || self.forward.spec.input_gradient
    }

    /// The tensor for the gradient of `id` and whether to add to what is there.
    fn target(&mut self, id: NodeId) -> (View, bool) {
        if let Some(view) = self.gradients[id.0] {
            return (view, true);
        }
        let elements = self.forward.images() * self.forward.network.node(id).shape.padded_len();
        let view = self.builder.stored(elements, self.forward.value(id).element);
        self.gradients[id.0] = Some(view);
        (view, false)
    }

    fn node(&mut self, index: usize, node: &Node, dy: View) {
        let forward = self.forward;
        match &node.op {
            Op::Input => {}
            Op::Conv { weight, bias, .. } => {
                let shape = forward.conv_shape(node);
                let x = forward.value(node.inputs[0]);
                self.conv_parameters(&shape, x, dy, *weight, *bias);
                if self.wants_gradient(node.inputs[0]) {
                    let w = forward.parameter(*weight);
                    let (dx, add) = self.target(node.inputs[0]);
                    self.builder.push(conv::data_gradient(
                        &forward.caps,
                        &shape,
                        dy,
                        w,
                        dx,
                        add,
                        &Fusion::NONE,
                    ));
                }
            }
            Op::Depthwise { weight, .. } => {
                let shape = forward.depthwise_shape(node);
                let x = forward.value(node.inputs[0]);
                if forward.spec.weight_gradients {
                    let partials = self
                        .builder
                        .tensor(depthwise::weight_gradient_partials(&forward.caps, &shape) as usize);
                    let dw = forward.parameter_in(forward.buffers.gradients, *weight);
                    self.builder.extend(depthwise::weight_gradient(
                        &forward.caps,
                        &shape,
                        x,
                        dy,
                        partials,
                        dw,
                        &Fusion::NONE,
                    ));
                }
                if self.wants_gradient(node.inputs[0]) {
                    let w = forward.parameter(*weight);
                    let (dx, add) = self.target(node.inputs[0]);
                    self.builder.push(depthwise::data_gradient(
                        &forward.caps,
                        &shape,
                        dy,
                        w,
                        dx,
                        add,
                        &Fusion::NONE,
                    ));
                }
            }
            Op::BatchNorm { .. } => self.batch_norm(node, dy),
            Op::SqueezeExcite { .. } => self.squeeze_excite(index, node, dy),
            Op::Add { .. } => self.add(index, node, dy),
            Op::MaxPool { .. } => {
                let x = forward.value(node.inputs[0]);
                let (dx, add) = self.target(node.inputs[0]);
                self.builder.push(pool::max_pool_backward(
                    &forward.pool_shape(node),
                    x,
                    forward.value(NodeId(index)),
                    dy,
                    dx,
                    add,
                ));
            }
            Op::GlobalPool => {
                let shape = forward.scale_shape(forward.network.node(node.inputs[0]).shape);
                let (dx, add) = self.target(node.inputs[0]);
                self.builder.push(pool::global_average_backward(&shape, dy, dx, add));
            }
            Op::Dropout { .. } => match forward.dropout_shape(index, node) {
                Some(shape) => {
                    let (dx, _) = self.target(node.inputs[0]);
                    self.builder.push(dropout::backward(&shape, dy, dx));
                }
                None => self.gradients[node.inputs[0].0] = Some(dy),
            },
        }
    }

    fn conv_parameters(&mut self, shape: &ConvShape, x: View, dy: View, weight: usize, bias: Option<usize>) {
        let forward = self.forward;
        if !forward.spec.weight_gradients {
            return;
        }
        let partials = self.builder.tensor(conv::weight_gradient_partials(&forward.caps, shape) as usize);
        let dw = forward.parameter_in(forward.buffers.gradients, weight);
        self.builder.extend(conv::weight_gradient(&forward.caps, shape, x, dy, partials, dw, &Fusion::NONE));
        if let Some(bias) = bias {
            let db = forward.parameter_in(forward.buffers.gradients, bias);
            let rows = shape.images * shape.out_h * shape.out_w;
            self.builder.push(column_sum::column_sum(rows, shape.out_c, dy, db));
        }
    }

    fn batch_norm(&mut self, node: &Node, dy: View) {
        let forward = self.forward;
        let Op::BatchNorm { layer, activation } = node.op else { unreachable!("called for this op") };
        let shape = forward.bn_shape(layer, node.shape);
        let place = &forward.network.layout.bn[layer];
        let x = forward.value(node.inputs[0]);
        let state = forward.states[layer].expect("the forward pass made every layer's state");
        let batch_statistics = forward.spec.statistics != Statistics::Running;
        let coefs = (batch_statistics || forward.spec.weight_gradients).then(|| {
            let slices = shape.slices(&forward.caps);
            let partials = self.builder.tensor(slices.elements(shape.channels));
            let coefs = self.builder.tensor(shape.coefs_elements());
            let d_params =
                forward.spec.weight_gradients.then(|| forward.bn_params_in(forward.buffers.gradients, place));
            let caps = &forward.caps;
            self.builder.push(batch_norm::backward_reduce(caps, &shape, activation, x, state, dy, partials));
            self.builder.push(batch_norm::backward_finalize(
                caps,
                &shape,
                &slices,
                partials,
                state,
                coefs,
                d_params,
                batch_statistics,
            ));
            coefs
        });
        if self.wants_gradient(node.inputs[0]) {
            let (dx, add) = self.target(node.inputs[0]);
            self.builder.push(match coefs {
                Some(coefs) => batch_norm::backward_apply(&shape, activation, x, state, coefs, dy, dx, add),
                None => batch_norm::backward_apply_frozen(&shape, activation, x, state, dy, dx, add),
            });
        }
    }

    fn squeeze_excite(&mut self, index: usize, node: &Node, dy: View) {
        let forward = self.forward;
        let Op::SqueezeExcite { reduce, expand, inner } = node.op else { unreachable!("called for this op") };
        let saved = forward.excitations[index].expect("the forward pass made them");
        let x = forward.value(node.inputs[0]);
        let scale = forward.scale_shape(node.shape);
        let (images, channels) = (forward.images(), node.shape.channels);
        let (wide, narrow) = (images * pad4(channels), images * pad4(inner));

        let d_gate = self.builder.tensor(wide);
        self.builder.push(squeeze_excite::gate_gradient(&scale, dy, x, d_gate));
        let d_gate_raw = self.builder.tensor(wide);
        let sigmoid = Nonlinearity::Sigmoid;
        self.builder
            .push(squeeze_excite::activation_backward(sigmoid, wide, saved.gate, d_gate, d_gate_raw, false));

        let shape = dense_shape(images, inner, channels);
        self.conv_parameters(&shape, saved.hidden, d_gate_raw, expand.0, Some(expand.1));
        let d_hidden = self.builder.tensor(narrow);
        let w = forward.parameter(expand.0);
        self.builder.push(conv::data_gradient(
            &forward.caps,
            &shape,
            d_gate_raw,
            w,
            d_hidden,
            false,
            &Fusion::NONE,
        ));
        let d_hidden_raw = self.builder.tensor(narrow);
        let silu = Nonlinearity::Silu;
        self.builder.push(squeeze_excite::activation_backward(
            silu,
            narrow,
            saved.hidden_raw,
            d_hidden,
            d_hidden_raw,
            false,
        ));

        let shape = dense_shape(images, channels, inner);
        self.conv_parameters(&shape, saved.pooled, d_hidden_raw, reduce.0, Some(reduce.1));
        let d_pooled = self.builder.tensor(wide);
        let w = forward.parameter(reduce.0);
        self.builder.push(conv::data_gradient(
            &forward.caps,
            &shape,
            d_hidden_raw,
            w,
            d_pooled,
            false,
            &Fusion::NONE,
        ));

        let (dx, add) = self.target(node.inputs[0]);
        debug_assert!(!add, "the excited tensor has this one consumer");
        self.builder.push(squeeze_excite::data_gradient(&scale, dy, saved.gate, d_pooled, dx));
    }

    fn add(&mut self, index: usize, node: &Node, dy: View) {
        let forward = self.forward;
        let Op::Add { activation, .. } = node.op else { unreachable!("called for this op") };
        let shape = forward.residual_shape(index, node);
        let [shortcut, branch] = [node.inputs[0], node.inputs[1]];
        // Every other consumer of the branch's output comes before the sum, so nothing has written its gradient.
        debug_assert!(self.gradients[branch.0].is_none());
        let plain = activation == Activation::None;
        if plain && shape.drop_rate == 0.0 && self.gradients[shortcut.0].is_none() {
            // The gradient passes through as it is: one tensor serves both. Adding to it for the shortcut's other
            // consumers is safe, because they precede the branch's last node, which has read it by then.
            self.gradients[branch.0] = Some(dy);
            self.gradients[shortcut.0] = Some(dy);
            return;
        }
        let y = (!plain).then(|| forward.value(NodeId(index)));
        let (d_branch, _) = self.target(branch);
        let (d_shortcut, add) = self.target(shortcut);
        self.builder.push(residual::backward(&shape, activation, y, dy, d_branch, d_shortcut, add));
    }
}
