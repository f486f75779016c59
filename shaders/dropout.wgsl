// Dropout, both directions (the backward pass draws the same mask): output = input * mask / (1 - rate).
// 0 input  [images, quads_per_image * 4]
// 1 output [images, quads_per_image * 4]
// The counter is (image within the step, vec4 within the image), so cutting a batch does not change the mask.
// One thread a vec4, workgroups of 64; grid y over images. Launched by src/kernels/dropout.rs.
#import lib/random
#import lib/step

struct Params {
    // vec4s of one image.
    quads_per_image: u32,
    image_offset: u32,
    stream: u32,
    rate: f32,
    // 1 / (1 - rate).
    scale: f32,
}

@group(0) @binding(0) var<storage, read_write> input: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> output: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let within = workgroup.x * 64u + local;
    if (within >= params.quads_per_image) {
        return;
    }
    let element = (params.image_offset + workgroup.y) * params.quads_per_image + within;
    let u = random_unit4(step.seed, step_key(), params.stream, element);
    let at = workgroup.y * params.quads_per_image + within;
    output[at] = select(vec4<f32>(0.0), input[at] * params.scale, u >= vec4<f32>(params.rate));
}
