// From the loader's bytes to pixels: unpack, flip, shift with zero padding (the crop augmentation).
// 0 bytes     [stored, size, size, 3] u8, four a word, lowest byte first
// 1 placement [images] (dx, dy, flip, which of the stored images)
// 2 pixels    [images, size, size, 4] in 0..255, fourth channel zero: pixel (x, y) is the flipped image at
//             (x + dx, y + dy), or zero outside
// One thread a pixel, workgroups of 64; grid y over images. Launched by src/kernels/images.rs.
struct Params {
    size: u32,
}

@group(0) @binding(0) var<storage, read_write> bytes: array<u32>;
@group(0) @binding(1) var<storage, read_write> placement: array<vec4<i32>>;
@group(0) @binding(2) var<storage, read_write> pixels: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

fn byte_at(index: u32) -> f32 {
    return f32((bytes[index / 4u] >> (8u * (index % 4u))) & 255u);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let within = workgroup.x * 64u + local;
    let per_image = params.size * params.size;
    if (within >= per_image) {
        return;
    }
    let size = i32(params.size);
    let place = placement[workgroup.y];
    var x = i32(within % params.size) + place.x;
    let y = i32(within / params.size) + place.y;
    var pixel = vec4<f32>(0.0);
    if (x >= 0 && x < size && y >= 0 && y < size) {
        if (place.z != 0) {
            x = size - 1 - x;
        }
        let at = (u32(place.w) * per_image + u32(y * size + x)) * 3u;
        pixel = vec4<f32>(byte_at(at), byte_at(at + 1u), byte_at(at + 2u), 0.0);
    }
    pixels[workgroup.y * per_image + within] = pixel;
}
