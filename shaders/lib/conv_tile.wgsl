// The workgroup memory of the tiled convolutions: A is [KC][TILE_M], B is [KC][TILE_N], in vec4. Rows are one
// vec4 longer than needed, against bank conflicts. 16 KiB at most.
const A_ROW: u32 = $(TILE_M / 4 + 1)u;
const B_ROW: u32 = $(TILE_N / 4 + 1)u;
var<workgroup> a_tile: array<vec4<f32>, $(KC * (TILE_M / 4 + 1))>;
var<workgroup> b_tile: array<vec4<f32>, $(KC * (TILE_N / 4 + 1))>;
#if TALLIES
var<workgroup> tally_counts: array<f32, $(TILE_M / TM)>;
#endif

fn keep_a(at: u32, value: vec4<f32>) {
    a_tile[at] = value;
}

fn keep_b(at: u32, value: vec4<f32>) {
    b_tile[at] = value;
}

// After the tile, A's memory holds both vec4s of every thread's tally; it is large enough for every tile
// shape.
fn keep_tally(at: u32, value: vec4<f32>) {
    a_tile[at] = value;
}

fn kept_tally(at: u32) -> vec4<f32> {
    return a_tile[at];
}
