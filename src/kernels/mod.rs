//! One host-side file a kernel: shapes in, launches out. `reference` holds the plain CPU versions.
//!
//! Activations are NHWC in f32 with the channels padded by zeros to a multiple of four, so that a thread handles one
//! `vec4` of channels. All sums run in a fixed order.

pub mod conv;
pub mod depthwise;
pub mod reference;

use crate::gpu::{Cost, Kernel, Launch, View, linear_grid};

/// Threads of a workgroup of the element-wise kernels, as their shaders declare it.
const GROUP: u64 = 64;

/// `vec4`s of a row.
fn quads(channels: usize) -> u32 {
    assert!(channels > 0 && channels.is_multiple_of(4), "{channels} channels: a multiple of 4 was expected");
    (channels / 4) as u32
}

/// sum `[elements]` += the `slices` of partials, in order: the second pass of split sums.
fn sum_slices(partials: View, sum: View, elements: usize, slices: usize) -> Launch {
    let count = quads(elements);
    Launch {
        kernel: Kernel::new("sum_slices", &[]),
        views: vec![partials, sum],
        params: vec![count, slices as u32],
        grid: linear_grid(u64::from(count), GROUP),
        cost: Cost { flops: (slices * elements) as u64, bytes: 4 * ((slices + 2) * elements) as u64 },
    }
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
                    kernel.constants.push((name, *value));
                    kernel
                })
            })
            .collect();
    }
    all
}

/// Every kernel with every combination of its constants, for the test that validates all shaders.
pub fn all_permutations() -> Vec<Kernel> {
    [conv::permutations(), depthwise::permutations()].concat()
}
