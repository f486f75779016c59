// dx = dy * act', the slope computed from the activation's stored input or output, whichever it takes.
// 0 stored [count]
// 1 dy     [count]
// 2 dx     [count]
// One thread a vec4, workgroups of 64. Launched by src/kernels/activation.rs.
#import lib/grid
#import lib/activation
#import lib/storage

struct Params {
    count: u32,
}

@group(0) @binding(0) var<storage, read_write> stored: array<Stored>;
@group(0) @binding(1) var<storage, read_write> dy: array<Stored>;
@group(0) @binding(2) var<storage, read_write> dx: array<Stored>;
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
    dx[index] = Stored(vec4<f32>(dy[index]) * slope_$(ACTIVATION)(vec4<f32>(stored[index])));
}
