// Every element of an image times or plus a vector of that image.
// FORM_PRODUCT, squeeze-and-excitation: y = x * g; x is read through lib/prologue.
// FORM_PRODUCT_PLUS_POOLED, its data gradient, with the pooled path joined: y = x * g + pooled * scale,
// scale = 1 / rows.
// FORM_SPREAD, global average pooling backward: y = g * scale, or y += with ACCUMULATE.
// 0 y      [images, rows, C], written through lib/epilogue; a thread's tally is a slice
// 1 g      [images, C]
// 2 source [images, rows, C], the x above, not in FORM_SPREAD
// 3 pooled [images, C], FORM_PRODUCT_PLUS_POOLED only
// One thread a block of rows and a vec4 of channels, workgroups of 64; grid y over images.
// Launched by src/kernels/pool.rs and squeeze_excite.rs.
#import lib/image_rows
#import lib/image_segments
#import lib/storage
const FORM_PRODUCT: u32 = 0u;
const FORM_PRODUCT_PLUS_POOLED: u32 = 1u;
const FORM_SPREAD: u32 = 2u;
#if FORM == FORM_PRODUCT
  #import lib/prologue
#endif
#import lib/epilogue

struct Params {
    rows: u32,
    quads: u32,
    scale: f32,
    block_rows: u32,
    // Row blocks of an image.
    blocks: u32,
    segment_ends: array<vec4<u32>, 2>,
}

@group(0) @binding(0) var<storage, read_write> y: array<Stored>;
@group(0) @binding(1) var<storage, read_write> g: array<vec4<f32>>;
#if FORM != FORM_SPREAD
@group(0) @binding(2) var<storage, read_write> source: array<Stored>;
#endif
#if FORM == FORM_PRODUCT_PLUS_POOLED
@group(0) @binding(3) var<storage, read_write> pooled: array<vec4<f32>>;
#endif
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let place = place_of(workgroup, local);
    if (place.first >= place.end) {
        return;
    }
    let segment = segment_of(place.image);
    var tally = tally_of(segment, place.quad, params.quads);
    let factor = g[place.image * params.quads + place.quad];
#if FORM == FORM_PRODUCT
    let prologue = prologue_of(segment, place.quad, params.quads);
#endif
#if FORM == FORM_PRODUCT_PLUS_POOLED
    let constant = pooled[place.image * params.quads + place.quad] * params.scale;
#endif
    for (var row = place.first; row < place.end; row += 1u) {
        let at = (place.image * params.rows + row) * params.quads + place.quad;
#if FORM == FORM_PRODUCT
        let value = loaded(at, prologue) * factor;
#elif FORM == FORM_PRODUCT_PLUS_POOLED
        let value = vec4<f32>(source[at]) * factor + constant;
#elif ACCUMULATE
        let value = vec4<f32>(y[at]) + factor * params.scale;
#else
        let value = factor * params.scale;
#endif FORM
        y[at] = tallied(&tally, value, at);
    }
    write_tally(&tally, place.image * params.blocks + place.block, place.quad, params.quads);
}
