// Softmax cross-entropy with label smoothing and two labels a row (mixup), forward and, with GRADIENT,
// backward. Target of class k: lambda * smooth(a) + (1 - lambda) * smooth(b), smooth(y) = (1 - e) * onehot(y)
// + e / classes.
// 0 logits  [rows, quads * 4]; classes beyond params.classes are padding and take no part
// 1 table   [rows] (label a, label b, bits of lambda, bits of the row's weight)
// 2 results [rows] (loss without the weight, hit of the counted label: top class, top 5, 0);
//   the counted label is the one with the larger share, of equal shares label a
// 3 dlogits [rows, quads * 4] = sign * weight * (softmax - target), padding zero, with GRADIENT only
// 4 loss scale, multiplies dlogits, with SCALED only
// Equal logits: the lower class number ranks first. A row whose loss is not finite counts as wrong.
// LANES threads a row, workgroups of 64. Launched by src/kernels/cross_entropy.rs.
#import lib/grid
#import lib/loss_scale

struct Params {
    rows: u32,
    classes: u32,
    quads: u32,
    smoothing: f32,
    sign: f32,
}

@group(0) @binding(0) var<storage, read_write> logits: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> table: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> results: array<vec4<f32>>;
#if GRADIENT
@group(0) @binding(3) var<storage, read_write> dlogits: array<vec4<f32>>;
#endif
#if SCALED
@group(0) @binding(4) var<storage, read_write> loss_scale: LossScale;
#endif
@group(1) @binding(0) var<uniform> params: Params;

#if LANES > 1
var<workgroup> shared_values: array<vec4<f32>, 64>;
#endif

// Largest component over the threads of the row; one row a workgroup when LANES > 1.
fn row_max(value: f32, local: u32) -> f32 {
#if LANES > 1
    shared_values[local] = vec4<f32>(value);
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (local < half) {
            shared_values[local] = max(shared_values[local], shared_values[local + half]);
        }
    }
    workgroupBarrier();
    let result = shared_values[0].x;
    workgroupBarrier();
    return result;
#else
    return value;
#endif
}

fn row_sum(value: vec4<f32>, local: u32) -> vec4<f32> {
#if LANES > 1
    shared_values[local] = value;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (local < half) {
            shared_values[local] += shared_values[local + half];
        }
    }
    workgroupBarrier();
    return shared_values[0];
#else
    return value;
#endif
}

fn classes_of(quad: u32) -> vec4<u32> {
    return vec4<u32>(quad * 4u) + vec4<u32>(0u, 1u, 2u, 3u);
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = linear_index(workgroup, groups, local, 64u) / LANES;
    let lane = local % LANES;
    // Threads past the end work on the last row and write nothing, so that barriers stay in uniform control
    // flow.
    let row = min(number, params.rows - 1u);
    let in_range = number < params.rows;
    let base = row * params.quads;
    let entry = table[row];
    let lambda = bitcast<f32>(entry.z);
    let limit = vec4<u32>(params.classes);

    var most = vec4<f32>(-3.0e38);
    for (var quad = lane; quad < params.quads; quad += LANES) {
        most = max(most, select(vec4<f32>(-3.0e38), logits[base + quad], classes_of(quad) < limit));
    }
    let top = row_max(max(max(most.x, most.y), max(most.z, most.w)), local);

    // Logits relative to the largest one: exp cannot overflow.
    let a = logits[base + entry.x / 4u][entry.x % 4u] - top;
    let b = logits[base + entry.y / 4u][entry.y % 4u] - top;
    var exponentials = vec4<f32>(0.0);
    var logit_sums = vec4<f32>(0.0);
    let counts_b = lambda < 0.5;
    let counted_class = select(entry.x, entry.y, counts_b);
    let counted_logit = select(a, b, counts_b);
    // Classes that rank before the counted label.
    var before = vec4<f32>(0.0);
    for (var quad = lane; quad < params.quads; quad += LANES) {
        let class_numbers = classes_of(quad);
        let valid = class_numbers < limit;
        let z = logits[base + quad] - top;
        exponentials += select(vec4<f32>(0.0), exp(z), valid);
        logit_sums += select(vec4<f32>(0.0), z, valid);
        let ahead = (z > vec4<f32>(counted_logit))
            | ((z == vec4<f32>(counted_logit)) & (class_numbers < vec4<u32>(counted_class)));
        before += select(vec4<f32>(0.0), vec4<f32>(1.0), valid & ahead);
    }
    let ones = vec4<f32>(1.0);
    let totals = row_sum(
        vec4<f32>(dot(exponentials, ones), dot(logit_sums, ones), dot(before, ones), 0.0), local);
    let spread = params.smoothing / f32(params.classes);
    if (in_range && lane == 0u) {
        let loss = log(totals.x) - (1.0 - params.smoothing) * (lambda * a + (1.0 - lambda) * b)
            - spread * totals.y;
        // By its bits, because a compiler may assume that comparisons see no NaN.
        let finite = (bitcast<u32>(loss) & 0x7f800000u) != 0x7f800000u;
        results[row] = vec4<f32>(
            loss,
            select(0.0, 1.0, finite && totals.z < 0.5),
            select(0.0, 1.0, finite && totals.z < 4.5),
            0.0,
        );
    }
#if GRADIENT
    if (in_range) {
  #if SCALED
        let weight = loss_scale.scale * params.sign * bitcast<f32>(entry.w);
  #else
        let weight = params.sign * bitcast<f32>(entry.w);
  #endif
        let on_a = (1.0 - params.smoothing) * lambda;
        let on_b = (1.0 - params.smoothing) * (1.0 - lambda);
        for (var quad = lane; quad < params.quads; quad += LANES) {
            let class_numbers = classes_of(quad);
            let target_share = vec4<f32>(spread)
                + select(vec4<f32>(0.0), vec4<f32>(on_a), class_numbers == vec4<u32>(entry.x))
                + select(vec4<f32>(0.0), vec4<f32>(on_b), class_numbers == vec4<u32>(entry.y));
            let share = exp(logits[base + quad] - top) / totals.x;
            dlogits[base + quad] = select(vec4<f32>(0.0), weight * (share - target_share), class_numbers < limit);
        }
    }
#endif GRADIENT
}
