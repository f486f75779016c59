// The gate of a squeeze-and-excitation, applied to x as it is read: that of the image that row `row` belongs
// to. Pointwise convolutions only, where rows of x and y are the same.
#import lib/prologue

fn gated(value: vec4<f32>, row: u32, channel: u32) -> vec4<f32> {
#if GATE
    return value * source_gate[divide(row, params.phase_area) * params.source4 + channel];
#else
    return value;
#endif
}
