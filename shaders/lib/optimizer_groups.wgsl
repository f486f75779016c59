// Flat arenas: every 64 floats belong to one parameter group, whose number stands in a table. Declares the params of
// all optimizer shaders. Host side: src/kernels/optimizer.rs.
struct Params {
    // Bits of (weight decay, gradient scale, lr scale, 0) of each group.
    groups: array<vec4<u32>, 8>,
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

@group(1) @binding(0) var<uniform> params: Params;

struct Group {
    weight_decay: f32,
    grad_scale: f32,
    lr_scale: f32,
}

fn group_of(number: u32) -> Group {
    let words = params.groups[number];
    return Group(bitcast<f32>(words.x), bitcast<f32>(words.y), bitcast<f32>(words.z));
}
