// Depthwise convolution: the forward pass, and the data gradient at stride 1 (the same with mirrored taps).
//
//   source  [images, source_h, source_w, C / 4]   x, or dy with MIRROR
//   weights [KERNEL²][C / 4]
//   output  [images, output_h, output_w, C / 4]   y, or dx with MIRROR; ACCUMULATE adds to it
//
// A thread makes COLUMNS neighbouring outputs of four channels, so that a source value is loaded once for all the
// taps of a kernel row that see it. Neighbouring threads hold neighbouring channels. Launched by
// src/kernels/depthwise.rs: images · output_h · ⌈output_w / COLUMNS⌉ · C / 4 threads.

#import lib/grid

struct Params {
    threads: u32,
    quads: u32,
    groups: u32,
    source_h: u32,
    source_w: u32,
    output_h: u32,
    output_w: u32,
    pad_top: i32,
    pad_left: i32,
}

@group(0) @binding(0) var<storage, read_write> source: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> weights: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> output: array<vec4<f32>>;
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
    let column = (place % params.groups) * COLUMNS;
    let row = place / params.groups;
    let image = row / params.output_h;
    let top = i32(row % params.output_h) * i32(STRIDE) - params.pad_top;
    let left = i32(column) * i32(STRIDE) - params.pad_left;
#for t in 0..COLUMNS
    var sum_$t = vec4<f32>();
#end
    for (var kh = 0u; kh < KERNEL; kh++) {
        let source_row = top + i32(kh);
        if (source_row < 0 || source_row >= i32(params.source_h)) {
            continue;
        }
        let base = (image * params.source_h + u32(source_row)) * params.source_w;
#for j in 0..(COLUMNS - 1) * STRIDE + KERNEL
        var value_$j = vec4<f32>();
        if (left + $j >= 0 && left + $j < i32(params.source_w)) {
            value_$j = source[(base + u32(left + $j)) * params.quads + channel];
        }
#end
#for kw in 0..KERNEL
#if MIRROR
        let weight_$kw = weights[((KERNEL - 1u - kh) * KERNEL + $(KERNEL - 1 - kw)u) * params.quads + channel];
#else
        let weight_$kw = weights[(kh * KERNEL + $(kw)u) * params.quads + channel];
#endif
#for t in 0..COLUMNS
        sum_$t = fma(weight_$kw, value_$(t * STRIDE + kw), sum_$t);
#end
#end
    }
    let out = (row * params.output_w + column) * params.quads + channel;
#for t in 0..COLUMNS
    if (column + $(t)u < params.output_w) {
#if ACCUMULATE
        output[out + $(t)u * params.quads] += sum_$t;
#else
        output[out + $(t)u * params.quads] = sum_$t;
#endif
    }
#end
}
