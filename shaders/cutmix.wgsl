// CutMix: out[i] = x[source], with x[partner] inside the box x0 <= column < x1, y0 <= line < y1.
// 0 x     [images, size, size]
// 1 table [out images, 2] (source, partner, 0, 0), (x0, y0, x1, y1)
// 2 out   [out images, size, size]
// One thread a pixel (vec4), workgroups of 64; grid y over output images. Launched by src/kernels/images.rs.
struct Params {
    // Side of an image, pixels.
    size: u32,
}

@group(0) @binding(0) var<storage, read_write> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> table: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let per_image = params.size * params.size;
    let within = workgroup.x * 64u + local;
    if (within >= per_image) {
        return;
    }
    let pair = table[2u * workgroup.y];
    let box = table[2u * workgroup.y + 1u];
    let place = vec2<u32>(within % params.size, within / params.size);
    let inside = all(place >= box.xy) && all(place < box.zw);
    let image = select(pair.x, pair.y, inside);
    out[workgroup.y * per_image + within] = x[image * per_image + within];
}
