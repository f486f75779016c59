//! A network as a list of typed operations, its forward and backward pass as launches, and their memory: from
//! here on a step is a static plan. Nothing in this module touches a device.
//!
//! `network` describes a network, `params` lays out its weights. `forward` and `backward` (and `excite` for
//! both) emit the launches of a `pass` into a `PlanBuilder`; `value` is an output as its consumers read it.
//! `fusion` says which batch norms and gates need no pass over memory of their own, `fold` which fixed
//! statistics make part of the weights, and `blocks` what recomputation may drop. `memory` packs tensors that
//! live at different times into the same bytes.

#![warn(missing_docs)]

use crate::config::FusionRule;
use crate::gpu::{BufferId, Caps, Element, Form};

mod backward;
mod blocks;
mod excite;
mod fold;
mod forward;
mod fusion;
#[cfg_attr(api, doc(hidden))]
pub mod memory;
mod network;
#[cfg_attr(api, doc(hidden))]
pub mod params;
mod pass;
mod plan;
mod shapes;
mod value;

pub use network::{
    BnConstants, Frozen, Hidden, HiddenLayer, Network, NetworkBuilder, Node, NodeId, Op, Padding, Shape,
};
pub use params::{ParamKind, ParamLayout, Parameter};
// For this program's own modules and tests; versions do not promise these.
#[cfg_attr(api, doc(hidden))]
pub use self::{
    backward::Gradients,
    fold::fold_weights,
    forward::Forward,
    fusion::{OnLoad, plan_on_load},
    pass::{PassBuffers, PassSegment, PassSpec, Statistics},
    plan::{Plan, PlanBuilder},
};

/// Channels as the GPU stores them: padded with zeros to whole vec4s.
pub fn pad4(channels: usize) -> usize {
    channels.next_multiple_of(4)
}

/// Arena bytes per image of a vanilla training step that stores activations as `element`, by the exact plan
/// of 32 images: partial sums hardly grow with their number, so that few would mislead. `recompute`: with
/// activation recomputation.
pub fn training_bytes_per_image(network: &Network, element: Element, recompute: bool) -> u64 {
    const IMAGES: usize = 32;
    let spec = PassSpec {
        segments: vec![PassSegment { images: IMAGES, domain: 0 }],
        statistics: Statistics::BatchUpdating,
        regularize: true,
        weight_gradients: true,
        input_gradient: false,
        recompute,
        fusion: FusionRule::Auto,
        first_image: 0,
    };
    let buffers =
        PassBuffers { params: BufferId(0), gradients: BufferId(1), running: BufferId(2), folded: None };
    let mut builder = PlanBuilder::new();
    let input = builder.stored(IMAGES * network.node(NodeId(0)).shape.padded_len(), element);
    let caps = Caps::plain(Form::Tiles);
    let mut forward = Forward::build(&mut builder, network, spec, buffers, caps, input, &[]);
    let d_logits = builder.tensor(IMAGES * pad4(network.classes));
    Gradients::build(&mut builder, &mut forward, d_logits);
    builder.finish(BufferId(3), u64::MAX).arena_bytes() / IMAGES as u64
}
