// The state of the element-wise passes from the running statistics: evaluation, and attacks with running
// statistics.
// 0 parameters [domain][gamma C | beta C]
// 1 state      [segment][mean C | rstd C | scale C | shift C]
// 2 running    [domain][mean C | variance C]
// One thread a vec4 of channels, workgroups of 64; grid y over segments. Launched by
// src/kernels/batch_norm.rs.
#import lib/segments

@group(0) @binding(0) var<storage, read_write> parameters: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> state: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> running: array<vec4<f32>>;
#import lib/batch_norm_state

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let quad = workgroup.x * 64u + local;
    if (quad >= params.quads) {
        return;
    }
    let segment = params.segments[workgroup.y];
    let at = segment.domain * params.domain_stride + quad;
    write_state(workgroup.y, segment, quad, running[at], running[at + params.quads]);
}
