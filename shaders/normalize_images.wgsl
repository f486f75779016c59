// The network's input: (pixel / 255 - mean) / std, as pixel * scale + shift; zero in the fourth channel.
// 0 pixels [rows] vec4s in 0..255
// 1 input  vec4s, written from params.out_row on
// One thread a pixel, workgroups of 64. Launched by src/kernels/images.rs.
#import lib/grid
#import lib/storage

struct Params {
    // 1 / (255 * std) and -mean / std; zero for the padded channel.
    scale: vec4<f32>,
    shift: vec4<f32>,
    rows: u32,
    out_row: u32,
}

@group(0) @binding(0) var<storage, read_write> pixels: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> input: array<Stored>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = linear_index(workgroup, groups, local, 64u);
    if (index < params.rows) {
        input[params.out_row + index] =
            Stored(pixels[index] * params.scale + params.shift);
    }
}
