// What a kernel does with its results besides storing them, so that the batch norm beside it need not read them:
// EPILOGUE 0  nothing
// EPILOGUE 1  forward: tallies mean and squared deviations of what is stored
// EPILOGUE 2  backward: multiplies by the slope of the batch norm's activation STORE_ACTIVATION, stores du, and tallies
//             the sums of du and du * xhat
// and with EPILOGUE 0, next to a batch norm that is folded into the weights:
// STORE 1     forward: adds the shift and applies STORE_ACTIVATION
// STORE 2     the same, and keeps what it was before the activation
// STORE 3     backward: multiplies by the slope of STORE_ACTIVATION
// A tally is that of one thread, segment and vec4 of channels, and becomes one slice of the partial sums that
// batch_norm_finalize or batch_norm_backward_finalize merge; `tally_sum` merges those of several threads before.
// Tensors start at binding EPILOGUE_AT.
// Host side: `Epilogue` in src/kernels/fusion.rs.
#import lib/storage
#if EPILOGUE
struct TallyPart {
    count: f32,
    first: vec4<f32>,
    second: vec4<f32>,
}

fn write_tally(tally: ptr<function, Tally>, slice: u32, quad: u32, quads: u32) {
    write_part(tally_part(tally), slice, quad, quads);
}
#endif

#if EPILOGUE == 1
#import lib/moments
// [slice][mean | M2 | count, one vec4]
@group(0) @binding($(EPILOGUE_AT)) var<storage, read_write> slices: array<vec4<f32>>;

// Sums are taken about the first value: E[x^2] - E[x]^2 would cancel where the mean is large.
struct Tally {
    count: f32,
    pivot: vec4<f32>,
    sum: vec4<f32>,
    squares: vec4<f32>,
}

fn tally_of(segment: u32, quad: u32, quads: u32) -> Tally {
    return Tally();
}

fn tallied(tally: ptr<function, Tally>, value: vec4<f32>, at: u32) -> Stored {
    let stored = Stored(value);
    let v = vec4<f32>(stored);
    if ((*tally).count == 0.0) {
        (*tally).pivot = v;
    }
    let d = v - (*tally).pivot;
    (*tally).count += 1.0;
    (*tally).sum += d;
    (*tally).squares += d * d;
    return stored;
}

// What a tally comes down to: the mean and squared deviations of `count` values.
fn tally_part(tally: ptr<function, Tally>) -> TallyPart {
    let shift = (*tally).sum / max((*tally).count, 1.0);
    let squares = max((*tally).squares - (*tally).sum * shift, vec4<f32>(0.0));
    return TallyPart((*tally).count, (*tally).pivot + shift, squares);
}

fn tally_sum(a: TallyPart, b: TallyPart) -> TallyPart {
    let sum = merged(Moments(a.count, a.first, a.second), Moments(b.count, b.first, b.second));
    return TallyPart(sum.count, sum.mean, sum.m2);
}

fn write_part(part: TallyPart, slice: u32, quad: u32, quads: u32) {
    let at = slice * (2u * quads + 1u) + quad;
    slices[at] = part.first;
    slices[at + quads] = part.second;
    if (quad == 0u) {
        slices[at + 2u * quads] = vec4<f32>(part.count);
    }
}
#else
#if EPILOGUE == 2
#import lib/activation
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
#else
#if STORE
#import lib/activation
#if STORE == 3
// [rows, C], what the forward pass stored or kept
@group(0) @binding($(EPILOGUE_AT)) var<storage, read_write> store_x: array<Stored>;
#else
// [C]
@group(0) @binding($(EPILOGUE_AT)) var<storage, read_write> store_shift: array<vec4<f32>>;
#if STORE == 2
// [rows, C]
@group(0) @binding($(EPILOGUE_AT + 1)) var<storage, read_write> store_kept: array<Stored>;
#endif
#endif
#endif
struct Tally {
    // Of this vec4 of channels.
    shift: vec4<f32>,
}

fn tally_of(segment: u32, quad: u32, quads: u32) -> Tally {
#if STORE == 1 || STORE == 2
    return Tally(store_shift[quad]);
#else
    return Tally();
#endif
}

fn tallied(tally: ptr<function, Tally>, value: vec4<f32>, at: u32) -> Stored {
#if STORE == 1 || STORE == 2
    let u = value + (*tally).shift;
#if STORE == 2
    store_kept[at] = Stored(u);
#endif
    return Stored(activate_$(STORE_ACTIVATION)(u));
#else
#if STORE == 3
    let x = vec4<f32>(store_x[at]);
    return Stored(value * slope_$(STORE_ACTIVATION)(x));
#else
    return Stored(value);
#endif
#endif
}

fn write_tally(tally: ptr<function, Tally>, slice: u32, quad: u32, quads: u32) {
}
#endif
#endif
