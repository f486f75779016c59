// Threads over [images, rows, quads] where every thread takes ROWS rows of one image and one vec4 of channels: what
// belongs to (image, channel) is loaded once, and the integer division is paid once. Dispatch: x over row blocks and
// quads, y over images. The including shader's params have `rows` (of one image) and `quads`.
struct Place {
    image: u32,
    quad: u32,
    first: u32,
    end: u32,
}

fn place_of(workgroup: vec3<u32>, local: u32) -> Place {
    let index = workgroup.x * 64u + local;
    let block = index / params.quads;
    let first = min(block * ROWS, params.rows);
    return Place(workgroup.y, index - block * params.quads, first, min(first + ROWS, params.rows));
}
