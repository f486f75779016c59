// Batch norm over row segments: the rows of a tensor are cut into at most 8 contiguous segments, one a
// domain, and each segment into slices of `rows_per_slice` rows that never cross its end. Declares the params
// of all batch norm shaders. Host side: src/kernels/batch_norm.rs.
struct Segment {
    first_row: u32,
    rows: u32,
    // Whose parameters and running statistics the segment uses.
    domain: u32,
    // Number of the first slice among those of all segments.
    first_slice: u32,
}

struct Params {
    segments: array<Segment, 8>,
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
    // 1 where the statistics are those of the batch; for the backward pass.
    batch_statistics: u32,
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

// One thread a slice and vec4 of channels. Grid y is the segment, so that a whole workgroup reads the same
// one; x goes on in z where it overflows.
fn place_of(workgroup: vec3<u32>, groups: vec3<u32>, local: u32) -> Place {
    let segment = params.segments[workgroup.y];
    let index = (workgroup.z * groups.x + workgroup.x) * 64u + local;
    let slice = index / params.quads;
    let end = segment.first_row + segment.rows;
    let first = min(segment.first_row + slice * params.rows_per_slice, end);
    return Place(segment.first_slice + slice, index - slice * params.quads, first, min(first + params.rows_per_slice, end));
}

fn slices_in(segment: u32) -> u32 {
    return params.slices[segment / 4u][segment % 4u];
}
