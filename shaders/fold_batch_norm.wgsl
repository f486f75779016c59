// A batch norm with running statistics folded into the convolution before it: the weights times the scale of
// their output channel, and the shift that the convolution then adds; scale = gamma / sqrt(variance + eps),
// shift = beta - mean * scale.
// 0 weights    [rows][C]
// 1 parameters [gamma C | beta C], of the domain
// 2 running    [mean C | variance C], of the domain
// 3 folded     [rows][C]
// 4 shift      [C]
// One thread BLOCK_ROWS rows of a vec4 of channels, workgroups of 64. Launched by src/kernels/fold.rs.
#import lib/grid
#import lib/divide

struct Params {
    threads: u32,
    quads: u32,
    rows: u32,
    eps: f32,
}

@group(0) @binding(0) var<storage, read_write> weights: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> parameters: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> running: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> folded: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> shift: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = linear_index(workgroup, groups, local, 64u);
    if (index >= params.threads) {
        return;
    }
    let block = divide(index, params.quads);
    let quad = index - block * params.quads;
    let scale = parameters[quad] * (1.0 / sqrt(running[params.quads + quad] + params.eps));
    let end = min((block + 1u) * BLOCK_ROWS, params.rows);
    for (var row = block * BLOCK_ROWS; row < end; row++) {
        let at = row * params.quads + quad;
        folded[at] = weights[at] * scale;
    }
    if (block == 0u) {
        shift[quad] = parameters[params.quads + quad] - running[quad] * scale;
    }
}
