// Fills a range with zeros inside a plan (gradient arenas at the start of a step, the momentum at the start
// of an attack).
// 0 target [count vec4s]
// One thread a vec4, workgroups of 64. Launched by src/kernels/optimizer.rs.
#import lib/grid

struct Params {
    count: u32,
}

@group(0) @binding(0) var<storage, read_write> target_range: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = linear_index(workgroup, groups, local, 64u);
    if (index < params.count) {
        target_range[index] = vec4<f32>(0.0);
    }
}
