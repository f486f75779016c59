// Writes what the element-wise passes need of one segment and four channels:
// state[segment] = [mean C | rstd C | scale C | shift C], scale = gamma * rstd, shift = beta - mean * scale.
// The including shader declares `state` and `parameters`.
fn write_state(index: u32, segment: Segment, quad: u32, mean: vec4<f32>, variance: vec4<f32>) {
    let block = segment.domain * params.domain_stride + quad;
    let rstd = 1.0 / sqrt(variance + params.eps);
    let scale = parameters[block] * rstd;
    let at = index * 4u * params.quads + quad;
    state[at] = mean;
    state[at + params.quads] = rstd;
    state[at + 2u * params.quads] = scale;
    state[at + 3u * params.quads] = parameters[block + params.quads] - mean * scale;
}
