// Which batch norm segment an image belongs to. The including shader's params have `segment_ends`: the end of
// each segment in images, u32's largest number after the last one. Host side: `segment_ends` in
// src/kernels/fusion.rs.
fn segment_of(image: u32) -> u32 {
    let before = select(vec4<u32>(), vec4<u32>(1u), vec4<u32>(image) >= params.segment_ends[0]);
    let further = select(vec4<u32>(), vec4<u32>(1u), vec4<u32>(image) >= params.segment_ends[1]);
    let sum = before + further;
    return (sum.x + sum.y) + (sum.z + sum.w);
}
