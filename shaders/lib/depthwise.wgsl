// What both shaders of depthwise convolution have: a launch's numbers and tensors, and the edge of images.
// Host side: `GatherParams` in src/kernels/depthwise.rs.
// uses: Stored of lib/storage
// defines: Params, params, source, weights, output, inside
#import lib/storage

struct Params {
    threads: u32,
    quads: u32,
    // Strips of an image: one above the other, and side by side.
    strips: u32,
    blocks_w: u32,
    source_h: u32,
    source_w: u32,
    output_h: u32,
    output_w: u32,
    // Output pixel of the first block: negative where GRADIENT moves it to the phase.
    first_y: i32,
    first_x: i32,
    // Source pixel of the first block.
    source_y: i32,
    source_x: i32,
    accumulate: u32,
    // Blocks of an image, one above the other, and of a strip.
    blocks_h: u32,
    strip_blocks: u32,
    segment_ends: array<vec4<u32>, 2>,
}

@group(0) @binding(0) var<storage, read_write> source: array<Stored>;
@group(0) @binding(1) var<storage, read_write> weights: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> output: array<Stored>;
@group(1) @binding(0) var<uniform> params: Params;

// Whether 0 <= at < size.
fn inside(at: i32, size: u32) -> bool {
    return u32(at) < size;
}
