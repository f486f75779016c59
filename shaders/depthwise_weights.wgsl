// Weight gradient of a depthwise convolution, first pass: partial sums over slices of output lines.
//
//   source   [images, in_h, in_w, C / 4]     x, read through lib/prologue
//   dy       [images, out_h, out_w, C / 4]   read through lib/gradient_prologue
//   partials [slice][KERNEL²][C / 4]
//
// A thread sums TAP_ROWS rows of taps of four channels over the lines of its slice, LINES at a time; along
// them it slides a window over x, so that each value is loaded once. Neighbouring threads hold neighbouring
// channels. Second pass: sum_slices. Launched by src/kernels/depthwise.rs: slices · KERNEL / TAP_ROWS · C / 4
// threads.

#import lib/grid
#import lib/divide
#import lib/storage
#import lib/image_segments
#import lib/prologue
#import lib/gradient_prologue

struct Params {
    threads: u32,
    quads: u32,
    in_h: u32,
    in_w: u32,
    out_h: u32,
    out_w: u32,
    pad_top: i32,
    pad_left: i32,
    // Bands of LINES lines: of all images, of one, and of a slice.
    bands: u32,
    bands_per_image: u32,
    bands_per_slice: u32,
    segment_ends: array<vec4<u32>, 2>,
}

@group(0) @binding(0) var<storage, read_write> source: array<Stored>;
@group(0) @binding(1) var<storage, read_write> dy: array<Stored>;
@group(0) @binding(2) var<storage, read_write> partials: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

// x of a line at a column, zero outside of the image.
fn load(line_inside: bool, line: u32, column: i32, channel: u32, prologue: Prologue) -> vec4<f32> {
    var value = vec4<f32>();
    if (line_inside && u32(column) < params.in_w) {
        value = loaded((line + u32(column)) * params.quads + channel, prologue);
    }
    return value;
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
    let part = divide(index, params.quads);
    let channel = index - part * params.quads;
    let slice = part / $(KERNEL / TAP_ROWS)u;
    let first_tap = (part % $(KERNEL / TAP_ROWS)u) * TAP_ROWS;
#for t in 0..TAP_ROWS
  #for kw in 0..KERNEL
    var sum_$t_$kw = vec4<f32>();
  #end
#end
    let first = slice * params.bands_per_slice;
    let end = min(first + params.bands_per_slice, params.bands);
    for (var band = first; band < end; band++) {
        let image = divide(band, params.bands_per_image);
        let out_y = (band - image * params.bands_per_image) * LINES;
        let segment = segment_of(image);
        let prologue = prologue_of(segment, channel, params.quads);
        let to_dy = gradient_prologue_of(segment, channel, params.quads);
        let top = i32(out_y * STRIDE + first_tap) - params.pad_top;
#for r in 0..(LINES - 1) * STRIDE + TAP_ROWS
        let inside_$r = u32(top + $r) < params.in_h;
        let line_$r = (image * params.in_h + u32(top + $r)) * params.in_w;
  #for kw in 0..KERNEL
        var window_$r_$kw = vec4<f32>();
  #end
#end
        // The window holds the taps of the column before: its last KERNEL − STRIDE move to the front. Those
        // to the left of the image are zero already. The driver must not know the number of turns, or it
        // would write them all out, and the wait for its compiler is long without a GPU.
        let lead = select(0, $(KERNEL - STRIDE), band < end);
        for (var kw = params.pad_left; kw < lead; kw++) {
#for r in 0..(LINES - 1) * STRIDE + TAP_ROWS
  #for kw in STRIDE + 1..KERNEL
            window_$r_$(kw - 1) = window_$r_$kw;
  #end
            window_$r_$(KERNEL - 1) = load(inside_$r, line_$r, kw - params.pad_left, channel, prologue);
#end
        }
        for (var column = 0u; column < params.out_w; column++) {
            let left = i32(column * STRIDE) - params.pad_left;
#for l in 0..LINES
            var gradient_$l = vec4<f32>();
            if (out_y + $lu < params.out_h) {
                let at = ((image * params.out_h + out_y + $lu) * params.out_w + column) * params.quads + channel;
                gradient_$l = gradient_of(dy[at], at, to_dy);
            }
#end
#for r in 0..(LINES - 1) * STRIDE + TAP_ROWS
  #for kw in 0..KERNEL - STRIDE
            window_$r_$kw = window_$r_$(kw + STRIDE);
  #end
  #for kw in KERNEL - STRIDE..KERNEL
            window_$r_$kw = load(inside_$r, line_$r, left + $kw, channel, prologue);
  #end
#end
#for l in 0..LINES
  #for t in 0..TAP_ROWS
    #for kw in 0..KERNEL
            sum_$t_$kw += gradient_$l * window_$(l * STRIDE + t)_$kw;
    #end
  #end
#end
        }
    }
    // Rows of taps move up to one copy of this code.
    let target_tap = slice * $(KERNEL * KERNEL)u + first_tap * KERNEL;
    let tap_rows = select(0u, TAP_ROWS, first < params.bands);
    for (var t = 0u; t < tap_rows; t++) {
#for kw in 0..KERNEL
        partials[(target_tap + t * KERNEL + $kwu) * params.quads + channel] = sum_0_$kw;
  #for t in 1..TAP_ROWS
        sum_$(t - 1)_$kw = sum_$t_$kw;
  #end
#end
    }
}
