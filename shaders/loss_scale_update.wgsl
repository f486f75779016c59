// Decides over a step: any flag means an overflow, which halves the scale; `growth` steps without one double it.
// 0 flags [count vec4<u32>s]
// 1 state the loss scale, read and written
// One workgroup of 256. Launched by src/kernels/loss_scale.rs.
#import lib/loss_scale

struct Params {
    count: u32,
    growth: u32,
    smallest: f32,
    largest: f32,
}

@group(0) @binding(0) var<storage, read_write> flags: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> state: LossScale;
@group(1) @binding(0) var<uniform> params: Params;

var<workgroup> found: array<u32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) local: u32) {
    var any_flag = vec4<u32>(0u);
    for (var i = local; i < params.count; i += 256u) {
        any_flag |= flags[i];
    }
    found[local] = any_flag.x | any_flag.y | any_flag.z | any_flag.w;
    for (var half = 128u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (local < half) {
            found[local] |= found[local + half];
        }
    }
    if (local == 0u) {
        let overflow = found[0];
        state.overflow = overflow;
        if (overflow != 0u) {
            state.scale = max(0.5 * state.scale, params.smallest);
            state.good_steps = 0u;
            state.skipped += 1u;
        } else if (state.good_steps + 1u >= params.growth) {
            state.scale = min(2.0 * state.scale, params.largest);
            state.good_steps = 0u;
        } else {
            state.good_steps += 1u;
        }
    }
}
