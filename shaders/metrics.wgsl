// Sums of the per-row results of the loss over up to 8 row segments, in a fixed order.
// 0 results [rows] (loss, top 1, top 5, 0)
// 1 sums    [segments] (sum of losses, top-1 hits, top-5 hits, rows), written, or added with ACCUMULATE
// One workgroup of 64 a segment, grid x over segments. Launched by src/kernels/cross_entropy.rs.
#import lib/lane_sum

struct Segment {
    first_row: u32,
    // 16 bytes a segment, as uniform arrays ask.
    @size(12) rows: u32,
}

struct Params {
    segments: array<Segment, 8>,
}

@group(0) @binding(0) var<storage, read_write> results: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> sums: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let segment = params.segments[workgroup.x];
    var partial = vec4<f32>(0.0);
    for (var row = local; row < segment.rows; row += LANES) {
        partial += vec4<f32>(results[segment.first_row + row].xyz, 1.0);
    }
    let sum = lane_sum(partial, local);
    if (local == 0u) {
#if ACCUMULATE
        sums[workgroup.x] += sum;
#else
        sums[workgroup.x] = sum;
#endif
    }
}
