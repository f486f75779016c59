//! Dense convolution as an implicit matrix product, in all three directions, without an im2col buffer. A dense layer
//! is a 1×1 convolution on images of one pixel.
//!
//! Rows of the product are pixels, its reduction runs over (tap, channel). The data gradient is the forward
//! computation with the roles of x and y exchanged; the weight gradient reduces over pixels and is cut into slices of
//! them, summed by a second pass in fixed order. Weights, biases and their gradients are f32. Two families of shaders compute the same: see [`crate::gpu::Form`].

use super::conv_variants::{self, Variant};
use super::stored;
use crate::gpu::{Caps, Cost, Element, Kernel, Launch, View, linear_grid};

/// x `[images, in_h, in_w, in_c]`, y `[images, out_h, out_w, out_c]`, weights `[kernel²][in_c][out_c]`; the padding at
/// the bottom and right follows from the sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    pub images: usize,
    pub in_h: usize,
    pub in_w: usize,
    /// Padded: a multiple of 4, as `out_c`.
    pub in_c: usize,
    pub out_h: usize,
    pub out_w: usize,
    pub out_c: usize,
    pub kernel: usize,
    pub stride: usize,
    pub pad_top: usize,
    pub pad_left: usize,
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
    fn pointwise(&self) -> bool {
        self.kernel == 1
            && self.stride == 1
            && (self.pad_top, self.pad_left) == (0, 0)
            && (self.in_h, self.in_w) == (self.out_h, self.out_w)
    }

    fn in_pixels(&self) -> usize {
        self.images * self.in_h * self.in_w
    }

    fn out_pixels(&self) -> usize {
        self.images * self.out_h * self.out_w
    }

    /// Taps times input channels.
    fn inputs(&self) -> usize {
        self.kernel * self.kernel * self.in_c
    }

    /// Floats of the weights.
    fn weights(&self) -> usize {
        self.inputs() * self.out_c
    }

    /// Into how many slices of rows a weight gradient may be cut.
    fn most_slices(&self) -> usize {
        self.out_pixels().div_ceil(SLICE_ROWS).clamp(1, MAX_SLICES)
    }

    fn weight_rule(&self, caps: &Caps) -> Variant {
        Variant::weight(caps.form, self.pointwise(), self.inputs(), self.out_c, self.most_slices())
    }

    fn cost(&self, element: Element) -> Cost {
        let activations = (self.in_pixels() * self.in_c + self.out_pixels() * self.out_c) as u64;
        let weights = self.weights() as u64;
        Cost {
            flops: 2 * self.out_pixels() as u64 * weights,
            bytes: activations * element.bytes() + weights * 4,
        }
    }

    /// `struct Params` of `shaders/lib/conv_rows.wgsl`.
    fn params(&self, gradient: bool, accumulate: bool, slice_rows: usize) -> Vec<u32> {
        let x = [self.in_h, self.in_w, self.in_c / 4];
        let y = [self.out_h, self.out_w, self.out_c / 4];
        let (output, source) = if gradient { (x, y) } else { (y, x) };
        let rest =
            [self.kernel, self.stride, self.pad_top, self.pad_left, usize::from(accumulate), slice_rows];
        [self.images].iter().chain(&output).chain(&source).chain(&rest).map(|n| *n as u32).collect()
    }
}

/// y = x ∗ w, plus `bias` `[out_c]` where there is one.
pub fn forward(caps: &Caps, shape: &ConvShape, x: View, w: View, bias: Option<View>, y: View) -> Launch {
    let product = Product::forward(shape);
    product.launch(product.rule(caps), [x, w, y].into_iter().chain(bias).collect(), false)
}

/// dx = dy ∗ wᵀ, or dx += with `accumulate`.
pub fn data_gradient(
    caps: &Caps,
    shape: &ConvShape,
    dy: View,
    w: View,
    dx: View,
    accumulate: bool,
) -> Launch {
    let product = Product::data_gradient(shape);
    product.launch(product.rule(caps), vec![dy, w, dx], accumulate)
}

/// [`forward`] cut in every way that the rule may choose, for tests and timed trials.
pub fn forward_variants(
    caps: &Caps,
    shape: &ConvShape,
    x: View,
    w: View,
    bias: Option<View>,
    y: View,
) -> Vec<Launch> {
    let views: Vec<View> = [x, w, y].into_iter().chain(bias).collect();
    let launch = |v| Product::forward(shape).launch(v, views.clone(), false);
    Variant::products(caps.form).into_iter().map(launch).collect()
}

/// [`data_gradient`] cut in every way that the rule may choose, for tests and timed trials.
pub fn data_gradient_variants(
    caps: &Caps,
    shape: &ConvShape,
    dy: View,
    w: View,
    dx: View,
    accumulate: bool,
) -> Vec<Launch> {
    let launch = |v| Product::data_gradient(shape).launch(v, vec![dy, w, dx], accumulate);
    Variant::products(caps.form).into_iter().map(launch).collect()
}

/// The forward pass or the data gradient as a matrix product.
struct Product<'a> {
    shape: &'a ConvShape,
    gradient: bool,
    /// Pixels of the largest phase; a strided data gradient runs in stride² of them.
    rows: usize,
    phases: usize,
    columns: usize,
}

impl<'a> Product<'a> {
    fn forward(shape: &'a ConvShape) -> Self {
        Self { shape, gradient: false, rows: shape.out_pixels(), phases: 1, columns: shape.out_c }
    }

    fn data_gradient(shape: &'a ConvShape) -> Self {
        let ConvShape { images, in_h, in_w, in_c, stride, .. } = *shape;
        let rows = images * in_h.div_ceil(stride) * in_w.div_ceil(stride);
        Self { shape, gradient: true, rows, phases: stride * stride, columns: in_c }
    }

    fn rule(&self, caps: &Caps) -> Variant {
        Variant::product(caps.form, self.rows, self.columns)
    }

    /// `views`: source, weights, output and perhaps the bias.
    fn launch(&self, variant: Variant, views: Vec<View>, accumulate: bool) -> Launch {
        let element = stored(&[views[0], views[2]]);
        let constants = [
            ("POINTWISE", u32::from(self.shape.pointwise())),
            ("GRADIENT", u32::from(self.gradient)),
            ("BIAS", u32::from(views.len() == 4)),
            element.constant(),
        ];
        let [x, y, _] = linear_grid(variant.count(self.rows, self.columns) as u64, 1);
        Launch {
            kernel: variant.kernel(&constants),
            views,
            params: self.shape.params(self.gradient, accumulate, 0),
            grid: [x, y, self.phases as u32],
            cost: self.shape.cost(element),
        }
    }
}

/// Fewest rows of a slice of the weight gradient: below, writing and summing the slices costs more than it brings.
const SLICE_ROWS: usize = 512;
/// Most slices: partial sums take so many times the weights at most.
pub const MAX_SLICES: usize = 128;

/// Floats of the partial sums that [`weight_gradient`] needs; 0 if it writes directly.
pub fn weight_gradient_partials(caps: &Caps, shape: &ConvShape) -> u64 {
    match WeightGradient::new(shape, shape.weight_rule(caps)).slices {
        1 => 0,
        slices => (slices * shape.weights()) as u64,
    }
}

/// dw += Σ x · dy over all pixels. `partials` is not used where [`weight_gradient_partials`] is 0.
pub fn weight_gradient(
    caps: &Caps,
    shape: &ConvShape,
    x: View,
    dy: View,
    partials: View,
    dw: View,
) -> Vec<Launch> {
    WeightGradient::new(shape, shape.weight_rule(caps)).launches([x, dy, partials, dw])
}

/// [`weight_gradient`] cut in every way that the rule may choose, for tests and timed trials. `partials` holds
/// [`MAX_SLICES`] times the weights.
pub fn weight_gradient_variants(
    caps: &Caps,
    shape: &ConvShape,
    x: View,
    dy: View,
    partials: View,
    dw: View,
) -> Vec<Vec<Launch>> {
    Variant::weights(caps.form, shape.pointwise())
        .into_iter()
        .map(|variant| WeightGradient::new(shape, variant).launches([x, dy, partials, dw]))
        .collect()
}

/// How a weight gradient is cut.
struct WeightGradient<'a> {
    shape: &'a ConvShape,
    variant: Variant,
    tiles: usize,
    /// A multiple of 4, so that slices start where a step starts.
    slice_rows: usize,
    slices: usize,
}

impl<'a> WeightGradient<'a> {
    fn new(shape: &'a ConvShape, variant: Variant) -> Self {
        let tiles = variant.count(shape.inputs(), shape.out_c);
        let rows = shape.out_pixels();
        let wanted = variant.enough_workgroups().div_ceil(tiles).min(shape.most_slices());
        let slice_rows = rows.div_ceil(wanted).next_multiple_of(4);
        Self { shape, variant, tiles, slice_rows, slices: rows.div_ceil(slice_rows) }
    }

    fn launches(&self, [x, dy, partials, dw]: [View; 4]) -> Vec<Launch> {
        let direct = self.slices == 1;
        let [grid_x, grid_y, _] = linear_grid(self.tiles as u64, 1);
        let element = stored(&[x, dy]);
        let constants =
            [("POINTWISE", u32::from(self.shape.pointwise())), ("GRADIENT", 0), element.constant()];
        let mut launches = vec![Launch {
            kernel: self.variant.kernel(&constants),
            views: vec![x, dy, if direct { dw } else { partials }],
            params: self.shape.params(false, direct, self.slice_rows),
            grid: [grid_x, grid_y, self.slices as u32],
            cost: self.shape.cost(element),
        }];
        if !direct {
            launches.push(super::sum_slices(partials, dw, self.shape.weights(), self.slices));
        }
        launches
    }
}

/// Every kernel of this file with every combination of its constants.
pub fn permutations() -> Vec<Kernel> {
    conv_variants::permutations()
}
