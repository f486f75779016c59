//! Which batch norms and gates need no pass of their own over a tensor. A rewrite of the plan, not of the network: the plain
//! graph stays the oracle ([`FusionRule::Off`]), and every fused plan gives its numbers up to rounding.
//!
//! Three rewrites: the statistics are taken where the convolution before stores its result; the consumers behind apply
//! scale, shift and activation as they read, so that the normalised tensor does not exist; and in the backward pass the
//! kernel that makes the last part of a gradient applies the activation's slope and takes the sums. The second repeats
//! the activation once for each time a consumer reads a number: what that costs is held against [`STORE_COST`].

use super::fold::folded;
use super::network::{Network, NodeId, Op};
use super::pass::PassSpec;
use crate::config::FusionRule;
use crate::gpu::{Caps, Form};
use crate::kernels::batch_norm::Activation;
use crate::kernels::conv;
use crate::kernels::excite::ExciteShape;
use serde::Serialize;

/// What it costs to make the normalised tensor, in passes over it: read the raw one, write this one.
const STORE_COST: f64 = 2.0;

/// What it costs to store the activated tensor next to what a folded batch norm keeps for its slope: write it.
const STORE_BOTH_COST: f64 = 1.0;

/// What repeating the batch norm and activation on one read costs, in passes over the tensor. A GPU does it beside its
/// memory traffic; on a software adapter a load takes as long as 18 multiply-adds and a SiLU 11 (measured on llvmpipe).
fn activation_cost(form: Form, activation: Activation) -> f64 {
    match (form, activation) {
        (Form::Tiles, Activation::Silu) => 0.2,
        (Form::Tiles, _) => 0.05,
        (Form::Subgroups, Activation::Silu) => 0.65,
        (Form::Subgroups, _) => 0.1,
    }
}

/// Whether a convolution takes the statistics of what it stores. The dense kernels of a software adapter keep a tile in
/// more registers than there are, and lose more by the sums than a pass takes (measured on llvmpipe).
pub(super) fn takes_statistics(caps: &Caps, rule: FusionRule, convolution: &Op) -> bool {
    match rule {
        FusionRule::Off => false,
        FusionRule::Auto => caps.form == Form::Tiles || matches!(convolution, Op::Depthwise { .. }),
        FusionRule::All => true,
    }
}

/// Whether the gradient of a convolution's output is computed by the kernels that read it, `reads` times in all, rather
/// than stored: a pass over the tensor (two reads and a write) against one more read each time.
pub(super) fn gradient_on_load(caps: &Caps, rule: FusionRule, reads: usize) -> bool {
    match rule {
        FusionRule::Off => false,
        // There a read costs as much as the pass that it saves a part of.
        FusionRule::Auto => caps.form == Form::Tiles && reads <= 2,
        FusionRule::All => true,
    }
}

/// Whether squeeze-and-excitation's two dense layers are one launch: it costs less than four on a GPU, and more than
/// the dense kernels do on a software adapter, because every image reads the weights again.
pub(super) fn excites_at_once(caps: &Caps, rule: FusionRule, shape: &ExciteShape) -> bool {
    shape.fits()
        && match rule {
            FusionRule::Off => false,
            FusionRule::Auto => caps.form == Form::Tiles,
            FusionRule::All => true,
        }
}

/// Loading a channel's scale and shift within a convolution's inner loop, where four rows share them.
fn inner_loop_cost(form: Form) -> f64 {
    match form {
        Form::Tiles => 0.05,
        Form::Subgroups => 0.5,
    }
}

/// The gate of the image and channel, loaded with each number.
fn gate_cost(form: Form) -> f64 {
    match form {
        Form::Tiles => 0.15,
        Form::Subgroups => 1.0,
    }
}

/// The decision on one batch norm, or on one squeeze-and-excitation's product with its gate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OnLoad {
    /// Index of the node.
    pub node: usize,
    /// timm's name of the layer.
    pub name: String,
    /// The consumers compute it as they read, and the tensor is not stored.
    pub on_load: bool,
    /// The batch norm is part of the weights before it, and at most its activation is left to the consumers.
    pub folded: bool,
    /// Estimated passes over the tensor that this repeats, against `stored`; `None` where a consumer cannot.
    pub repeated: Option<f64>,
    /// Passes that it costs to store the tensor.
    pub stored: f64,
}

/// The consumers of each node.
pub(super) fn consumers(network: &Network) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new(); network.nodes.len()];
    for (index, node) in network.nodes.iter().enumerate() {
        for input in &node.inputs {
            all[input.0].push(index);
        }
    }
    all
}

/// Decides for each batch norm and gate of `network`, in a pass whose outputs of `placed` nodes are asked for.
pub fn plan_on_load(network: &Network, caps: &Caps, spec: &PassSpec, placed: &[NodeId]) -> Vec<OnLoad> {
    let (images, weight_gradients) = (spec.images(), spec.weight_gradients);
    let consumers = consumers(network);
    let folds = folded(network, spec, placed);
    let mut plans: Vec<OnLoad> = Vec::new();
    for (index, node) in network.nodes.iter().enumerate() {
        let folded = node.inputs.first().is_some_and(|input| folds[input.0]);
        let (name, repeated) = match node.op {
            Op::BatchNorm { layer, activation } => {
                let name = network.layout.bn[layer].name.clone();
                let reads =
                    |consumer: &usize| reads(network, caps, images, *consumer, index, weight_gradients);
                // Folded, it leaves its consumers an activation only where the slope needs what was before.
                let left = !folded || (activation == Activation::Silu && spec.input_gradient);
                let reads = consumers[index].iter().map(reads).sum::<Option<Reads>>().filter(|_| left);
                let loads = |reads: Reads| if folded { reads.without_norm() } else { reads };
                (name, reads.map(|reads| loads(reads).cost(caps.form, activation)))
            }
            Op::SqueezeExcite { reduce, .. } => {
                let weight = &network.layout.parameters[reduce.0].name;
                let name = weight.strip_suffix(".conv_reduce.weight").unwrap_or(weight).to_owned();
                let before = plans.last().filter(|plan| plan.node == node.inputs[0].0);
                let before = before.filter(|plan| plan.on_load || plan.folded);
                let after = &consumers[index];
                let cost =
                    |norm: &OnLoad| gated_cost(network, caps, images, norm, index, after, weight_gradients);
                (name, before.and_then(cost))
            }
            _ => continue,
        };
        let asked_for = placed.iter().any(|id| id.0 == index);
        let stored = if folded { STORE_BOTH_COST } else { STORE_COST };
        let on_load = !asked_for
            && match spec.fusion {
                FusionRule::Off => false,
                FusionRule::Auto => repeated.is_some_and(|cost| cost < stored),
                FusionRule::All => repeated.is_some(),
            };
        plans.push(OnLoad { node: index, name, on_load, folded, repeated, stored });
    }
    plans
}

/// What repeating a gate, and what `norm` before it leaves, costs the pointwise convolution behind.
fn gated_cost(
    network: &Network,
    caps: &Caps,
    images: usize,
    norm: &OnLoad,
    index: usize,
    consumers: &[usize],
    weight_gradients: bool,
) -> Option<f64> {
    let &[consumer] = consumers else { return None };
    let Op::Conv { kernel: 1, stride: 1, .. } = network.nodes[consumer].op else { return None };
    let Op::BatchNorm { activation, .. } = network.node(network.nodes[index].inputs[0]).op else {
        return None;
    };
    let reads = reads(network, caps, images, consumer, index, weight_gradients)?;
    if !norm.on_load {
        return Some(reads.total * gate_cost(caps.form));
    }
    let reads = if norm.folded { reads.without_norm() } else { reads };
    // The pass that is saved would have computed the batch norm once.
    let saved = activation_cost(caps.form, activation);
    Some(reads.cost(caps.form, activation) + reads.total * gate_cost(caps.form) - saved)
}

/// How often each number of a tensor is read.
#[derive(Clone, Copy, Default)]
struct Reads {
    total: f64,
    /// Of these, where each read also loads the channel's scale and shift.
    in_inner_loop: f64,
}

impl Reads {
    /// Where scale and shift are in the tensor.
    fn without_norm(self) -> Self {
        Self { in_inner_loop: 0.0, ..self }
    }

    /// In passes over the tensor.
    fn cost(self, form: Form, activation: Activation) -> f64 {
        self.total * activation_cost(form, activation) + self.in_inner_loop * inner_loop_cost(form)
    }
}

impl std::iter::Sum for Reads {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |a, b| Self {
            total: a.total + b.total,
            in_inner_loop: a.in_inner_loop + b.in_inner_loop,
        })
    }
}

/// Reads of node `input` by `consumer`, forward and backward; `None` if it reads stored tensors only.
fn reads(
    network: &Network,
    caps: &Caps,
    images: usize,
    consumer: usize,
    input: usize,
    weight_gradients: bool,
) -> Option<Reads> {
    let node = &network.nodes[consumer];
    let gradient = f64::from(u8::from(weight_gradients));
    match &node.op {
        Op::Conv { bias: None, .. } => {
            let shape = network.conv_shape(node, images);
            let forward = conv::source_reads(caps, &shape) as f64;
            let weights = gradient * conv::weight_source_reads(caps, &shape) as f64;
            Some(Reads { total: forward + weights, in_inner_loop: forward })
        }
        // Blocks of four columns read the two or four beside them as well, forward and for the weights.
        Op::Depthwise { kernel, .. } => {
            let once = 1.0 + (*kernel as f64 - 1.0) / 4.0;
            Some(Reads { total: once * (1.0 + gradient), in_inner_loop: 0.0 })
        }
        // Pooled and scaled; the backward pass multiplies once more, in every pass.
        Op::SqueezeExcite { .. } => Some(Reads { total: 3.0, in_inner_loop: 0.0 }),
        Op::GlobalPool => Some(Reads { total: 1.0, in_inner_loop: 0.0 }),
        // The kernel knows the branch as affine only.
        Op::Add { .. } => {
            let branch = node.inputs[1].0 == input && node.inputs[0].0 != input;
            let Op::BatchNorm { activation: Activation::None, .. } = network.nodes[input].op else {
                return None;
            };
            branch.then_some(Reads { total: 1.0, in_inner_loop: 0.0 })
        }
        _ => None,
    }
}
