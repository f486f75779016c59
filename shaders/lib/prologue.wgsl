// How a kernel reads its `source`, so that a tensor which is quick to compute need not be written and read again:
// PROLOGUE 0  what is stored
// PROLOGUE 1  act(scale * x + shift): the batch norm behind the stored x, activation ACTIVATION
// PROLOGUE 2  a gradient made of the stored du, see lib/gradient_prologue
// PROLOGUE 3  act(x): a batch norm that is folded into what made x
// With GATE, lib/conv_gate multiplies by the gate of the image and channel. The including shader declares `source`;
// the other tensors start at binding PROLOGUE_AT.
// Host side: `Prologue` in src/kernels/fusion.rs.
#import lib/storage
#if GATE
// [images, C]
@group(0) @binding($(PROLOGUE_AT + (PROLOGUE == 1))) var<storage, read_write> source_gate: array<vec4<f32>>;
#endif
#if PROLOGUE == 1
#import lib/activation
// [segment][mean | rstd | scale | shift]
@group(0) @binding($(PROLOGUE_AT)) var<storage, read_write> source_state: array<vec4<f32>>;

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
    return activate_$(ACTIVATION)(p.scale * vec4<f32>(source[at]) + p.shift);
}
#else
#if PROLOGUE == 2
#import lib/gradient_prologue
alias Prologue = GradientPrologue;

fn prologue_of(segment: u32, quad: u32, quads: u32) -> Prologue {
    return gradient_prologue_of(segment, quad, quads);
}

fn loaded(at: u32, p: Prologue) -> vec4<f32> {
    return gradient_of(source[at], at, p);
}
#else
#if PROLOGUE == 3
#import lib/activation
#endif
struct Prologue {
    none: u32,
}

fn prologue_of(segment: u32, quad: u32, quads: u32) -> Prologue {
    return Prologue(0u);
}

fn loaded(at: u32, p: Prologue) -> vec4<f32> {
#if PROLOGUE == 3
    return activate_$(ACTIVATION)(vec4<f32>(source[at]));
#else
    return vec4<f32>(source[at]);
#endif
}
#endif
#endif
