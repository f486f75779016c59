// Start of an attack: x_adv = clip(x + U(-epsilon, epsilon), 0, 255), drawn per element, for that share of
// the images; a copy of x for the others (and for all with RANDOM = 0).
// 0 x     [images, rows_per_image] pixels in 0..255, fourth channel zero
// 1 x_adv [images, rows_per_image]
// 2 ids   [images] u32, with RANDOM only: what identifies an image whatever batch it stands in
// One thread a pixel, workgroups of 64; grid y over images. Launched by src/kernels/attack.rs.
#import lib/attack_ball
#if RANDOM
  #import lib/random
  #import lib/step
#endif

struct Params {
    // Pixels of one image.
    rows_per_image: u32,
    stream: u32,
    epsilon: f32,
    // 0; see lib/attack_ball.
    zero: u32,
    // Chance of an image to start from noise.
    probability: f32,
}

@group(0) @binding(0) var<storage, read_write> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> x_adv: array<vec4<f32>>;
#if RANDOM
@group(0) @binding(2) var<storage, read_write> ids: array<u32>;
#endif
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let within = workgroup.x * 64u + local;
    if (within >= params.rows_per_image) {
        return;
    }
    let at = workgroup.y * params.rows_per_image + within;
#if RANDOM
    if (random_unit(step.seed, step_key(), params.stream + 1u, ids[workgroup.y]) >= params.probability) {
        x_adv[at] = x[at];
        return;
    }
    // A key per image keeps (image, pixel) from wrapping around in one 32-bit counter.
    let key = random_u32(step.seed, step_key(), params.stream, ids[workgroup.y]);
    let u = random_unit4(key, step_key(), params.stream, within);
    x_adv[at] = into_ball(x[at] + (2.0 * u - 1.0) * params.epsilon, x[at], params.epsilon);
#else
    x_adv[at] = x[at];
#endif
}
