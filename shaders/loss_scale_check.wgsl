// Divides gradients by the loss scale in place, and notes whether one of them is not finite.
// 0 gradient [count vec4s]
// 1 state    the loss scale
// One thread a vec4, workgroups of 64. Launched by src/kernels/loss_scale.rs.
#import lib/grid
#import lib/finite
#import lib/loss_scale

struct Params {
    count: u32,
}

@group(0) @binding(0) var<storage, read_write> gradient: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> state: LossScale;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = linear_index(workgroup, groups, local, 64u);
    if (index >= params.count) {
        return;
    }
    let g = gradient[index];
    if (!all(is_finite(g))) {
        atomicOr(&state.found, 1u);
    }
    // 1 / scale, exact for a power of two, which a division need not be.
    gradient[index] = g * bitcast<f32>((254u << 23u) - bitcast<u32>(state.scale));
}
