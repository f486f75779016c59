// Decides over a step: an overflow halves the scale; `growth_steps` steps without one double it.
// 0 state the loss scale, read and written
// One thread. Launched by src/kernels/loss_scale.rs.
#import lib/loss_scale

struct Params {
    growth_steps: u32,
    smallest: f32,
    largest: f32,
}

@group(0) @binding(0) var<storage, read_write> state: LossScale;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(1)
fn main() {
    let overflow = atomicLoad(&state.found);
    atomicStore(&state.found, 0u);
    state.overflow = overflow;
    if (overflow != 0u) {
        state.scale = max(0.5 * state.scale, params.smallest);
        state.good_steps = 0u;
        state.skipped += 1u;
    } else if (state.good_steps + 1u >= params.growth_steps) {
        state.scale = min(2.0 * state.scale, params.largest);
        state.good_steps = 0u;
    } else {
        state.good_steps += 1u;
    }
}
