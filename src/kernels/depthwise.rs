//! Depthwise convolution in all three directions: one filter a channel, kernel 3 or 5, stride 1 or 2, any
//! padding. No workgroup memory, a vec4 of channels a thread; adapters differ in how many outputs a thread
//! makes.

use super::fusion::{Epilogue, Fusion, Prologue, Role, Slices, segment_ends, with_fusion};
use super::{GROUP, MAX_SEGMENTS, Permutation, quads, stored};
use crate::gpu::{Caps, Cost, Element, Form, Kernel, Launch, View, linear_grid, params};

/// Rows and columns of the blocks of outputs that a thread of a GPU makes, all multiples of the strides.
/// Larger blocks share more loads, but have to be held in registers with the weights, so that 5×5 takes fewer
/// columns. Images of two pixels take small blocks.
const BLOCKS: [[usize; 2]; 3] = [[4, 4], [4, 2], [2, 2]];

/// Columns of the blocks of a software adapter. Eight would be up to a third faster on wide images, slower on
/// narrow ones, and take twice as long to compile.
const ROW_COLUMNS: usize = 4;

/// Fewest rows of a strip of a software adapter, a multiple of the strides.
const STRIP_ROWS: usize = 4;

/// `phases`: rows that have different taps, which the shader of software adapters makes together.
fn block(form: Form, kernel: usize, output_h: usize, phases: usize) -> [usize; 2] {
    match (form, kernel) {
        (Form::Subgroups, _) => [phases, ROW_COLUMNS],
        (Form::Tiles, _) if output_h <= 2 => BLOCKS[2],
        (Form::Tiles, 5) => BLOCKS[1],
        (Form::Tiles, _) => BLOCKS[0],
    }
}

/// Rows of outputs with different taps: a data gradient has as many as the stride.
fn phases(stride: usize, gradient: bool) -> usize {
    if gradient { stride } else { 1 }
}

/// Threads that the kernels aim at: enough to keep a large GPU busy, or the cores of a software adapter.
fn enough_threads(form: Form) -> usize {
    match form {
        Form::Tiles => 65_536,
        Form::Subgroups => 512,
    }
}

/// Threads of the first pass of the weight gradient, whose partial sums are taken once for each.
fn enough_weight_threads(form: Form) -> usize {
    enough_threads(form) / 8
}

/// Fewest outputs of a slice: below, writing and summing the slices costs more than it brings.
const SLICE_PIXELS: usize = 64;

/// x `[images, in_h, in_w, channels]`, y `[images, out_h, out_w, channels]`, weights `[kernel², channels]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DepthwiseShape {
    /// Images of the batch.
    pub images: usize,
    /// Lines of an image of x.
    pub in_h: usize,
    /// Columns of an image of x.
    pub in_w: usize,
    /// Lines of an image of y.
    pub out_h: usize,
    /// Columns of an image of y.
    pub out_w: usize,
    /// Padded: a multiple of 4.
    pub channels: usize,
    /// Lines and columns of the filter: 3 or 5.
    pub kernel: usize,
    /// Lines and columns of x between neighbouring outputs: 1 or 2.
    pub stride: usize,
    /// Lines of zeros above x.
    pub pad_top: usize,
    /// Columns of zeros to the left of x.
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

    /// Taps times channels.
    fn weights(&self) -> usize {
        self.kernel * self.kernel * self.channels
    }
}

params! {
    /// The numbers of `shaders/depthwise_gather.wgsl` and of `depthwise_rows.wgsl`. Output and source are y
    /// and x, or x and y in the data gradient.
    struct GatherParams {
        /// Threads that have work.
        threads: u32,
        /// vec4s of a pixel.
        quads: u32,
        /// Strips of an image, one above the other.
        strips: u32,
        /// Blocks of an image, side by side.
        blocks_w: u32,
        /// Lines of an image of the source.
        source_h: u32,
        /// Columns of an image of the source.
        source_w: u32,
        /// Lines of an image of the output.
        output_h: u32,
        /// Columns of an image of the output.
        output_w: u32,
        /// Line of the output where the first block begins; negative where the data gradient moves it to the
        /// phase.
        first_y: i32,
        /// Column of the output where the first block begins.
        first_x: i32,
        /// Line of the source where the first block begins.
        source_y: i32,
        /// Column of the source where the first block begins.
        source_x: i32,
        /// 1: add to what is there instead of overwriting it.
        accumulate: u32,
        /// Blocks of an image, one above the other.
        blocks_h: u32,
        /// Blocks of a strip, one above the other.
        strip_blocks: u32,
        ; padding: u32,
        /// Where each batch norm segment ends, in images.
        segment_ends: [u32; MAX_SEGMENTS],
    }
}

params! {
    /// The numbers of `shaders/depthwise_weights.wgsl`.
    struct WeightsParams {
        /// Threads that have work.
        threads: u32,
        /// vec4s of a pixel.
        quads: u32,
        /// Lines of an image of x.
        in_h: u32,
        /// Columns of an image of x.
        in_w: u32,
        /// Lines of an image of dy.
        out_h: u32,
        /// Columns of an image of dy.
        out_w: u32,
        /// Lines of zeros above x.
        pad_top: i32,
        /// Columns of zeros to the left of x.
        pad_left: i32,
        /// Bands of lines of all images.
        bands: u32,
        /// Bands of one image.
        bands_per_image: u32,
        /// Bands of a slice.
        bands_per_slice: u32,
        ; padding: u32,
        /// Where each batch norm segment ends, in images.
        segment_ends: [u32; MAX_SEGMENTS],
    }
}

/// How the weight gradient is cut: a thread sums `tap_rows` rows of taps, over `lines` lines of dy at a time.
#[derive(Clone, Copy)]
struct WeightCut {
    lines: usize,
    tap_rows: usize,
}

/// Of [`WeightCut`]: what each adapter's registers, or a software adapter's cost of a load, ask for.
const WEIGHT_CUTS: [WeightCut; 4] = [
    WeightCut { lines: 1, tap_rows: 1 },
    WeightCut { lines: 1, tap_rows: 3 },
    WeightCut { lines: 4, tap_rows: 3 },
    WeightCut { lines: 4, tap_rows: 5 },
];

impl WeightCut {
    fn choose(form: Form, kernel: usize) -> Self {
        WEIGHT_CUTS[match (form, kernel) {
            (Form::Tiles, 3) => 1,
            // All rows of 5×5 would fill 200 registers.
            (Form::Tiles, _) => 0,
            (Form::Subgroups, 3) => 2,
            (Form::Subgroups, _) => 3,
        }]
    }
}

/// y = x ∗ w.
pub fn forward(
    caps: &Caps,
    shape: &DepthwiseShape,
    x: View,
    w: View,
    y: View,
    fusion: &Fusion<'_>,
) -> Launch {
    Gather::new(caps, shape, false).launch([x, w, y], false, fusion)
}

/// dx = dy ∗ mirrored w, or dx += with `accumulate`.
pub fn data_gradient(
    caps: &Caps,
    shape: &DepthwiseShape,
    dy: View,
    w: View,
    dx: View,
    accumulate: bool,
    fusion: &Fusion<'_>,
) -> Launch {
    Gather::new(caps, shape, true).launch([dy, w, dx], accumulate, fusion)
}

/// Slices that the epilogue of [`forward`], or of [`data_gradient`], writes for each segment of images.
pub fn slices(caps: &Caps, shape: &DepthwiseShape, gradient: bool, segments: &[usize]) -> Slices {
    let gather = Gather::new(caps, shape, gradient);
    Slices(segments.iter().map(|images| (images * gather.strips * gather.blocks[1]) as u32).collect())
}

/// The forward pass or the data gradient as blocks of outputs.
struct Gather<'a> {
    shape: &'a DepthwiseShape,
    form: Form,
    gradient: bool,
    block: [usize; 2],
    /// First output and source pixel of the first block, by axis.
    first: [usize; 2],
    from: [i32; 2],
    /// Blocks of an image, by axis.
    blocks: [usize; 2],
    /// Blocks of a strip, and strips above each other.
    strip_blocks: usize,
    strips: usize,
}

impl<'a> Gather<'a> {
    fn new(caps: &Caps, shape: &'a DepthwiseShape, gradient: bool) -> Self {
        let output = if gradient { [shape.in_h, shape.in_w] } else { [shape.out_h, shape.out_w] };
        let pads = [shape.pad_top, shape.pad_left];
        let stride = shape.stride;
        let block = block(caps.form, shape.kernel, output[0], phases(stride, gradient));
        let (first, from) = if gradient {
            let low = (shape.kernel - 1) / stride;
            (pads.map(|p| p % stride), pads.map(|p| (p / stride) as i32 - low as i32))
        } else {
            ([0, 0], pads.map(|p| -(p as i32)))
        };
        let blocks = [0, 1].map(|axis| (output[axis] + first[axis]).div_ceil(block[axis]));
        let beside = shape.images * blocks[1] * shape.channels / 4;
        // Blocks that are not cut apart. A strip leaves a slice of statistics, so that a pass of few images
        // has the bits of one of many as long as the strips of both are single units.
        let unit = match caps.form {
            Form::Tiles => 1,
            Form::Subgroups => STRIP_ROWS / block[0],
        };
        let units = blocks[0].div_ceil(unit);
        let wanted = enough_threads(caps.form).div_ceil(beside).min(units);
        let strip_blocks = units.div_ceil(wanted) * unit;
        let strips = blocks[0].div_ceil(strip_blocks);
        Self { shape, form: caps.form, gradient, block, first, from, blocks, strip_blocks, strips }
    }

    fn launch(&self, views: [View; 3], accumulate: bool, fusion: &Fusion<'_>) -> Launch {
        let shape = self.shape;
        let (x, y) = ([shape.in_h, shape.in_w], [shape.out_h, shape.out_w]);
        let (source, output) = if self.gradient { (y, x) } else { (x, y) };
        let threads = shape.images * self.strips * self.blocks[1] * shape.channels / 4;
        let params = GatherParams {
            threads: threads as u32,
            quads: quads(shape.channels),
            strips: self.strips as u32,
            blocks_w: self.blocks[1] as u32,
            source_h: source[0] as u32,
            source_w: source[1] as u32,
            output_h: output[0] as u32,
            output_w: output[1] as u32,
            first_y: -(self.first[0] as i32),
            first_x: -(self.first[1] as i32),
            source_y: self.from[0],
            source_x: self.from[1],
            accumulate: u32::from(accumulate),
            blocks_h: self.blocks[0] as u32,
            strip_blocks: self.strip_blocks as u32,
            padding: 0,
            segment_ends: segment_ends(&fusion.images(shape.images)),
        };
        let element = stored(&[views[0], views[2]]);
        let size = [shape.kernel, shape.stride];
        let mut kernel = gather_kernel(self.form, size, self.gradient, self.block, element);
        let mut views = views.to_vec();
        fusion.apply(&mut kernel, &mut views);
        let mut cost = shape.cost(element);
        let [source, output] = [source, output].map(|[h, w]| (shape.images * h * w * shape.channels) as u64);
        cost.bytes += fusion.extra_tensors(source, output) * element.bytes();
        Launch::new(kernel, views, params, linear_grid(threads as u64, GROUP), cost)
    }
}

/// The block's extent in the source, and how far neighbouring blocks lie apart there, follow from its size.
fn gather_kernel(
    form: Form,
    [kernel, stride]: [usize; 2],
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
    let constants = constants.map(|(name, value)| (name, value as u32));
    let mut gather = match form {
        Form::Tiles => Kernel::new("depthwise_gather", &constants),
        Form::Subgroups => Kernel::new("depthwise_rows", &constants),
    };
    if form == Form::Subgroups {
        // Blocks that a source row belongs to.
        gather.constants.set(("PENDING", ((kernel - 1) / stride + 1) as u32));
    }
    gather.constants.set(element.constant());
    gather
}

/// The weight gradient in bands of lines.
struct Bands<'a> {
    shape: &'a DepthwiseShape,
    cut: WeightCut,
    per_image: usize,
    per_slice: usize,
    slices: usize,
}

impl<'a> Bands<'a> {
    fn new(caps: &Caps, shape: &'a DepthwiseShape) -> Self {
        let cut = WeightCut::choose(caps.form, shape.kernel);
        let per_image = shape.out_h.div_ceil(cut.lines);
        let bands = shape.images * per_image;
        let threads = quads(shape.channels) as usize * (shape.kernel / cut.tap_rows);
        let wanted = enough_weight_threads(caps.form).div_ceil(threads).min(bands);
        let least = SLICE_PIXELS.div_ceil(shape.out_w * cut.lines);
        let per_slice = bands.div_ceil(wanted).max(least).min(bands);
        Self { shape, cut, per_image, per_slice, slices: bands.div_ceil(per_slice) }
    }

    fn launches(&self, [x, dy, partials, dw]: [View; 4], fusion: &Fusion<'_>) -> Vec<Launch> {
        let shape = self.shape;
        let threads = self.slices * (shape.kernel / self.cut.tap_rows) * shape.channels / 4;
        let params = WeightsParams {
            threads: threads as u32,
            quads: quads(shape.channels),
            in_h: shape.in_h as u32,
            in_w: shape.in_w as u32,
            out_h: shape.out_h as u32,
            out_w: shape.out_w as u32,
            pad_top: shape.pad_top as i32,
            pad_left: shape.pad_left as i32,
            bands: (shape.images * self.per_image) as u32,
            bands_per_image: self.per_image as u32,
            bands_per_slice: self.per_slice as u32,
            padding: 0,
            segment_ends: segment_ends(&fusion.images(shape.images)),
        };
        let element = stored(&[x, dy]);
        let mut kernel = weights_kernel(shape.kernel, shape.stride, self.cut, element);
        let mut views = vec![x, dy, partials];
        fusion.apply(&mut kernel, &mut views);
        let grid = linear_grid(threads as u64, GROUP);
        let sums = Launch::new(kernel, views, params, grid, shape.cost(element));
        vec![sums, super::sum_slices(partials, dw, shape.weights(), self.slices)]
    }
}

/// Floats of the partial sums that [`weight_gradient`] needs.
pub fn weight_gradient_partials(caps: &Caps, shape: &DepthwiseShape) -> u64 {
    (Bands::new(caps, shape).slices * shape.weights()) as u64
}

/// dw += Σ x · dy over all positions, in two passes of fixed order. x and dy may have a prologue.
pub fn weight_gradient(
    caps: &Caps,
    shape: &DepthwiseShape,
    x: View,
    dy: View,
    partials: View,
    dw: View,
    fusion: &Fusion<'_>,
) -> Vec<Launch> {
    debug_assert!(fusion.epilogue == Epilogue::None, "weights have no batch norm");
    debug_assert!(!matches!(fusion.prologue, Prologue::NormGradient(_)), "x is no gradient");
    Bands::new(caps, shape).launches([x, dy, partials, dw], fusion)
}

fn weights_kernel(kernel: usize, stride: usize, cut: WeightCut, element: Element) -> Kernel {
    let constants =
        [("KERNEL", kernel), ("STRIDE", stride), ("TAP_ROWS", cut.tap_rows), ("LINES", cut.lines)];
    let mut kernel = Kernel::new("depthwise_weights", &constants.map(|(name, value)| (name, value as u32)));
    kernel.constants.set(element.constant());
    kernel
}

/// Every kernel of this file with every combination of its constants.
pub fn permutations() -> Vec<Permutation> {
    let mut all = Vec::new();
    for (kernel, stride) in [(3, 1), (3, 2), (5, 1), (5, 2)] {
        for element in [Element::F32, Element::F16] {
            for gradient in [false, true] {
                let with = |form, block| gather_kernel(form, [kernel, stride], gradient, block, element);
                let mut gathers = BLOCKS.map(|block| with(Form::Tiles, block)).to_vec();
                gathers.push(with(Form::Subgroups, [phases(stride, gradient), ROW_COLUMNS]));
                let role = if gradient { Role::DataGradient } else { Role::Forward { gate: false } };
                all.extend(with_fusion::<GatherParams>(gathers, 3, role));
            }
            let cuts = WEIGHT_CUTS.iter().filter(|cut| kernel % cut.tap_rows == 0);
            let weights = cuts.map(|cut| weights_kernel(kernel, stride, *cut, element)).collect();
            all.extend(with_fusion::<WeightsParams>(weights, 3, Role::WeightGradient { gate: false }));
        }
    }
    all
}
