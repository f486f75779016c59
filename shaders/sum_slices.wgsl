// Second pass of a split sum: adds the slices in order to what the target holds.
// 0 partials [slices][quads] vec4
// 1 sum      [quads] vec4, added to
// One thread a quad, workgroups of 64. Launched by src/kernels/{conv,depthwise}.rs.
#import lib/grid

struct Params {
    quads: u32,
    slices: u32,
}

@group(0) @binding(0) var<storage, read_write> partials: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> sum: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = linear_index(workgroup, workgroups, local, 64u);
    if (index >= params.quads) {
        return;
    }
    var total = vec4<f32>();
    for (var slice = 0u; slice < params.slices; slice++) {
        total += partials[slice * params.quads + index];
    }
    sum[index] += total;
}
