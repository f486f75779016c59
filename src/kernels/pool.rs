//! Global average pooling and max pooling, forward and backward.

use super::fusion::{Fusion, Role, Slices, segment_ends, with_fusion};
use super::{GROUP, ImageShape, STORED, combinations, image_grid, lanes, quads, stored, with_lanes};
use crate::gpu::{Cost, Kernel, Launch, View, linear_grid};

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

/// Sum over the rows of each image; see `shaders/image_sum.wgsl`. x may have a prologue; `other` multiplies every
/// element; `out` is f32.
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
    let mut params = vec![shape.rows_per_image as u32, quads(shape.channels), scale.to_bits(), 0];
    params.extend(segment_ends(&fusion.images(shape.images)));
    Launch {
        kernel,
        views,
        params,
        grid: [quads(shape.channels).div_ceil(per_group), shape.images as u32, 1],
        cost: Cost {
            flops: shape.elements() * tensors,
            bytes: shape.elements() * element.bytes() * tensors + shape.vector_bytes(),
        },
    }
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
    let scale = (1.0 / rows as f32).to_bits();
    let mut params = vec![rows as u32, quads, scale, block_rows as u32, blocks, 0, 0, 0];
    params.extend(segment_ends(&fusion.images(shape.images)));
    let passes = if form == ScaleForm::Spread { 1 + u64::from(accumulate) } else { 2 };
    let extra = fusion.extra_tensors(0, shape.elements());
    Launch {
        kernel,
        views,
        params,
        grid: image_grid(u64::from(blocks) * u64::from(quads), shape.images),
        cost: Cost {
            flops: shape.elements(),
            bytes: (shape.elements() * passes + extra) * element.bytes() + shape.vector_bytes(),
        },
    }
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
    pub images: usize,
    pub height: usize,
    pub width: usize,
    /// Padded: a multiple of 4.
    pub channels: usize,
    pub kernel: usize,
    pub stride: usize,
    /// At most kernel / 2, as in PyTorch, so that no window lies in the padding alone.
    pub pad: usize,
}

impl MaxPoolShape {
    pub fn out_height(&self) -> usize {
        (self.height + 2 * self.pad - self.kernel) / self.stride + 1
    }

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
        kernel.constants.push(element.constant());
        assert!(self.pad * 2 <= self.kernel && self.stride > 0, "max pool {self:?}");
        let count = quads(elements);
        let numbers = [
            self.height,
            self.width,
            self.out_height(),
            self.out_width(),
            self.kernel,
            self.stride,
            self.pad,
        ];
        let params = [count, quads(self.channels)].into_iter().chain(numbers.map(|n| n as u32)).collect();
        let bytes = (passes.0 * self.in_elements() + passes.1 * self.out_elements()) as u64 * element.bytes();
        let flops = (self.out_elements() * self.kernel * self.kernel) as u64;
        Launch {
            kernel,
            views,
            params,
            grid: linear_grid(u64::from(count), GROUP),
            cost: Cost { flops, bytes },
        }
    }
}

pub fn max_pool(shape: &MaxPoolShape, x: View, y: View) -> Launch {
    shape.launch(Kernel::new("max_pool_forward", &[]), vec![x, y], shape.out_elements(), (1, 1))
}

/// `dx` (written, or added to): each window's gradient goes to its first maximum in scan order.
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
pub fn permutations() -> Vec<Kernel> {
    const SWITCH: &[u32] = &[0, 1];
    let scale = |form: &'static [u32], add| {
        combinations("image_scale", &[("FORM", form), ("ACCUMULATE", add), STORED])
    };
    let without = |name| move |k: &Kernel| k.constants.contains(&(name, 0));
    let sums = with_lanes(combinations("image_sum", &[("ACCUMULATE", SWITCH), STORED]));
    let with_product = |value| {
        let with = move |mut kernel: Kernel| {
            kernel.constants.push(("PRODUCT", value));
            kernel
        };
        with_fusion(sums.iter().cloned().map(with).collect(), 2 + value, Role::Forward { gate: false })
    };
    [
        with_product(0).into_iter().filter(without("EPILOGUE")).collect(),
        with_product(1).into_iter().filter(without("EPILOGUE")).collect(),
        with_fusion(scale(&[0], &[0]), 3, Role::Forward { gate: false })
            .into_iter()
            .filter(without("EPILOGUE"))
            .collect(),
        with_fusion(scale(&[1], &[0]), 4, Role::DataGradient)
            .into_iter()
            .filter(without("PROLOGUE"))
            .collect(),
        with_fusion(scale(&[2], SWITCH), 2, Role::DataGradient)
            .into_iter()
            .filter(without("PROLOGUE"))
            .collect(),
        combinations("max_pool_forward", &[STORED]),
        combinations("max_pool_backward", &[("ACCUMULATE", SWITCH), STORED]),
    ]
    .concat()
}
