// Dense convolution, forward (y from x) and data gradient (dx from dy), for adapters where workgroup memory
// is ordinary memory: one subgroup computes 8·ROWS rows × 4·COLUMNS channels in registers.
//
// A lane owns the rows lane, lane + 8, …; it reads them as one vec4 along the reduction per step of 4. The
// weights of a step are spread over the lanes and shared by subgroupBroadcast with constant lane numbers, so
// a tile of any number of columns wastes no lane.
//
//   source  [images, source_h, source_w, source4]   x, or dy for GRADIENT; read through lib/prologue
//   weights [tap][C_in][C_out / 4]                  GRADIENT reads them along C_out: no transposed copy
//   output  [images, output_h, output_w, output4]   y, or dx for GRADIENT; written through lib/epilogue
//   bias    [output4]                               with BIAS
//
// POINTWISE: 1×1, stride 1, no padding: rows are contiguous. Workgroups: x·y strips of tiles (columns
// fastest), z phases. Each lane's tallies are a slice. Launched by src/kernels/conv.rs.

#import lib/conv_rows
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

// Where a lane finds its part of a step's weights: element `e` of 4·COLUMNS.
fn weight_offset(e: u32, column: u32) -> u32 {
#if GRADIENT
    return min(column * 4u + e, params.output4 * 4u - 1u) * params.source4;
#else
    return min(e / COLUMNS, 3u) * params.output4 + min(column + e % COLUMNS, params.output4 - 1u);
#endif
}

@compute @workgroup_size(8)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let walk = walk_of(group.z);
    let tile = group.y * groups.x + group.x;
    let column_tiles = (params.output4 + COLUMNS - 1u) / COLUMNS;
    let column = (tile % column_tiles) * COLUMNS;
    if (tile / column_tiles >= params.strips) {
        return;
    }
#if GRADIENT
    let strip = strip_of(walk, tile / column_tiles, group.z, params.stride * params.stride);
#else
    let strip = strip_of(walk, tile / column_tiles, 0u, 1u);
#endif
#for i in 0..(COLUMNS + 1) / 2
    let offset_$i = weight_offset(lane + $(8 * i)u, column);
#end
#if GRADIENT
    let weight_step = 1u;
    let tap_size = params.output4 * 4u * params.source4;
#else
    let weight_step = params.output4 * 4u;
    let tap_size = params.source4 * weight_step;
#endif
#for j in 0..COLUMNS
    var tally_$j = tally_of(strip.segment, min(column + $ju, params.output4 - 1u), params.output4);
#end

    for (var first = strip.first; first < strip.end; first += $(8 * ROWS)u) {
#for r in 0..ROWS
        let row_$r = min(first + lane + $(8 * r)u, strip.end - 1u);
  #if POINTWISE == 0
        let pixel_$r = pixel_of(walk, row_$r);
  #endif
  #for j in 0..COLUMNS
        var acc_$r_$j = vec4<f32>();
  #end
#end
#if POINTWISE
  #for r in 0..ROWS
        let base_$r = row_$r * params.source4;
  #end
        var weight = 0u;
#else
        for (var tap_y = 0u; tap_y < walk.taps.y; tap_y++) {
        for (var tap_x = 0u; tap_x < walk.taps.x; tap_x++) {
        let tap = Yx(tap_y, tap_x);
  #for r in 0..ROWS
        let source_$r = source_of(walk, pixel_$r, tap);
        let base_$r = source_$r.index * params.source4;
  #end
        var weight = tap_number(walk, tap) * tap_size;
#endif
        for (var k = 0u; k < params.source4; k++) {
#for i in 0..(COLUMNS + 1) / 2
            let w_$i = weights[weight + offset_$i];
#end
            let prologue = prologue_of(strip.segment, k, params.source4);
#for r in 0..ROWS
  #if POINTWISE
            let a_$r = gated(loaded(base_$r + k, prologue), row_$r, k);
  #else
            let a_$r = select(vec4<f32>(), loaded(base_$r + k, prologue), source_$r.inside);
  #endif
#end
#for j in 0..COLUMNS
  #if GRADIENT
    #for c in 0..4
            let t_$j_$c = subgroupBroadcast(w_$((4 * j + c) / 8), $((4 * j + c) % 8)u);
    #end
    #for kk in 0..4
            let b_$j_$kk = vec4<f32>(t_$j_0[$kk], t_$j_1[$kk], t_$j_2[$kk], t_$j_3[$kk]);
    #end
  #else
    #for kk in 0..4
            let b_$j_$kk = subgroupBroadcast(w_$((kk * COLUMNS + j) / 8), $((kk * COLUMNS + j) % 8)u);
    #end
  #endif
  #for kk in 0..4
    #for r in 0..ROWS
            acc_$r_$j += a_$r[$kk] * b_$j_$kk;
    #end
  #end
#end
            weight += weight_step;
        }
#if POINTWISE == 0
        }
        }
#endif

        // One copy of this code for all rows, which move up to it: it is most of what there is to compile.
        for (var r = 0u; r < ROWS; r++) {
            let row = first + lane + 8u * r;
            if (row < strip.end) {
#if POINTWISE
                let out = row * params.output4 + column;
#else
                let out = pixel_of(walk, row).output * params.output4 + column;
#endif
#for j in 0..COLUMNS
                if (column + $ju < params.output4) {
  #if BIAS
                    acc_0_$j += bias[column + $ju];
  #endif
                    if (params.accumulate != 0u) {
                        acc_0_$j += vec4<f32>(output[out + $ju]);
                    }
                    output[out + $ju] = tallied(&tally_$j, acc_0_$j, out + $ju);
                }
#end
            }
#for r in 1..ROWS
  #for j in 0..COLUMNS
            acc_$(r - 1)_$j = acc_$r_$j;
  #end
#end
        }
    }
#for j in 0..COLUMNS
    if (column + $ju < params.output4) {
        write_tally(&tally_$j, strip.slice * 8u + lane, column + $ju, params.output4);
    }
#end
}
