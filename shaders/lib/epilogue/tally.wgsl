// What the epilogues that leave partial sums have in common.
// uses: Tally, tally_part, write_part
// defines: TallyPart, write_tally
struct TallyPart {
    count: f32,
    first: vec4<f32>,
    second: vec4<f32>,
}

fn write_tally(tally: ptr<function, Tally>, slice: u32, quad: u32, quads: u32) {
    write_part(tally_part(tally), slice, quad, quads);
}
