// Sum over the rows of each image. Global average pooling (PRODUCT = 0): out = scale * sum x. Gradient of the
// squeeze-and-excitation gate (PRODUCT = 1): out = sum a * dy. With one image this is a column sum, and with
// ACCUMULATE it is added to `out`: the gradient of a bias.
// 0 source [images, rows, C], the x or a above, read through lib/prologue
// 1 out    [images, C]
// 2 other  [images, rows, C], dy, with PRODUCT only
// A workgroup is LANES lanes over rows x COLUMNS vec4s of channels; grid x over channels, y over images.
// Launched by src/kernels/pool.rs, squeeze_excite.rs and column_sum.rs.
#import lib/lane_sum
#import lib/storage
#import lib/image_segments
#import lib/prologue

struct Params {
    rows: u32,
    quads: u32,
    scale: f32,
    segment_ends: array<vec4<u32>, 2>,
}

@group(0) @binding(0) var<storage, read_write> source: array<Stored>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>;
#if PRODUCT
@group(0) @binding(2) var<storage, read_write> other: array<Stored>;
#endif
@group(1) @binding(0) var<uniform> params: Params;

fn term(at: u32, prologue: Prologue) -> vec4<f32> {
#if PRODUCT
    return loaded(at, prologue) * vec4<f32>(other[at]);
#else
    return loaded(at, prologue);
#endif
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let lane = local / COLUMNS;
    let quad = workgroup.x * COLUMNS + local % COLUMNS;
    // Four running sums: less rounding than one, and four loads in flight.
#for i in 0..4
    var sum_$i = vec4<f32>(0.0);
#end
    if (quad < params.quads) {
        let prologue = prologue_of(segment_of(workgroup.y), quad, params.quads);
        let base = workgroup.y * params.rows * params.quads + quad;
        var row = lane;
        for (; row + 3u * LANES < params.rows; row += 4u * LANES) {
#for i in 0..4
            sum_$i += term(base + (row + $(i)u * LANES) * params.quads, prologue);
#end
        }
        for (; row < params.rows; row += LANES) {
            sum_0 += term(base + row * params.quads, prologue);
        }
    }
    let sum = lane_sum((sum_0 + sum_1) + (sum_2 + sum_3), local);
    if (lane == 0u && quad < params.quads) {
        let at = workgroup.y * params.quads + quad;
#if ACCUMULATE
        out[at] += sum * params.scale;
#else
        out[at] = sum * params.scale;
#endif
    }
}
