// The workgroup memory of the tiled convolutions where cooperative matrices multiply: A and B of a step as
// f16, and the f32 results of a part of the tile on their way from the matrices to the threads that own them.
// 32 KiB at most.
//
// A subgroup's matrices are SIDE × SIDE. SUBGROUP_ROWS × SUBGROUP_COLUMNS subgroups share the tile; each has
// the same share of every part, which are the TILE_M * 4 / TM rows that the threads' i-th groups of four
// make.
//
// A_DEEP, B_DEEP: the rows of A, or the columns of B, lie in memory along the reduction; else the reduction
// strides. VECTORS: a matrix may be read from memory that is declared as vec4; where not (Metal), it is
// scalars. UNIT of them make a vec4. Rows are 16 bytes longer than needed, against bank conflicts.
const A_ROW: u32 = $((A_DEEP * KC + (1 - A_DEEP) * TILE_M) / 4 + 2)u;
const B_ROW: u32 = $((B_DEEP * KC + (1 - B_DEEP) * TILE_N) / 4 + 2)u;
const RESULT_ROW: u32 = $(TILE_N / 4 + 1)u;
const A_QUADS: u32 = A_ROW * $(A_DEEP * TILE_M + (1 - A_DEEP) * KC)u;
const B_QUADS: u32 = B_ROW * $(B_DEEP * TILE_N + (1 - B_DEEP) * KC)u;
const RESULT_QUADS: u32 = RESULT_ROW * $(TILE_M * 4 / TM)u;
#if VECTORS
const UNIT: u32 = 1u;
var<workgroup> a_tile: array<vec4<f16>, A_QUADS>;
var<workgroup> b_tile: array<vec4<f16>, B_QUADS>;
var<workgroup> results: array<vec4<f32>, RESULT_QUADS>;
var<workgroup> zeros: array<vec4<f32>, $(SIDE * SIDE / 4)>;
#else
const UNIT: u32 = 4u;
var<workgroup> a_tile: array<f16, A_QUADS * 4u>;
var<workgroup> b_tile: array<f16, B_QUADS * 4u>;
var<workgroup> results: array<f32, RESULT_QUADS * 4u>;
var<workgroup> zeros: array<f32, $(SIDE * SIDE)>;
#endif
#if TALLIES
var<workgroup> tally_counts: array<f32, $(TILE_M / TM)>;
#endif

fn keep_a(at: u32, value: vec4<f32>) {
    let halves = vec4<f16>(value);
#if VECTORS
    a_tile[at] = halves;
#else
  #for i in 0..4
    a_tile[at * 4u + $iu] = halves[$i];
  #end
#endif
}

fn keep_b(at: u32, value: vec4<f32>) {
    let halves = vec4<f16>(value);
#if VECTORS
    b_tile[at] = halves;
#else
  #for j in 0..4
    b_tile[at * 4u + $ju] = halves[$j];
  #end
#endif
}

fn result_at(at: u32) -> vec4<f32> {
#if VECTORS
    return results[at];
#else
    return vec4<f32>(results[at * 4u], results[at * 4u + 1u], results[at * 4u + 2u], results[at * 4u + 3u]);
#endif
}

// After the tile, the results' memory holds both vec4s of every thread's tally.
fn keep_tally(at: u32, value: vec4<f32>) {
#if VECTORS
    results[at] = value;
#else
  #for k in 0..4
    results[at * 4u + $ku] = value[$k];
  #end
#endif
}

fn kept_tally(at: u32) -> vec4<f32> {
    return result_at(at);
}

// Matrices start from these: not every back end makes a zero matrix of nothing.
fn make_zeros(local: u32) {
    for (var i = local; i < $(SIDE * SIDE / 4)u; i += THREADS) {
#if VECTORS
        zeros[i] = vec4<f32>();
#else
  #for z in 0..4
        zeros[i * 4u + $zu] = 0.0;
  #end
#endif
    }
    workgroupBarrier();
}
