// Max pooling backward, gathering: an input takes the gradient of every window whose maximum it is. Among
// equal values the first in scan order (rows, then columns) has it, as in PyTorch.
// 0 x  [images, height, width, C]
// 1 y  [images, out_height, out_width, C]
// 2 dy [images, out_height, out_width, C]
// 3 dx [images, height, width, C], written, or added with ACCUMULATE
// One thread a vec4 of the input, workgroups of 64. Launched by src/kernels/pool.rs.
#import lib/grid
#import lib/max_pool
#import lib/storage

@group(0) @binding(0) var<storage, read_write> x: array<Stored>;
@group(0) @binding(1) var<storage, read_write> y: array<Stored>;
@group(0) @binding(2) var<storage, read_write> dy: array<Stored>;
@group(0) @binding(3) var<storage, read_write> dx: array<Stored>;

// Channels in which a position before (row, col) in the window at (top, left), padding included, holds the
// maximum.
fn taken(
    base: u32, top: u32, left: u32, row: u32, col: u32, maximum: vec4<f32>,
) -> vec4<bool> {
    var found = vec4<bool>(false);
    for (var i = 0u; i < params.kernel; i += 1u) {
        let other_row = top + i - params.pad;
        if (other_row >= params.height || other_row > row) {
            continue;
        }
        for (var j = 0u; j < params.kernel; j += 1u) {
            let other_col = left + j - params.pad;
            if (other_col < params.width && (other_row < row || other_col < col)) {
                let other = x[base + (other_row * params.width + other_col) * params.quads];
                found |= vec4<f32>(other) == maximum;
            }
        }
    }
    return found;
}

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
    let line = position / params.width;
    let col = position - line * params.width;
    let image = line / params.height;
    let row = line - image * params.height;
    let value = vec4<f32>(x[index]);
    let base = image * params.height * params.width * params.quads + quad;
    // Windows over this position: window * stride <= position + pad < window * stride + kernel.
    let last_row = min((row + params.pad) / params.stride, params.out_height - 1u);
    let last_col = min((col + params.pad) / params.stride, params.out_width - 1u);
    let first_row = (max(row + params.pad + 1u, params.kernel) - params.kernel + params.stride - 1u) / params.stride;
    let first_col = (max(col + params.pad + 1u, params.kernel) - params.kernel + params.stride - 1u) / params.stride;
    var sum = vec4<f32>(0.0);
    for (var oh = first_row; oh <= last_row; oh += 1u) {
        for (var ow = first_col; ow <= last_col; ow += 1u) {
            let at = ((image * params.out_height + oh) * params.out_width + ow) * params.quads + quad;
            let maximum = vec4<f32>(y[at]);
            var mine = value == maximum;
            if (any(mine)) {
                mine &= !taken(base, oh * params.stride, ow * params.stride, row, col, maximum);
                sum += select(vec4<f32>(0.0), vec4<f32>(dy[at]), mine);
            }
        }
    }
#if ACCUMULATE
    sum += vec4<f32>(dx[index]);
#endif
    dx[index] = Stored(sum);
}
