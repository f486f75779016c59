// Mixup: out[i] = lambda * x[source] + (1 - lambda) * x[partner]. A row with lambda = 1 is an exact copy,
// whatever its partner holds.
// 0 x     [images, rows_per_image]
// 1 table [out images] (source, partner, bits of lambda, 0)
// 2 out   [out images, rows_per_image]
// One thread a vec4, workgroups of 64; grid y over output images. Launched by src/kernels/images.rs.
struct Params {
    // Pixels of one image, a vec4 each.
    rows_per_image: u32,
}

@group(0) @binding(0) var<storage, read_write> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> table: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let within = workgroup.x * 64u + local;
    if (within >= params.rows_per_image) {
        return;
    }
    let entry = table[workgroup.y];
    let lambda = bitcast<f32>(entry.z);
    var value = x[entry.x * params.rows_per_image + within];
    if (lambda < 1.0) {
        value = lambda * value + (1.0 - lambda) * x[entry.y * params.rows_per_image + within];
    }
    out[workgroup.y * params.rows_per_image + within] = value;
}
