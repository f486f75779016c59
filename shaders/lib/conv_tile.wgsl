// The workgroup memory of the tiled convolutions: A is [KC][TILE_M], B is [KC][TILE_N], in vec4. Rows are one vec4
// longer than needed, against bank conflicts. 16 KiB at most.
const A_ROW: u32 = $(TILE_M / 4 + 1)u;
const B_ROW: u32 = $(TILE_N / 4 + 1)u;
var<workgroup> a_tile: array<vec4<f32>, $(KC * (TILE_M / 4 + 1))>;
var<workgroup> b_tile: array<vec4<f32>, $(KC * (TILE_N / 4 + 1))>;
#if EPILOGUE
var<workgroup> tally_counts: array<f32, $(TILE_M / TM)>;
#endif
