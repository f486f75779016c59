//! Squeeze-and-excitation in both passes: pooling, two dense layers, and the product with their gate.

use super::backward::Backward;
use super::forward::Forward;
use super::fusion::excites_at_once;
use super::network::{Node, Op};
use super::pad4;
use super::plan::PlanBuilder;
use crate::gpu::View;
use crate::kernels::conv::{self, ConvShape};
use crate::kernels::excite::{self, Excitation, ExciteShape, ExciteWeights};
use crate::kernels::fusion::{Fusion, Prologue};
use crate::kernels::pool;
use crate::kernels::squeeze_excite::{self, Nonlinearity};

impl Forward<'_> {
    /// The gate of a node, and what its backward pass reads; the product is the node's own business.
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
            builder.push(excite::forward(&shape, &weights, &excitation));
            return excitation;
        }
        let ExciteWeights { reduce, reduce_bias, expand, expand_bias } = weights;
        let none = &Fusion::NONE;
        let squeeze = dense_shape(images, channels, *inner);
        let Excitation { pooled, hidden_raw, hidden, gate } = excitation;
        builder.push(conv::forward(
            &self.caps,
            &squeeze,
            pooled,
            reduce,
            Some(reduce_bias),
            hidden_raw,
            none,
        ));
        builder.push(squeeze_excite::activation_forward(Nonlinearity::Silu, narrow, hidden_raw, hidden));
        let gate_raw = builder.tensor(wide);
        let widen = dense_shape(images, *inner, channels);
        builder.push(conv::forward(&self.caps, &widen, hidden, expand, Some(expand_bias), gate_raw, none));
        builder.push(squeeze_excite::activation_forward(Nonlinearity::Sigmoid, wide, gate_raw, gate));
        excitation
    }

    fn excite_shape(&self, node: &Node) -> ExciteShape {
        let Op::SqueezeExcite { inner, .. } = node.op else { unreachable!("called for this op") };
        let channels = pad4(node.shape.channels);
        ExciteShape { images: self.images(), channels, inner: pad4(inner) }
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
    pub(super) fn squeeze_excite(&mut self, index: usize, node: &Node, dy: View) {
        let forward = self.forward;
        let Op::SqueezeExcite { reduce, expand, inner } = node.op else { unreachable!("called for this op") };
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
            self.builder.push(excite::backward(&shape, &weights, &saved, d_gate, d_hidden_raw, d_pooled));
            d_gate
        } else {
            let (d_gate_raw, d_hidden) = (self.builder.tensor(wide), self.builder.tensor(narrow));
            let (sigmoid, silu) = (Nonlinearity::Sigmoid, Nonlinearity::Silu);
            let (caps, none) = (&forward.caps, &Fusion::NONE);
            self.builder.extend([
                squeeze_excite::activation_backward(sigmoid, wide, saved.gate, d_gate, d_gate_raw, false),
                conv::data_gradient(caps, &widen, d_gate_raw, weights.expand, d_hidden, false, none),
                squeeze_excite::activation_backward(
                    silu,
                    narrow,
                    saved.hidden_raw,
                    d_hidden,
                    d_hidden_raw,
                    false,
                ),
                conv::data_gradient(caps, &squeeze, d_hidden_raw, weights.reduce, d_pooled, false, none),
            ]);
            d_gate_raw
        };
        if forward.spec.weight_gradients {
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
