// Weight gradient of a dense convolution, dW[q, j] = Σ_m X[m, q] · dY[m, j], as a tiled matrix product in
// workgroup memory, for GPUs. Rows m are the pixels of dy, q counts (tap, input channel), which is also the
// order of dW. A tile is TILE_M of q × TILE_N of j over the rows of a slice, KC at a time.
//
//   source [images, source_h, source_w, source4]   x, read through lib/prologue
//   output [images, output_h, output_w, output4]   dy, read through lib/gradient_prologue
//   sums   [slice][tap][C_in][output4]             partial sums, or dW itself when there is one slice
//
// POINTWISE: rows of x and dy correspond. Workgroups: x·y tiles, z slices. MATRIX: cooperative matrices
// multiply. Launched by src/kernels/conv.rs.

#import lib/conv_rows
#if MATRIX
  #import lib/conv_matrix
#else
  #import lib/conv_tile
#endif
#import lib/storage
#import lib/prologue
#import lib/conv_gate
#import lib/gradient_prologue

@group(0) @binding(0) var<storage, read_write> source: array<Stored>;
@group(0) @binding(1) var<storage, read_write> output: array<Stored>;
@group(0) @binding(2) var<storage, read_write> sums: array<vec4<f32>>;

@compute @workgroup_size($(TILE_M / TM * TILE_N / TN))
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
#if MATRIX
    @builtin(subgroup_id) subgroup: u32,
#endif
) {
    let walk = walk_of(0u);
    let inputs = params.kernel * params.kernel * params.source4;
    let tile = group.y * groups.x + group.x;
    let column_tiles = (params.output4 + $(TILE_N / 4 - 1)u) / $(TILE_N / 4)u;
    let column = (tile % column_tiles) * $(TILE_N / 4)u;
    let first = (tile / column_tiles) * $(TILE_M / 4)u;
    if (first >= inputs) {
        return;
    }
    let strip = strip_of(walk, group.z, 0u, 1u);
    let end = strip.end;

    // Every load of this thread has the same q (the number of threads is a multiple of TILE_M / 4), and the
    // same j.
    let a_at = local % $(TILE_M / 4)u;
    let b_at = local % $(TILE_N / 4)u;
    let q = first + a_at;
    let q_inside = q < inputs;
    let j_inside = column + b_at < params.output4;
#if POINTWISE == 0
    let tap = q / params.source4;
    let tap_yx = Yx(tap / params.kernel, tap % params.kernel);
    let channel = q % params.source4;
#else
    let channel = q;
#endif
    let prologue = prologue_of(strip.segment, min(channel, params.source4 - 1u), params.source4);
    let thread_x = local % $(TILE_N / TN)u;
    let thread_y = local / $(TILE_N / TN)u;
    let gradient = gradient_prologue_of(strip.segment, min(column + b_at, params.output4 - 1u), params.output4);
#if MATRIX
    make_zeros(local);
  #import lib/conv_matrix_start
#else
  #import lib/conv_tile_start
#endif

    for (var start = strip.first; start < end; start += KC) {
#for p in 0..(TILE_M * KC / 4 + THREADS - 1) / THREADS
        let a_k_$p = local / $(TILE_M / 4)u + $(p * THREADS * 4 / TILE_M)u;
        if (a_k_$p < KC) {
            let m_$p = start + a_k_$p;
            var x_$p = vec4<f32>();
  #if POINTWISE
            if (m_$p < end && q_inside) {
                x_$p = gated(loaded(m_$p * params.source4 + q, prologue), m_$p, q);
            }
  #else
            let at_$p = source_of(walk, pixel_of(walk, min(m_$p, end - 1u)), tap_yx);
            if (m_$p < end && q_inside && at_$p.inside) {
                x_$p = loaded(at_$p.index * params.source4 + channel, prologue);
            }
  #endif
            keep_a(a_k_$p * A_ROW + a_at, x_$p);
        }
#end
#for p in 0..(TILE_N * KC / 4 + THREADS - 1) / THREADS
        let b_k_$p = local / $(TILE_N / 4)u + $(p * THREADS * 4 / TILE_N)u;
        if (b_k_$p < KC) {
            var y_$p = vec4<f32>();
            if (start + b_k_$p < end && j_inside) {
                let dy_at_$p = (start + b_k_$p) * params.output4 + column + b_at;
                y_$p = gradient_of(output[dy_at_$p], dy_at_$p, gradient);
            }
            keep_b(b_k_$p * B_ROW + b_at, y_$p);
        }
#end
        workgroupBarrier();
#if MATRIX
  #import lib/conv_matrix_step
#else
  #import lib/conv_tile_step
#endif
        workgroupBarrier();
    }
#if MATRIX
  #import lib/conv_matrix_results
#endif

#for i in 0..TM
    let q_$i = (first + thread_y + $(i / 4 * TILE_M / TM)u) * 4u + $(i % 4)u;
    if (q_$i < inputs * 4u) {
  #for j in 0..TN / 4
        let column_$i_$j = column + thread_x + $(j * TILE_N / TN)u;
        if (column_$i_$j < params.output4) {
            let at_$i_$j = (group.z * inputs * 4u + q_$i) * params.output4 + column_$i_$j;
            var sum_here_$i_$j = acc_$i_$j;
            if (params.accumulate != 0u) {
                sum_here_$i_$j += sums[at_$i_$j];
            }
            sums[at_$i_$j] = sum_here_$i_$j;
        }
  #end
    }
#end
}
