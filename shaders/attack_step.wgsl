// One step of an attack: x_adv = clip(clip(x_adv + size * sign(gradient), x - epsilon, x + epsilon), 0, 255),
// without the inner clip when PROJECT = 0 (GD). sign(0) = 0. `size` carries the direction: negative to
// minimise.
// 0 x        [rows] clean pixels in 0..255, fourth channel zero
// 1 gradient vec4s, read from params.gradient_row on
// 2 x_adv    [rows], read and written
// One thread a pixel, workgroups of 64. Launched by src/kernels/attack.rs.
#import lib/grid
#import lib/attack_ball
#import lib/storage

struct Params {
    rows: u32,
    gradient_row: u32,
    size: f32,
    epsilon: f32,
    // 0; see lib/attack_ball.
    zero: u32,
}

@group(0) @binding(0) var<storage, read_write> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> gradient: array<Stored>;
@group(0) @binding(2) var<storage, read_write> x_adv: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = linear_index(workgroup, groups, local, 64u);
    if (index >= params.rows) {
        return;
    }
    let g = vec4<f32>(gradient[params.gradient_row + index]);
    let zero = vec4<f32>(0.0);
    let direction = select(zero, vec4<f32>(1.0), g > zero) - select(zero, vec4<f32>(1.0), g < zero);
    let moved = x_adv[index] + params.size * direction;
#if PROJECT
    x_adv[index] = into_ball(moved, x[index], params.epsilon);
#else
    x_adv[index] = vec4<f32>(clamp(moved.xyz, vec3<f32>(0.0), vec3<f32>(255.0)), 0.0);
#endif
}
