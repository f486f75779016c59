//! Where a network can be cut so that one tensor alone crosses: what activation recomputation keeps between
//! the forward and the backward pass. Everything inside a block is computed again when the backward pass
//! enters it.

use super::network::{Network, Node, Op};
use crate::kernels::activation::Activation;
use std::ops::Range;

/// Ranges of nodes, in order, each ending with the one node that later ranges read. The last range runs to
/// the logits.
///
/// Cuts are at sums and at projections without an activation: in these networks the ends of residual blocks,
/// where tensors are smallest.
pub(super) fn blocks(network: &Network) -> Vec<Range<usize>> {
    let nodes = &network.nodes;
    let mut last_reader = vec![0; nodes.len()];
    for (index, node) in nodes.iter().enumerate() {
        for input in &node.inputs {
            last_reader[input.0] = index;
        }
    }
    let mut blocks = Vec::new();
    let (mut start, mut reach) = (1, 0);
    for (index, node) in nodes.iter().enumerate() {
        // `reach`: the last reader of any earlier node.
        if index >= start && reach <= index && ends_block(node) {
            blocks.push(start..index + 1);
            start = index + 1;
        }
        reach = reach.max(last_reader[index]);
    }
    if start < nodes.len() {
        blocks.push(start..nodes.len());
    }
    blocks
}

fn ends_block(node: &Node) -> bool {
    matches!(node.op, Op::Add { .. } | Op::BatchNorm { activation: Activation::None, .. })
}

/// The nodes of a block whose outputs its backward pass reads, directly or to compute another of them, in
/// order; the block's own output is kept anyway.
pub(super) fn recomputed(network: &Network, block: &Range<usize>) -> Vec<usize> {
    let inner = block.start..block.end - 1;
    let mut wanted = vec![false; block.len()];
    for index in block.clone().rev() {
        let node = &network.nodes[index];
        let again = inner.contains(&index) && wanted[index - block.start];
        let keeps_inputs = matches!(
            node.op,
            Op::Conv { .. }
                | Op::Depthwise { .. }
                | Op::BatchNorm { .. }
                | Op::Activation { .. }
                | Op::SqueezeExcite { .. }
                | Op::MaxPool { .. }
        );
        for input in node.inputs.iter().filter(|input| inner.contains(&input.0)) {
            wanted[input.0 - block.start] |= again || keeps_inputs;
        }
        // These read their own output.
        let own = match &node.op {
            Op::Add { activation, .. } => *activation != Activation::None,
            Op::MaxPool { .. } => true,
            _ => false,
        };
        if own && !again && inner.contains(&index) {
            wanted[index - block.start] = true;
            for input in node.inputs.iter().filter(|input| inner.contains(&input.0)) {
                wanted[input.0 - block.start] = true;
            }
        }
    }
    inner.filter(|index| wanted[index - block.start]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{BnConstants, NetworkBuilder, NodeId, Padding};
    use crate::kernels::activation::Activation::{None as Linear, Relu};

    /// A stem, a residual block with a projected shortcut, one without, and the head.
    fn network(after: Activation) -> Network {
        let bn = BnConstants { eps: 1e-5, momentum: 0.1 };
        let (mut net, input) = NetworkBuilder::new(16, 1, bn);
        let layer = |net: &mut NetworkBuilder, name: &str, x: NodeId, activation| {
            let x = net.conv(name, x, 8, 3, 1, Padding::Same);
            net.batch_norm(&format!("{name}.bn"), x, activation)
        };
        let stem = layer(&mut net, "stem", input, Relu);
        let branch = layer(&mut net, "branch", stem, Linear);
        let shortcut = layer(&mut net, "shortcut", stem, Linear);
        let x = net.add(shortcut, branch, after, 0.0);
        let inner = layer(&mut net, "inner", x, Relu);
        let branch = layer(&mut net, "outer", inner, Linear);
        let x = net.add(x, branch, after, 0.0);
        net.classify("head", x, 10, 0.0)
    }

    #[test]
    fn blocks_end_where_one_tensor_crosses() {
        let network = network(Linear);
        // Input; stem 1-2; branch 3-4 and shortcut 5-6 with the sum 7; inner 8-9, outer 10-11, sum 12; head
        // 13-14.
        assert_eq!(blocks(&network), [1..8, 8..13, 13..15]);
    }

    #[test]
    fn only_a_sum_with_an_activation_asks_for_more_than_convolutions_do() {
        let plain = network(Linear);
        // BN needs what the convolutions made, convolutions what BN made; the sum needs neither of its
        // inputs.
        assert_eq!(recomputed(&plain, &(1..8)), [1, 2, 3, 5]);
        assert_eq!(recomputed(&plain, &(8..13)), [8, 9, 10]);
        let active = network(Relu);
        // A block's own output is kept, so its activation costs nothing.
        assert_eq!(recomputed(&active, &(8..13)), [8, 9, 10]);
        // Two blocks as one: the inner sum is computed again, and so are its inputs.
        assert_eq!(recomputed(&active, &(1..13)), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    }
}
