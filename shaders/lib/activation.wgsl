// The activation functions and their slopes. The name of each function ends with the number of its
// activation, so that a shader puts the value of its constant ACTIVATION behind `activate_` or `slope_` to
// choose one.
// Host side: `Activation` in src/kernels/activation.rs, which says what its slope is computed from: `slope_*`
// takes the activation's input, that of a gate (sigmoid and hard sigmoid) its output. At the ends of ReLU,
// ReLU6, hard swish and hard sigmoid the slopes are PyTorch's.
const NO_ACTIVATION: u32 = 0u;
const RELU: u32 = 1u;
const SILU: u32 = 2u;
const SIGMOID: u32 = 3u;
const RELU6: u32 = 4u;
const HARD_SWISH: u32 = 5u;
const HARD_SIGMOID: u32 = 6u;

fn activate_$(NO_ACTIVATION)(u: vec4<f32>) -> vec4<f32> {
    return u;
}

fn slope_$(NO_ACTIVATION)(u: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(1.0);
}

fn activate_$(RELU)(u: vec4<f32>) -> vec4<f32> {
    return max(u, vec4<f32>(0.0));
}

// ReLU's slope at 0 is 0. Its output has the same slope as its input.
fn slope_$(RELU)(u: vec4<f32>) -> vec4<f32> {
    return select(vec4<f32>(0.0), vec4<f32>(1.0), u > vec4<f32>(0.0));
}

// The exponent is bounded because WGSL leaves an infinite intermediate undefined.
fn activate_$(SIGMOID)(u: vec4<f32>) -> vec4<f32> {
    return 1.0 / (1.0 + exp(min(-u, vec4<f32>(80.0))));
}

// At the output `y`.
fn slope_$(SIGMOID)(y: vec4<f32>) -> vec4<f32> {
    return y * (1.0 - y);
}

fn activate_$(SILU)(u: vec4<f32>) -> vec4<f32> {
    return u * activate_$(SIGMOID)(u);
}

fn slope_$(SILU)(u: vec4<f32>) -> vec4<f32> {
    let s = activate_$(SIGMOID)(u);
    return s * (1.0 + u * (1.0 - s));
}

fn activate_$(RELU6)(u: vec4<f32>) -> vec4<f32> {
    return clamp(u, vec4<f32>(0.0), vec4<f32>(6.0));
}

// ReLU6's slope is 0 at 0 and at 6. Its output has the same slope as its input.
fn slope_$(RELU6)(u: vec4<f32>) -> vec4<f32> {
    return select(vec4<f32>(0.0), vec4<f32>(1.0), (u > vec4<f32>(0.0)) & (u < vec4<f32>(6.0)));
}

fn activate_$(HARD_SIGMOID)(u: vec4<f32>) -> vec4<f32> {
    return clamp(u + 3.0, vec4<f32>(0.0), vec4<f32>(6.0)) / 6.0;
}

// At the output `y`; 0 at both ends.
fn slope_$(HARD_SIGMOID)(y: vec4<f32>) -> vec4<f32> {
    return select(vec4<f32>(0.0), vec4<f32>(1.0 / 6.0), (y > vec4<f32>(0.0)) & (y < vec4<f32>(1.0)));
}

fn activate_$(HARD_SWISH)(u: vec4<f32>) -> vec4<f32> {
    return u * activate_$(HARD_SIGMOID)(u);
}

// 0 at -3 and 1 at 3.
fn slope_$(HARD_SWISH)(u: vec4<f32>) -> vec4<f32> {
    let within = select(u / 3.0 + 0.5, vec4<f32>(0.0), u <= vec4<f32>(-3.0));
    return select(within, vec4<f32>(1.0), u >= vec4<f32>(3.0));
}
