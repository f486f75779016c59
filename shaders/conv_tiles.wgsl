// Dense convolution, forward (y from x) and data gradient (dx from dy), as a tiled matrix product in
// workgroup memory, for GPUs. A tile is TILE_M rows × TILE_N channels, a thread holds TM × TN of it, a step
// takes KC of the reduction, which runs over (tap, channel) without gaps.
//
//   source  [images, source_h, source_w, source4]   x, or dy for GRADIENT; read through lib/prologue
//   weights [tap][C_in][C_out / 4]                  GRADIENT reads them along C_out: no transposed copy
//   output  [images, output_h, output_w, output4]   y, or dx for GRADIENT; written through lib/epilogue
//   bias    [output4]                               with BIAS
//
// POINTWISE: 1×1, stride 1, no padding: rows are contiguous. Workgroups: x·y strips of tiles (columns
// fastest), z phases. A strip's tallies are one slice. MATRIX: cooperative matrices multiply. Launched by
// src/kernels/conv.rs.

#import lib/conv_rows
#if MATRIX
  #import lib/conv_matrix
#else
  #import lib/conv_tile
#endif
#import lib/storage
#import lib/prologue
#import lib/conv_gate
#import lib/epilogue

@group(0) @binding(0) var<storage, read_write> source: array<Stored>;
@group(0) @binding(1) var<storage, read_write> weights: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> output: array<Stored>;
#if BIAS
@group(0) @binding(3) var<storage, read_write> bias: array<vec4<f32>>;
#endif

// Loads move blocks of 4 × 4: four rows (or, transposed weights, four columns) × one vec4 of the reduction.
const STEPS: u32 = $(KC / 4)u;

@compute @workgroup_size($(TILE_M / TM * TILE_N / TN))
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
#if MATRIX
    @builtin(subgroup_id) subgroup: u32,
#endif
) {
    let walk = walk_of(group.z);
    let tile = group.y * groups.x + group.x;
    let column_tiles = (params.output4 + $(TILE_N / 4 - 1)u) / $(TILE_N / 4)u;
    let column = (tile % column_tiles) * $(TILE_N / 4)u;
    if (tile / column_tiles >= params.strips) {
        return;
    }
#if GRADIENT
    let strip = strip_of(walk, tile / column_tiles, group.z, params.stride * params.stride);
#else
    let strip = strip_of(walk, tile / column_tiles, 0u, 1u);
#endif
    let depth = walk.taps.y * walk.taps.x * params.source4;
    let thread_x = local % $(TILE_N / TN)u;
    let thread_y = local / $(TILE_N / TN)u;
#for j in 0..TN / 4
    var tally_$j = tally_of(
        strip.segment, min(column + thread_x + $(j * TILE_N / TN)u, params.output4 - 1u), params.output4);
#end

#if MATRIX
    make_zeros(local);
#endif

    // Where in the reduction this thread loads: the same in each of its blocks.
    let step = local % STEPS;
    let block = local / STEPS;
    for (var first = strip.first; first < strip.end; first += TILE_M) {
        var channel = step;
        var tap = Yx();
#for p in 0..(TILE_M * KC / 16 + THREADS - 1) / THREADS
  #for r in 0..4
        let row_$p_$r = first + (block + $(p * THREADS * 4 / KC)u) * 4u + $ru;
        let safe_$p_$r = min(row_$p_$r, strip.end - 1u);
    #if POINTWISE == 0
        let pixel_$p_$r = pixel_of(walk, safe_$p_$r);
    #endif
  #end
#end
#if MATRIX
  #import lib/conv_matrix_start
#else
  #import lib/conv_tile_start
#endif

        for (var start = 0u; start < depth; start += STEPS) {
#if POINTWISE == 0
            while (channel >= params.source4) {
                channel -= params.source4;
                tap.x += 1u;
                if (tap.x == walk.taps.x) {
                    tap = Yx(tap.y + 1u, 0u);
                }
            }
#endif
            let within = start + step < depth;
            let prologue = prologue_of(strip.segment, min(channel, params.source4 - 1u), params.source4);
#for p in 0..(TILE_M * KC / 16 + THREADS - 1) / THREADS
            let block_$p = block + $(p * THREADS * 4 / KC)u;
            if (block_$p < $(TILE_M / 4)u) {
  #for r in 0..4
                var x_$p_$r = vec4<f32>();
    #if POINTWISE
                if (within && row_$p_$r < strip.end) {
                    x_$p_$r = gated(loaded(safe_$p_$r * params.source4 + channel, prologue), safe_$p_$r, channel);
                }
    #else
                let at_$p_$r = source_of(walk, pixel_$p_$r, tap);
                if (within && row_$p_$r < strip.end && at_$p_$r.inside) {
                    x_$p_$r = loaded(at_$p_$r.index * params.source4 + channel, prologue);
                }
    #endif
  #end
  #if MATRIX
    #for r in 0..4
                keep_a((block_$p * 4u + $ru) * A_ROW + step, x_$p_$r);
    #end
  #else
    #for c in 0..4
                keep_a(
                    (step * 4u + $cu) * A_ROW + block_$p,
                    vec4<f32>(x_$p_0[$c], x_$p_1[$c], x_$p_2[$c], x_$p_3[$c]));
    #end
  #endif
            }
#end
#if GRADIENT
            let tap_at = tap_number(walk, tap) * params.output4 * 4u;
  #for p in 0..(TILE_N * KC / 16 + THREADS - 1) / THREADS
            let panel_$p = block + $(p * THREADS * 4 / KC)u;
            if (panel_$p < $(TILE_N / 4)u) {
                let inside_$p = within && column + panel_$p < params.output4;
    #for r in 0..4
                var w_$p_$r = vec4<f32>();
                if (inside_$p) {
                    w_$p_$r = weights[(tap_at + (column + panel_$p) * 4u + $ru) * params.source4 + channel];
                }
    #end
    #if MATRIX
      #for r in 0..4
                keep_b((panel_$p * 4u + $ru) * B_ROW + step, w_$p_$r);
      #end
    #else
      #for c in 0..4
                keep_b(
                    (step * 4u + $cu) * B_ROW + panel_$p,
                    vec4<f32>(w_$p_0[$c], w_$p_1[$c], w_$p_2[$c], w_$p_3[$c]));
      #end
    #endif
            }
  #end
#else
  #for p in 0..(TILE_N * KC / 4 + THREADS - 1) / THREADS
            let element_$p = local + $(p * THREADS)u;
            let k_$p = element_$p / $(TILE_N / 4)u;
            let n_$p = element_$p % $(TILE_N / 4)u;
            if (k_$p < KC) {
                var w_$p = vec4<f32>();
                if (start * 4u + k_$p < depth * 4u && column + n_$p < params.output4) {
                    w_$p = weights[(start * 4u + k_$p) * params.output4 + column + n_$p];
                }
                keep_b(k_$p * B_ROW + n_$p, w_$p);
            }
  #end
#endif GRADIENT
            workgroupBarrier();
#if MATRIX
  #import lib/conv_matrix_step
#else
  #import lib/conv_tile_step
#endif
            workgroupBarrier();
            channel += STEPS;
        }
#if MATRIX
  #import lib/conv_matrix_results
#endif

#for i in 0..TM / 4
  #for r in 0..4
        let out_row_$i_$r = first + (thread_y + $(i * TILE_M / TM)u) * 4u + $ru;
        if (out_row_$i_$r < strip.end) {
    #if GRADIENT && POINTWISE == 0
            let out_$i_$r = pixel_of(walk, out_row_$i_$r).output * params.output4;
    #else
            let out_$i_$r = out_row_$i_$r * params.output4;
    #endif
    #for j in 0..TN / 4
            let column_$i_$r_$j = column + thread_x + $(j * TILE_N / TN)u;
            if (column_$i_$r_$j < params.output4) {
                var value_$i_$r_$j = acc_$(i * 4 + r)_$j;
      #if BIAS
                value_$i_$r_$j += bias[column_$i_$r_$j];
      #endif
                if (params.accumulate != 0u) {
                    value_$i_$r_$j += vec4<f32>(output[out_$i_$r + column_$i_$r_$j]);
                }
                let at_$i_$r_$j = out_$i_$r + column_$i_$r_$j;
                output[at_$i_$r_$j] = tallied(&tally_$j, value_$i_$r_$j, at_$i_$r_$j);
            }
    #end
        }
  #end
#end
    }
#if TALLIES
  #import lib/conv_tile_tally
#endif
}
