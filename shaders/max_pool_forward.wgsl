// Max pooling: y = maximum over a kernel x kernel window; padding never wins.
// 0 x [images, height, width, C]
// 1 y [images, out_height, out_width, C]
// One thread a vec4 of the output, workgroups of 64. Launched by src/kernels/pool.rs.
#import lib/grid
#import lib/max_pool
#import lib/storage

@group(0) @binding(0) var<storage, read_write> x: array<Stored>;
@group(0) @binding(1) var<storage, read_write> y: array<Stored>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = linear_index(workgroup, groups, local, 64u);
    if (index >= params.count) {
        return;
    }
    let position = index / params.quads;
    let quad = index - position * params.quads;
    let line = position / params.out_width;
    let column = position - line * params.out_width;
    let image = line / params.out_height;
    let top = (line - image * params.out_height) * params.stride;
    let left = column * params.stride;
    var best = vec4<f32>(LOWEST);
    for (var i = 0u; i < params.kernel; i += 1u) {
        // Unsigned: a row above the image wraps around and is out of range as well.
        let row = top + i - params.pad;
        if (row >= params.height) {
            continue;
        }
        for (var j = 0u; j < params.kernel; j += 1u) {
            let col = left + j - params.pad;
            if (col < params.width) {
                let at = ((image * params.height + row) * params.width + col) * params.quads + quad;
                best = max(best, vec4<f32>(x[at]));
            }
        }
    }
    y[index] = Stored(best);
}
