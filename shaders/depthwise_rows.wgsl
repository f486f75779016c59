// Depthwise convolution, forward and data gradient, for software adapters, whose time goes into loads and
// whose compiler's goes into what is unrolled. A thread makes a strip of blocks of ROWS × COLUMNS outputs of
// four channels, one below the other, and reads each source row once: its products go to the sums of the
// PENDING blocks that it touches, the first of which is then done. Neighbouring threads hold neighbouring
// channels.
//
//   source  [images, source_h, source_w, C / 4]   x, or dy with GRADIENT; read through lib/prologue
//   weights [KERNEL²][C / 4]
//   output  [images, output_h, output_w, C / 4]   y, or dx with GRADIENT; written through lib/epilogue
//
// A block is a row of outputs, with GRADIENT STRIDE of them, and SOURCE_ROW_STEP source rows are read for
// each. Sums of p blocks ahead take tap row KERNEL − STRIDE + s − p·STRIDE of source row s, or t + p·STRIDE
// for row t of a block with GRADIENT; columns as in depthwise_gather. Launched by src/kernels/depthwise.rs:
// one thread per image, strip of blocks and vec4 of channels.

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
    let first_block = i32((line - image * params.strips) * params.strip_blocks);
    let end_block = min(first_block + i32(params.strip_blocks), i32(params.blocks_h));
#for kh in 0..KERNEL
  #for kw in 0..KERNEL
    var weight_$kh_$kw = vec4<f32>();
  #end
#end
    // Rows of taps move up from the last: few loads to compile. The driver must not know the number of turns,
    // or it would write them all out.
    let tap_rows = select(0u, KERNEL, first_block < end_block);
    for (var kh = 0u; kh < tap_rows; kh++) {
#for kw in 0..KERNEL
  #for kh in 1..KERNEL
        weight_$(kh - 1)_$kw = weight_$kh_$kw;
  #end
        weight_$(KERNEL - 1)_$kw = weights[(kh * KERNEL + $kwu) * params.quads + channel];
#end
    }
#for j in 0..SOURCE_COLUMNS
    let column_inside_$j = inside(left + $j, params.source_w);
#end
#for p in 0..PENDING
  #for t in 0..ROWS
    #for u in 0..COLUMNS
    var sum_$p_$t_$u = vec4<f32>();
    #end
  #end
#end

    // The first blocks only gather the rows that the strip's own share with the strip above.
    // Nor is there anything to gather above the image.
    let in_image = -(params.source_y + $(SOURCE_ROWS - 1)) / $(SOURCE_ROW_STEP);
    for (var block = max(first_block - $(PENDING - 1), in_image); block < end_block; block++) {
        let row = params.source_y + block * $(SOURCE_ROW_STEP) + $(SOURCE_ROWS - SOURCE_ROW_STEP);
#for s in 0..SOURCE_ROW_STEP
        let inside_$s = inside(row + $s, params.source_h);
        let base_$s = ((image * params.source_h + u32(row + $s)) * params.source_w + u32(left)) * params.quads + channel;
  #for j in 0..SOURCE_COLUMNS
        var value_$s_$j = vec4<f32>();
        if (inside_$s && column_inside_$j) {
            value_$s_$j = loaded(base_$s + $ju * params.quads, prologue);
        }
  #end
  #for p in 0..PENDING
    #for t in 0..ROWS
      #for kh in 0..KERNEL
        #if GRADIENT && kh == t + p * STRIDE
          #for u in 0..COLUMNS
            #for kw in 0..KERNEL
              #if (u + KERNEL - 1 - kw) % STRIDE == (KERNEL - 1) % STRIDE
        sum_$p_$t_$u += weight_$kh_$kw * value_$s_$((KERNEL - 1) / STRIDE + (u - kw) / STRIDE);
              #endif
            #end
          #end
        #elif GRADIENT == 0 && kh + p * STRIDE + STRIDE == KERNEL + s
          #for u in 0..COLUMNS
            #for kw in 0..KERNEL
        sum_$p_$t_$u += weight_$kh_$kw * value_$s_$(u * STRIDE + kw);
            #end
          #end
        #endif GRADIENT
      #end
    #end
  #end
#end
#for t in 0..ROWS
        let y_$t = params.first_y + block * $(ROWS) + $t;
        let out_$t = ((image * params.output_h + u32(y_$t)) * params.output_w + u32(x)) * params.quads + channel;
  #for u in 0..COLUMNS
        if (block >= first_block && inside(y_$t, params.output_h) && inside(x + $u, params.output_w)) {
            let at = out_$t + $uu * params.quads;
            if (params.accumulate != 0u) {
                sum_0_$t_$u += vec4<f32>(output[at]);
            }
            output[at] = tallied(&tally, sum_0_$t_$u, at);
        }
  #end
  #for u in 0..COLUMNS
    #for p in 1..PENDING
        sum_$(p - 1)_$t_$u = sum_$p_$t_$u;
    #end
        sum_$(PENDING - 1)_$t_$u = vec4<f32>();
  #end
#end
    }
    write_tally(&tally, place, channel, params.quads);
}
