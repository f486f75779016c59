//! Global average pooling and max pooling, forward and backward.

use super::fusion::{EPILOGUE_NONE, Fusion, PROLOGUE_NONE, Role, Slices, segment_ends, with_fusion};
use super::{
    GROUP, ImageShape, MAX_SEGMENTS, Permutation, STORED, combinations, image_grid, lanes, permuted, quads,
    stored, with_lanes,
};
use crate::gpu::{Cost, Kernel, Launch, View, linear_grid, params};

params! {
    /// The numbers of `shaders/image_sum.wgsl`.
    struct SumParams {
        /// Rows of one image.
        rows: u32,
        /// vec4s of a row.
        quads: u32,
        /// Multiplies the sum.
        scale: f32,
        ; padding: u32,
        /// Where each batch norm segment ends, in images.
        segment_ends: [u32; MAX_SEGMENTS],
    }
}

params! {
    /// The numbers of `shaders/image_scale.wgsl`.
    struct ScaleParams {
        /// Rows of one image.
        rows: u32,
        /// vec4s of a row.
        quads: u32,
        /// 1 / rows.
        scale: f32,
        /// Rows a thread takes.
        block_rows: u32,
        /// Row blocks of one image.
        blocks: u32,
        ; padding: [u32; 3],
        /// Where each batch norm segment ends, in images.
        segment_ends: [u32; MAX_SEGMENTS],
    }
}

params! {
    /// The numbers of `shaders/lib/max_pool.wgsl`.
    struct MaxPoolParams {
        /// Output (forward) or input (backward) positions of all images, times `quads`.
        count: u32,
        /// vec4s of a position.
        quads: u32,
        /// Lines of an image of the input.
        height: u32,
        /// Columns of an image of the input.
        width: u32,
        /// Lines of an image of the output.
        out_height: u32,
        /// Columns of an image of the output.
        out_width: u32,
        /// Lines and columns of the window.
        kernel: u32,
        /// Lines and columns of the input between neighbouring outputs.
        stride: u32,
        /// Lines and columns of padding on each side.
        pad: u32,
    }
}

/// Rows a thread of `image_scale` takes: with an epilogue many, so that its tallies are few.
fn block_rows(shape: &ImageShape, epilogue: bool) -> usize {
    if !epilogue {
        return 4;
    }
    (shape.images * shape.rows_per_image).div_ceil(2048).max(32).min(shape.rows_per_image)
}

/// Slices that the epilogue of `image_scale` writes for each segment of images.
pub fn slices(shape: &ImageShape, segments: &[usize]) -> Slices {
    let blocks = shape.rows_per_image.div_ceil(block_rows(shape, true));
    Slices(segments.iter().map(|images| (images * blocks) as u32).collect())
}

/// Sum over the rows of each image; see `shaders/image_sum.wgsl`. x may have a prologue; `other` multiplies
/// every element; `out` is f32.
pub(super) fn image_sum(
    shape: &ImageShape,
    x: View,
    other: Option<View>,
    out: View,
    scale: f32,
    accumulate: bool,
    fusion: &Fusion<'_>,
) -> Launch {
    let columns = shape.images as u64 * u64::from(quads(shape.channels));
    let [lane_count, workgroup] = lanes(shape.rows_per_image, columns);
    let mut constants = vec![("PRODUCT", u32::from(other.is_some())), ("ACCUMULATE", u32::from(accumulate))];
    let activations: Vec<View> = [x].into_iter().chain(other).collect();
    let element = stored(&activations);
    constants.extend([lane_count, workgroup, element.constant()]);
    let per_group = workgroup.1 / lane_count.1;
    let tensors = 1 + u64::from(other.is_some());
    let mut kernel = Kernel::new("image_sum", &constants);
    let mut views: Vec<View> = [x, out].into_iter().chain(other).collect();
    fusion.apply(&mut kernel, &mut views);
    let params = SumParams {
        rows: shape.rows_per_image as u32,
        quads: quads(shape.channels),
        scale,
        padding: 0,
        segment_ends: segment_ends(&fusion.images(shape.images)),
    };
    let cost = Cost {
        flops: shape.elements() * tensors,
        bytes: shape.elements() * element.bytes() * tensors + shape.vector_bytes(),
    };
    let grid = [quads(shape.channels).div_ceil(per_group), shape.images as u32, 1];
    Launch::new(kernel, views, params, grid, cost)
}

/// Forms of `shaders/image_scale.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScaleForm {
    /// `y = x * g`; views y, g, x. x may have a prologue.
    Product = 0,
    /// `y = x * g + pooled / rows`; views y, g, x, pooled.
    ProductPlusPooled = 1,
    /// `y = g / rows`; views y, g.
    Spread = 2,
}

/// Every element of an image with a vector of that image; the vectors are f32. y may have an epilogue.
pub(super) fn image_scale(
    shape: &ImageShape,
    form: ScaleForm,
    mut views: Vec<View>,
    accumulate: bool,
    fusion: &Fusion<'_>,
) -> Launch {
    let element = match form {
        ScaleForm::Spread => views[0].element,
        ScaleForm::Product | ScaleForm::ProductPlusPooled => stored(&[views[0], views[2]]),
    };
    let constants = [("FORM", form as u32), ("ACCUMULATE", u32::from(accumulate)), element.constant()];
    let mut kernel = Kernel::new("image_scale", &constants);
    fusion.apply(&mut kernel, &mut views);
    let rows = shape.rows_per_image;
    let quads = quads(shape.channels);
    let block_rows = block_rows(shape, fusion.epilogue.tallies());
    let blocks = rows.div_ceil(block_rows) as u32;
    let params = ScaleParams {
        rows: rows as u32,
        quads,
        scale: 1.0 / rows as f32,
        block_rows: block_rows as u32,
        blocks,
        padding: [0; 3],
        segment_ends: segment_ends(&fusion.images(shape.images)),
    };
    let passes = if form == ScaleForm::Spread { 1 + u64::from(accumulate) } else { 2 };
    let extra = fusion.extra_tensors(0, shape.elements());
    let cost = Cost {
        flops: shape.elements(),
        bytes: (shape.elements() * passes + extra) * element.bytes() + shape.vector_bytes(),
    };
    Launch::new(kernel, views, params, image_grid(u64::from(blocks) * u64::from(quads), shape.images), cost)
}

/// Mean over the rows of each image: [images, rows, C] to [images, C]. x may have a prologue.
pub fn global_average(shape: &ImageShape, x: View, y: View, fusion: &Fusion<'_>) -> Launch {
    image_sum(shape, x, None, y, 1.0 / shape.rows_per_image as f32, false, fusion)
}

/// `dx` (written, or added to) `= dy / rows`. dx may have an epilogue.
pub fn global_average_backward(
    shape: &ImageShape,
    dy: View,
    dx: View,
    accumulate: bool,
    fusion: &Fusion<'_>,
) -> Launch {
    image_scale(shape, ScaleForm::Spread, vec![dx, dy], accumulate, fusion)
}

/// Max pooling with a square window and symmetric padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxPoolShape {
    /// Images of the batch.
    pub images: usize,
    /// Lines of an image of x.
    pub height: usize,
    /// Columns of an image of x.
    pub width: usize,
    /// Padded: a multiple of 4.
    pub channels: usize,
    /// Lines and columns of the window.
    pub kernel: usize,
    /// Lines and columns of x between neighbouring windows.
    pub stride: usize,
    /// At most kernel / 2, as in PyTorch, so that no window lies in the padding alone.
    pub pad: usize,
}

impl MaxPoolShape {
    /// Lines of an image of y.
    pub fn out_height(&self) -> usize {
        (self.height + 2 * self.pad - self.kernel) / self.stride + 1
    }

    /// Columns of an image of y.
    pub fn out_width(&self) -> usize {
        (self.width + 2 * self.pad - self.kernel) / self.stride + 1
    }

    fn in_elements(&self) -> usize {
        self.images * self.height * self.width * self.channels
    }

    fn out_elements(&self) -> usize {
        self.images * self.out_height() * self.out_width() * self.channels
    }

    /// `struct Params` of `shaders/lib/max_pool.wgsl` and a thread for each `vec4` of `elements` floats.
    fn launch(
        &self,
        mut kernel: Kernel,
        views: Vec<View>,
        elements: usize,
        passes: (usize, usize),
    ) -> Launch {
        let element = stored(&views);
        kernel.constants.set(element.constant());
        assert!(self.pad * 2 <= self.kernel && self.stride > 0, "max pool {self:?}");
        let count = quads(elements);
        let params = MaxPoolParams {
            count,
            quads: quads(self.channels),
            height: self.height as u32,
            width: self.width as u32,
            out_height: self.out_height() as u32,
            out_width: self.out_width() as u32,
            kernel: self.kernel as u32,
            stride: self.stride as u32,
            pad: self.pad as u32,
        };
        let bytes = (passes.0 * self.in_elements() + passes.1 * self.out_elements()) as u64 * element.bytes();
        let flops = (self.out_elements() * self.kernel * self.kernel) as u64;
        Launch::new(kernel, views, params, linear_grid(u64::from(count), GROUP), Cost { flops, bytes })
    }
}

/// y `[images, out_height, out_width, channels]`, the maximum over each window of x `[images, height, width,
/// channels]`; padding never wins.
pub fn max_pool(shape: &MaxPoolShape, x: View, y: View) -> Launch {
    shape.launch(Kernel::new("max_pool_forward", &[]), vec![x, y], shape.out_elements(), (1, 1))
}

/// `dx` `[images, height, width, channels]` (written, or added to): each window's gradient goes to its first
/// maximum in scan order.
pub fn max_pool_backward(
    shape: &MaxPoolShape,
    x: View,
    y: View,
    dy: View,
    dx: View,
    accumulate: bool,
) -> Launch {
    let kernel = Kernel::new("max_pool_backward", &[("ACCUMULATE", u32::from(accumulate))]);
    shape.launch(kernel, vec![x, y, dy, dx], shape.in_elements(), (2 + usize::from(accumulate), 2))
}

/// Every kernel of this file with every combination of its constants that is launched.
pub fn permutations() -> Vec<Permutation> {
    const SWITCH: &[u32] = &[0, 1];
    let sums = with_lanes(combinations("image_sum", &[("ACCUMULATE", SWITCH), STORED]));
    let with_product = |value| {
        let with = move |mut kernel: Kernel| {
            kernel.constants.set(("PRODUCT", value));
            kernel
        };
        sums.iter().cloned().map(with).collect()
    };
    let forward = Role::Forward { gate: false };
    // Vectors are stored as they are.
    let read = |kernels, views| {
        let all = with_fusion::<SumParams>(kernels, views, forward);
        all.into_iter().filter(|p| p.kernel.constants.has(("EPILOGUE", EPILOGUE_NONE))).collect::<Vec<_>>()
    };
    let scaled = |form: ScaleForm, add, views, role| {
        let kernels = combinations("image_scale", &[("FORM", &[form as u32]), ("ACCUMULATE", add), STORED]);
        with_fusion::<ScaleParams>(kernels, views, role)
    };
    // A product is forward and has no tallies; what goes backward is read as it is stored.
    let product = scaled(ScaleForm::Product, &[0], 3, forward);
    let product = product.into_iter().filter(|p| !p.kernel.constants.is_set("TALLIES")).collect();
    let backward = |form, add, views| {
        let all = scaled(form, add, views, Role::DataGradient);
        let plain = |p: &Permutation| p.kernel.constants.has(("PROLOGUE", PROLOGUE_NONE));
        all.into_iter().filter(plain).collect::<Vec<_>>()
    };
    let pool_backward = combinations("max_pool_backward", &[("ACCUMULATE", SWITCH), STORED]);
    [
        read(with_product(0), 2),
        read(with_product(1), 3),
        product,
        backward(ScaleForm::ProductPlusPooled, &[0], 4),
        backward(ScaleForm::Spread, SWITCH, 2),
        permuted::<MaxPoolParams>(combinations("max_pool_forward", &[STORED]), |_| 2),
        permuted::<MaxPoolParams>(pool_backward, |_| 4),
    ]
    .concat()
}
