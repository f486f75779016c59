// RMSProp in TensorFlow's form: g += wd * w; ms += (1 - decay) * (g^2 - ms), starting at one; mom = momentum * mom
// + lr * g / sqrt(ms + eps); w -= mom. eps is inside the root and lr inside the momentum buffer, unlike PyTorch's.
// 0 w, 1 gradient, 2 ms, 3 mom [count vec4s]; 4 table [blocks] group of each 64 floats;
// 5 the loss scale, with GUARDED: nothing happens in a step that overflowed
// One thread a vec4, workgroups of 64. Launched by src/kernels/optimizer.rs.
#import lib/grid
#import lib/step
#import lib/optimizer_groups
#import lib/loss_scale

@group(0) @binding(0) var<storage, read_write> w: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> gradient: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> ms: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> mom: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> table: array<u32>;
#if GUARDED
@group(0) @binding(5) var<storage, read_write> loss_scale: LossScale;
#endif

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
#if GUARDED
    if (loss_scale.overflow != 0u) {
        return;
    }
#endif
    let group = group_of(table[params.first_block + index / 16u]);
    let weight = w[index];
    let g = gradient[index] * (step.grad_scale * group.grad_scale) + group.weight_decay * weight;
    let square = ms[index] + params.new_decay * (g * g - ms[index]);
    let moved = params.momentum * mom[index] + (step.lr * group.lr_scale) * g / sqrt(square + params.eps);
    ms[index] = square;
    mom[index] = moved;
    w[index] = weight - moved;
}
