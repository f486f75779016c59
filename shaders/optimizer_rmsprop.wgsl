// RMSProp in TensorFlow's form: g += wd * w; ms += (1 - decay) * (g^2 - ms), starting at one; mom = momentum
// * mom + lr * g / sqrt(ms + eps); w -= mom. eps is inside the root and lr inside the momentum buffer, unlike
// PyTorch's.
// 0 w, 1 gradient, 2 ms, 3 mom [count vec4s]; 4 table [blocks] group of each 64 floats;
// 5 the loss scale, with GUARDED: nothing happens in a step that overflowed
// One thread a vec4, workgroups of 64. Launched by src/kernels/optimizer.rs.
const STATES: u32 = 2u;
#import lib/optimizer

@group(0) @binding(2) var<storage, read_write> ms: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> mom: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let start = start_of(workgroup, groups, local);
    if (!start.runs) {
        return;
    }
    let index = start.index;
    let group = group_of(index);
    let weight = w[index];
    let g = gradient[index] * (step.grad_scale * group.grad_scale) + group.weight_decay * weight;
    let square = ms[index] + params.new_decay * (g * g - ms[index]);
    let moved = params.momentum * mom[index] + (step.lr * group.lr_scale) * g / sqrt(square + params.eps);
    ms[index] = square;
    mom[index] = moved;
    w[index] = weight - moved;
}
