// The epilogue of a backward pass behind a batch norm that is folded into the weights: multiplies by the
// slope of STORE_ACTIVATION.
#import lib/activation

// [rows, C], what the forward pass stored or kept
@group(0) @binding($(EPILOGUE_AT)) var<storage, read_write> store_x: array<Stored>;

struct Tally {
    none: u32,
}

fn tally_of(segment: u32, quad: u32, quads: u32) -> Tally {
    return Tally(0u);
}

fn tallied(tally: ptr<function, Tally>, value: vec4<f32>, at: u32) -> Stored {
    return Stored(value * slope_$(STORE_ACTIVATION)(vec4<f32>(store_x[at])));
}

fn write_tally(tally: ptr<function, Tally>, slice: u32, quad: u32, quads: u32) {
}
