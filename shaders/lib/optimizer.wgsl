// What the optimizers share: their numbers, weights and gradients, and where a thread begins.
// uses: STATES, the number of tensors of state at binding 2 and behind; GUARDED
// defines: params, w, gradient, table, loss_scale (with GUARDED), start_of
#import lib/grid
#import lib/step
#import lib/loss_scale
#import lib/parameter_groups

struct Params {
    groups: array<Group, 8>,
    // vec4s in this range.
    count: u32,
    // Table index of the range's first block of 64 floats.
    first_block: u32,
    // sgd, rmsprop: momentum; adamw: beta1.
    momentum: f32,
    // rmsprop: decay of the mean square; adamw: beta2.
    decay: f32,
    eps: f32,
    // 1 - momentum and 1 - decay, rounded once: 1.0 - 0.999 in f32 is off by 5e-5.
    new_momentum: f32,
    new_decay: f32,
}

@group(0) @binding(0) var<storage, read_write> w: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> gradient: array<vec4<f32>>;
@group(0) @binding($(2 + STATES)) var<storage, read_write> table: array<u32>;
#if GUARDED
@group(0) @binding($(3 + STATES)) var<storage, read_write> loss_scale: LossScale;
#endif GUARDED
@group(1) @binding(0) var<uniform> params: Params;

struct Start {
    // The thread's vec4.
    index: u32,
    // Whether there is such a vec4, in a step that did not overflow.
    runs: bool,
}

fn start_of(workgroup: vec3<u32>, groups: vec3<u32>, local: u32) -> Start {
    let index = linear_index(workgroup, groups, local, 64u);
#if GUARDED
    return Start(index, index < params.count && loss_scale.overflow == 0u);
#else
    return Start(index, index < params.count);
#endif GUARDED
}

fn group_of(index: u32) -> Group {
    return params.groups[table[params.first_block + index / 16u]];
}
