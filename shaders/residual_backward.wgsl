// Backward of a residual block's end: g = dy * act'(y); d_branch = mask * g; d_shortcut = g, or += g with
// ACCUMULATE.
// 0 dy         [images, rows, C]
// 1 d_branch   [images, rows, C]
// 2 d_shortcut [images, rows, C]
// 3 y          [images, rows, C], the output, unless ACTIVATION is NO_ACTIVATION
// One thread a vec4, workgroups of 64; grid y over images. Launched by src/kernels/residual.rs.
#import lib/drop_path
#import lib/activation
#import lib/storage

@group(0) @binding(0) var<storage, read_write> dy: array<Stored>;
@group(0) @binding(1) var<storage, read_write> d_branch: array<Stored>;
@group(0) @binding(2) var<storage, read_write> d_shortcut: array<Stored>;
#if ACTIVATION != NO_ACTIVATION
@group(0) @binding(3) var<storage, read_write> y: array<Stored>;
#endif

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let within = workgroup.x * 64u + local;
    if (within >= params.quads_per_image) {
        return;
    }
    let at = workgroup.y * params.quads_per_image + within;
#if ACTIVATION != NO_ACTIVATION
    // The slope is computed from the output.
    let g = vec4<f32>(dy[at]) * slope_$(ACTIVATION)(vec4<f32>(y[at]));
#else
    let g = vec4<f32>(dy[at]);
#endif
    d_branch[at] = Stored(branch_mask(workgroup.y) * g);
#if ACCUMULATE
    d_shortcut[at] = Stored(vec4<f32>(d_shortcut[at]) + g);
#else
    d_shortcut[at] = Stored(g);
#endif
}
