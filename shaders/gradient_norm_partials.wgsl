// First pass of the gradient norm: sums of squares of the gradients, scaled as the optimizer will scale them.
// 0 gradient [count vec4s]; 1 table [blocks] group of each 64 floats
// 2 partials, one float a thread, from params.partial_offset on
// Thread t takes the vec4s t, t + threads, ...; `threads` is a multiple of 64, the
// workgroup's size. Launched by src/kernels/optimizer.rs.
#import lib/step
#import lib/parameter_groups

struct Params {
    groups: array<Group, 8>,
    count: u32,
    first_block: u32,
    threads: u32,
    partial_offset: u32,
}

@group(0) @binding(0) var<storage, read_write> gradient: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> table: array<u32>;
@group(0) @binding(2) var<storage, read_write> partials: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let thread = workgroup.x * 64u + local;
    var sum = 0.0;
    for (var index = thread; index < params.count; index += params.threads) {
        let group = table[params.first_block + index / 16u];
        let scale = params.groups[group].grad_scale * step.grad_scale;
        let g = gradient[index] * scale;
        sum += dot(g, g);
    }
    partials[params.partial_offset + thread] = sum;
}
