// Sum of one vec4 a thread over the LANES threads that share a column, in a fixed order. A workgroup of
// WORKGROUP threads is LANES lanes x COLUMNS columns, thread = lane * COLUMNS + column, so that neighbours
// read neighbouring channels. With LANES = 1 there is no workgroup memory and no barrier.
const COLUMNS: u32 = WORKGROUP / LANES;

#if LANES == 1
fn lane_sum(value: vec4<f32>, local: u32) -> vec4<f32> {
    return value;
}
#else
var<workgroup> lane_sums: array<vec4<f32>, WORKGROUP>;

// Every thread of the workgroup calls this; the total is in the threads of lane 0.
fn lane_sum(value: vec4<f32>, local: u32) -> vec4<f32> {
    // A second call must not overwrite what a slow thread of the first still reads.
    workgroupBarrier();
    lane_sums[local] = value;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (local < half * COLUMNS) {
            lane_sums[local] += lane_sums[local + half * COLUMNS];
        }
    }
    return lane_sums[local];
}
#endif LANES
