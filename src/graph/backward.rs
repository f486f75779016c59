//! The backward pass as launches: nodes in reverse order, each turning the gradient of its output into
//! gradients of its inputs (written, or added where another consumer wrote before) and of its parameters
//! (added to the arena).

use super::blocks::blocks;
use super::forward::Forward;
use super::fusion::gradient_on_load;
use super::network::{Node, NodeId, Op};
use super::pad4;
use super::pass::Statistics;
use super::plan::PlanBuilder;
use crate::config::FusionRule;
use crate::gpu::View;
use crate::kernels::activation::{self, Activation, SlopeFrom};
use crate::kernels::batch_norm::{self, BnShape, Partials};
use crate::kernels::conv::{self, ConvShape};
use crate::kernels::fusion::{Epilogue, Fusion, NormGradient, Prologue, Slices};
use crate::kernels::{column_sum, depthwise, dropout, pool, residual};

/// What the backward pass leaves besides the weight gradients in their arena.
pub struct Gradients {
    /// The gradient of the normalised input, `[N, S, S, 4]`, when the pass asked for it.
    pub input: Option<View>,
}

/// The backward pass of one forward pass, while its launches are appended.
pub(super) struct Backward<'a, 'b> {
    pub(super) forward: &'b Forward<'a>,
    pub(super) builder: &'b mut PlanBuilder,
    /// The gradient of each node's output, once a consumer has written it.
    gradients: &'b mut [Option<Gradient>],
    /// The first consumer of each node, whose backward comes last.
    first_consumer: &'b [usize],
}

/// The gradient of a node's output as later kernels of the backward pass read it.
#[derive(Clone)]
enum Gradient {
    /// The gradient itself, `[N, H, W, C]`.
    Stored(View),
    /// The gradient of a batch norm's output, already times the slope of its activation, and the slices of
    /// its two sums.
    Slope { du: View, slices: Slices, partials: View },
    /// The gradient of the output of a batch norm that is folded into the convolution before it, already
    /// times the slope: therefore also the gradient of that convolution's result.
    Folded(View),
    /// The gradient of a batch norm's input, `a * du + b * x + c`, computed on each read.
    Norm { du: View, from: NormGradient },
}

impl Gradient {
    fn stored(&self) -> View {
        match self {
            Self::Stored(view) => *view,
            Self::Slope { .. } | Self::Folded(_) | Self::Norm { .. } => {
                unreachable!("only a batch norm's gradients are fused")
            }
        }
    }
}

/// Where and how a kernel writes a gradient.
pub(super) struct GradientTarget {
    pub(super) view: View,
    /// Whether the kernel adds to what is there.
    pub(super) add: bool,
    pub(super) epilogue: Epilogue,
}

impl Gradients {
    /// Appends the backward pass of `forward`, from the gradient of the logits `[N, classes]`.
    pub fn build(builder: &mut PlanBuilder, forward: &mut Forward<'_>, d_logits: View) -> Self {
        let network = forward.network;
        let mut gradients = vec![None; network.nodes.len()];
        gradients[network.logits.0] = Some(Gradient::Stored(d_logits));
        let first_consumer: Vec<usize> =
            network.consumers().iter().map(|all| all.first().copied().unwrap_or(usize::MAX)).collect();
        for (position, block) in blocks(network).iter().rev().enumerate() {
            // The last block's values are still there when the backward pass begins.
            if forward.spec.recompute
                && position > 0
                && block.clone().any(|index| wants_gradient(forward, NodeId(index)))
            {
                forward.recompute(builder, block);
            }
            for index in block.clone().rev() {
                // A sum at the edge of the frozen stages writes a gradient that nothing behind it asks for.
                let wanted = wants_gradient(forward, NodeId(index));
                if let Some(dy) = gradients[index].clone().filter(|_| wanted) {
                    let first_consumer = &first_consumer;
                    let mut pass = Backward { forward, builder, gradients: &mut gradients, first_consumer };
                    pass.node(index, &network.nodes[index], &dy);
                }
            }
        }
        Gradients { input: gradients[0].as_ref().map(Gradient::stored) }
    }
}

fn wants_gradient(forward: &Forward<'_>, id: NodeId) -> bool {
    forward.spec.input_gradient || (id.0 != 0 && !forward.network.is_frozen(id))
}

impl Backward<'_, '_> {
    /// Whether the gradient of this node's output is asked for, itself or for what is behind it: in the
    /// frozen stages for the gradient of the images alone.
    fn wants_gradient(&self, id: NodeId) -> bool {
        wants_gradient(self.forward, id)
    }

    /// Whether the gradients of this node's parameters are asked for.
    pub(super) fn trains(&self, index: usize) -> bool {
        self.forward.spec.weight_gradients && !self.forward.network.is_frozen(NodeId(index))
    }

    /// The tensor for the gradient of `id` and whether to add to what is there.
    fn target(&mut self, id: NodeId) -> (View, bool) {
        if let Some(gradient) = &self.gradients[id.0] {
            return (gradient.stored(), true);
        }
        let elements = self.forward.images() * self.forward.network.node(id).shape.padded_len();
        let view = self.builder.stored(elements, self.forward.element(id));
        self.gradients[id.0] = Some(Gradient::Stored(view));
        (view, false)
    }

    /// As [`Self::target`], for a kernel with an epilogue. Where `id` is a batch norm and `writer` the last
    /// node to write its gradient, the kernel applies the slope and takes the sums in the batch norm's place.
    /// `slices` gives the kernel's slices of those sums.
    pub(super) fn fused_target(
        &mut self,
        writer: usize,
        id: NodeId,
        slices: impl FnOnce(&[usize]) -> Slices,
    ) -> GradientTarget {
        let (view, add) = self.target(id);
        let forward = self.forward;
        let needs_sums = forward.statistics_of(id) != Statistics::Running || self.trains(id.0);
        let node = forward.network.node(id);
        let plain = GradientTarget { view, add, epilogue: Epilogue::None };
        let Op::BatchNorm { layer, activation } = node.op else { return plain };
        if forward.spec.fusion == FusionRule::Off || self.first_consumer[id.0] != writer {
            return plain;
        }
        if forward.folds[node.inputs[0].0] {
            if activation == Activation::None {
                return plain;
            }
            self.gradients[id.0] = Some(Gradient::Folded(view));
            let x = forward.stored(node.inputs[0]);
            return GradientTarget { view, add, epilogue: Epilogue::Derivative { x, activation } };
        }
        if !needs_sums {
            return plain;
        }
        let slices = slices(&forward.segments);
        let partials = self.builder.tensor(slices.elements(pad4(node.shape.channels)));
        self.gradients[id.0] = Some(Gradient::Slope { du: view, slices, partials });
        let state = forward.states[layer].expect("the forward pass made every layer's state");
        let x = forward.stored(node.inputs[0]);
        GradientTarget { view, add, epilogue: Epilogue::Slope { x, state, activation, partials } }
    }

    /// What is fused into a kernel with this prologue and epilogue.
    pub(super) fn fusion(&self, prologue: Prologue, epilogue: Epilogue) -> Fusion<'_> {
        if prologue == Prologue::None && epilogue == Epilogue::None {
            return Fusion::NONE;
        }
        Fusion { prologue, epilogue, segments: &self.forward.segments, ..Fusion::NONE }
    }

    fn node(&mut self, index: usize, node: &Node, dy: &Gradient) {
        let forward = self.forward;
        match &node.op {
            Op::Input => {}
            Op::Conv { weight, bias, .. } => {
                let shape = forward.network.conv_shape(node, forward.images());
                if self.trains(index) {
                    let (x, mut fusion) = forward.operand(node.inputs[0]);
                    let dy = weight_source(forward, dy, &mut fusion);
                    self.conv_parameters(&shape, x, dy, *weight, *bias, &fusion);
                }
                if self.wants_gradient(node.inputs[0]) {
                    let w = forward.weights(index, *weight);
                    let (dy, prologue) = source(dy);
                    let caps = &forward.caps;
                    let to =
                        self.fused_target(index, node.inputs[0], |s| conv::slices(caps, &shape, true, s));
                    let fusion = self.fusion(prologue, to.epilogue);
                    let launch = conv::data_gradient(caps, &shape, dy, w, to.view, to.add, &fusion);
                    self.builder.push(launch);
                }
            }
            Op::Depthwise { weight, .. } => {
                let shape = forward.network.depthwise_shape(node, forward.images());
                let caps = &forward.caps;
                if self.trains(index) {
                    let (x, mut fusion) = forward.operand(node.inputs[0]);
                    let dy = weight_source(forward, dy, &mut fusion);
                    let partials =
                        self.builder.tensor(depthwise::weight_gradient_partials(caps, &shape) as usize);
                    let dw = forward.parameter_in(forward.buffers.gradients, *weight);
                    self.builder
                        .extend(depthwise::weight_gradient(caps, &shape, x, dy, partials, dw, &fusion));
                }
                if self.wants_gradient(node.inputs[0]) {
                    let w = forward.weights(index, *weight);
                    let (dy, prologue) = source(dy);
                    let to = self
                        .fused_target(index, node.inputs[0], |s| depthwise::slices(caps, &shape, true, s));
                    let fusion = self.fusion(prologue, to.epilogue);
                    let launch = depthwise::data_gradient(caps, &shape, dy, w, to.view, to.add, &fusion);
                    self.builder.push(launch);
                }
            }
            Op::BatchNorm { .. } => self.batch_norm(index, node, dy),
            Op::Activation { activation } => {
                let kept = match activation.slope_from() {
                    SlopeFrom::Input => node.inputs[0],
                    SlopeFrom::Output => NodeId(index),
                };
                let elements = forward.images() * node.shape.padded_len();
                let (dx, _) = self.target(node.inputs[0]);
                let kept = forward.stored(kept);
                self.builder.push(activation::backward(*activation, elements, kept, dy.stored(), dx));
            }
            Op::SqueezeExcite { .. } => self.squeeze_excite(index, node, dy.stored()),
            Op::Add { .. } => self.add(index, node, dy.stored()),
            Op::MaxPool { .. } => {
                let x = forward.stored(node.inputs[0]);
                let (dx, add) = self.target(node.inputs[0]);
                self.builder.push(pool::max_pool_backward(
                    &forward.pool_shape(node),
                    x,
                    forward.stored(NodeId(index)),
                    dy.stored(),
                    dx,
                    add,
                ));
            }
            Op::GlobalPool => {
                let shape = forward.scale_shape(forward.network.node(node.inputs[0]).shape);
                let to = self.fused_target(index, node.inputs[0], |s| pool::slices(&shape, s));
                let fusion = self.fusion(Prologue::None, to.epilogue);
                let launch = pool::global_average_backward(&shape, dy.stored(), to.view, to.add, &fusion);
                self.builder.push(launch);
            }
            Op::Dropout { .. } => match forward.dropout_shape(index, node) {
                Some(shape) => {
                    let (dx, _) = self.target(node.inputs[0]);
                    self.builder.push(dropout::backward(&shape, dy.stored(), dx));
                }
                None => self.gradients[node.inputs[0].0] = Some(dy.clone()),
            },
        }
    }

    /// Appends the gradients of a convolution's weights and bias; x is read as `fusion` says.
    pub(super) fn conv_parameters(
        &mut self,
        shape: &ConvShape,
        x: View,
        dy: View,
        weight: usize,
        bias: Option<usize>,
        fusion: &Fusion<'_>,
    ) {
        let forward = self.forward;
        let caps = &forward.caps;
        let partials = self.builder.tensor(conv::weight_gradient_partials(caps, shape, fusion) as usize);
        let dw = forward.parameter_in(forward.buffers.gradients, weight);
        self.builder.extend(conv::weight_gradient(caps, shape, x, dy, partials, dw, fusion));
        if let Some(bias) = bias {
            let db = forward.parameter_in(forward.buffers.gradients, bias);
            let rows = shape.images * shape.out_h * shape.out_w;
            self.builder.push(column_sum::column_sum(rows, shape.out_c, dy, db));
        }
    }

    fn batch_norm(&mut self, index: usize, node: &Node, dy: &Gradient) {
        let forward = self.forward;
        let Op::BatchNorm { layer, activation } = node.op else { unreachable!("called for this op") };
        let input = node.inputs[0];
        let x = forward.stored(input);
        if forward.folds[input.0] {
            debug_assert!(self.gradients[input.0].is_none(), "its batch norm alone reads it");
            let du = match dy {
                Gradient::Folded(du) => *du,
                _ if activation == Activation::None => dy.stored(),
                _ => {
                    let (du, _) = self.target(input);
                    let elements = forward.images() * node.shape.padded_len();
                    self.builder.push(activation::backward(activation, elements, x, dy.stored(), du));
                    du
                }
            };
            self.gradients[input.0] = Some(Gradient::Stored(du));
            return;
        }
        let shape = forward.bn_shape(layer, node.shape);
        let state = forward.states[layer].expect("the forward pass made every layer's state");
        if let Gradient::Slope { du, slices, partials } = dy {
            let partials = Partials { slices, sums: *partials };
            let from = NormGradient { x, coefs: self.finalize(index, layer, &shape, partials, state) };
            if !self.wants_gradient(input) {
                return;
            }
            // Nothing else reads du, and the gradient of the input takes its place.
            if self.gradients[input.0].is_none() {
                self.gradients[input.0] = Some(if self.reads_on_load(input) {
                    Gradient::Norm { du: *du, from }
                } else {
                    let none = Activation::None;
                    self.builder.push(batch_norm::backward_apply(&shape, none, from, state, *du, *du, false));
                    Gradient::Stored(*du)
                });
            } else {
                let (dx, add) = self.target(input);
                let none = Activation::None;
                self.builder.push(batch_norm::backward_apply(&shape, none, from, state, *du, dx, add));
            }
            return;
        }
        let dy = dy.stored();
        let batch_statistics = forward.statistics_of(NodeId(index)) != Statistics::Running;
        let from = (batch_statistics || self.trains(index)).then(|| {
            let caps = &forward.caps;
            let slices = shape.slices(caps);
            let partials = self.builder.tensor(slices.elements(shape.channels));
            self.builder.push(batch_norm::backward_reduce(caps, &shape, activation, x, state, dy, partials));
            let partials = Partials { slices: &slices, sums: partials };
            NormGradient { x, coefs: self.finalize(index, layer, &shape, partials, state) }
        });
        if self.wants_gradient(input) {
            let (dx, add) = self.target(input);
            self.builder.push(match from {
                Some(from) => batch_norm::backward_apply(&shape, activation, from, state, dy, dx, add),
                None => batch_norm::backward_apply_frozen(&shape, activation, x, state, dy, dx, add),
            });
        }
    }

    /// Appends the launch that computes the coefficients of a batch norm's gradient from its sums, and the
    /// gradients of gamma and beta where they are asked for. Returns the coefficients.
    fn finalize(
        &mut self,
        index: usize,
        layer: usize,
        shape: &BnShape,
        partials: Partials<'_>,
        state: View,
    ) -> View {
        let forward = self.forward;
        let place = &forward.network.layout.bn[layer];
        let coefs = self.builder.tensor(shape.coefs_elements());
        let d_params = self.trains(index).then(|| forward.bn_params_in(forward.buffers.gradients, place));
        let batch_statistics = forward.statistics_of(NodeId(index)) != Statistics::Running;
        let caps = &forward.caps;
        self.builder.push(batch_norm::backward_finalize(
            caps,
            shape,
            partials,
            state,
            coefs,
            d_params,
            batch_statistics,
        ));
        coefs
    }

    /// Whether the kernels that read the gradient of this convolution's output compute it.
    fn reads_on_load(&self, convolution: NodeId) -> bool {
        let forward = self.forward;
        let caps = &forward.caps;
        let node = forward.network.node(convolution);
        let weights = usize::from(self.trains(convolution.0));
        let data = usize::from(self.wants_gradient(node.inputs[0]));
        let reads = match &node.op {
            Op::Conv { bias: None, .. } => {
                let shape = forward.network.conv_shape(node, forward.images());
                data * conv::gradient_source_reads(caps, &shape)
                    + weights * conv::weight_gradient_reads(caps, &shape)
            }
            // The blocks beside each other share columns.
            Op::Depthwise { .. } => 2 * (data + weights),
            _ => return false,
        };
        gradient_on_load(caps, forward.spec.fusion, reads)
    }

    fn add(&mut self, index: usize, node: &Node, dy: View) {
        let forward = self.forward;
        let Op::Add { activation, .. } = node.op else { unreachable!("called for this op") };
        let shape = forward.residual_shape(index, node);
        let [shortcut, branch] = [node.inputs[0], node.inputs[1]];
        // Every other consumer of the branch's output comes before the sum, so nothing has written its
        // gradient.
        debug_assert!(self.gradients[branch.0].is_none());
        let plain = activation == Activation::None;
        if plain && shape.drop_rate == 0.0 && self.gradients[shortcut.0].is_none() {
            // The gradient passes through as it is: one tensor serves both. Adding to it for the shortcut's
            // other consumers is safe, because they precede the branch's last node, which has read it by
            // then.
            self.gradients[branch.0] = Some(Gradient::Stored(dy));
            self.gradients[shortcut.0] = Some(Gradient::Stored(dy));
            return;
        }
        let y = (!plain).then(|| forward.stored(NodeId(index)));
        let (d_branch, _) = self.target(branch);
        let (d_shortcut, add) = self.target(shortcut);
        self.builder.push(residual::backward(&shape, activation, y, dy, d_branch, d_shortcut, add));
    }
}

/// The stored tensor of a gradient, and how a data gradient reads it.
fn source(dy: &Gradient) -> (View, Prologue) {
    match *dy {
        Gradient::Stored(view) => (view, Prologue::None),
        Gradient::Norm { du, from } => (du, Prologue::NormGradient(from)),
        Gradient::Slope { .. } | Gradient::Folded(_) => unreachable!("that of a batch norm's output"),
    }
}

/// The stored tensor of a gradient; `fusion` learns how a weight gradient reads it.
fn weight_source<'f>(forward: &'f Forward<'_>, dy: &Gradient, fusion: &mut Fusion<'f>) -> View {
    match *dy {
        Gradient::Norm { du, from } => {
            fusion.gradient = Some(from);
            fusion.segments = &forward.segments;
            du
        }
        _ => dy.stored(),
    }
}
