// Normalises, scales and activates: y = act(scale * x + shift) with the scale and shift of the row's segment.
// 0 x     [rows, C]
// 1 state [segment][mean C | rstd C | scale C | shift C]
// 2 y     [rows, C]
// One thread a slice (here 4 rows) and vec4 of channels, workgroups of 64, grid y over segments.
// Launched by src/kernels/batch_norm.rs.
#import lib/segments
#import lib/activation
#import lib/storage

@group(0) @binding(0) var<storage, read_write> x: array<Stored>;
@group(0) @binding(1) var<storage, read_write> state: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<Stored>;

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
    let block = (workgroup.y * 4u + 2u) * params.quads + quad;
    let scale = state[block];
    let shift = state[block + params.quads];
    for (var row = place.first; row < place.end; row += 1u) {
        let at = row * params.quads + quad;
        y[at] = Stored(activate_$(ACTIVATION)(scale * vec4<f32>(x[at]) + shift));
    }
}
