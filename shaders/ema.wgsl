// Exponential moving average: average += (1 - decay) * (value - average), 1 - decay = step.ema_rate.
// 0 average, 1 value [count vec4s]; 2 the loss scale, with GUARDED: nothing happens in a step that overflowed
// One thread a vec4, workgroups of 64. Launched by src/kernels/optimizer.rs.
#import lib/grid
#import lib/step
#import lib/loss_scale

struct Params {
    count: u32,
}

@group(0) @binding(0) var<storage, read_write> average: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> value: array<vec4<f32>>;
#if GUARDED
@group(0) @binding(2) var<storage, read_write> loss_scale: LossScale;
#endif
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = linear_index(workgroup, groups, local, 64u);
#if GUARDED
    if (loss_scale.overflow != 0u) {
        return;
    }
#endif
    if (index < params.count) {
        average[index] += step.ema_rate * (value[index] - average[index]);
    }
}
