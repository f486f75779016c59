// How a kernel reads its `source`, so that a tensor which is quick to compute need not be written and read
// again:
// PROLOGUE_NONE      what is stored
// PROLOGUE_NORM      act(scale * x + shift): the batch norm behind the stored x, activation ACTIVATION
// PROLOGUE_GRADIENT  a gradient made of the stored du, see lib/gradient_prologue
// PROLOGUE_FOLDED    act(x): a batch norm that is folded into what made x
// With GATE, lib/conv_gate multiplies by the gate of the image and channel. Tensors start at binding
// PROLOGUE_AT. Host side: `Prologue` in src/kernels/fusion.rs.
// uses: source, PROLOGUE, PROLOGUE_AT, GATE, ACTIVATION
// defines: Prologue, prologue_of, loaded; source_gate with GATE
#import lib/storage
const PROLOGUE_NONE: u32 = 0u;
const PROLOGUE_NORM: u32 = 1u;
const PROLOGUE_GRADIENT: u32 = 2u;
const PROLOGUE_FOLDED: u32 = 3u;
#if GATE
// [images, C]
@group(0) @binding($(PROLOGUE_AT + (PROLOGUE == PROLOGUE_NORM))) var<storage, read_write> source_gate: array<vec4<f32>>;
#endif

#if PROLOGUE == PROLOGUE_NORM
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
#elif PROLOGUE == PROLOGUE_GRADIENT
  #import lib/gradient_prologue
alias Prologue = GradientPrologue;

fn prologue_of(segment: u32, quad: u32, quads: u32) -> Prologue {
    return gradient_prologue_of(segment, quad, quads);
}

fn loaded(at: u32, p: Prologue) -> vec4<f32> {
    return gradient_of(source[at], at, p);
}
#else
  #if PROLOGUE == PROLOGUE_FOLDED
    #import lib/activation
  #endif
struct Prologue {
    none: u32,
}

fn prologue_of(segment: u32, quad: u32, quads: u32) -> Prologue {
    return Prologue(0u);
}

fn loaded(at: u32, p: Prologue) -> vec4<f32> {
  #if PROLOGUE == PROLOGUE_FOLDED
    return activate_$(ACTIVATION)(vec4<f32>(source[at]));
  #else
    return vec4<f32>(source[at]);
  #endif
}
#endif PROLOGUE
