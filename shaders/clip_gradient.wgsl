// Multiplies a range of gradients by the clipping factor of gradient_norm.wgsl.
// 0 gradient [count vec4s], read and written
// 1 norm     [1] (factor, norm, 0, 0)
// One thread a vec4, workgroups of 64. Launched by src/kernels/optimizer.rs.
#import lib/grid

struct Params {
    count: u32,
}

@group(0) @binding(0) var<storage, read_write> gradient: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> norm: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = linear_index(workgroup, groups, local, 64u);
    if (index < params.count) {
        gradient[index] *= norm[0].x;
    }
}
