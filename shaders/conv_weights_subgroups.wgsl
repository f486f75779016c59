// Weight gradient of a dense convolution, dW[q, j] = Σ_m X[m, q] · dY[m, j], for adapters where workgroup
// memory is ordinary memory. Rows m are the pixels of dy, q counts (tap, input channel), which is also the
// order of dW.
//
// One subgroup computes 32 channels of one side × 4·COLUMNS of the other, over the rows of a slice, four at a
// time: a lane owns one vec4 of the wide side; the narrow side is spread over the lanes and shared by
// subgroupBroadcast.
//
//   source [images, source_h, source_w, source4]   x, read through lib/prologue
//   output [images, output_h, output_w, output4]   dy, read through lib/gradient_prologue
//   sums   [slice][tap][C_in][output4]             partial sums, or dW itself when there is one slice
//
// WIDE_INPUT: the lanes own input channels (POINTWISE only), else output channels. Workgroups: x·y tiles, z
// slices. Launched by src/kernels/conv.rs.

#import lib/conv_rows
#import lib/storage
#import lib/prologue
#import lib/conv_gate
#import lib/gradient_prologue

@group(0) @binding(0) var<storage, read_write> source: array<Stored>;
@group(0) @binding(1) var<storage, read_write> output: array<Stored>;
@group(0) @binding(2) var<storage, read_write> sums: array<vec4<f32>>;

@compute @workgroup_size(8)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let walk = walk_of(0u);
    let inputs = params.kernel * params.kernel * params.source4;
#if WIDE_INPUT
    let narrow = params.output4;
    let wide = inputs;
#else
    let narrow = inputs;
    let wide = params.output4;
#endif
    let tile = group.y * groups.x + group.x;
    let wide_tiles = (wide + 7u) / 8u;
    let mine = (tile % wide_tiles) * 8u + lane;
    let first = (tile / wide_tiles) * COLUMNS;
    if (first >= narrow) {
        return;
    }
    let strip = strip_of(walk, group.z, 0u, 1u);
    let end = strip.end;
    let wide_at = min(mine, wide - 1u);
#if WIDE_INPUT
    let prologue = prologue_of(strip.segment, wide_at, params.source4);
#else
    let gradient = gradient_prologue_of(strip.segment, wide_at, params.output4);
#endif

    // Element e of the narrow side's 4 rows × COLUMNS.
#for i in 0..(COLUMNS + 1) / 2
    let narrow_row_$i = (lane + $(8 * i)u) / COLUMNS;
    let narrow_at_$i = min(first + (lane + $(8 * i)u) % COLUMNS, narrow - 1u);
  #if POINTWISE == 0
    let tap_$i = narrow_at_$i / params.source4;
    let tap_yx_$i = Yx(tap_$i / params.kernel, tap_$i % params.kernel);
    let channel_$i = narrow_at_$i % params.source4;
  #else
    let channel_$i = narrow_at_$i;
  #endif
  #if WIDE_INPUT
    let gradient_$i = gradient_prologue_of(strip.segment, narrow_at_$i, params.output4);
  #else
    let prologue_$i = prologue_of(strip.segment, channel_$i, params.source4);
  #endif
#end
#for j in 0..COLUMNS
  #for c in 0..4
    var acc_$j_$c = vec4<f32>();
  #end
#end

    for (var m = strip.first; m < end; m += 4u) {
#for i in 0..(COLUMNS + 1) / 2
        let row_$i = m + narrow_row_$i;
        let last_$i = min(row_$i, end - 1u);
  #if WIDE_INPUT
        let at_$i = last_$i * narrow + narrow_at_$i;
        let n_$i = select(vec4<f32>(), gradient_of(output[at_$i], at_$i, gradient_$i), row_$i < end);
  #elif POINTWISE
        let x_$i = gated(loaded(last_$i * narrow + narrow_at_$i, prologue_$i), last_$i, narrow_at_$i);
        let n_$i = select(vec4<f32>(), x_$i, row_$i < end);
  #else
        let at_$i = source_of(walk, pixel_of(walk, last_$i), tap_yx_$i);
        let value_$i = loaded(at_$i.index * params.source4 + channel_$i, prologue_$i);
        let n_$i = select(vec4<f32>(), value_$i, row_$i < end && at_$i.inside);
  #endif WIDE_INPUT
#end
#for r in 0..4
  #if WIDE_INPUT
        let m_$r = min(m + $ru, end - 1u);
        let v_$r = gated(loaded(m_$r * wide + wide_at, prologue), m_$r, wide_at);
  #else
        let wide_at_$r = min(m + $ru, end - 1u) * wide + wide_at;
        let v_$r = gradient_of(output[wide_at_$r], wide_at_$r, gradient);
  #endif
#end
#for j in 0..COLUMNS
  #for r in 0..4
        let b_$j_$r = subgroupBroadcast(n_$((r * COLUMNS + j) / 8), $((r * COLUMNS + j) % 8)u);
    #for c in 0..4
      #if WIDE_INPUT
        acc_$j_$c += v_$r[$c] * b_$j_$r;
      #else
        acc_$j_$c += b_$j_$r[$c] * v_$r;
      #endif
    #end
  #end
#end
    }

    // One copy of this code for the four channels of each column, which move up to it.
    for (var c = 0u; c < 4u; c++) {
#for j in 0..COLUMNS
        if (mine < wide && first + $ju < narrow) {
  #if WIDE_INPUT
            let at_$j = (group.z * inputs * 4u + mine * 4u + c) * params.output4 + first + $ju;
  #else
            let at_$j = ((group.z * inputs + first + $ju) * 4u + c) * params.output4 + mine;
  #endif
            if (params.accumulate != 0u) {
                acc_$j_0 += sums[at_$j];
            }
            sums[at_$j] = acc_$j_0;
        }
  #for c in 1..4
        acc_$j_$(c - 1) = acc_$j_$c;
  #end
#end
    }
}
