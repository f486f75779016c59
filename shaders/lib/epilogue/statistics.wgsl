// The epilogue of a forward pass before a batch norm with batch statistics: mean and squared deviations of
// what is stored.
#import lib/moments
#import lib/epilogue/tally

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
