// What the dense convolutions share: their numbers, and how a row of the implicit matrix finds its pixels.
//
// Forward and data gradient are one computation: every pixel of `output` gathers pixels of `source` over the
// kernel's taps. Forward walks all taps, upwards; the data gradient of a strided convolution splits its
// output pixels by (y % stride, x % stride) into phases, one per workgroup_id.z, because each phase meets
// only its own taps, and walks them downwards. Numbers come from src/kernels/conv.rs.

struct Params {
    images: u32,
    output_h: u32,
    output_w: u32,
    // Channels divided by 4.
    output4: u32,
    source_h: u32,
    source_w: u32,
    source4: u32,
    kernel: u32,
    stride: u32,
    pad_top: u32,
    pad_left: u32,
    // 1: add to what is there instead of overwriting it.
    accumulate: u32,
    // Rows of a strip: of a slice of the weight gradient, or those that one workgroup of the others takes
    // tile by tile.
    strip_rows: u32,
    // Strips of a phase.
    strips: u32,
    // Pixels of an image in the largest phase.
    phase_area: u32,
    // Images of each batch norm segment.
    segment_images: array<vec4<u32>, 2>,
}

@group(1) @binding(0) var<uniform> params: Params;

#import lib/divide

// A line and a column, or numbers of them.
struct Yx {
    y: u32,
    x: u32,
}

// As Yx, where the image's edge may lie in between.
struct SignedYx {
    y: i32,
    x: i32,
}

// The taps of a phase and the grid of its output pixels.
struct Walk {
    // Pixels of the phase: width, height × width, and all images.
    width: u32,
    area: u32,
    rows: u32,
    // The first tap; further ones are `tap_step` apart.
    first: Yx,
    tap_step: u32,
    // Rows and columns of taps.
    taps: Yx,
    // Source pixel of the phase's first output pixel at its first tap, its move per output pixel, and per
    // tap.
    origin: SignedYx,
    pixel_step: i32,
    source_step: i32,
    // Output pixel = phase + output_step × (pixel of the phase).
    phase: Yx,
    output_step: u32,
}

fn walk_of(phase_number: u32) -> Walk {
    var w: Walk;
#if GRADIENT
    let s = params.stride;
    w.phase = Yx(phase_number / s, phase_number % s);
    w.width = (params.output_w + s - 1u - w.phase.x) / s;
    w.area = (params.output_h + s - 1u - w.phase.y) / s * w.width;
    w.first = Yx((w.phase.y + params.pad_top) % s, (w.phase.x + params.pad_left) % s);
    w.tap_step = s;
    w.taps = Yx(
        (max(params.kernel, w.first.y) - w.first.y + s - 1u) / s,
        (max(params.kernel, w.first.x) - w.first.x + s - 1u) / s);
    w.origin = SignedYx(
        i32((w.phase.y + params.pad_top - w.first.y) / s),
        i32((w.phase.x + params.pad_left - w.first.x) / s));
    w.pixel_step = 1;
    w.source_step = -1;
    w.output_step = s;
#else
    w.width = params.output_w;
    w.area = params.output_h * w.width;
    w.tap_step = 1u;
    w.taps = Yx(params.kernel, params.kernel);
    w.origin = SignedYx(-i32(params.pad_top), -i32(params.pad_left));
    w.pixel_step = i32(params.stride);
    w.source_step = 1;
    w.output_step = 1u;
#endif GRADIENT
    w.rows = params.images * w.area;
    return w;
}

struct Pixel {
    // Source pixel at the first tap, and the number of source pixels before its image.
    source: SignedYx,
    source_base: u32,
    // Index of the output pixel.
    output: u32,
}

fn pixel_of(w: Walk, row: u32) -> Pixel {
    let image = divide(row, w.area);
    let rest = row - image * w.area;
    let y = divide(rest, w.width);
    let x = rest - y * w.width;
    var p: Pixel;
    p.source = SignedYx(w.origin.y + w.pixel_step * i32(y), w.origin.x + w.pixel_step * i32(x));
    p.source_base = image * params.source_h * params.source_w;
    let out = Yx(w.phase.y + w.output_step * y, w.phase.x + w.output_step * x);
    p.output = (image * params.output_h + out.y) * params.output_w + out.x;
    return p;
}

// A source pixel and whether it lies inside the image; outside, the index is one that can be read.
struct Source {
    index: u32,
    inside: bool,
}

fn source_of(w: Walk, p: Pixel, tap: Yx) -> Source {
    let y = p.source.y + w.source_step * i32(tap.y);
    let x = p.source.x + w.source_step * i32(tap.x);
    let height = i32(params.source_h);
    let width = i32(params.source_w);
    // `&` and not `&&`: four comparisons are quicker than three branches.
    let inside = (y >= 0) & (x >= 0) & (y < height) & (x < width);
    let safe_y = u32(clamp(y, 0, height - 1));
    let safe_x = u32(clamp(x, 0, width - 1));
    return Source(p.source_base + safe_y * params.source_w + safe_x, inside);
}

// Number of a tap in the weights.
fn tap_number(w: Walk, tap: Yx) -> u32 {
    return (w.first.y + w.tap_step * tap.y) * params.kernel + w.first.x + w.tap_step * tap.x;
}

// Rows first..end of one batch norm segment, and the number of this strip among all strips and phases,
// segment by segment.
struct Strip {
    first: u32,
    end: u32,
    segment: u32,
    slice: u32,
}

fn strip_of(w: Walk, number: u32, phase: u32, phases: u32) -> Strip {
    var left = number;
    var image = 0u;
    var slice = 0u;
    var segment = 0u;
    var images = params.segment_images[0].x;
    var strips = strips_in(images);
    while (left >= strips && segment < 7u) {
        left -= strips;
        slice += strips * phases;
        image += images;
        segment += 1u;
        images = params.segment_images[segment / 4u][segment % 4u];
        strips = strips_in(images);
    }
    let end = (image + images) * w.area;
    let first = min(image * w.area + left * params.strip_rows, end);
    return Strip(first, min(first + params.strip_rows, end), segment, slice + phase * strips + left);
}

fn strips_in(images: u32) -> u32 {
    return (images * params.phase_area + params.strip_rows - 1u) / params.strip_rows;
}
