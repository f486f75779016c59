// How a weight gradient, and with PROLOGUE_GRADIENT a data gradient, reads dy:
// without DY_PROLOGUE  what is stored
// with DY_PROLOGUE     a * du + b * x + c: the gradient of batch norm's input from the stored du
// Tensors start at binding DY_PROLOGUE_AT. Host side: `NormGradient` in src/kernels/fusion.rs.
// uses: DY_PROLOGUE, DY_PROLOGUE_AT
// defines: GradientPrologue, gradient_prologue_of, gradient_of
#import lib/storage
#if DY_PROLOGUE
@group(0) @binding($(DY_PROLOGUE_AT)) var<storage, read_write> dy_x: array<Stored>;
// [segment][a | b | c]
@group(0) @binding($(DY_PROLOGUE_AT + 1)) var<storage, read_write> dy_coefs: array<vec4<f32>>;

struct GradientPrologue {
    a: vec4<f32>,
    b: vec4<f32>,
    c: vec4<f32>,
}

// For a segment and vec4 of channels.
fn gradient_prologue_of(segment: u32, quad: u32, quads: u32) -> GradientPrologue {
    let at = segment * 3u * quads + quad;
    return GradientPrologue(dy_coefs[at], dy_coefs[at + quads], dy_coefs[at + 2u * quads]);
}

// dy from what is stored at `at`.
fn gradient_of(stored: Stored, at: u32, p: GradientPrologue) -> vec4<f32> {
    return p.a * vec4<f32>(stored) + p.b * vec4<f32>(dy_x[at]) + p.c;
}
#else
struct GradientPrologue {
    none: u32,
}

fn gradient_prologue_of(segment: u32, quad: u32, quads: u32) -> GradientPrologue {
    return GradientPrologue(0u);
}

fn gradient_of(stored: Stored, at: u32, p: GradientPrologue) -> vec4<f32> {
    return vec4<f32>(stored);
}
#endif DY_PROLOGUE
