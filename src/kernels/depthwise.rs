//! Depthwise convolution in all three directions: one filter a channel, kernel 3 or 5, stride 1 or 2, any padding.
//! One form serves every adapter: no workgroup memory, a vec4 of channels a thread.

use super::{GROUP, combinations, quads};
use crate::gpu::{Cost, Kernel, Launch, View, linear_grid};

/// Neighbouring outputs of a thread. At stride 2 the source values of two outputs overlap less.
const COLUMNS_AT_STRIDE: [usize; 3] = [0, 4, 2];

/// Threads that the first pass of the weight gradient aims at: enough for a GPU.
const WEIGHT_THREADS: usize = 8192;

/// x `[images, in_h, in_w, channels]`, y `[images, out_h, out_w, channels]`, weights `[kernel², channels]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DepthwiseShape {
    pub images: usize,
    pub in_h: usize,
    pub in_w: usize,
    pub out_h: usize,
    pub out_w: usize,
    /// Padded: a multiple of 4.
    pub channels: usize,
    pub kernel: usize,
    pub stride: usize,
    pub pad_top: usize,
    pub pad_left: usize,
}

impl DepthwiseShape {
    fn cost(&self) -> Cost {
        let outputs = (self.images * self.out_h * self.out_w * self.channels) as u64;
        let inputs = (self.images * self.in_h * self.in_w * self.channels) as u64;
        Cost { flops: 2 * outputs * (self.kernel * self.kernel) as u64, bytes: 4 * (outputs + inputs) }
    }

    fn lines(&self) -> usize {
        self.images * self.out_h
    }

    fn lines_per_slice(&self) -> usize {
        let per_slice = quads(self.channels) as usize * self.kernel;
        let slices = (WEIGHT_THREADS / per_slice).clamp(1, self.lines());
        self.lines().div_ceil(slices)
    }

    fn slices(&self) -> usize {
        self.lines().div_ceil(self.lines_per_slice())
    }

    /// Taps times channels.
    fn weights(&self) -> usize {
        self.kernel * self.kernel * self.channels
    }
}

/// y = x ∗ w.
pub fn forward(shape: &DepthwiseShape, x: View, w: View, y: View) -> Launch {
    let sizes = [shape.in_h, shape.in_w, shape.out_h, shape.out_w];
    rows(shape, false, false, [x, w, y], sizes, [shape.pad_top, shape.pad_left])
}

/// dx (+)= dy ∗ mirrored w.
pub fn data_gradient(shape: &DepthwiseShape, dy: View, w: View, dx: View, accumulate: bool) -> Launch {
    if shape.stride == 1 {
        let sizes = [shape.out_h, shape.out_w, shape.in_h, shape.in_w];
        let pads = [shape.kernel - 1 - shape.pad_top, shape.kernel - 1 - shape.pad_left];
        return rows(shape, true, accumulate, [dy, w, dx], sizes, pads);
    }
    let threads = shape.images * shape.in_h * shape.in_w * shape.channels / 4;
    let constants = [
        ("KERNEL", shape.kernel as u32),
        ("STRIDE", shape.stride as u32),
        ("ACCUMULATE", u32::from(accumulate)),
    ];
    let numbers = [
        threads,
        shape.channels / 4,
        shape.in_h,
        shape.in_w,
        shape.out_h,
        shape.out_w,
        shape.pad_top,
        shape.pad_left,
    ];
    Launch {
        kernel: Kernel::new("depthwise_gather", &constants),
        views: vec![dy, w, dx],
        params: numbers.map(|n| n as u32).to_vec(),
        grid: linear_grid(threads as u64, GROUP),
        cost: shape.cost(),
    }
}

fn rows(
    shape: &DepthwiseShape,
    mirror: bool,
    accumulate: bool,
    views: [View; 3],
    [source_h, source_w, output_h, output_w]: [usize; 4],
    [pad_top, pad_left]: [usize; 2],
) -> Launch {
    let stride = if mirror { 1 } else { shape.stride };
    let columns = COLUMNS_AT_STRIDE[stride];
    let groups = output_w.div_ceil(columns);
    let threads = shape.images * output_h * groups * shape.channels / 4;
    let constants = [
        ("KERNEL", shape.kernel as u32),
        ("STRIDE", stride as u32),
        ("COLUMNS", columns as u32),
        ("MIRROR", u32::from(mirror)),
        ("ACCUMULATE", u32::from(accumulate)),
    ];
    let numbers =
        [threads, shape.channels / 4, groups, source_h, source_w, output_h, output_w, pad_top, pad_left];
    Launch {
        kernel: Kernel::new("depthwise_rows", &constants),
        views: views.to_vec(),
        params: numbers.map(|n| n as u32).to_vec(),
        grid: linear_grid(threads as u64, GROUP),
        cost: shape.cost(),
    }
}

/// Floats of the partial sums that [`weight_gradient`] needs.
pub fn weight_gradient_partials(shape: &DepthwiseShape) -> u64 {
    (shape.slices() * shape.weights()) as u64
}

/// dw += Σ x · dy over all positions, in two passes of fixed order.
pub fn weight_gradient(shape: &DepthwiseShape, x: View, dy: View, partials: View, dw: View) -> Vec<Launch> {
    let slices = shape.slices();
    let threads = slices * shape.kernel * shape.channels / 4;
    let numbers = [
        threads,
        shape.channels / 4,
        shape.in_h,
        shape.in_w,
        shape.out_h,
        shape.out_w,
        shape.pad_top,
        shape.pad_left,
        shape.lines(),
        shape.lines_per_slice(),
    ];
    let constants = [("KERNEL", shape.kernel as u32), ("STRIDE", shape.stride as u32)];
    vec![
        Launch {
            kernel: Kernel::new("depthwise_weights", &constants),
            views: vec![x, dy, partials],
            params: numbers.map(|n| n as u32).to_vec(),
            grid: linear_grid(threads as u64, GROUP),
            cost: shape.cost(),
        },
        super::sum_slices(partials, dw, shape.weights(), slices),
    ]
}

/// Every kernel of this file with every combination of its constants.
pub fn permutations() -> Vec<Kernel> {
    const KERNELS: (&str, &[u32]) = ("KERNEL", &[3, 5]);
    const SWITCH: &[u32] = &[0, 1];
    [
        combinations(
            "depthwise_rows",
            &[KERNELS, ("STRIDE", &[1]), ("COLUMNS", &[4]), ("MIRROR", SWITCH), ("ACCUMULATE", SWITCH)],
        ),
        combinations(
            "depthwise_rows",
            &[KERNELS, ("STRIDE", &[2]), ("COLUMNS", &[2]), ("MIRROR", &[0]), ("ACCUMULATE", &[0])],
        ),
        combinations("depthwise_gather", &[KERNELS, ("STRIDE", &[2]), ("ACCUMULATE", SWITCH)]),
        combinations("depthwise_weights", &[KERNELS, ("STRIDE", &[1, 2])]),
    ]
    .concat()
}
