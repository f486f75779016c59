// Momentum of an attack (MI-FGSM): momentum = decay * momentum + gradient / mean |gradient|, the mean over
// the pixels and three channels of an image. Where that mean is zero or not finite, the gradient adds
// nothing. The mean cancels whatever multiplies the gradient, such as the loss scale.
// 0 gradient vec4s, read from params.gradient_row on
// 1 sums     [images, slices], from attack_gradient_sums
// 2 momentum [images, rows_per_image], read and written, fourth channel zero
// One thread a pixel, workgroups of 64; grid y over images. Launched by src/kernels/attack.rs.
#import lib/storage

struct Params {
    // Pixels of one image.
    rows_per_image: u32,
    gradient_row: u32,
    slices: u32,
    decay: f32,
}

@group(0) @binding(0) var<storage, read_write> gradient: array<Stored>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;
@group(0) @binding(2) var<storage, read_write> momentum: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let within = workgroup.x * 64u + local;
    if (within >= params.rows_per_image) {
        return;
    }
    var sum = 0.0;
    for (var slice = 0u; slice < params.slices; slice++) {
        sum += sums[workgroup.y * params.slices + slice];
    }
    let mean = sum / f32(3u * params.rows_per_image);
    // By its bits, because a compiler may assume that comparisons see neither infinities nor NaN. A mean
    // below the normal numbers counts as zero: its reciprocal could be infinite.
    let exponent = bitcast<u32>(mean) & 0x7f800000u;
    let at = workgroup.y * params.rows_per_image + within;
    var next = params.decay * momentum[at].xyz;
    if (exponent != 0u && exponent != 0x7f800000u) {
        next += vec4<f32>(gradient[params.gradient_row + at]).xyz / mean;
    }
    momentum[at] = vec4<f32>(next, 0.0);
}
