// The L-infinity ball around a clean pixel, within 0..255. x + epsilon may round past the ball; then the
// bound moves one float inwards, so that |x' - x| <= epsilon holds exactly for the stored numbers. The
// rounding error is found by Dekker's fast two-sum. Bit-equal twin: src/kernels/reference/attack.rs. The
// params have `zero`, which is 0.

// The same value, but no compiler knows that: Mesa, among others, turns (x - epsilon) - x into -epsilon.
fn opaque(value: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(value) ^ params.zero);
}

fn ball_low(x: f32, epsilon: f32) -> f32 {
    let low = opaque(x - epsilon);
    // Only a low bound above zero matters; then x > epsilon and the difference is exact, and the next float
    // inwards has the next larger bits.
    let outside = low > 0.0 && opaque(low - x) < -epsilon;
    return max(bitcast<f32>(bitcast<u32>(low) + select(0u, 1u, outside)), 0.0);
}

fn ball_high(x: f32, epsilon: f32) -> f32 {
    let high = opaque(x + epsilon);
    let outside = opaque(high - max(x, epsilon)) > min(x, epsilon);
    return min(bitcast<f32>(bitcast<u32>(high) - select(0u, 1u, outside)), 255.0);
}

// Into the ball of every colour channel; the padded fourth channel stays zero.
fn into_ball(value: vec4<f32>, x: vec4<f32>, epsilon: f32) -> vec4<f32> {
    return vec4<f32>(
        min(max(value.x, ball_low(x.x, epsilon)), ball_high(x.x, epsilon)),
        min(max(value.y, ball_low(x.y, epsilon)), ball_high(x.y, epsilon)),
        min(max(value.z, ball_low(x.z, epsilon)), ball_high(x.z, epsilon)),
        0.0,
    );
}
