//! Which dense convolution a launch computes, as plain data that timed trials of its variants read. How a
//! convolution becomes launches is the business of `kernels::conv`.

/// The sizes of a dense convolution: x `[images, in_h, in_w, in_c]`, y `[images, out_h, out_w, out_c]`,
/// weights `[kernel²][in_c][out_c]`. The padding at the bottom and right follows from the sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// Images of the batch.
    pub images: usize,
    /// Lines of an image of x.
    pub in_h: usize,
    /// Columns of an image of x.
    pub in_w: usize,
    /// Channels of x, padded to a multiple of 4 as `out_c` is.
    pub in_c: usize,
    /// Lines of an image of y.
    pub out_h: usize,
    /// Columns of an image of y.
    pub out_w: usize,
    /// Channels of y, padded to a multiple of 4.
    pub out_c: usize,
    /// Lines and columns of the filter.
    pub kernel: usize,
    /// Lines and columns of x between neighbouring outputs.
    pub stride: usize,
    /// Lines of zeros above x.
    pub pad_top: usize,
    /// Columns of zeros to the left of x.
    pub pad_left: usize,
}

/// The three computations of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// y from x and the weights.
    Forward,
    /// The gradient of x from that of y and the weights.
    DataGradient,
    /// The gradient of the weights from x and the gradient of y.
    WeightGradient,
}

/// One convolution in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvCase {
    /// Which of the three computations it is.
    pub direction: Direction,
    /// The sizes.
    pub shape: ConvShape,
}
