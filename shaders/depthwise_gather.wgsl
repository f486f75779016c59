// Depthwise convolution, forward and data gradient: each output gathers from the source, so no two threads write one
// place. A thread makes ROWS × COLUMNS outputs of four channels: a source value and a weight are loaded once for all
// of them. Neighbouring threads hold neighbouring channels.
//
//   source  [images, source_h, source_w, C / 4]   x, or dy with GRADIENT
//   weights [KERNEL²][C / 4]
//   output  [images, output_h, output_w, C / 4]   y, or dx with GRADIENT
//
// Output row t of a block and tap row kh meet the block's source row t·STRIDE + kh, or, with GRADIENT,
// LOW + (t − kh) / STRIDE where that divides: blocks start where y + pad is a multiple of STRIDE, so that this is
// known when the loops are unrolled. Columns likewise. Launched by src/kernels/depthwise.rs: one thread per image,
// block and vec4 of channels.

#import lib/grid
#import lib/divide
#import lib/storage

struct Params {
    threads: u32,
    quads: u32,
    blocks_h: u32,
    blocks_w: u32,
    source_h: u32,
    source_w: u32,
    output_h: u32,
    output_w: u32,
    // Output pixel of the first block: −1 where GRADIENT moves it to the phase.
    first_y: i32,
    first_x: i32,
    // Source pixel of the first block.
    source_y: i32,
    source_x: i32,
    accumulate: u32,
}

@group(0) @binding(0) var<storage, read_write> source: array<Stored>;
@group(0) @binding(1) var<storage, read_write> weights: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> output: array<Stored>;
@group(1) @binding(0) var<uniform> params: Params;

// Whether 0 <= at < size.
fn inside(at: i32, size: u32) -> bool {
    return u32(at) < size;
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
    let place = divide(index, params.quads);
    let channel = index - place * params.quads;
    let line = divide(place, params.blocks_w);
    let block_x = i32(place - line * params.blocks_w);
    let image = divide(line, params.blocks_h);
    let block_y = i32(line - image * params.blocks_h);
    let top = params.source_y + block_y * i32(SOURCE_ROW_STEP);
    let left = params.source_x + block_x * i32(SOURCE_COLUMN_STEP);
#for kh in 0..KERNEL
#for kw in 0..KERNEL
    let weight_$kh_$kw = weights[$(kh * KERNEL + kw)u * params.quads + channel];
#end
#end
#for t in 0..ROWS
#for u in 0..COLUMNS
    var sum_$t_$u = vec4<f32>();
#end
#end
#for s in 0..SOURCE_ROWS
    let inside_$s = inside(top + $s, params.source_h);
    let base_$s = ((image * params.source_h + u32(top + $s)) * params.source_w + u32(left)) * params.quads + channel;
#for j in 0..SOURCE_COLUMNS
    var value_$s_$j = vec4<f32>();
    if (inside_$s && inside(left + $j, params.source_w)) {
        value_$s_$j = vec4<f32>(source[base_$s + $ju * params.quads]);
    }
#end
#for t in 0..ROWS
#for kh in 0..KERNEL
#if GRADIENT
#if (s - (KERNEL - 1) / STRIDE) * STRIDE == t - kh
#for u in 0..COLUMNS
#for kw in 0..KERNEL
#if (u + KERNEL - 1 - kw) % STRIDE == (KERNEL - 1) % STRIDE
    sum_$t_$u += weight_$kh_$kw * value_$s_$((KERNEL - 1) / STRIDE + (u - kw) / STRIDE);
#endif
#end
#end
#endif
#else
#if s == t * STRIDE + kh
#for u in 0..COLUMNS
#for kw in 0..KERNEL
    sum_$t_$u += weight_$kh_$kw * value_$s_$(u * STRIDE + kw);
#end
#end
#endif
#endif
#end
#end
#end
    let y = params.first_y + block_y * $(ROWS);
    let x = params.first_x + block_x * $(COLUMNS);
#for t in 0..ROWS
    let out_$t = ((image * params.output_h + u32(y + $t)) * params.output_w + u32(x)) * params.quads + channel;
#for u in 0..COLUMNS
    if (inside(y + $t, params.output_h) && inside(x + $u, params.output_w)) {
        if (params.accumulate != 0u) {
            sum_$t_$u += vec4<f32>(output[out_$t + $uu * params.quads]);
        }
        output[out_$t + $uu * params.quads] = Stored(sum_$t_$u);
    }
#end
#end
}
