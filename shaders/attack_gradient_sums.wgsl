// Sums of an attack's gradient without its signs, for attack_momentum: sums[image][slice] = the sum of
// |gradient| over the pixels of the slice and their three channels. What the fourth channel holds counts for
// nothing.
// 0 gradient vec4s, read from params.gradient_row on
// 1 sums     [images, slices]
// A workgroup of LANES threads a slice; grid x over slices, y over images. Launched by src/kernels/attack.rs.
#import lib/lane_sum
#import lib/storage

struct Params {
    // Pixels of one image.
    rows_per_image: u32,
    gradient_row: u32,
    // Pixels of a slice.
    slice_rows: u32,
    slices: u32,
}

@group(0) @binding(0) var<storage, read_write> gradient: array<Stored>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let first = workgroup.x * params.slice_rows;
    let end = min(first + params.slice_rows, params.rows_per_image);
    let base = params.gradient_row + workgroup.y * params.rows_per_image;
    var partial = vec4<f32>(0.0);
    for (var row = first + local; row < end; row += LANES) {
        partial += abs(vec4<f32>(gradient[base + row]));
    }
    let sum = lane_sum(partial, local);
    if (local == 0u) {
        sums[workgroup.y * params.slices + workgroup.x] = (sum.x + sum.y) + sum.z;
    }
}
