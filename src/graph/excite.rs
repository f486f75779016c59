//! Squeeze-and-excitation in both passes: pooling, two dense layers, and the product with their gate.

use super::backward::Backward;
use super::forward::Forward;
use super::fusion::excites_at_once;
use super::network::{Node, Op};
use super::pad4;
use super::plan::PlanBuilder;
use crate::gpu::View;
use crate::kernels::activation;
use crate::kernels::conv::{self, ConvShape};
use crate::kernels::fusion::{Fusion, Prologue};
use crate::kernels::pool;
use crate::kernels::squeeze_excite::{self, Excitation, ExciteShape, ExciteWeights};

impl Forward<'_> {
    /// Appends the launches that compute a node's gate, without the product with it.
    pub(super) fn excite(&self, builder: &mut PlanBuilder, node: &Node) -> Excitation {
        let Op::SqueezeExcite { inner, .. } = &node.op else { unreachable!("called for this op") };
        let (images, channels) = (self.images(), node.shape.channels);
        let wide = images * pad4(channels);
        let narrow = images * pad4(*inner);
        let excitation = Excitation {
            pooled: builder.tensor(wide),
            hidden_raw: builder.tensor(narrow),
            hidden: builder.tensor(narrow),
            gate: builder.tensor(wide),
        };
        let (x, fusion) = self.operand(node.inputs[0]);
        builder.push(pool::global_average(&self.scale_shape(node.shape), x, excitation.pooled, &fusion));
        let shape = self.excite_shape(node);
        let weights = self.excite_weights(node);
        if excites_at_once(&self.caps, self.spec.fusion, &shape) {
            builder.push(squeeze_excite::excite(&shape, &weights, &excitation));
            return excitation;
        }
        let ExciteWeights { reduce, reduce_bias, expand, expand_bias } = weights;
        let (caps, none) = (&self.caps, &Fusion::NONE);
        let squeeze = dense_shape(images, channels, *inner);
        let widen = dense_shape(images, *inner, channels);
        let Excitation { pooled, hidden_raw, hidden, gate } = excitation;
        let gate_raw = builder.tensor(wide);
        builder.extend([
            conv::forward(caps, &squeeze, pooled, reduce, Some(reduce_bias), hidden_raw, none),
            activation::forward(shape.hidden, narrow, hidden_raw, hidden),
            conv::forward(caps, &widen, hidden, expand, Some(expand_bias), gate_raw, none),
            activation::forward(shape.gate, wide, gate_raw, gate),
        ]);
        excitation
    }

    fn excite_shape(&self, node: &Node) -> ExciteShape {
        let Op::SqueezeExcite { inner, hidden, gate, .. } = node.op else {
            unreachable!("called for this op")
        };
        let channels = pad4(node.shape.channels);
        ExciteShape { images: self.images(), channels, inner: pad4(inner), hidden, gate }
    }

    fn excite_weights(&self, node: &Node) -> ExciteWeights {
        let Op::SqueezeExcite { reduce, expand, .. } = node.op else { unreachable!("called for this op") };
        ExciteWeights {
            reduce: self.parameter(reduce.0),
            reduce_bias: self.parameter(reduce.1),
            expand: self.parameter(expand.0),
            expand_bias: self.parameter(expand.1),
        }
    }
}

impl Backward<'_, '_> {
    /// Appends the backward pass of a squeeze-and-excitation from the gradient `dy` of its output.
    pub(super) fn squeeze_excite(&mut self, index: usize, node: &Node, dy: View) {
        let forward = self.forward;
        let Op::SqueezeExcite { reduce, expand, inner, .. } = node.op else {
            unreachable!("called for this op")
        };
        let saved = forward.excitations[index].expect("the forward pass made them");
        let (x, fusion) = forward.operand(node.inputs[0]);
        let scale = forward.scale_shape(node.shape);
        let (images, channels) = (forward.images(), node.shape.channels);
        let (wide, narrow) = (images * pad4(channels), images * pad4(inner));

        let d_gate = self.builder.tensor(wide);
        self.builder.push(squeeze_excite::gate_gradient(&scale, dy, x, d_gate, &fusion));
        let [d_hidden_raw, d_pooled] = [narrow, wide].map(|elements| self.builder.tensor(elements));
        let (widen, squeeze) = (dense_shape(images, inner, channels), dense_shape(images, channels, inner));
        let shape = forward.excite_shape(node);
        let weights = forward.excite_weights(node);
        let d_gate_raw = if excites_at_once(&forward.caps, forward.spec.fusion, &shape) {
            let launch =
                squeeze_excite::excite_backward(&shape, &weights, &saved, d_gate, d_hidden_raw, d_pooled);
            self.builder.push(launch);
            d_gate
        } else {
            let (d_gate_raw, d_hidden) = (self.builder.tensor(wide), self.builder.tensor(narrow));
            let (caps, none) = (&forward.caps, &Fusion::NONE);
            self.builder.extend([
                activation::backward(shape.gate, wide, saved.gate, d_gate, d_gate_raw),
                conv::data_gradient(caps, &widen, d_gate_raw, weights.expand, d_hidden, false, none),
                activation::backward(shape.hidden, narrow, saved.hidden_raw, d_hidden, d_hidden_raw),
                conv::data_gradient(caps, &squeeze, d_hidden_raw, weights.reduce, d_pooled, false, none),
            ]);
            d_gate_raw
        };
        if self.trains(index) {
            let none = &Fusion::NONE;
            self.conv_parameters(&widen, saved.hidden, d_gate_raw, expand.0, Some(expand.1), none);
            self.conv_parameters(&squeeze, saved.pooled, d_hidden_raw, reduce.0, Some(reduce.1), none);
        }

        let to = self.fused_target(index, node.inputs[0], |s| pool::slices(&scale, s));
        debug_assert!(!to.add, "the excited tensor has this one consumer");
        let fusion = self.fusion(Prologue::None, to.epilogue);
        let launch = squeeze_excite::data_gradient(&scale, dy, saved.gate, d_pooled, to.view, &fusion);
        self.builder.push(launch);
    }
}

/// A dense layer over `[N, in]`.
fn dense_shape(images: usize, input: usize, out: usize) -> ConvShape {
    ConvShape::dense(images, pad4(input), pad4(out))
}
