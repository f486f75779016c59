// The epilogue of a forward pass whose batch norm is folded into the weights: adds the shift and applies
// STORE_ACTIVATION; EPILOGUE_SHIFT_KEPT keeps what it was before the activation.
#import lib/activation

// [C]
@group(0) @binding($(EPILOGUE_AT)) var<storage, read_write> store_shift: array<vec4<f32>>;
#if EPILOGUE == EPILOGUE_SHIFT_KEPT
// [rows, C]
@group(0) @binding($(EPILOGUE_AT + 1)) var<storage, read_write> store_kept: array<Stored>;
#endif

struct Tally {
    // Of this vec4 of channels.
    shift: vec4<f32>,
}

fn tally_of(segment: u32, quad: u32, quads: u32) -> Tally {
    return Tally(store_shift[quad]);
}

fn tallied(tally: ptr<function, Tally>, value: vec4<f32>, at: u32) -> Stored {
    let u = value + (*tally).shift;
#if EPILOGUE == EPILOGUE_SHIFT_KEPT
    store_kept[at] = Stored(u);
#endif
    return Stored(activate_$(STORE_ACTIVATION)(u));
}

fn write_tally(tally: ptr<function, Tally>, slice: u32, quad: u32, quads: u32) {
}
