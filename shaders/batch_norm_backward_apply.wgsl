// Backward, third pass: dx = scale * (du - mean(du) - xhat * mean(du*xhat)), written, or added with ACCUMULATE.
// Without BATCH the statistics were running ones and dx = scale * du.
// 0 x     [rows, C]
// 1 state [segment][mean C | rstd C | scale C | shift C]
// 2 dy    [rows, C]
// 3 dx    [rows, C]
// 4 coefs [segment][mean(du) C | mean(du*xhat) C], with BATCH only
// One thread a slice (here 4 rows) and vec4 of channels, workgroups of 64, grid y over segments.
// Launched by src/kernels/batch_norm.rs.
#import lib/segments
#import lib/activation
#import lib/storage

@group(0) @binding(0) var<storage, read_write> x: array<Stored>;
@group(0) @binding(1) var<storage, read_write> state: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> dy: array<Stored>;
@group(0) @binding(3) var<storage, read_write> dx: array<Stored>;
#if BATCH
@group(0) @binding(4) var<storage, read_write> coefs: array<vec4<f32>>;
#endif

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let place = place_of(workgroup, groups, local);
    if (place.first >= place.end) {
        return;
    }
    let quad = place.quad;
    let block = workgroup.y * 4u * params.quads + quad;
    let scale = state[block + 2u * params.quads];
    let shift = state[block + 3u * params.quads];
#if BATCH
    let mean = state[block];
    let coef = workgroup.y * 2u * params.quads + quad;
    let mean_du = coefs[coef];
    let slope = state[block + params.quads] * coefs[coef + params.quads];
#endif
    for (var row = place.first; row < place.end; row += 1u) {
        let at = row * params.quads + quad;
        let input = vec4<f32>(x[at]);
        let du = vec4<f32>(dy[at]) * activation_slope(scale * input + shift);
#if BATCH
        var value = scale * (du - mean_du - (input - mean) * slope);
#else
        var value = scale * du;
#endif
#if ACCUMULATE
        value += vec4<f32>(dx[at]);
#endif
        dx[at] = Stored(value);
    }
}
