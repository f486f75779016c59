// The epilogue of a backward pass behind a batch norm: multiplies by the slope of the batch norm's activation
// STORE_ACTIVATION, stores du, and tallies the sums of du and du * xhat.
#import lib/activation
#import lib/epilogue/tally

// [rows, C], the input of the batch norm
@group(0) @binding($(EPILOGUE_AT)) var<storage, read_write> norm_x: array<Stored>;
// [segment][mean | rstd | scale | shift]
@group(0) @binding($(EPILOGUE_AT + 1)) var<storage, read_write> norm_state: array<vec4<f32>>;
// [slice][sum du | sum du * xhat]
@group(0) @binding($(EPILOGUE_AT + 2)) var<storage, read_write> slices: array<vec4<f32>>;

struct Tally {
    mean: vec4<f32>,
    rstd: vec4<f32>,
    scale: vec4<f32>,
    shift: vec4<f32>,
    sum: vec4<f32>,
    // Without the factor rstd, which is the same in every row.
    product: vec4<f32>,
}

fn tally_of(segment: u32, quad: u32, quads: u32) -> Tally {
    let at = segment * 4u * quads + quad;
    return Tally(
        norm_state[at],
        norm_state[at + quads],
        norm_state[at + 2u * quads],
        norm_state[at + 3u * quads],
        vec4<f32>(),
        vec4<f32>(),
    );
}

fn tallied(tally: ptr<function, Tally>, value: vec4<f32>, at: u32) -> Stored {
    let x = vec4<f32>(norm_x[at]);
    let stored = Stored(value * slope_$(STORE_ACTIVATION)((*tally).scale * x + (*tally).shift));
    let du = vec4<f32>(stored);
    (*tally).sum += du;
    (*tally).product += du * (x - (*tally).mean);
    return stored;
}

// The two sums.
fn tally_part(tally: ptr<function, Tally>) -> TallyPart {
    return TallyPart(0.0, (*tally).sum, (*tally).product * (*tally).rstd);
}

fn tally_sum(a: TallyPart, b: TallyPart) -> TallyPart {
    return TallyPart(0.0, a.first + b.first, a.second + b.second);
}

fn write_part(part: TallyPart, slice: u32, quad: u32, quads: u32) {
    let at = slice * 2u * quads + quad;
    slices[at] = part.first;
    slices[at + quads] = part.second;
}
