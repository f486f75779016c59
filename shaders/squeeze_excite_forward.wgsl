// The two dense layers of squeeze-and-excitation in one launch:
// gate = GATE_ACTIVATION(HIDDEN_ACTIVATION(pooled · reduce + b) · expand + b).
// 0 pooled     [images, C]
// 1 reduce     [C][S / 4], its weights
// 2 reduce_b   [S]
// 3 expand     [S][C / 4]
// 4 expand_b   [C]
// 5 hidden_raw [images, S], before its activation; the backward pass reads it
// 6 hidden     [images, S]
// 7 gate       [images, C]
// A workgroup is one image: LANES lanes over the sum's terms x COLUMNS vec4s of outputs.
// Launched by src/kernels/squeeze_excite.rs.
#import lib/lane_sum
#import lib/activation

struct Params {
    // vec4s of C and S.
    quads: u32,
    inner: u32,
}

@group(0) @binding(0) var<storage, read_write> pooled: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> reduce: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> reduce_b: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> expand: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> expand_b: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> hidden_raw: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> hidden: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> gate: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

var<workgroup> squeezed: array<vec4<f32>, INNER_MAX>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let image = workgroup.x;
    let lane = local / COLUMNS;
    for (var first = 0u; first < params.inner; first += COLUMNS) {
        let column = first + local % COLUMNS;
        var sum = vec4<f32>();
        if (column < params.inner) {
            for (var c = lane; c < params.quads; c += LANES) {
                let x = pooled[image * params.quads + c];
                let at = c * 4u * params.inner + column;
                sum += x[0] * reduce[at] + x[1] * reduce[at + params.inner];
                sum += x[2] * reduce[at + 2u * params.inner] + x[3] * reduce[at + 3u * params.inner];
            }
        }
        let total = lane_sum(sum, local);
        if (lane == 0u && column < params.inner) {
            let raw = total + reduce_b[column];
            let activated = activate_$(HIDDEN_ACTIVATION)(raw);
            hidden_raw[image * params.inner + column] = raw;
            hidden[image * params.inner + column] = activated;
            squeezed[column] = activated;
        }
    }
    workgroupBarrier();
    for (var column = local; column < params.quads; column += WORKGROUP) {
        var sum = expand_b[column];
        for (var s = 0u; s < params.inner; s++) {
            let x = squeezed[s];
            let at = s * 4u * params.quads + column;
            sum += x[0] * expand[at] + x[1] * expand[at + params.quads];
            sum += x[2] * expand[at + 2u * params.quads] + x[3] * expand[at + 3u * params.quads];
        }
        gate[image * params.quads + column] = activate_$(GATE_ACTIVATION)(sum);
    }
}
