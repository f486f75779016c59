// By their bits, because a compiler may assume that comparisons see neither infinities nor NaN.
fn is_finite(v: vec4<f32>) -> vec4<bool> {
    return (bitcast<vec4<u32>>(v) & vec4<u32>(0x7f800000u)) != vec4<u32>(0x7f800000u);
}
