// The targeted difference of logits ratio (Croce & Hein 2020, equation 7) with its gradient:
//   loss = (z_target - z_label) / max(z_1 - (z_3 + z_4) / 2, 1e-12), z_1 >= z_2 >= … the sorted logits.
// 0 logits  [rows, quads * 4]; at least 4 classes; those beyond params.classes are padding and take no part
// 1 table   [rows] (label, target, …)
// 2 results [rows] (loss, hit of the label: top class, top 5, 0)
// 3 dlogits [rows, quads * 4], padding zero
// Equal logits: the lower class number ranks first. A row whose loss is not finite counts as wrong.
// One thread a row, workgroups of 64. Launched by src/kernels/dlr.rs.

struct Params {
    rows: u32,
    classes: u32,
    // vec4s of a row.
    quads: u32,
}

@group(0) @binding(0) var<storage, read_write> logits: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> table: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> results: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> dlogits: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

fn where_class(classes: vec4<u32>, number: u32, value: f32) -> vec4<f32> {
    return select(vec4<f32>(0.0), vec4<f32>(value), classes == vec4<u32>(number));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let row = workgroup.x * 64u + local;
    if (row >= params.rows) {
        return;
    }
    let base = row * params.quads;
    let label = table[row].x;
    let goal = table[row].y;
    let z_label = logits[base + label / 4u][label % 4u];
    let z_goal = logits[base + goal / 4u][goal % 4u];
    // The four largest logits and their classes, largest first; and the classes that rank before the label.
    var top = vec4<f32>(-3.0e38);
    var place = vec4<u32>(params.classes);
    var before = 0u;
    for (var number = 0u; number < params.classes; number++) {
        let z = logits[base + number / 4u][number % 4u];
        if (z > z_label || (z == z_label && number < label)) {
            before++;
        }
        if (z > top.x) {
            top = vec4<f32>(z, top.xyz);
            place = vec4<u32>(number, place.xyz);
        } else if (z > top.y) {
            top = vec4<f32>(top.x, z, top.yz);
            place = vec4<u32>(place.x, number, place.yz);
        } else if (z > top.z) {
            top = vec4<f32>(top.xy, z, top.z);
            place = vec4<u32>(place.xy, number, place.z);
        } else if (z > top.w) {
            top.w = z;
            place.w = number;
        }
    }
    // The authors add 1e-12; a compiler may add it to the first term, where it is lost.
    let slope = 1.0 / max(top.x - 0.5 * (top.z + top.w), 1e-12);
    let loss = (z_goal - z_label) * slope;
    // By its bits, because a compiler may assume that comparisons see no NaN.
    let finite = (bitcast<u32>(loss) & 0x7f800000u) != 0x7f800000u;
    results[row] = vec4<f32>(
        loss,
        select(0.0, 1.0, finite && before < 1u),
        select(0.0, 1.0, finite && before < 5u),
        0.0,
    );
    let share = loss * slope;
    for (var quad = 0u; quad < params.quads; quad++) {
        let classes = vec4<u32>(quad * 4u) + vec4<u32>(0u, 1u, 2u, 3u);
        let slopes = where_class(classes, goal, slope) - where_class(classes, label, slope)
            - where_class(classes, place.x, share)
            + where_class(classes, place.z, 0.5 * share) + where_class(classes, place.w, 0.5 * share);
        dlogits[base + quad] = select(vec4<f32>(0.0), slopes, classes < vec4<u32>(params.classes));
    }
}
