// Data gradient of a depthwise convolution at stride 2: every input position gathers from the outputs that saw it,
// so no two threads write one place. Only every second tap fits a position's parity.
//
//   dy      [images, out_h, out_w, C / 4]
//   weights [KERNEL²][C / 4]
//   dx      [images, in_h, in_w, C / 4]   ACCUMULATE adds to it
//
// Launched by src/kernels/depthwise.rs: images · in_h · in_w · C / 4 threads.

#import lib/grid

struct Params {
    threads: u32,
    quads: u32,
    in_h: u32,
    in_w: u32,
    out_h: u32,
    out_w: u32,
    pad_top: u32,
    pad_left: u32,
}

@group(0) @binding(0) var<storage, read_write> dy: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> weights: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> dx: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = linear_index(workgroup, workgroups, local, 64u);
    if (index >= params.threads) {
        return;
    }
    let channel = index % params.quads;
    let place = index / params.quads;
    let row = place / params.in_w;
    let column = place % params.in_w + params.pad_left;
    let image = row / params.in_h;
    let line = row % params.in_h + params.pad_top;
    var sum = vec4<f32>();
    for (var kh = line % STRIDE; kh < KERNEL && kh <= line; kh += STRIDE) {
        let out_row = (line - kh) / STRIDE;
        if (out_row >= params.out_h) {
            continue;
        }
        let base = (image * params.out_h + out_row) * params.out_w;
        for (var kw = column % STRIDE; kw < KERNEL && kw <= column; kw += STRIDE) {
            let out_column = (column - kw) / STRIDE;
            if (out_column < params.out_w) {
                let weight = weights[(kh * KERNEL + kw) * params.quads + channel];
                sum = fma(weight, dy[(base + out_column) * params.quads + channel], sum);
            }
        }
    }
#if ACCUMULATE
    dx[index] += sum;
#else
    dx[index] = sum;
#endif
}
