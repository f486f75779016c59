// Divides gradients by the loss scale in place, and notes for each thread whether it met one that is not finite.
// 0 gradient [count vec4s]
// 1 flags    u32, one a thread, from params.first_flag on: 1 where a gradient is infinite or NaN
// 2 state    the loss scale
// A workgroup of 64 takes 64 * params.per_thread vec4s on end. Launched by src/kernels/loss_scale.rs.
#import lib/finite
#import lib/loss_scale

struct Params {
    count: u32,
    per_thread: u32,
    first_flag: u32,
}

@group(0) @binding(0) var<storage, read_write> gradient: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> flags: array<u32>;
@group(0) @binding(2) var<storage, read_write> state: LossScale;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let thread = workgroup.x * 64u + local;
    // Exact for a power of two, which a division need not be.
    let inverse = bitcast<f32>((254u << 23u) - bitcast<u32>(state.scale));
    var finite = vec4<bool>(true);
    let end = min((workgroup.x + 1u) * 64u * params.per_thread, params.count);
    for (var index = workgroup.x * 64u * params.per_thread + local; index < end; index += 64u) {
        let g = gradient[index];
        finite &= is_finite(g);
        gradient[index] = g * inverse;
    }
    flags[params.first_flag + thread] = select(1u, 0u, all(finite));
}
