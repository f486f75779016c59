//! Dense convolution as an implicit matrix product, in all three directions, without an im2col buffer. A
//! dense layer is a 1×1 convolution on images of one pixel.
//!
//! Rows of the product are pixels, its reduction runs over (tap, channel). The data gradient is the forward
//! computation with the roles of x and y exchanged; the weight gradient reduces over pixels and is cut into
//! slices of them, summed by a second pass in fixed order. Weights, biases and their gradients are f32. Two
//! families of shaders compute the same: see [`crate::gpu::Form`].

use super::conv_variants::{self, Variant};
use super::fusion::{Fusion, Slices};
use super::{MAX_SEGMENTS, Permutation, stored};
pub use crate::gpu::ConvShape;
use crate::gpu::{Caps, ConvCase, Cost, Direction, Element, Launch, View, linear_grid, params};

params! {
    /// The numbers of `shaders/lib/conv_rows.wgsl`. Output and source are y and x, or x and y in the data
    /// gradient.
    pub(super) struct ConvParams {
        /// Images of the batch.
        images: u32,
        /// Lines of an image of the output.
        output_h: u32,
        /// Columns of an image of the output.
        output_w: u32,
        /// vec4s of a pixel of the output.
        output4: u32,
        /// Lines of an image of the source.
        source_h: u32,
        /// Columns of an image of the source.
        source_w: u32,
        /// vec4s of a pixel of the source.
        source4: u32,
        /// Lines and columns of the filter.
        kernel: u32,
        /// Lines and columns of x between neighbouring outputs.
        stride: u32,
        /// Lines of zeros above x.
        pad_top: u32,
        /// Columns of zeros to the left of x.
        pad_left: u32,
        /// 1: add to what is there instead of overwriting it.
        accumulate: u32,
        /// Rows of a strip.
        strip_rows: u32,
        /// Strips of a phase.
        strips: u32,
        /// Pixels of an image in the largest phase.
        phase_area: u32,
        ; padding: u32,
        /// Images of each batch norm segment.
        segment_images: [u32; MAX_SEGMENTS],
    }
}

impl ConvShape {
    /// A dense layer on `rows` vectors.
    pub fn dense(rows: usize, in_c: usize, out_c: usize) -> Self {
        Self {
            images: rows,
            in_h: 1,
            in_w: 1,
            in_c,
            out_h: 1,
            out_w: 1,
            out_c,
            kernel: 1,
            stride: 1,
            pad_top: 0,
            pad_left: 0,
        }
    }

    /// Whether pixel i of y is made of pixel i of x alone.
    pub(super) fn pointwise(&self) -> bool {
        self.kernel == 1
            && self.stride == 1
            && (self.pad_top, self.pad_left) == (0, 0)
            && (self.in_h, self.in_w) == (self.out_h, self.out_w)
    }

    pub(super) fn in_pixels(&self) -> usize {
        self.images * self.in_h * self.in_w
    }

    pub(super) fn out_pixels(&self) -> usize {
        self.images * self.out_h * self.out_w
    }

    /// Taps times input channels.
    pub(super) fn inputs(&self) -> usize {
        self.kernel * self.kernel * self.in_c
    }

    /// Floats of the weights.
    pub(super) fn weights(&self) -> usize {
        self.inputs() * self.out_c
    }

    /// Into how many slices of rows a weight gradient may be cut.
    pub(super) fn most_slices(&self) -> usize {
        self.out_pixels().div_ceil(SLICE_ROWS).clamp(1, MAX_SLICES)
    }

    fn weight_variant(&self, caps: &Caps) -> Variant {
        ConvCase { direction: Direction::WeightGradient, shape: *self }.variant(caps)
    }

    fn cost(&self, element: Element) -> Cost {
        let activations = (self.in_pixels() * self.in_c + self.out_pixels() * self.out_c) as u64;
        let weights = self.weights() as u64;
        Cost {
            flops: 2 * self.out_pixels() as u64 * weights,
            bytes: activations * element.bytes() + weights * 4,
        }
    }

    fn params(&self, gradient: bool, accumulate: bool, strips: &Strips) -> ConvParams {
        let x = [self.in_h, self.in_w, self.in_c / 4];
        let y = [self.out_h, self.out_w, self.out_c / 4];
        let (output, source) = if gradient { (x, y) } else { (y, x) };
        let [output_h, output_w, output4] = output.map(|n| n as u32);
        let [source_h, source_w, source4] = source.map(|n| n as u32);
        let mut segment_images = [0; MAX_SEGMENTS];
        for (place, images) in segment_images.iter_mut().zip(&strips.images) {
            *place = *images as u32;
        }
        ConvParams {
            images: self.images as u32,
            output_h,
            output_w,
            output4,
            source_h,
            source_w,
            source4,
            kernel: self.kernel as u32,
            stride: self.stride as u32,
            pad_top: self.pad_top as u32,
            pad_left: self.pad_left as u32,
            accumulate: u32::from(accumulate),
            strip_rows: strips.rows as u32,
            strips: strips.count() as u32,
            phase_area: strips.phase_area as u32,
            padding: 0,
            segment_images,
        }
    }
}

/// How rows of pixels are cut into strips that do not cross the end of a batch norm segment.
struct Strips {
    /// Images of each segment.
    images: Vec<usize>,
    /// Pixels of an image.
    phase_area: usize,
    /// Of a strip.
    rows: usize,
}

impl Strips {
    fn of_segments(&self) -> impl Iterator<Item = usize> {
        self.images.iter().map(|images| (images * self.phase_area).div_ceil(self.rows))
    }

    fn count(&self) -> usize {
        self.of_segments().sum()
    }
}

/// y = x ∗ w, plus `bias` `[out_c]` where there is one.
pub fn forward(
    caps: &Caps,
    shape: &ConvShape,
    x: View,
    w: View,
    bias: Option<View>,
    y: View,
    fusion: &Fusion<'_>,
) -> Launch {
    let product = Product::forward(shape);
    product.launch(product.variant(caps), [x, w, y].into_iter().chain(bias).collect(), false, fusion)
}

/// dx = dy ∗ wᵀ, or dx += with `accumulate`.
pub fn data_gradient(
    caps: &Caps,
    shape: &ConvShape,
    dy: View,
    w: View,
    dx: View,
    accumulate: bool,
    fusion: &Fusion<'_>,
) -> Launch {
    let product = Product::data_gradient(shape);
    product.launch(product.variant(caps), vec![dy, w, dx], accumulate, fusion)
}

/// Slices that the epilogue of [`forward`], or of [`data_gradient`], writes for each segment of images.
pub fn slices(caps: &Caps, shape: &ConvShape, gradient: bool, segments: &[usize]) -> Slices {
    let product = if gradient { Product::data_gradient(shape) } else { Product::forward(shape) };
    product.slices(product.variant(caps), segments)
}

/// How often the chosen cut of [`forward`] reads each number of x: what its prologue would compute again.
pub fn source_reads(caps: &Caps, shape: &ConvShape) -> usize {
    let product = Product::forward(shape);
    let taps = (shape.kernel * shape.kernel).div_ceil(shape.stride * shape.stride);
    taps * product.variant(caps).column_tiles(product.columns)
}

/// How often the chosen cut of [`data_gradient`] reads each number of dy.
pub fn gradient_source_reads(caps: &Caps, shape: &ConvShape) -> usize {
    let product = Product::data_gradient(shape);
    shape.kernel * shape.kernel * product.variant(caps).column_tiles(product.columns)
}

/// How often the chosen cut of [`weight_gradient`] reads each number of x.
pub fn weight_source_reads(caps: &Caps, shape: &ConvShape) -> usize {
    let taps = (shape.kernel * shape.kernel).div_ceil(shape.stride * shape.stride);
    taps * shape.weight_variant(caps).column_tiles(shape.out_c)
}

/// How often the chosen cut of [`weight_gradient`] reads each number of dy.
pub fn weight_gradient_reads(caps: &Caps, shape: &ConvShape) -> usize {
    shape.weight_variant(caps).count(shape.inputs(), 1)
}

/// [`forward`] cut in every way that the rule or a trial may choose, for tests.
pub fn forward_variants(
    caps: &Caps,
    shape: &ConvShape,
    x: View,
    w: View,
    bias: Option<View>,
    y: View,
) -> Vec<Launch> {
    let views: Vec<View> = [x, w, y].into_iter().chain(bias).collect();
    let launch = |v| Product::forward(shape).launch(v, views.clone(), false, &Fusion::NONE);
    Variant::products(caps).into_iter().map(launch).collect()
}

/// [`data_gradient`] cut in every way that the rule or a trial may choose, for tests.
pub fn data_gradient_variants(
    caps: &Caps,
    shape: &ConvShape,
    dy: View,
    w: View,
    dx: View,
    accumulate: bool,
) -> Vec<Launch> {
    let launch = |v| Product::data_gradient(shape).launch(v, vec![dy, w, dx], accumulate, &Fusion::NONE);
    Variant::products(caps).into_iter().map(launch).collect()
}

/// The forward pass or the data gradient as a matrix product.
pub(super) struct Product<'a> {
    shape: &'a ConvShape,
    gradient: bool,
    /// Pixels of the largest phase; a strided data gradient runs in stride² of them.
    rows: usize,
    phases: usize,
    columns: usize,
}

impl<'a> Product<'a> {
    pub(super) fn forward(shape: &'a ConvShape) -> Self {
        Self { shape, gradient: false, rows: shape.out_pixels(), phases: 1, columns: shape.out_c }
    }

    pub(super) fn data_gradient(shape: &'a ConvShape) -> Self {
        let ConvShape { images, in_h, in_w, in_c, stride, .. } = *shape;
        let rows = images * in_h.div_ceil(stride) * in_w.div_ceil(stride);
        Self { shape, gradient: true, rows, phases: stride * stride, columns: in_c }
    }

    fn variant(&self, caps: &Caps) -> Variant {
        self.case().variant(caps)
    }

    fn case(&self) -> ConvCase {
        let direction = if self.gradient { Direction::DataGradient } else { Direction::Forward };
        ConvCase { direction, shape: *self.shape }
    }

    pub(super) fn ranked(&self, caps: &Caps) -> Vec<Variant> {
        Variant::ranked_products(caps, self.rows, self.columns)
    }

    /// The epilogue wants few long strips, whose tallies are then few; else a strip is one tile.
    fn strips(&self, variant: Variant, segments: Vec<usize>, epilogue: bool) -> Strips {
        let tile = variant.tile_rows();
        let beside = variant.column_tiles(self.columns) * self.phases;
        let wanted = variant.enough_strips().div_ceil(beside);
        let tiles = if epilogue { self.rows.div_ceil(tile).div_ceil(wanted) } else { 1 };
        Strips { images: segments, phase_area: self.rows / self.shape.images, rows: tile * tiles }
    }

    fn slices(&self, variant: Variant, segments: &[usize]) -> Slices {
        let strips = self.strips(variant, segments.to_vec(), true);
        let each = self.phases * variant.slices_of_strip();
        Slices(strips.of_segments().map(|count| (count * each) as u32).collect())
    }

    /// `views`: source, weights, output and perhaps the bias.
    pub(super) fn launch(
        &self,
        variant: Variant,
        mut views: Vec<View>,
        accumulate: bool,
        fusion: &Fusion<'_>,
    ) -> Launch {
        let element = stored(&[views[0], views[2]]);
        debug_assert!(
            self.shape.pointwise() || !fusion.prologue.gated(),
            "a gate needs rows of one image to stay together"
        );
        let segments = fusion.images(self.shape.images);
        let strips = self.strips(variant, segments, fusion.epilogue.tallies());
        let mut kernel = variant.kernel(element, self.shape.pointwise(), self.gradient);
        kernel.constants.set(("BIAS", u32::from(views.len() == 4)));
        fusion.apply(&mut kernel, &mut views);
        let tiles = strips.count() * variant.column_tiles(self.columns);
        let [x, y, _] = linear_grid(tiles as u64, 1);
        let mut cost = self.shape.cost(element);
        let x_elements = (self.shape.in_pixels() * self.shape.in_c) as u64;
        let y_elements = (self.shape.out_pixels() * self.shape.out_c) as u64;
        let (source, output) =
            if self.gradient { (y_elements, x_elements) } else { (x_elements, y_elements) };
        cost.bytes += fusion.extra_tensors(source, output) * element.bytes();
        let params = self.shape.params(self.gradient, accumulate, &strips);
        let launch = Launch::new(kernel, views, params, [x, y, self.phases as u32], cost);
        Launch { convolution: Some(self.case()), ..launch }
    }
}

/// Fewest rows of a slice of the weight gradient: below, writing and summing the slices costs more than it
/// brings.
const SLICE_ROWS: usize = 512;
/// Most slices: partial sums take so many times the weights at most.
pub const MAX_SLICES: usize = 128;

/// Floats of the partial sums that [`weight_gradient`] needs; 0 if it writes directly.
pub fn weight_gradient_partials(caps: &Caps, shape: &ConvShape, fusion: &Fusion<'_>) -> u64 {
    WeightGradient::new(shape, shape.weight_variant(caps), fusion.images(shape.images)).partials() as u64
}

/// dw += Σ x · dy over all pixels. x and dy may have a prologue. `partials` is not used where
/// [`weight_gradient_partials`] is 0.
pub fn weight_gradient(
    caps: &Caps,
    shape: &ConvShape,
    x: View,
    dy: View,
    partials: View,
    dw: View,
    fusion: &Fusion<'_>,
) -> Vec<Launch> {
    let segments = fusion.images(shape.images);
    WeightGradient::new(shape, shape.weight_variant(caps), segments).launches([x, dy, partials, dw], fusion)
}

/// [`weight_gradient`] cut in every way that the rule or a trial may choose, for tests. `partials` holds
/// [`MAX_SLICES`] times the weights.
pub fn weight_gradient_variants(
    caps: &Caps,
    shape: &ConvShape,
    x: View,
    dy: View,
    partials: View,
    dw: View,
) -> Vec<Vec<Launch>> {
    Variant::weights(caps, shape.pointwise())
        .into_iter()
        .map(|variant| {
            let cut = WeightGradient::new(shape, variant, vec![shape.images]);
            cut.launches([x, dy, partials, dw], &Fusion::NONE)
        })
        .collect()
}

/// How a weight gradient is cut.
pub(super) struct WeightGradient<'a> {
    shape: &'a ConvShape,
    variant: Variant,
    tiles: usize,
    /// The slices; their rows are a multiple of 4, so that slices start where a step starts.
    strips: Strips,
}

impl<'a> WeightGradient<'a> {
    pub(super) fn new(shape: &'a ConvShape, variant: Variant, segments: Vec<usize>) -> Self {
        let tiles = variant.count(shape.inputs(), shape.out_c);
        let wanted = variant.enough_workgroups().div_ceil(tiles).min(shape.most_slices());
        let rows = shape.out_pixels().div_ceil(wanted).next_multiple_of(4);
        let strips = Strips { images: segments, phase_area: shape.out_h * shape.out_w, rows };
        Self { shape, variant, tiles, strips }
    }

    /// Floats of the partial sums; 0 where there is one slice.
    pub(super) fn partials(&self) -> usize {
        match self.strips.count() {
            1 => 0,
            slices => slices * self.shape.weights(),
        }
    }

    pub(super) fn launches(&self, [x, dy, partials, dw]: [View; 4], fusion: &Fusion<'_>) -> Vec<Launch> {
        let slices = self.strips.count();
        let direct = slices == 1;
        let [grid_x, grid_y, _] = linear_grid(self.tiles as u64, 1);
        let element = stored(&[x, dy]);
        let mut kernel = self.variant.kernel(element, self.shape.pointwise(), false);
        let mut views = vec![x, dy, if direct { dw } else { partials }];
        fusion.apply(&mut kernel, &mut views);
        let params = self.shape.params(false, direct, &self.strips);
        let grid = [grid_x, grid_y, slices as u32];
        let launch = Launch::new(kernel, views, params, grid, self.shape.cost(element));
        let case = ConvCase { direction: Direction::WeightGradient, shape: *self.shape };
        let mut launches = vec![Launch { convolution: Some(case), ..launch }];
        if !direct {
            launches.push(super::sum_slices(partials, dw, self.shape.weights(), slices));
        }
        launches
    }
}

/// Every kernel of this file with every combination of its constants.
pub fn permutations() -> Vec<Permutation> {
    conv_variants::permutations()
}
