// How a kernel reads its `source`, so that a tensor which is quick to compute need not be written and read again:
// PROLOGUE 0  what is stored
// PROLOGUE 1  act(scale * x + shift): the batch norm behind the stored x, activation ACTIVATION
// PROLOGUE 2  a * du + b * x + c: the gradient of batch norm's input from the stored du
// With GATE, lib/conv_gate multiplies by the gate of the image and channel. The including shader declares `source`;
// the other tensors start at binding PROLOGUE_AT.
// Host side: `Prologue` in src/kernels/fusion.rs.
#import lib/storage
#if PROLOGUE == 1
#import lib/activation
// [segment][mean | rstd | scale | shift]
@group(0) @binding($(PROLOGUE_AT)) var<storage, read_write> source_state: array<vec4<f32>>;

#if GATE
// [images, C]
@group(0) @binding($(PROLOGUE_AT + 1)) var<storage, read_write> source_gate: array<vec4<f32>>;
#endif

struct Prologue {
    scale: vec4<f32>,
    shift: vec4<f32>,
}

// For a segment and vec4 of channels.
fn prologue_of(segment: u32, quad: u32, quads: u32) -> Prologue {
    let at = (segment * 4u + 2u) * quads + quad;
    return Prologue(source_state[at], source_state[at + quads]);
}

fn loaded(at: u32, p: Prologue) -> vec4<f32> {
    return activate(p.scale * vec4<f32>(source[at]) + p.shift);
}
#else
#if PROLOGUE == 2
@group(0) @binding($(PROLOGUE_AT)) var<storage, read_write> source_x: array<Stored>;
// [segment][a | b | c]
@group(0) @binding($(PROLOGUE_AT + 1)) var<storage, read_write> source_affine: array<vec4<f32>>;

struct Prologue {
    a: vec4<f32>,
    b: vec4<f32>,
    c: vec4<f32>,
}

fn prologue_of(segment: u32, quad: u32, quads: u32) -> Prologue {
    let at = segment * 3u * quads + quad;
    return Prologue(source_affine[at], source_affine[at + quads], source_affine[at + 2u * quads]);
}

fn loaded(at: u32, p: Prologue) -> vec4<f32> {
    return p.a * vec4<f32>(source[at]) + p.b * vec4<f32>(source_x[at]) + p.c;
}
#else
struct Prologue {
    none: u32,
}

fn prologue_of(segment: u32, quad: u32, quads: u32) -> Prologue {
    return Prologue(0u);
}

fn loaded(at: u32, p: Prologue) -> vec4<f32> {
    return vec4<f32>(source[at]);
}
#endif
#endif
