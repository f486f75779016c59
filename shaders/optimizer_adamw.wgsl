// AdamW, PyTorch's form: w *= 1 - lr * wd; m += (1 - beta1) * (g - m); v = beta2 * v + (1 - beta2) * g^2;
// w -= lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps). The step uniform carries the two
// corrections.
// 0 w, 1 gradient, 2 m, 3 v [count vec4s]; 4 table [blocks] group of each 64 floats;
// 5 the loss scale, with GUARDED: nothing happens in a step that overflowed
// One thread a vec4, workgroups of 64. Launched by src/kernels/optimizer.rs.
const STATES: u32 = 2u;
#import lib/optimizer

@group(0) @binding(2) var<storage, read_write> m: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> v: array<vec4<f32>>;

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
    let lr = step.lr * group.lr_scale;
    let g = gradient[index] * (step.grad_scale * group.grad_scale);
    let first = m[index] + params.new_momentum * (g - m[index]);
    let second = params.decay * v[index] + params.new_decay * g * g;
    m[index] = first;
    v[index] = second;
    let root = sqrt(second) / sqrt(step.bias_correction2) + params.eps;
    w[index] = w[index] * (1.0 - lr * group.weight_decay) - (lr / step.bias_correction1) * first / root;
}
