// Counter-based random numbers: the same four numbers give the same draw on every device, in any order, so a
// resumed or regrouped run repeats itself. The mixing is pcg4d of Jarzynski and Olano, "Hash Functions for
// GPU Rendering" (JCGT 2020), after folding each counter's upper half into its lower one: without that, a
// change of the highest bits alone reaches only a third of the result. Bit-equal twin:
// src/kernels/reference/random.rs.

fn random_u32x4(seed: u32, step_number: u32, stream: u32, element: u32) -> vec4<u32> {
    var v = vec4<u32>(seed, step_number, stream, element);
    v ^= v >> vec4<u32>(16u);
    v = v * 1664525u + 1013904223u;
    v.x += v.y * v.w;
    v.y += v.z * v.x;
    v.z += v.x * v.y;
    v.w += v.y * v.z;
    v ^= v >> vec4<u32>(16u);
    v.x += v.y * v.w;
    v.y += v.z * v.x;
    v.z += v.x * v.y;
    v.w += v.y * v.z;
    return v;
}

fn random_u32(seed: u32, step_number: u32, stream: u32, element: u32) -> u32 {
    return random_u32x4(seed, step_number, stream, element).x;
}

// The upper 24 bits, so that every value is exact in f32 and 1 is never reached.
fn unit_of(bits: u32) -> f32 {
    return f32(bits >> 8u) * (1.0 / 16777216.0);
}

// Uniform in [0, 1).
fn random_unit(seed: u32, step_number: u32, stream: u32, element: u32) -> f32 {
    return unit_of(random_u32(seed, step_number, stream, element));
}

// Four draws for the four channels of a vec4, uniform in [0, 1); the first is `random_unit` of the same
// numbers.
fn random_unit4(seed: u32, step_number: u32, stream: u32, element: u32) -> vec4<f32> {
    let bits = random_u32x4(seed, step_number, stream, element);
    return vec4<f32>(unit_of(bits.x), unit_of(bits.y), unit_of(bits.z), unit_of(bits.w));
}
