// The data gradients of squeeze_excite_forward's two dense layers in one launch; their weights' gradients are
// dense ones.
// 0 d_gate       [images, C], replaced by the gradient before the gate's activation
// 1 gate         [images, C]
// 2 hidden_raw   [images, S]
// 3 reduce       [C][S / 4]
// 4 expand       [S][C / 4]
// 5 d_hidden_raw [images, S]
// 6 d_pooled     [images, C]
// A workgroup is one image: LANES lanes over the sum's terms x COLUMNS vec4s of outputs.
// Launched by src/kernels/squeeze_excite.rs.
#import lib/lane_sum
#import lib/activation

struct Params {
    // vec4s of C and S.
    quads: u32,
    inner: u32,
}

@group(0) @binding(0) var<storage, read_write> d_gate: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> gate: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> hidden_raw: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> reduce: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> expand: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> d_hidden_raw: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> d_pooled: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

var<workgroup> squeezed: array<vec4<f32>, INNER_MAX>;

fn before_activation(at: u32) -> vec4<f32> {
    return d_gate[at] * slope_$(GATE_ACTIVATION)(gate[at]);
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let image = workgroup.x;
    let lane = local / COLUMNS;
    for (var first = 0u; first < params.inner; first += COLUMNS) {
        let column = first + local % COLUMNS;
        var sum = vec4<f32>();
        if (column < params.inner) {
            for (var c = lane; c < params.quads; c += LANES) {
                let d = before_activation(image * params.quads + c);
                let at = column * 4u * params.quads + c;
                sum += vec4<f32>(
                    dot(d, expand[at]),
                    dot(d, expand[at + params.quads]),
                    dot(d, expand[at + 2u * params.quads]),
                    dot(d, expand[at + 3u * params.quads]),
                );
            }
        }
        let total = lane_sum(sum, local);
        if (lane == 0u && column < params.inner) {
            let at = image * params.inner + column;
            let d = total * slope_$(HIDDEN_ACTIVATION)(hidden_raw[at]);
            d_hidden_raw[at] = d;
            squeezed[column] = d;
        }
    }
    workgroupBarrier();
    for (var c = local; c < params.quads; c += WORKGROUP) {
        let place = image * params.quads + c;
        d_gate[place] = before_activation(place);
        var sum = vec4<f32>();
        for (var s = 0u; s < params.inner; s++) {
            let d = squeezed[s];
            let at = c * 4u * params.inner + s;
            sum += vec4<f32>(
                dot(d, reduce[at]),
                dot(d, reduce[at + params.inner]),
                dot(d, reduce[at + 2u * params.inner]),
                dot(d, reduce[at + 3u * params.inner]),
            );
        }
        d_pooled[place] = sum;
    }
}
