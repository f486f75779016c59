//! The kernels' shapes of the nodes of a pass.

use super::forward::Forward;
use super::network::{Node, Op, Shape};
use super::pad4;
use crate::kernels::ImageShape;
use crate::kernels::batch_norm::{BnShape, Segment};
use crate::kernels::dropout::DropoutShape;
use crate::kernels::pool::MaxPoolShape;
use crate::kernels::residual::ResidualShape;

impl Forward<'_> {
    pub(super) fn bn_shape(&self, layer: usize, shape: Shape) -> BnShape {
        let rows_per_image = shape.height * shape.width;
        let mut first_row = 0;
        let segments = self
            .spec
            .segments
            .iter()
            .map(|segment| {
                let rows = (segment.images * rows_per_image) as u32;
                let made = Segment { first_row, rows, domain: segment.domain as u32 };
                first_row += rows;
                made
            })
            .collect();
        BnShape {
            channels: pad4(shape.channels),
            rows: first_row as usize,
            segments,
            domain_stride: self.network.layout.bn[layer].domain_stride as u32,
            eps: self.network.bn.eps,
            momentum: self.network.bn.momentum,
        }
    }

    pub(super) fn scale_shape(&self, shape: Shape) -> ImageShape {
        ImageShape {
            images: self.images(),
            rows_per_image: shape.height * shape.width,
            channels: pad4(shape.channels),
        }
    }

    pub(super) fn residual_shape(&self, index: usize, node: &Node) -> ResidualShape {
        let Op::Add { drop_rate, .. } = node.op else { unreachable!("called for this op") };
        ResidualShape {
            images: self.images(),
            rows_per_image: node.shape.height * node.shape.width,
            channels: pad4(node.shape.channels),
            drop_rate: if self.spec.regularize { drop_rate } else { 0.0 },
            stream: index as u32,
            image_offset: self.spec.first_image,
        }
    }

    /// `None` when nothing is dropped.
    pub(super) fn dropout_shape(&self, index: usize, node: &Node) -> Option<DropoutShape> {
        let Op::Dropout { rate } = node.op else { unreachable!("called for this op") };
        (self.spec.regularize && rate > 0.0).then(|| DropoutShape {
            images: self.images(),
            features: pad4(node.shape.channels),
            rate,
            stream: index as u32,
            image_offset: self.spec.first_image,
        })
    }

    pub(super) fn pool_shape(&self, node: &Node) -> MaxPoolShape {
        let Op::MaxPool { kernel, stride } = node.op else { unreachable!("called for this op") };
        let input = self.network.node(node.inputs[0]).shape;
        MaxPoolShape {
            images: self.images(),
            height: input.height,
            width: input.width,
            channels: pad4(input.channels),
            kernel,
            stride,
            pad: (kernel - 1) / 2,
        }
    }
}
