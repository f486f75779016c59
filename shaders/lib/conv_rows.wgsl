// What the dense convolutions share: their numbers, and how a row of the implicit matrix finds its pixels.
//
// Forward and data gradient are one computation: every pixel of `output` gathers pixels of `source` over the kernel's
// taps. Forward walks all taps, upwards; the data gradient of a strided convolution splits its output pixels by
// (y % stride, x % stride) into phases, one per workgroup_id.z, because each phase meets only its own taps, and walks
// them downwards. Numbers come from src/kernels/conv.rs.

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
    // Rows of a strip: of a slice of the weight gradient, or those that one workgroup of the others takes tile by tile.
    strip_rows: u32,
    // Strips of a phase.
    strips: u32,
    // Pixels of an image in the largest phase.
    phase_area: u32,
    unused: u32,
    // Images of each batch norm segment.
    segment_images: array<vec4<u32>, 2>,
}

@group(1) @binding(0) var<uniform> params: Params;

#import lib/divide

// The taps of a phase and the grid of its output pixels.
struct Walk {
    // Pixels of the phase: width, height × width, and all images.
    width: u32,
    area: u32,
    rows: u32,
    // The first tap in y and x; further ones are `tap_step` apart.
    first: vec2<u32>,
    tap_step: u32,
    taps: vec2<u32>,
    // Source pixel of the phase's first output pixel at its first tap, its move per output pixel, and per tap.
    origin: vec2<i32>,
    pixel_step: i32,
    source_step: i32,
    // Output pixel = phase + output_step × (pixel of the phase).
    phase: vec2<u32>,
    output_step: u32,
}

fn walk_of(phase_number: u32) -> Walk {
    var w: Walk;
    let pad = vec2<u32>(params.pad_top, params.pad_left);
#if GRADIENT
    let s = params.stride;
    w.phase = vec2<u32>(phase_number / s, phase_number % s);
    w.width = (params.output_w + s - 1u - w.phase.y) / s;
    w.area = (params.output_h + s - 1u - w.phase.x) / s * w.width;
    w.first = (w.phase + pad) % s;
    w.tap_step = s;
    w.taps = (max(vec2<u32>(params.kernel), w.first) - w.first + s - 1u) / s;
    w.origin = vec2<i32>((w.phase + pad - w.first) / s);
    w.pixel_step = 1;
    w.source_step = -1;
    w.output_step = s;
#else
    w.width = params.output_w;
    w.area = params.output_h * w.width;
    w.tap_step = 1u;
    w.taps = vec2<u32>(params.kernel);
    w.origin = -vec2<i32>(pad);
    w.pixel_step = i32(params.stride);
    w.source_step = 1;
    w.output_step = 1u;
#endif
    w.rows = params.images * w.area;
    return w;
}

struct Pixel {
    // Source pixel at the first tap, and the number of source pixels before its image.
    source: vec2<i32>,
    source_base: u32,
    // Index of the output pixel.
    output: u32,
}

fn pixel_of(w: Walk, row: u32) -> Pixel {
    let image = divide(row, w.area);
    let rest = row - image * w.area;
    let y = divide(rest, w.width);
    let at = vec2<u32>(y, rest - y * w.width);
    var p: Pixel;
    p.source = w.origin + w.pixel_step * vec2<i32>(at);
    p.source_base = image * params.source_h * params.source_w;
    let out = w.phase + w.output_step * at;
    p.output = (image * params.output_h + out.x) * params.output_w + out.y;
    return p;
}

// A source pixel and whether it lies inside the image; outside, the index is one that can be read.
struct Source {
    index: u32,
    inside: bool,
}

fn source_of(w: Walk, p: Pixel, tap: vec2<u32>) -> Source {
    let at = p.source + w.source_step * vec2<i32>(tap);
    let size = vec2<i32>(vec2<u32>(params.source_h, params.source_w));
    let inside = all(at >= vec2<i32>(0)) && all(at < size);
    let safe = vec2<u32>(clamp(at, vec2<i32>(0), size - 1));
    return Source(p.source_base + safe.x * params.source_w + safe.y, inside);
}

// Number of a tap in the weights.
fn tap_number(w: Walk, tap: vec2<u32>) -> u32 {
    let at = w.first + w.tap_step * tap;
    return at.x * params.kernel + at.y;
}

// Rows first..end of one batch norm segment, and the number of this strip among all strips and phases, segment by
// segment.
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
