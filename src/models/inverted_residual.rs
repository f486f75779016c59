//! The inverted residual block (Sandler et al. 2018) of EfficientNets and MobileNets, under timm's names.

use crate::graph::{NetworkBuilder, NodeId, Padding};
use crate::kernels::activation::Activation;

/// One block: expand, depthwise, squeeze and excite, project, and the shortcut where the shape stays.
pub(super) struct InvertedResidual {
    /// timm's name, such as `blocks.1.0`.
    pub name: String,
    /// Side of the depthwise kernel.
    pub kernel: usize,
    /// Stride of the depthwise convolution.
    pub stride: usize,
    /// Channels of the depthwise convolution; `None` where the block does not expand what comes in.
    pub expanded: Option<usize>,
    /// Channels that leave the block.
    pub out: usize,
    /// The activation behind the first two convolutions.
    pub activation: Activation,
    /// Squeeze-and-excitation behind the depthwise convolution, where the block has it.
    pub excitation: Option<GateShape>,
    pub padding: Padding,
    /// Drop rate of the block's branch.
    pub drop_rate: f32,
}

/// The squeeze-and-excitation of a block.
pub(super) struct GateShape {
    /// Channels between the two dense layers.
    pub inner: usize,
    /// The activation behind the first layer.
    pub hidden: Activation,
    /// The activation behind the second layer.
    pub gate: Activation,
}

impl InvertedResidual {
    /// Appends the block behind `input`.
    pub(super) fn build(&self, net: &mut NetworkBuilder, input: NodeId) -> NodeId {
        let Self { name, padding, .. } = self;
        // timm numbers the BN layers in order of appearance.
        let (mut x, mut bn) = (input, 1);
        if let Some(channels) = self.expanded {
            x = net.conv(&format!("{name}.conv_pw"), x, channels, 1, 1, *padding);
            x = net.batch_norm(&format!("{name}.bn{bn}"), x, self.activation);
            bn += 1;
        }
        x = net.depthwise(&format!("{name}.conv_dw"), x, self.kernel, self.stride, *padding);
        x = net.batch_norm(&format!("{name}.bn{bn}"), x, self.activation);
        if let Some(GateShape { inner, hidden, gate }) = self.excitation {
            x = net.squeeze_excite(&format!("{name}.se"), x, inner, hidden, gate);
        }
        // The block without expansion calls its projection `conv_pw`.
        let project = if self.expanded.is_some() { "conv_pwl" } else { "conv_pw" };
        x = net.conv(&format!("{name}.{project}"), x, self.out, 1, 1, *padding);
        x = net.batch_norm(&format!("{name}.bn{}", bn + 1), x, Activation::None);
        let skips = self.stride == 1 && net.shape(input).channels == self.out;
        if skips { net.add(input, x, Activation::None, self.drop_rate) } else { x }
    }
}
