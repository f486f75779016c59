// What differs between kinds of parameters. Every 64 floats of the arenas belong to one group, whose number
// stands in a table. Host side: `Group` in src/kernels/optimizer.rs.
// uses: nothing
// defines: Group
struct Group {
    weight_decay: f32,
    grad_scale: f32,
    // 16 bytes a group, as uniform arrays ask.
    @size(8) lr_scale: f32,
}
