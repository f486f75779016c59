// The activations and their slopes at the input `u`.

// The exponent is bounded because WGSL leaves an infinite intermediate undefined.
fn sigmoid(u: vec4<f32>) -> vec4<f32> {
    return 1.0 / (1.0 + exp(min(-u, vec4<f32>(80.0))));
}

fn silu(u: vec4<f32>) -> vec4<f32> {
    return u * sigmoid(u);
}

// ReLU's slope at 0 is 0, as in PyTorch.
fn relu_slope(u: vec4<f32>) -> vec4<f32> {
    return select(vec4<f32>(0.0), vec4<f32>(1.0), u > vec4<f32>(0.0));
}

fn silu_slope(u: vec4<f32>) -> vec4<f32> {
    let s = sigmoid(u);
    return s * (1.0 + u * (1.0 - s));
}
