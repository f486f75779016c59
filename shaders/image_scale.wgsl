// Every element of an image times or plus a vector of that image.
// FORM 0, squeeze-and-excitation: y = x * g.
// FORM 1, its data gradient, with the pooled path joined: y = x * g + pooled * scale (scale = 1 / rows).
// FORM 2, global average pooling backward: y = g * scale, or y += with ACCUMULATE.
// 0 y      [images, rows, C]
// 1 g      [images, C]
// 2 x      [images, rows, C], not in FORM 2
// 3 pooled [images, C], FORM 1 only
// One thread ROWS rows and a vec4 of channels, workgroups of 64; grid y over images.
// Launched by src/kernels/pool.rs and squeeze_excite.rs.
#import lib/image_rows
#import lib/storage

struct Params {
    rows: u32,
    quads: u32,
    scale: f32,
}

@group(0) @binding(0) var<storage, read_write> y: array<Stored>;
@group(0) @binding(1) var<storage, read_write> g: array<vec4<f32>>;
#if FORM != 2
@group(0) @binding(2) var<storage, read_write> x: array<Stored>;
#endif
#if FORM == 1
@group(0) @binding(3) var<storage, read_write> pooled: array<vec4<f32>>;
#endif
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let place = place_of(workgroup, local);
    if (place.first >= place.end) {
        return;
    }
    let factor = g[place.image * params.quads + place.quad];
#if FORM == 1
    let constant = pooled[place.image * params.quads + place.quad] * params.scale;
#endif
    for (var row = place.first; row < place.end; row += 1u) {
        let at = (place.image * params.rows + row) * params.quads + place.quad;
#if FORM == 0
        y[at] = Stored(vec4<f32>(x[at]) * factor);
#endif
#if FORM == 1
        y[at] = Stored(vec4<f32>(x[at]) * factor + constant);
#endif
#if FORM == 2
#if ACCUMULATE
        y[at] = Stored(vec4<f32>(y[at]) + factor * params.scale);
#else
        y[at] = Stored(factor * params.scale);
#endif
#endif
    }
}
