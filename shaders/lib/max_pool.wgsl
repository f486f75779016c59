// Geometry of max pooling, shared by its two directions.
struct Params {
    // Output (forward) or input (backward) positions of all images, times quads.
    count: u32,
    quads: u32,
    height: u32,
    width: u32,
    out_height: u32,
    out_width: u32,
    kernel: u32,
    stride: u32,
    pad: u32,
}

@group(1) @binding(0) var<uniform> params: Params;

// Stands for the padding: below every value that training can hold (infinities are not WGSL literals).
const LOWEST: f32 = -3.0e38;
