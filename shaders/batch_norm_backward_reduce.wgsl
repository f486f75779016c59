// Backward, first pass: per slice and channel the sums of du and of du * xhat, where u = scale * x + shift,
// du = dy * act'(u) and xhat = (x - mean) * rstd are rebuilt from x.
// 0 x        [rows, C]
// 1 state    [segment][mean C | rstd C | scale C | shift C]
// 2 dy       [rows, C]
// 3 partials [slices][sum du C | sum du*xhat C]
// One thread a slice and vec4 of channels, workgroups of 64, grid y over segments.
// Launched by src/kernels/batch_norm.rs.
#import lib/segments
#import lib/activation
#import lib/storage

@group(0) @binding(0) var<storage, read_write> x: array<Stored>;
@group(0) @binding(1) var<storage, read_write> state: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> dy: array<Stored>;
@group(0) @binding(3) var<storage, read_write> partials: array<vec4<f32>>;

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
    let mean = state[block];
    let rstd = state[block + params.quads];
    let scale = state[block + 2u * params.quads];
    let shift = state[block + 3u * params.quads];
    var sum = vec4<f32>(0.0);
    // Without the factor rstd, which is the same in every row.
    var product = vec4<f32>(0.0);
    var row = place.first;
    for (; row + 4u <= place.end; row += 4u) {
        let at = row * params.quads + quad;
#for i in 0..4
        let x_$i = vec4<f32>(x[at + $(i)u * params.quads]);
        let dy_$i = vec4<f32>(dy[at + $(i)u * params.quads]);
#end
#for i in 0..4
        let du_$i = dy_$i * slope_$(ACTIVATION)(scale * x_$i + shift);
#end
        sum += (du_0 + du_1) + (du_2 + du_3);
        product += (du_0 * (x_0 - mean) + du_1 * (x_1 - mean)) + (du_2 * (x_2 - mean) + du_3 * (x_3 - mean));
    }
    for (; row < place.end; row += 1u) {
        let at = row * params.quads + quad;
        let value = vec4<f32>(x[at]);
        let du = vec4<f32>(dy[at]) * slope_$(ACTIVATION)(scale * value + shift);
        sum += du;
        product += du * (value - mean);
    }
    let at = place.slice * 2u * params.quads + quad;
    partials[at] = sum;
    partials[at + params.quads] = product * rstd;
}
