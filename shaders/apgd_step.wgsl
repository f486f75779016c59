// One step of Auto-PGD (Croce & Hein 2020, equation 1), each image with its own step:
//   z = P(x_adv + step * sign(gradient)), x_adv = P(x_adv + a (z - x_adv) + (1 - a)(x_adv - previous)),
// P clips to the ball and the image range; a = 0.75, in the first step 1. sign(0) = 0.
// 0 x         [images, rows_per_image] clean pixels in 0..255, fourth channel zero
// 1 gradient  [images, rows_per_image] at x_adv
// 2 records   [images, 3], from apgd_check
// 3 previous  [images, rows_per_image] the point before x_adv
// 4 best      [images, rows_per_image] the point with the highest loss
// 5 direction [images, rows_per_image] the gradient's sign there
// 6 result    [images, rows_per_image] the last point that fooled the network, until there is one the best
// 7 x_adv     [images, rows_per_image] read and written
// One thread a pixel, workgroups of 64; grid y over images. Twin: src/kernels/reference/apgd.rs. Launched by
// src/kernels/apgd.rs.
#import lib/attack_ball
#import lib/apgd_flags

struct Params {
    // Pixels of one image.
    rows_per_image: u32,
    epsilon: f32,
    // 0; see lib/attack_ball.
    zero: u32,
}

@group(0) @binding(0) var<storage, read_write> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> gradient: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> records: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> previous: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> best: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> direction: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> result: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> x_adv: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let within = workgroup.x * 64u + local;
    if (within >= params.rows_per_image) {
        return;
    }
    let at = workgroup.y * params.rows_per_image + within;
    let size = records[3u * workgroup.y].x;
    let flags = bitcast<u32>(records[3u * workgroup.y + 2u].z);
    var point = x_adv[at];
    let g = gradient[at];
    let zero = vec4<f32>(0.0);
    var along = select(zero, vec4<f32>(1.0), g > zero) - select(zero, vec4<f32>(1.0), g < zero);
    if ((flags & KEEP_BEST) != 0u) {
        best[at] = point;
        direction[at] = along;
    }
    if ((flags & KEEP_RESULT) != 0u) {
        result[at] = point;
    }
    if ((flags & RETURN_TO_BEST) != 0u) {
        point = best[at];
        along = direction[at];
    }
    let goal = into_ball(point + size * along, x[at], params.epsilon);
    var next = goal;
    if ((flags & FIRST) == 0u) {
        let moved = point + 0.75 * (goal - point) + 0.25 * (point - previous[at]);
        next = into_ball(moved, x[at], params.epsilon);
    }
    previous[at] = point;
    x_adv[at] = next;
}
