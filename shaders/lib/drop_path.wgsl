// The per-image factor of drop-path, the same in the forward and the backward pass. Declares their params.
struct Params {
    // vec4s of one image.
    quads_per_image: u32,
    // Number of the first image within the step, so that cutting a batch does not change the draws.
    image_offset: u32,
    stream: u32,
    keep: f32,
    inverse_keep: f32,
    // vec4s of one row.
    quads: u32,
    segment_ends: array<vec4<u32>, 2>,
}

@group(1) @binding(0) var<uniform> params: Params;

#if DROP
  #import lib/random
  #import lib/step

fn branch_mask(image: u32) -> f32 {
    let u = random_unit(step.seed, step_key(), params.stream, params.image_offset + image);
    return floor(params.keep + u) * params.inverse_keep;
}
#else
fn branch_mask(image: u32) -> f32 {
    return 1.0;
}
#endif
