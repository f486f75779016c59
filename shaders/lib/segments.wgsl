// Batch norm over row segments: the rows of a tensor are cut into at most 8 contiguous segments, one a domain, and
// each segment into slices of `rows_per_slice` rows that never cross its end. Declares the params of all batch norm
// shaders. Host side: src/kernels/batch_norm.rs.
struct Params {
    // (first row, rows, domain, number of the first slice)
    segments: array<vec4<u32>, 8>,
    segment_count: u32,
    rows_per_slice: u32,
    slices: u32,
    // Channels / 4.
    quads: u32,
    // vec4s between the domains' blocks of parameters and of running statistics.
    domain_stride: u32,
    eps: f32,
    // PyTorch's convention: the weight of the new value.
    momentum: f32,
    flags: u32,
}

@group(1) @binding(0) var<uniform> params: Params;

struct Slice {
    segment: u32,
    first: u32,
    end: u32,
}

fn slice_of(number: u32) -> Slice {
    var index = 0u;
    for (var i = 1u; i < params.segment_count; i += 1u) {
        if (number >= params.segments[i].w) {
            index = i;
        }
    }
    let segment = params.segments[index];
    let first = segment.x + (number - segment.w) * params.rows_per_slice;
    return Slice(index, first, min(first + params.rows_per_slice, segment.x + segment.y));
}

fn slices_in(segment: vec4<u32>) -> u32 {
    return (segment.y + params.rows_per_slice - 1u) / params.rows_per_slice;
}
