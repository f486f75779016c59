// Backward, second pass: sums the slices of every segment in a fixed order. Writes the coefficients of the
// third pass, dx = a * du + b * x + c, which is scale * (du - mean(du) - xhat * mean(du*xhat)), or scale * du
// where the statistics were running ones, which do not depend on x; and with GRADIENTS adds the gradients of
// gamma and beta of the segment's domain.
// 0 partials [slices][sum du C | sum du*xhat C]
// 1 state    [segment][mean C | rstd C | scale C | shift C]
// 2 coefs    [segment][a C | b C | c C]
// 3 gradient [domain][dgamma C | dbeta C], with GRADIENTS only
// params.batch_statistics: 1 when the statistics are those of the batch.
// A workgroup is LANES lanes over slices x COLUMNS vec4s of channels; grid x over channels, y over segments.
// Launched by src/kernels/batch_norm.rs.
#import lib/segments
#import lib/lane_sum

@group(0) @binding(0) var<storage, read_write> partials: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> state: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> coefs: array<vec4<f32>>;
#if GRADIENTS
@group(0) @binding(3) var<storage, read_write> gradient: array<vec4<f32>>;
#endif

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let lane = local / COLUMNS;
    let quad = workgroup.x * COLUMNS + local % COLUMNS;
    let segment = params.segments[workgroup.y];
    var partial_sum = vec4<f32>(0.0);
    var partial_product = vec4<f32>(0.0);
    if (quad < params.quads) {
        let slices = slices_in(workgroup.y);
        for (var i = lane; i < slices; i += LANES) {
            let at = (segment.first_slice + i) * 2u * params.quads + quad;
            partial_sum += partials[at];
            partial_product += partials[at + params.quads];
        }
    }
    let sum = lane_sum(partial_sum, local);
    let product = lane_sum(partial_product, local);
    if (lane == 0u && quad < params.quads) {
        let weight = f32(params.batch_statistics) / f32(segment.rows);
        let block = workgroup.y * 4u * params.quads + quad;
        let scale = state[block + 2u * params.quads];
        let slope = -scale * state[block + params.quads] * (product * weight);
        let at = workgroup.y * 3u * params.quads + quad;
        coefs[at] = scale;
        coefs[at + params.quads] = slope;
        coefs[at + 2u * params.quads] = -scale * (sum * weight) - slope * state[block];
#if GRADIENTS
        let place = segment.domain * params.domain_stride + quad;
        gradient[place] += product;
        gradient[place + params.quads] += sum;
#endif
    }
}
