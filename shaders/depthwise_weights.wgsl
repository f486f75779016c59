// Weight gradient of a depthwise convolution, first pass: partial sums over slices of output lines.
//
//   x        [images, in_h, in_w, C / 4]
//   dy       [images, out_h, out_w, C / 4]
//   partials [slice][KERNEL²][C / 4]
//
// A thread sums one row of taps of four channels over the lines of its slice; along a line it slides a window over x,
// so each value is loaded once. Second pass: sum_slices. Launched by src/kernels/depthwise.rs:
// slices · KERNEL · C / 4 threads, neighbouring threads on neighbouring channels.

#import lib/grid

struct Params {
    threads: u32,
    quads: u32,
    in_h: u32,
    in_w: u32,
    out_h: u32,
    out_w: u32,
    pad_top: i32,
    pad_left: i32,
    lines: u32,
    lines_per_slice: u32,
}

@group(0) @binding(0) var<storage, read_write> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> dy: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> partials: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

fn load(base: u32, column: i32, channel: u32) -> vec4<f32> {
    if (column < 0 || column >= i32(params.in_w)) {
        return vec4<f32>();
    }
    return x[(base + u32(column)) * params.quads + channel];
}

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
    let kh = (index / params.quads) % KERNEL;
    let slice = index / (params.quads * KERNEL);
#for kw in 0..KERNEL
    var sum_$kw = vec4<f32>();
#end
    let first = slice * params.lines_per_slice;
    let end = min(first + params.lines_per_slice, params.lines);
    for (var line = first; line < end; line++) {
        let in_line = i32((line % params.out_h) * STRIDE + kh) - params.pad_top;
        if (in_line < 0 || in_line >= i32(params.in_h)) {
            continue;
        }
        let base = ((line / params.out_h) * params.in_h + u32(in_line)) * params.in_w;
        let out = line * params.out_w;
#for kw in 0..KERNEL - STRIDE
        var window_$(kw + STRIDE) = load(base, $kw - params.pad_left, channel);
#end
#for kw in 0..STRIDE
        var window_$kw = vec4<f32>();
#end
        for (var column = 0u; column < params.out_w; column++) {
            let left = i32(column * STRIDE) - params.pad_left;
#for kw in 0..KERNEL - STRIDE
            window_$kw = window_$(kw + STRIDE);
#end
#for kw in KERNEL - STRIDE..KERNEL
            window_$kw = load(base, left + $kw, channel);
#end
            let gradient = dy[(out + column) * params.quads + channel];
#for kw in 0..KERNEL
            sum_$kw = fma(gradient, window_$kw, sum_$kw);
#end
        }
    }
    let target_row = (slice * KERNEL + kh) * KERNEL;
#for kw in 0..KERNEL
    partials[(target_row + $(kw)u) * params.quads + channel] = sum_$kw;
#end
}
