// SGD with momentum, PyTorch's form: g += wd * w; buf = momentum * buf + g (first step: buf = g); w -= lr *
// buf, or with NESTEROV w -= lr * (g + momentum * buf).
// 0 w, 1 gradient, 2 buf [count vec4s]; 3 table [blocks] group of each 64 floats;
// 4 the loss scale, with GUARDED: nothing happens in a step that overflowed
// One thread a vec4, workgroups of 64. Launched by src/kernels/optimizer.rs.
const STATES: u32 = 1u;
#import lib/optimizer

@group(0) @binding(2) var<storage, read_write> buf: array<vec4<f32>>;

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
    var moved = g;
    if (step.first_step == 0u) {
        moved += params.momentum * buf[index];
    }
    buf[index] = moved;
#if NESTEROV
    moved = g + params.momentum * moved;
#endif
    w[index] = weight - (step.lr * group.lr_scale) * moved;
}
