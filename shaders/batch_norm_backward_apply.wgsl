// Backward, third pass: dx = a * du + b * x + c with du = dy * act'(u), written, or added with ACCUMULATE.
// Without BATCH the statistics were running ones, no sums were taken, and dx = scale * du.
// 0 x     [rows, C]
// 1 dx    [rows, C]
// 2 dy    [rows, C], unless IN_PLACE, when dx holds it
// then, with BATCH, coefs [segment][a C | b C | c C], and, unless ACTIVATION is NO_ACTIVATION, state
// [segment][mean C | rstd C | scale C | shift C]; without BATCH, state
// One thread a slice (here 4 rows) and vec4 of channels, workgroups of 64, grid y over segments.
// Launched by src/kernels/batch_norm.rs.
#import lib/segments
#import lib/activation
#import lib/storage

@group(0) @binding(0) var<storage, read_write> x: array<Stored>;
@group(0) @binding(1) var<storage, read_write> dx: array<Stored>;
#if IN_PLACE == 0
@group(0) @binding(2) var<storage, read_write> dy: array<Stored>;
#endif
#if BATCH
@group(0) @binding($(3 - IN_PLACE)) var<storage, read_write> coefs: array<vec4<f32>>;
#endif
#if BATCH == 0 || ACTIVATION != NO_ACTIVATION
@group(0) @binding($(3 - IN_PLACE + BATCH)) var<storage, read_write> state: array<vec4<f32>>;
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
#if BATCH == 0 || ACTIVATION != NO_ACTIVATION
    let block = workgroup.y * 4u * params.quads + quad;
    let scale = state[block + 2u * params.quads];
    let shift = state[block + 3u * params.quads];
#endif
#if BATCH
    let coef = workgroup.y * 3u * params.quads + quad;
    let a = coefs[coef];
    let b = coefs[coef + params.quads];
    let c = coefs[coef + 2u * params.quads];
#endif
    for (var row = place.first; row < place.end; row += 1u) {
        let at = row * params.quads + quad;
        let input = vec4<f32>(x[at]);
#if IN_PLACE
        var du = vec4<f32>(dx[at]);
#else
        var du = vec4<f32>(dy[at]);
#endif
#if ACTIVATION != NO_ACTIVATION
        du *= slope_$(ACTIVATION)(scale * input + shift);
#endif
#if BATCH
        var value = a * du + b * input + c;
#else
        var value = scale * du;
#endif
#if ACCUMULATE
        value += vec4<f32>(dx[at]);
#endif
        dx[at] = Stored(value);
    }
}
