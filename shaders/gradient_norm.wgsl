// Second pass of the gradient norm: adds all partials in a fixed order and writes the norm with the factor
// that brings it down to `clip`: min(1, clip / (norm + 1e-6)), PyTorch's clip_grad_norm_.
// 0 partials [count vec4s]
// 1 norm     [1] (factor, norm, 0, 0)
// One workgroup of 256. Launched by src/kernels/optimizer.rs.
#import lib/lane_sum

struct Params {
    count: u32,
    clip: f32,
}

@group(0) @binding(0) var<storage, read_write> partials: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> norm: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(local_invocation_index) local: u32) {
    var partial = vec4<f32>(0.0);
    for (var i = local; i < params.count; i += LANES) {
        partial += partials[i];
    }
    let sum = lane_sum(partial, local);
    if (local == 0u) {
        let value = sqrt((sum.x + sum.y) + (sum.z + sum.w));
        norm[0] = vec4<f32>(min(1.0, params.clip / (value + 1.0e-6)), value, 0.0, 0.0);
    }
}
