// End of a residual block: y = act(shortcut + mask * branch). With DROP, `mask` is 0 or 1 / keep for a whole image
// (drop-path, also called stochastic depth or drop-connect): floor(keep + U) / keep.
// 0 shortcut [images, rows, C]
// 1 branch   [images, rows, C]
// 2 y        [images, rows, C]
// One thread a vec4, workgroups of 64; grid y over images. Launched by src/kernels/residual.rs.
#import lib/drop_path
#import lib/activation
#import lib/storage

@group(0) @binding(0) var<storage, read_write> shortcut: array<Stored>;
@group(0) @binding(1) var<storage, read_write> branch: array<Stored>;
@group(0) @binding(2) var<storage, read_write> y: array<Stored>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let within = workgroup.x * 64u + local;
    if (within >= params.per_image) {
        return;
    }
    let at = workgroup.y * params.per_image + within;
    y[at] = Stored(activate(vec4<f32>(shortcut[at]) + branch_mask(workgroup.y) * vec4<f32>(branch[at])));
}
