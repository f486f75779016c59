// One proposal of the Square attack (Andriushchenko et al. 2020, algorithms 1 and 2): each image's best point
// with a square of it moved to a corner of the ball, clip(best ± 2 epsilon) channel by channel.
// 0 x     [images, rows_per_image] clean pixels in 0..255, fourth channel zero
// 1 table [images] (row of the square, its column, its side, bits): bits 0 to 2 are set for the channels
//   that go up; bit 3 where x_adv, the proposal before, becomes the best point first
// 2 best  [images, rows_per_image]
// 3 x_adv [images, rows_per_image] the proposal; the best point itself where the side is 0
// One thread a pixel, workgroups of 64; grid y over images. Launched by src/kernels/square.rs.
#import lib/attack_ball

struct Params {
    // Pixels of one image, and of one of its lines.
    rows_per_image: u32,
    width: u32,
    epsilon: f32,
    // 0; see lib/attack_ball.
    zero: u32,
}

@group(0) @binding(0) var<storage, read_write> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> table: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> best: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> x_adv: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let within = workgroup.x * 64u + local;
    if (within >= params.rows_per_image) {
        return;
    }
    let at = workgroup.y * params.rows_per_image + within;
    let entry = table[workgroup.y];
    if ((entry.w & 8u) != 0u) {
        best[at] = x_adv[at];
    }
    var proposal = best[at];
    let row = within / params.width;
    let column = within % params.width;
    if (row >= entry.x && row < entry.x + entry.z && column >= entry.y && column < entry.y + entry.z) {
        let up = (vec4<u32>(entry.w) & vec4<u32>(1u, 2u, 4u, 0u)) != vec4<u32>(0u);
        let moved = proposal + 2.0 * params.epsilon * select(vec4<f32>(-1.0), vec4<f32>(1.0), up);
        proposal = into_ball(moved, x[at], params.epsilon);
    }
    x_adv[at] = proposal;
}
