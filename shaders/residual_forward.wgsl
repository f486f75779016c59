// End of a residual block: y = act(shortcut + mask * branch). With DROP, `mask` is 0 or 1 / keep for a whole
// image (drop-path, also called stochastic depth or drop-connect): floor(keep + U) / keep.
// 0 shortcut [images, rows, C]
// 1 source   [images, rows, C], the branch, read through lib/prologue
// 2 y        [images, rows, C]
// 3 state    [segment][mean C | rstd C | scale C | shift C], with NORM: the branch is then
//            scale * branch + shift
// One thread a vec4, workgroups of 64; grid y over images. Launched by src/kernels/residual.rs.
#import lib/drop_path
#import lib/activation
#import lib/storage
#import lib/image_segments

@group(0) @binding(0) var<storage, read_write> shortcut: array<Stored>;
@group(0) @binding(1) var<storage, read_write> branch: array<Stored>;
@group(0) @binding(2) var<storage, read_write> y: array<Stored>;
#if NORM
@group(0) @binding(3) var<storage, read_write> state: array<vec4<f32>>;
#endif

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let within = workgroup.x * 64u + local;
    if (within >= params.quads_per_image) {
        return;
    }
    let at = workgroup.y * params.quads_per_image + within;
    var value = vec4<f32>(branch[at]);
#if NORM
    let place = (segment_of(workgroup.y) * 4u + 2u) * params.quads + within % params.quads;
    value = state[place] * value + state[place + params.quads];
#endif
    y[at] = Stored(activate_$(ACTIVATION)(vec4<f32>(shortcut[at]) + branch_mask(workgroup.y) * value));
}
