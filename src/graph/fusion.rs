//! Which batch norms and gates need no pass of their own over a tensor. Fusion rewrites the plan and not the
//! network: the plan without it ([`FusionRule::Off`]) stays the oracle, and every fused plan gives the
//! oracle's numbers up to rounding.
//!
//! There are three rewrites. First, a batch norm's statistics are taken by the convolution before it, as that
//! stores its result. Second, the consumers of a batch norm apply scale, shift and activation as they read,
//! so that the normalised tensor does not exist. Third, in the backward pass the kernel that completes a
//! gradient applies the activation's slope and takes the batch norm's sums. The second rewrite repeats the
//! activation each time that a consumer reads a number; what the repetition costs is compared with
//! [`STORE_COST`].

use super::fold::folded_convolutions;
use super::network::{Network, NodeId, Op};
use super::pass::PassSpec;
use crate::config::FusionRule;
use crate::gpu::{Caps, Form};
use crate::kernels::activation::{Activation, SlopeFrom};
use crate::kernels::conv;
use crate::kernels::squeeze_excite::ExciteShape;
use serde::Serialize;

/// The cost of storing a normalised tensor, in passes over it: its input is read and it is written.
const STORE_COST: f64 = 2.0;

/// The cost of storing the activated tensor beside what a folded batch norm keeps for its slope, in passes
/// over it: it is written.
const STORE_BOTH_COST: f64 = 1.0;

/// Whether a convolution takes the batch statistics of its result as it stores that. The dense kernels of a
/// software adapter keep a tile in more registers than there are, and lose more by the sums than a pass takes
/// (measured on llvmpipe).
pub(super) fn takes_statistics(caps: &Caps, rule: FusionRule, convolution: &Op) -> bool {
    match rule {
        FusionRule::Off => false,
        FusionRule::Auto => caps.form == Form::Tiles || matches!(convolution, Op::Depthwise { .. }),
        FusionRule::All => true,
    }
}

/// Whether the gradient of a convolution's output is computed by the kernels that read it, `reads` times in
/// all, and not stored. Storing it costs a pass over the tensor (two reads and a write), computing it one
/// more read each time.
pub(super) fn gradient_on_load(caps: &Caps, rule: FusionRule, reads: usize) -> bool {
    match rule {
        FusionRule::Off => false,
        // On a software adapter each of these reads costs as much as the pass of which it saves a part.
        FusionRule::Auto => caps.form == Form::Tiles && reads <= 2,
        FusionRule::All => true,
    }
}

/// Whether squeeze-and-excitation's two dense layers are one launch. On a GPU one launch costs less than the
/// four of the dense kernels; on a software adapter it costs more, because every image reads the weights
/// again.
pub(super) fn excites_at_once(caps: &Caps, rule: FusionRule, shape: &ExciteShape) -> bool {
    shape.fits()
        && match rule {
            FusionRule::Off => false,
            FusionRule::Auto => caps.form == Form::Tiles,
            FusionRule::All => true,
        }
}

/// The cost of loading a channel's scale and shift within a convolution's inner loop, where four rows share
/// them, in passes over the tensor.
fn inner_loop_cost(form: Form) -> f64 {
    match form {
        Form::Tiles => 0.05,
        Form::Subgroups => 0.5,
    }
}

/// The cost of loading the gate of the image and channel with each number, in passes over the tensor.
fn gate_cost(form: Form) -> f64 {
    match form {
        Form::Tiles => 0.15,
        Form::Subgroups => 1.0,
    }
}

/// The decision on one batch norm, or on the product of one squeeze-and-excitation with its gate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OnLoad {
    /// Index of the node.
    pub node: usize,
    /// timm's name of the layer.
    pub name: String,
    /// Whether the consumers compute the output as they read, so that the tensor is not stored.
    pub on_load: bool,
    /// Whether the batch norm is part of the weights before it; at most its activation is then left to the
    /// consumers.
    pub folded: bool,
    /// The estimated cost of repeating the work on each read, in passes over the tensor; `None` where a
    /// consumer cannot compute the output itself.
    pub repeated: Option<f64>,
    /// The cost of storing the tensor, in passes over it.
    pub stored: f64,
}

/// The decision for each batch norm and gate of `network`, in a pass whose caller asks for the outputs of the
/// `placed` nodes.
pub fn plan_on_load(network: &Network, caps: &Caps, spec: &PassSpec, placed: &[NodeId]) -> Vec<OnLoad> {
    let (images, weight_gradients) = (spec.images(), spec.weight_gradients);
    let consumers = network.consumers();
    let folds = folded_convolutions(network, spec, placed);
    let mut plans: Vec<OnLoad> = Vec::new();
    for (index, node) in network.nodes.iter().enumerate() {
        let folded = node.inputs.first().is_some_and(|input| folds[input.0]);
        let (name, repeated) = match node.op {
            Op::BatchNorm { layer, activation } => {
                let name = network.layout.bn[layer].name.clone();
                let reads =
                    |consumer: &usize| reads(network, caps, images, *consumer, index, weight_gradients);
                // A folded batch norm leaves the activation to its consumers only where the slope needs its
                // input.
                let keeps_input = spec.input_gradient && activation.slope_from() == SlopeFrom::Input;
                let left = !folded || keeps_input;
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

/// The cost for the pointwise convolution behind a gate of applying the gate, and what `norm` before it
/// leaves to its consumers, on each read; `None` where another kernel reads the gated tensor.
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
    let saved = activation.cost(caps.form);
    Some(reads.cost(caps.form, activation) + reads.total * gate_cost(caps.form) - saved)
}

/// How often a consumer reads each number of a tensor.
#[derive(Clone, Copy, Default)]
struct Reads {
    /// All reads.
    total: f64,
    /// Those reads that also load the channel's scale and shift.
    in_inner_loop: f64,
}

impl Reads {
    /// The same reads of a tensor that is scaled and shifted already.
    fn without_norm(self) -> Self {
        Self { in_inner_loop: 0.0, ..self }
    }

    /// The cost of repeating batch norm and activation on these reads, in passes over the tensor.
    fn cost(self, form: Form, activation: Activation) -> f64 {
        self.total * activation.cost(form) + self.in_inner_loop * inner_loop_cost(form)
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

/// The reads of node `input` by `consumer`, forward and backward; `None` if the consumer reads stored tensors
/// only.
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
        // The map is pooled and scaled, and the backward pass multiplies it with the gradient.
        Op::SqueezeExcite { .. } => Some(Reads { total: 3.0, in_inner_loop: 0.0 }),
        Op::GlobalPool => Some(Reads { total: 1.0, in_inner_loop: 0.0 }),
        // The kernel applies scale and shift to the branch, and no activation.
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
