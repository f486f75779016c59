// y = act(x), for vectors [images, C] behind dense layers. A gate's activation turns the zeros of padded
// channels into 1/2; they multiply padded channels, which are zero.
// 0 x [count]
// 1 y [count]
// One thread a vec4, workgroups of 64. Launched by src/kernels/activation.rs.
#import lib/grid
#import lib/activation

struct Params {
    count: u32,
}

@group(0) @binding(0) var<storage, read_write> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = linear_index(workgroup, groups, local, 64u);
    if (index < params.count) {
        y[index] = activate_$(ACTIVATION)(x[index]);
    }
}
