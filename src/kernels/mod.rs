//! One host-side file a kernel: shapes in, launches out. `reference` holds the plain CPU versions.
//!
//! Activations are NHWC with the channels padded by zeros to a multiple of four, so that a thread handles one
//! `vec4` of channels. They and their gradients are stored as their views say, in f32 or f16; all else is
//! f32, and so is all arithmetic. All sums run in a fixed order.

#![warn(missing_docs)]

pub mod activation;
pub mod apgd;
pub mod attack;
pub mod batch_norm;
pub mod column_sum;
pub mod conv;
pub mod conv_case;
mod conv_tiles;
mod conv_variants;
pub mod cross_entropy;
pub mod depthwise;
pub mod dlr;
pub mod dropout;
pub mod fold;
pub mod fusion;
pub mod images;
pub mod loss_scale;
pub mod optimizer;
pub mod pool;
pub mod reference;
pub mod residual;
pub mod square;
pub mod squeeze_excite;

use crate::gpu::{Constants, Cost, Element, Kernel, Launch, ParamField, Params, View, linear_grid, params};

/// Most row segments (batch-norm domains, branches) of one tensor.
pub const MAX_SEGMENTS: usize = 8;

/// Threads of a workgroup of the element-wise kernels, as their shaders declare it.
const GROUP: u64 = 64;

/// A tensor [images, rows_per_image, channels]; a row is one position of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageShape {
    /// Images of the batch.
    pub images: usize,
    /// Positions of one image.
    pub rows_per_image: usize,
    /// Padded: a multiple of 4.
    pub channels: usize,
}

impl ImageShape {
    /// `vec4`s of one image.
    fn quads_per_image(&self) -> u64 {
        self.rows_per_image as u64 * u64::from(quads(self.channels))
    }

    /// Numbers of the tensor.
    fn elements(&self) -> u64 {
        self.quads_per_image() * self.images as u64 * 4
    }

    /// Bytes of one vector of channels an image.
    fn vector_bytes(&self) -> u64 {
        (self.images * self.channels) as u64 * 4
    }
}

/// `vec4`s of a row.
fn quads(channels: usize) -> u32 {
    assert!(channels > 0 && channels.is_multiple_of(4), "{channels} channels: a multiple of 4 was expected");
    (channels / 4) as u32
}

/// How the activations of a launch are stored.
fn stored(activations: &[View]) -> Element {
    let element = activations[0].element;
    assert!(activations.iter().all(|v| v.element == element), "activations in two forms: {activations:?}");
    element
}

/// The values of the constant that [`Element::constant`] names.
const STORED: (&str, &[u32]) = (Element::CONSTANT, &[0, 1]);

/// One thread a `vec4` of `elements` floats, in a folded one-dimensional grid.
fn flat_grid(elements: usize) -> [u32; 3] {
    linear_grid(u64::from(quads(elements)), GROUP)
}

/// `threads` an image in x, images in y.
fn image_grid(threads: u64, images: usize) -> [u32; 3] {
    [threads.div_ceil(GROUP) as u32, images as u32, 1]
}

/// How many threads share one column of a sum, and how many threads a workgroup then has: more where there
/// are many rows and too few columns to fill a GPU.
fn lanes(rows: usize, columns: u64) -> [(&'static str, u32); 2] {
    let (lanes, workgroup) = if rows < 512 || columns >= 16_384 {
        LANE_CHOICES[0]
    } else if rows < 2048 || columns >= 4096 {
        LANE_CHOICES[1]
    } else {
        LANE_CHOICES[2]
    };
    [("LANES", lanes), ("WORKGROUP", workgroup)]
}

/// (lanes, threads of a workgroup) of the summing kernels; a workgroup covers threads / lanes columns.
const LANE_CHOICES: [(u32, u32); 3] = [(1, 64), (8, 64), (64, 256)];

params! {
    /// The numbers of a kernel over a range of vec4s.
    pub(crate) struct Count {
        /// vec4s of the range.
        count: u32,
    }
}

params! {
    /// The numbers of `shaders/sum_slices.wgsl`.
    struct SumSlices {
        /// vec4s of the sum.
        quads: u32,
        /// Partial sums.
        slices: u32,
    }
}

/// sum `[elements]` += the `slices` of partials, in order: the second pass of split sums.
fn sum_slices(partials: View, sum: View, elements: usize, slices: usize) -> Launch {
    let cost = Cost { flops: (slices * elements) as u64, bytes: 4 * ((slices + 2) * elements) as u64 };
    let params = SumSlices { quads: quads(elements), slices: slices as u32 };
    Launch::new(Kernel::new("sum_slices", &[]), vec![partials, sum], params, flat_grid(elements), cost)
}

/// A kernel with what a launch hands to it, for the test that holds every shader to its launches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permutation {
    /// The kernel.
    pub kernel: Kernel,
    /// The numbers of a launch, by name.
    pub fields: &'static [ParamField],
    /// The tensors of a launch.
    pub views: usize,
    /// Whether only adapters with cooperative matrices run it, which have twice the workgroup memory of
    /// others.
    pub for_matrices: bool,
}

/// The permutations of kernels whose launches have the numbers of `P` and as many tensors as `views` says.
fn permuted<P: Params>(kernels: Vec<Kernel>, views: impl Fn(&Constants) -> u32) -> Vec<Permutation> {
    let with = |kernel: Kernel| {
        let views = views(&kernel.constants) as usize;
        Permutation { kernel, fields: P::FIELDS, views, for_matrices: false }
    };
    kernels.into_iter().map(with).collect()
}

/// Every combination of a kernel's constants, for `permutations`.
fn combinations(shader: &'static str, constants: &[(&'static str, &[u32])]) -> Vec<Kernel> {
    let mut all = vec![Kernel::new(shader, &[])];
    for (name, values) in constants {
        all = all
            .iter()
            .flat_map(|kernel| {
                values.iter().map(|value| {
                    let mut kernel = kernel.clone();
                    kernel.constants.set((name, *value));
                    kernel
                })
            })
            .collect();
    }
    all
}

/// `kernels` once for each choice of lanes.
fn with_lanes(kernels: Vec<Kernel>) -> Vec<Kernel> {
    let with = |kernel: &Kernel, (lanes, workgroup): (u32, u32)| {
        let mut kernel = kernel.clone();
        kernel.constants.extend([("LANES", lanes), ("WORKGROUP", workgroup)]);
        kernel
    };
    kernels.iter().flat_map(|kernel| LANE_CHOICES.map(|choice| with(kernel, choice))).collect()
}

/// A launch over `elements` floats, one `vec4` a thread, that reads and writes `passes` tensors of that size.
fn elementwise<P: Params>(kernel: Kernel, views: &[View], params: P, elements: usize, passes: u64) -> Launch {
    let cost = Cost { flops: elements as u64 * 2, bytes: elements as u64 * 4 * passes };
    Launch::new(kernel, views.to_vec(), params, flat_grid(elements), cost)
}

/// Every kernel with every combination of its constants, for the test that validates all shaders.
pub fn all_permutations() -> Vec<Permutation> {
    [
        activation::permutations(),
        apgd::permutations(),
        attack::permutations(),
        batch_norm::permutations(),
        column_sum::permutations(),
        conv::permutations(),
        cross_entropy::permutations(),
        depthwise::permutations(),
        dlr::permutations(),
        dropout::permutations(),
        fold::permutations(),
        images::permutations(),
        loss_scale::permutations(),
        optimizer::permutations(),
        pool::permutations(),
        residual::permutations(),
        square::permutations(),
        squeeze_excite::permutations(),
    ]
    .concat()
}
