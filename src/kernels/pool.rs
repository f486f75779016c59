//! Global average pooling and max pooling, forward and backward.

use super::{GROUP, ImageShape, STORED, combinations, image_grid, lanes, quads, stored, with_lanes};
use crate::gpu::{Cost, Kernel, Launch, View, linear_grid};

/// Rows a thread of `image_scale` takes.
const ROWS_PER_THREAD: u32 = 4;

/// Sum over the rows of each image; see `shaders/image_sum.wgsl`. `other` multiplies every element; `out` is f32.
pub(super) fn image_sum(
    shape: &ImageShape,
    x: View,
    other: Option<View>,
    out: View,
    scale: f32,
    accumulate: bool,
) -> Launch {
    let columns = shape.images as u64 * u64::from(quads(shape.channels));
    let [lane_count, workgroup] = lanes(shape.rows_per_image, columns);
    let mut constants = vec![("PRODUCT", u32::from(other.is_some())), ("ACCUMULATE", u32::from(accumulate))];
    let activations: Vec<View> = [x].into_iter().chain(other).collect();
    let element = stored(&activations);
    constants.extend([lane_count, workgroup, element.constant()]);
    let per_group = workgroup.1 / lane_count.1;
    let tensors = 1 + u64::from(other.is_some());
    Launch {
        kernel: Kernel::new("image_sum", &constants),
        views: [x, out].into_iter().chain(other).collect(),
        params: vec![shape.rows_per_image as u32, quads(shape.channels), scale.to_bits()],
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
    /// `y = x * g`; views y, g, x.
    Product = 0,
    /// `y = x * g + pooled / rows`; views y, g, x, pooled.
    ProductPlusPooled = 1,
    /// `y = g / rows`; views y, g.
    Spread = 2,
}

/// Every element of an image with a vector of that image; the vectors are f32.
pub(super) fn image_scale(shape: &ImageShape, form: ScaleForm, views: Vec<View>, accumulate: bool) -> Launch {
    let element = match form {
        ScaleForm::Spread => views[0].element,
        ScaleForm::Product | ScaleForm::ProductPlusPooled => stored(&[views[0], views[2]]),
    };
    let constants = [
        ("FORM", form as u32),
        ("ACCUMULATE", u32::from(accumulate)),
        ("ROWS", ROWS_PER_THREAD),
        element.constant(),
    ];
    let rows = shape.rows_per_image as u32;
    let quads = quads(shape.channels);
    let threads = u64::from(rows.div_ceil(ROWS_PER_THREAD)) * u64::from(quads);
    let passes = if form == ScaleForm::Spread { 1 + u64::from(accumulate) } else { 2 };
    Launch {
        kernel: Kernel::new("image_scale", &constants),
        views,
        params: vec![rows, quads, (1.0 / rows as f32).to_bits()],
        grid: image_grid(threads, shape.images),
        cost: Cost {
            flops: shape.elements(),
            bytes: shape.elements() * element.bytes() * passes + shape.vector_bytes(),
        },
    }
}

/// Mean over the rows of each image: [images, rows, C] to [images, C].
pub fn global_average(shape: &ImageShape, x: View, y: View) -> Launch {
    image_sum(shape, x, None, y, 1.0 / shape.rows_per_image as f32, false)
}

/// `dx` (written, or added to) `= dy / rows`.
pub fn global_average_backward(shape: &ImageShape, dy: View, dx: View, accumulate: bool) -> Launch {
    image_scale(shape, ScaleForm::Spread, vec![dx, dy], accumulate)
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
    let rows: (&str, &[u32]) = ("ROWS", &[ROWS_PER_THREAD]);
    [
        with_lanes(combinations("image_sum", &[("PRODUCT", SWITCH), ("ACCUMULATE", SWITCH), STORED])),
        combinations("image_scale", &[("FORM", &[0, 1]), ("ACCUMULATE", &[0]), rows, STORED]),
        combinations("image_scale", &[("FORM", &[2]), ("ACCUMULATE", SWITCH), rows, STORED]),
        combinations("max_pool_forward", &[STORED]),
        combinations("max_pool_backward", &[("ACCUMULATE", SWITCH), STORED]),
    ]
    .concat()
}
