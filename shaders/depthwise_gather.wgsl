// Depthwise convolution, forward and data gradient: each output gathers from the source, so no two threads
// write one place. A thread makes blocks of ROWS × COLUMNS outputs of four channels, one below the other: a
// source value and a weight are loaded once for all outputs of a block, and the source rows that two blocks
// share are kept for the next. Neighbouring threads hold neighbouring channels.
//
//   source  [images, source_h, source_w, C / 4]   x, or dy with GRADIENT; read through lib/prologue
//   weights [KERNEL²][C / 4]
//   output  [images, output_h, output_w, C / 4]   y, or dx with GRADIENT; written through lib/epilogue
//
// Output row t of a block and tap row kh meet the block's source row t·STRIDE + kh, or, with GRADIENT,
// LOW + (t − kh) / STRIDE where that divides: blocks start where y + pad is a multiple of STRIDE, so that
// this is known when the loops are unrolled. Columns likewise. Software adapters take depthwise_rows.
// Launched by src/kernels/depthwise.rs: one thread per image, strip of blocks and vec4 of channels.

#import lib/grid
#import lib/divide
#import lib/depthwise
#import lib/image_segments
#import lib/prologue
#import lib/epilogue

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
  #import lib/depthwise_start
    let first_block = (line - image * params.strips) * params.strip_blocks;
    let end_block = min(first_block + params.strip_blocks, params.blocks_h);
    var top = params.source_y + i32(first_block * SOURCE_ROW_STEP);
    var y = params.first_y + i32(first_block * ROWS);
#for kh in 0..KERNEL
  #for kw in 0..KERNEL
    let weight_$kh_$kw = weights[$(kh * KERNEL + kw)u * params.quads + channel];
  #end
#end
#for j in 0..SOURCE_COLUMNS
    let column_inside_$j = inside(left + $j, params.source_w);
#end
    // The source rows that a block shares with the one above it.
#for s in 0..SOURCE_ROWS - SOURCE_ROW_STEP
    let above_$s = inside(top + $s, params.source_h);
    let above_base_$s = ((image * params.source_h + u32(top + $s)) * params.source_w + u32(left)) * params.quads + channel;
  #for j in 0..SOURCE_COLUMNS
    var value_$s_$j = vec4<f32>();
    if (above_$s && column_inside_$j) {
        value_$s_$j = loaded(above_base_$s + $ju * params.quads, prologue);
    }
  #end
#end

    for (var block = first_block; block < end_block; block++) {
#for t in 0..ROWS
  #for u in 0..COLUMNS
        var sum_$t_$u = vec4<f32>();
  #end
#end
#for s in 0..SOURCE_ROWS
  #if s >= SOURCE_ROWS - SOURCE_ROW_STEP
        let inside_$s = inside(top + $s, params.source_h);
        let base_$s = ((image * params.source_h + u32(top + $s)) * params.source_w + u32(left)) * params.quads + channel;
    #for j in 0..SOURCE_COLUMNS
        var value_$s_$j = vec4<f32>();
        if (inside_$s && column_inside_$j) {
            value_$s_$j = loaded(base_$s + $ju * params.quads, prologue);
        }
    #end
  #endif
  #for t in 0..ROWS
    #for kh in 0..KERNEL
      #if GRADIENT && (s - (KERNEL - 1) / STRIDE) * STRIDE == t - kh
        #for u in 0..COLUMNS
          #for kw in 0..KERNEL
            #if (u + KERNEL - 1 - kw) % STRIDE == (KERNEL - 1) % STRIDE
        sum_$t_$u += weight_$kh_$kw * value_$s_$((KERNEL - 1) / STRIDE + (u - kw) / STRIDE);
            #endif
          #end
        #end
      #elif GRADIENT == 0 && s == t * STRIDE + kh
        #for u in 0..COLUMNS
          #for kw in 0..KERNEL
        sum_$t_$u += weight_$kh_$kw * value_$s_$(u * STRIDE + kw);
          #end
        #end
      #endif GRADIENT
    #end
  #end
#end
#for t in 0..ROWS
        let out_$t = ((image * params.output_h + u32(y + $t)) * params.output_w + u32(x)) * params.quads + channel;
  #for u in 0..COLUMNS
        if (inside(y + $t, params.output_h) && inside(x + $u, params.output_w)) {
            let at = out_$t + $uu * params.quads;
            if (params.accumulate != 0u) {
                sum_$t_$u += vec4<f32>(output[at]);
            }
            output[at] = tallied(&tally, sum_$t_$u, at);
        }
  #end
#end
#for s in 0..SOURCE_ROWS - SOURCE_ROW_STEP
  #for j in 0..SOURCE_COLUMNS
        value_$s_$j = value_$(s + SOURCE_ROW_STEP)_$j;
  #end
#end
        top += i32(SOURCE_ROW_STEP);
        y += i32(ROWS);
    }
    write_tally(&tally, place, channel, params.quads);
}
