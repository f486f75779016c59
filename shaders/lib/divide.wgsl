// The exact quotient, for quotients below 2^22: integer division is slow on GPUs and one lane at a time on
// software adapters. The float quotient is off by one at most.
fn divide(a: u32, b: u32) -> u32 {
    let q = u32(f32(a) / f32(b));
    let r = i32(a - q * b);
    return q - select(0u, 1u, r < 0) + select(0u, 1u, r >= i32(b));
}
