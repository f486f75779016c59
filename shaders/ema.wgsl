// Exponential moving average: average += (1 - decay) * (value - average), 1 - decay = step.ema_rate.
// 0 average, 1 value [count vec4s]
// One thread a vec4, workgroups of 64. Launched by src/kernels/optimizer.rs.
#import lib/grid
#import lib/step

struct Params {
    count: u32,
}

@group(0) @binding(0) var<storage, read_write> average: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> value: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = linear_index(workgroup, groups, local, 64u);
    if (index < params.count) {
        average[index] += step.ema_rate * (value[index] - average[index]);
    }
}
