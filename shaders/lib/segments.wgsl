// Batch norm over row segments: the rows of a tensor are cut into at most 8 contiguous segments, one a domain, and
// each segment into slices of `rows_per_slice` rows that never cross its end. Declares the params of all batch norm
// shaders. Host side: src/kernels/batch_norm.rs.
struct Params {
    // (first row, rows, domain, number of the first slice)
    segments: array<vec4<u32>, 8>,
    // Slices of each segment.
    slices: array<vec4<u32>, 2>,
    rows_per_slice: u32,
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

struct Place {
    // Number of the slice among those of all segments.
    slice: u32,
    quad: u32,
    // Rows first..end; none for a thread past the end of its segment.
    first: u32,
    end: u32,
}

// One thread a slice and vec4 of channels. Grid y is the segment, so that a whole workgroup reads the same one; x
// goes on in z where it overflows.
fn place_of(workgroup: vec3<u32>, groups: vec3<u32>, local: u32) -> Place {
    let segment = params.segments[workgroup.y];
    let index = (workgroup.z * groups.x + workgroup.x) * 64u + local;
    let slice = index / params.quads;
    let end = segment.x + segment.y;
    let first = min(segment.x + slice * params.rows_per_slice, end);
    return Place(segment.w + slice, index - slice * params.quads, first, min(first + params.rows_per_slice, end));
}

fn slices_in(segment: u32) -> u32 {
    return params.slices[segment / 4u][segment % 4u];
}
