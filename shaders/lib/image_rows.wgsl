// Threads over [images, rows, quads] where every thread takes `block_rows` rows of one image and one vec4 of
// channels: what belongs to (image, channel) is loaded once, and the integer division is paid once. Dispatch:
// x over row blocks and quads, y over images. The including shader's params have `rows` (of one image),
// `block_rows` and `quads`.
struct Place {
    image: u32,
    block: u32,
    quad: u32,
    first: u32,
    end: u32,
}

fn place_of(workgroup: vec3<u32>, local: u32) -> Place {
    let index = workgroup.x * 64u + local;
    let block = index / params.quads;
    let first = min(block * params.block_rows, params.rows);
    let end = min(first + params.block_rows, params.rows);
    return Place(workgroup.y, block, index - block * params.quads, first, end);
}
