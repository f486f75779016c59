//! The end of a residual block: shortcut plus branch, drop-path, activation; and its backward pass.

use super::activation::{Activation, SlopeFrom};
use super::fusion::segment_ends;
use super::{
    ImageShape, MAX_SEGMENTS, Permutation, STORED, combinations, image_grid, permuted, quads, stored,
};
use crate::gpu::{Constants, Cost, Kernel, Launch, View, params};

params! {
    /// The numbers of `shaders/lib/drop_path.wgsl`.
    struct DropPathParams {
        /// vec4s of one image.
        quads_per_image: u32,
        /// Number of the first image within the micro-batch.
        image_offset: u32,
        /// Names this draw among all of a step.
        stream: u32,
        /// Chance that an image's branch stays.
        keep: f32,
        /// 1 / keep.
        inverse_keep: f32,
        /// vec4s of a row.
        quads: u32,
        ; padding: [u32; 2],
        /// Where each batch norm segment ends, in images.
        segment_ends: [u32; MAX_SEGMENTS],
    }
}

/// Both inputs and the output are [images, rows_per_image, channels].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ResidualShape {
    /// Positions of one image.
    pub rows_per_image: usize,
    /// Images of the batch.
    pub images: usize,
    /// Padded: a multiple of 4.
    pub channels: usize,
    /// Chance that an image's branch is left out, in [0, 1); 0 draws no random numbers.
    pub drop_rate: f32,
    /// Names this draw among all of a step.
    pub stream: u32,
    /// Number of the first image within the micro-batch, for a batch that is run in parts.
    pub image_offset: u32,
}

impl ResidualShape {
    fn image_shape(&self) -> ImageShape {
        ImageShape { images: self.images, rows_per_image: self.rows_per_image, channels: self.channels }
    }

    /// `struct Params` of `shaders/lib/drop_path.wgsl`.
    fn params(&self, segments: &[usize]) -> DropPathParams {
        assert!((0.0..1.0).contains(&self.drop_rate), "drop rate {}", self.drop_rate);
        let keep = 1.0 - self.drop_rate;
        DropPathParams {
            quads_per_image: self.image_shape().quads_per_image() as u32,
            image_offset: self.image_offset,
            stream: self.stream,
            keep,
            inverse_keep: 1.0 / keep,
            quads: quads(self.channels),
            padding: [0; 2],
            segment_ends: segment_ends(segments),
        }
    }

    fn drop_constant(&self) -> (&'static str, u32) {
        ("DROP", u32::from(self.drop_rate > 0.0))
    }

    fn launch(&self, mut kernel: Kernel, views: Vec<View>, segments: &[usize], passes: u64) -> Launch {
        let shape = self.image_shape();
        let element = stored(&views[..3]);
        kernel.constants.set(element.constant());
        let cost = Cost { flops: shape.elements() * 2, bytes: shape.elements() * element.bytes() * passes };
        let grid = image_grid(shape.quads_per_image(), shape.images);
        Launch::new(kernel, views, self.params(segments), grid, cost)
    }
}

/// A batch norm without an activation, applied to the branch as it is read: its state and the images of its
/// segments.
#[derive(Clone, Copy, Debug)]
pub struct BranchNorm<'a> {
    /// `[segment][mean C | rstd C | scale C | shift C]` of [`super::batch_norm`].
    pub state: View,
    /// Images of each segment, in order.
    pub segments: &'a [usize],
}

/// `y = act(shortcut + mask[image] * branch)`; the mask is 0 or 1 / (1 - drop_rate).
pub fn forward(
    shape: &ResidualShape,
    activation: Activation,
    shortcut: View,
    branch: View,
    norm: Option<BranchNorm<'_>>,
    y: View,
) -> Launch {
    let constants = [activation.constant(), shape.drop_constant(), ("NORM", u32::from(norm.is_some()))];
    let kernel = Kernel::new("residual_forward", &constants);
    let mut views = vec![shortcut, branch, y];
    views.extend(norm.map(|n| n.state));
    shape.launch(kernel, views, norm.map_or(&[shape.images], |n| n.segments), 3)
}

/// `g = dy * act'`, `d_branch = mask * g`, `d_shortcut` (written, or added to) `= g`. An activation needs the
/// output `y`.
///
/// # Panics
/// For an activation whose slope is not computed from its output, such as SiLU, and for an activation without
/// `y`.
pub fn backward(
    shape: &ResidualShape,
    activation: Activation,
    y: Option<View>,
    dy: View,
    d_branch: View,
    d_shortcut: View,
    accumulate_shortcut: bool,
) -> Launch {
    let mut views = vec![dy, d_branch, d_shortcut];
    assert_eq!(activation.slope_from(), SlopeFrom::Output, "{activation:?} behind a sum");
    if activation != Activation::None {
        views.push(y.expect("an activation's backward pass needs the output"));
    }
    let constants =
        [activation.constant(), shape.drop_constant(), ("ACCUMULATE", u32::from(accumulate_shortcut))];
    let passes = views.len() as u64 + u64::from(accumulate_shortcut);
    shape.launch(Kernel::new("residual_backward", &constants), views, &[shape.images], passes)
}

/// Every kernel of this file with every combination of its constants.
pub fn permutations() -> Vec<Permutation> {
    const SHARED: [(&str, &[u32]); 3] =
        [("ACTIVATION", &[Activation::None as u32, Activation::Relu as u32]), ("DROP", &[0, 1]), STORED];
    let with =
        |shader, own: &'static str| combinations(shader, &[SHARED[0], SHARED[1], SHARED[2], (own, &[0, 1])]);
    let activated = |c: &Constants| c.get("ACTIVATION") != Some(Activation::None as u32);
    [
        permuted::<DropPathParams>(with("residual_forward", "NORM"), |c| 3 + u32::from(c.is_set("NORM"))),
        permuted::<DropPathParams>(with("residual_backward", "ACCUMULATE"), |c| 3 + u32::from(activated(c))),
    ]
    .concat()
}
