//! Depthwise convolution in all three directions: one filter a channel, kernel 3 or 5, stride 1 or 2, any padding.
//! One form serves every adapter: no workgroup memory, a vec4 of channels a thread.

use super::{GROUP, quads, stored};
use crate::gpu::{Cost, Element, Kernel, Launch, View, linear_grid};

/// Rows and columns of the blocks of outputs that a thread makes, all multiples of the strides. Larger blocks share
/// more loads, which is what a software adapter spends its time on, but a GPU has to hold them and the weights in
/// registers: 5×5 takes fewer columns. Images of two pixels take small blocks.
const BLOCKS: [(usize, [[usize; 2]; 2]); 2] = [(3, [[4, 4], [2, 2]]), (5, [[4, 2], [2, 2]])];

fn block(kernel: usize, output_h: usize) -> [usize; 2] {
    let (_, [large, small]) = BLOCKS[usize::from(kernel == 5)];
    if output_h > small[0] { large } else { small }
}

/// Threads that the first pass of the weight gradient aims at: enough for a GPU.
const WEIGHT_THREADS: usize = 8192;

/// Fewest outputs of a slice: below, writing and summing the slices costs more than it brings.
const SLICE_PIXELS: usize = 64;

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
    fn cost(&self, element: Element) -> Cost {
        let outputs = (self.images * self.out_h * self.out_w * self.channels) as u64;
        let inputs = (self.images * self.in_h * self.in_w * self.channels) as u64;
        Cost {
            flops: 2 * outputs * (self.kernel * self.kernel) as u64,
            bytes: element.bytes() * (outputs + inputs),
        }
    }

    fn lines(&self) -> usize {
        self.images * self.out_h
    }

    fn lines_per_slice(&self) -> usize {
        let per_slice = quads(self.channels) as usize * (self.kernel / tap_rows(self.kernel));
        let slices = WEIGHT_THREADS.div_ceil(per_slice).min(self.lines());
        self.lines().div_ceil(slices).max(SLICE_PIXELS.div_ceil(self.out_w)).min(self.lines())
    }

    fn slices(&self) -> usize {
        self.lines().div_ceil(self.lines_per_slice())
    }

    /// Taps times channels.
    fn weights(&self) -> usize {
        self.kernel * self.kernel * self.channels
    }
}

/// Rows of taps that a thread of the weight gradient sums: all of 3×3, but those of 5×5 would fill 200 registers.
fn tap_rows(kernel: usize) -> usize {
    if kernel == 3 { 3 } else { 1 }
}

/// y = x ∗ w.
pub fn forward(shape: &DepthwiseShape, x: View, w: View, y: View) -> Launch {
    gather(shape, false, false, [x, w, y])
}

/// dx = dy ∗ mirrored w, or dx += with `accumulate`.
pub fn data_gradient(shape: &DepthwiseShape, dy: View, w: View, dx: View, accumulate: bool) -> Launch {
    gather(shape, true, accumulate, [dy, w, dx])
}

fn gather(shape: &DepthwiseShape, gradient: bool, accumulate: bool, views: [View; 3]) -> Launch {
    let (x, y) = ([shape.in_h, shape.in_w], [shape.out_h, shape.out_w]);
    let (source, output) = if gradient { (y, x) } else { (x, y) };
    let pads = [shape.pad_top, shape.pad_left];
    let block = block(shape.kernel, output[0]);
    let stride = shape.stride;
    // First output and source pixel of the first block, by axis.
    let (first, from) = if gradient {
        let low = (shape.kernel - 1) / stride;
        (pads.map(|p| p % stride), pads.map(|p| (p / stride) as i32 - low as i32))
    } else {
        ([0, 0], pads.map(|p| -(p as i32)))
    };
    let blocks = [0, 1].map(|axis| (output[axis] + first[axis]).div_ceil(block[axis]));
    let threads = shape.images * blocks[0] * blocks[1] * shape.channels / 4;
    let mut params =
        [threads, shape.channels / 4, blocks[0], blocks[1], source[0], source[1], output[0], output[1]]
            .map(|n| n as u32)
            .to_vec();
    params.extend(first.map(|f| (f as u32).wrapping_neg()));
    params.extend(from.map(i32::cast_unsigned));
    params.push(u32::from(accumulate));
    let element = stored(&[views[0], views[2]]);
    Launch {
        kernel: gather_kernel(shape.kernel, stride, gradient, block, element),
        views: views.to_vec(),
        params,
        grid: linear_grid(threads as u64, GROUP),
        cost: shape.cost(element),
    }
}

/// The block's extent in the source, and how far neighbouring blocks lie apart there, follow from its size.
fn gather_kernel(
    kernel: usize,
    stride: usize,
    gradient: bool,
    block: [usize; 2],
    element: Element,
) -> Kernel {
    let extent = block.map(|n| {
        if gradient { (kernel - 1) / stride + (n - 1) / stride + 1 } else { (n - 1) * stride + kernel }
    });
    let step = block.map(|n| if gradient { n / stride } else { n * stride });
    let constants = [
        ("KERNEL", kernel),
        ("STRIDE", stride),
        ("GRADIENT", usize::from(gradient)),
        ("ROWS", block[0]),
        ("COLUMNS", block[1]),
        ("SOURCE_ROWS", extent[0]),
        ("SOURCE_COLUMNS", extent[1]),
        ("SOURCE_ROW_STEP", step[0]),
        ("SOURCE_COLUMN_STEP", step[1]),
    ];
    let mut kernel = Kernel::new("depthwise_gather", &constants.map(|(name, value)| (name, value as u32)));
    kernel.constants.push(element.constant());
    kernel
}

/// Floats of the partial sums that [`weight_gradient`] needs.
pub fn weight_gradient_partials(shape: &DepthwiseShape) -> u64 {
    (shape.slices() * shape.weights()) as u64
}

/// dw += Σ x · dy over all positions, in two passes of fixed order.
pub fn weight_gradient(shape: &DepthwiseShape, x: View, dy: View, partials: View, dw: View) -> Vec<Launch> {
    let slices = shape.slices();
    let element = stored(&[x, dy]);
    let tap_rows = tap_rows(shape.kernel);
    let threads = slices * shape.kernel / tap_rows * shape.channels / 4;
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
    vec![
        Launch {
            kernel: weights_kernel(shape.kernel, shape.stride, element),
            views: vec![x, dy, partials],
            params: numbers.map(|n| n as u32).to_vec(),
            grid: linear_grid(threads as u64, GROUP),
            cost: shape.cost(element),
        },
        super::sum_slices(partials, dw, shape.weights(), slices),
    ]
}

fn weights_kernel(kernel: usize, stride: usize, element: Element) -> Kernel {
    let constants = [("KERNEL", kernel), ("STRIDE", stride), ("TAP_ROWS", tap_rows(kernel))];
    let mut kernel = Kernel::new("depthwise_weights", &constants.map(|(name, value)| (name, value as u32)));
    kernel.constants.push(element.constant());
    kernel
}

/// Every kernel of this file with every combination of its constants.
pub fn permutations() -> Vec<Kernel> {
    let mut all = Vec::new();
    for (kernel, blocks) in BLOCKS {
        for (stride, element) in [1, 2].into_iter().flat_map(|s| [(s, Element::F32), (s, Element::F16)]) {
            for block in blocks {
                all.extend(
                    [false, true].map(|gradient| gather_kernel(kernel, stride, gradient, block, element)),
                );
            }
            all.push(weights_kernel(kernel, stride, element));
        }
    }
    all
}
