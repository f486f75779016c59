// Activations fused into batch norm and the residual sum, chosen by the constant ACTIVATION:
// 0 none, 1 ReLU, 2 SiLU, 3 sigmoid. Host side: `Activation` in src/kernels/batch_norm.rs.

// The exponent is bounded because WGSL leaves an infinite intermediate undefined.
fn sigmoid(u: vec4<f32>) -> vec4<f32> {
    return 1.0 / (1.0 + exp(min(-u, vec4<f32>(80.0))));
}

fn activate(u: vec4<f32>) -> vec4<f32> {
#if ACTIVATION == 1
    return max(u, vec4<f32>(0.0));
#else
#if ACTIVATION == 2
    return u * sigmoid(u);
#else
#if ACTIVATION == 3
    return sigmoid(u);
#else
    return u;
#endif
#endif
#endif
}

// Slope at the input `u` (for the sigmoid: at the output `u`). ReLU's slope at 0 is 0, as in PyTorch.
fn activation_slope(u: vec4<f32>) -> vec4<f32> {
#if ACTIVATION == 1
    return select(vec4<f32>(0.0), vec4<f32>(1.0), u > vec4<f32>(0.0));
#else
#if ACTIVATION == 2
    let s = sigmoid(u);
    return s * (1.0 + u * (1.0 - s));
#else
#if ACTIVATION == 3
    return u * (1.0 - u);
#else
    return vec4<f32>(1.0);
#endif
#endif
#endif
}
