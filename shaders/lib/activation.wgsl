// Activations fused into batch norm and the residual sum, chosen by the constant ACTIVATION:
// 0 none, 1 ReLU, 2 SiLU, 3 sigmoid. Host side: `Activation` in src/kernels/batch_norm.rs.
#import lib/activation_functions

fn activate(u: vec4<f32>) -> vec4<f32> {
#if ACTIVATION == 1
    return max(u, vec4<f32>(0.0));
#else
#if ACTIVATION == 2
    return silu(u);
#else
#if ACTIVATION == 3
    return sigmoid(u);
#else
    return u;
#endif
#endif
#endif
}

// Slope at the input `u` (for the sigmoid: at the output `u`).
fn activation_slope(u: vec4<f32>) -> vec4<f32> {
#if ACTIVATION == 1
    return relu_slope(u);
#else
#if ACTIVATION == 2
    return silu_slope(u);
#else
#if ACTIVATION == 3
    return u * (1.0 - u);
#else
    return vec4<f32>(1.0);
#endif
#endif
#endif
}
