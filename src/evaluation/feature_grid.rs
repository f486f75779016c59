//! Where the cells of the feature map lie on the image. TensorFlow's SAME padding puts its odd row and column
//! at the bottom and right, so each strided layer moves the map up and left by half a pixel of its input: 16
//! pixels in all for an EfficientNet, half a cell. Symmetric padding moves it the other way. Maps that are
//! laid over an image must undo this.

use crate::graph::{Network, Node, NodeId, Op, Padding};

/// The same in both directions: inputs are square.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FeatureGrid {
    /// Centre of the first cell on the image, pixels; the first pixel's centre is 0.
    pub first: f32,
    /// Pixels between two cells.
    pub stride: f32,
    /// Cells along one side.
    pub cells: usize,
}

impl FeatureGrid {
    /// The grid of the features that class activation maps are made of.
    pub fn of(network: &Network) -> Self {
        let mut grid = Self { first: 0.0, stride: 1.0, cells: network.node(network.features).shape.height };
        let mut path = Vec::new();
        let mut at = network.features;
        // Both inputs of a sum lie on the same grid; the branch is the one with the convolutions.
        while let Some(&before) = network.node(at).inputs.last() {
            path.push(at);
            at = before;
        }
        for id in path.into_iter().rev() {
            grid.enter(network, id);
        }
        grid
    }

    fn enter(&mut self, network: &Network, id: NodeId) {
        let node: &Node = network.node(id);
        let (kernel, stride, padding) = match node.op {
            Op::Conv { kernel, stride, padding, .. } | Op::Depthwise { kernel, stride, padding, .. } => {
                (kernel, stride, padding)
            }
            Op::MaxPool { kernel, stride } => (kernel, stride, Padding::Symmetric),
            _ => return,
        };
        let input = network.node(node.inputs[0]).shape.height;
        let (_, before) = padding.along(input, kernel, stride);
        self.first += self.stride * ((kernel - 1) as f32 / 2.0 - before as f32);
        self.stride *= stride as f32;
    }

    /// A map `[cells, cells]` at the image's size `[size, size]`, bilinear between the cells' true centres;
    /// pixels outside the outermost centres take the border.
    pub fn resize(&self, map: &[f32], size: usize) -> Vec<f32> {
        let from = self.cells;
        if map.len() != from * from || from == 0 {
            return vec![0.0; size * size];
        }
        let last = (from - 1) as f32;
        let weights: Vec<(usize, usize, f32)> = (0..size)
            .map(|pixel| {
                let source = ((pixel as f32 - self.first) / self.stride).clamp(0.0, last);
                let low = source as usize;
                (low, (low + 1).min(from - 1), source - low as f32)
            })
            .collect();
        super::cam::blend(map, from, &weights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{ModelOptions, build};

    #[test]
    fn same_padding_shifts_by_half_a_cell_and_symmetric_padding_the_other_way() {
        // Each of the five strided layers looks from input 2i to 2i + 2, so its centre is 2i + 1: 1 + 2 + 4 +
        // 8 + 16.
        let network = build("tf_efficientnet_b0", &ModelOptions::plain(10, 224)).unwrap();
        assert_eq!(FeatureGrid::of(&network), FeatureGrid { first: 31.0, stride: 32.0, cells: 7 });
        // 7×7 and 3×3 kernels of stride 2 with (k − 1) / 2 on each side: centres at 2i.
        let network = build("resnet18", &ModelOptions::plain(10, 224)).unwrap();
        assert_eq!(FeatureGrid::of(&network), FeatureGrid { first: 0.0, stride: 32.0, cells: 7 });
    }

    #[test]
    fn a_centred_grid_resizes_as_pytorch_does() {
        let grid = FeatureGrid { first: 0.5, stride: 2.0, cells: 2 };
        let map = [0.0, 1.0, 2.0, 3.0];
        assert_eq!(grid.resize(&map, 4), super::super::cam::resize_bilinear(&map, 2, 4));
        let shifted = FeatureGrid { first: 1.0, ..grid };
        assert_eq!(shifted.resize(&map, 4)[..4], [0.0, 0.0, 0.5, 1.0]);
    }
}
