// Batch statistics, second pass: merges the slices of every segment in a fixed order, writes the state of the
// element-wise passes, and with RUNNING moves the running statistics of the segment's domain.
// 0 partials   [slices][mean C | M2 C | count, one vec4]
// 1 parameters [domain][gamma C | beta C]
// 2 state      [segment][mean C | rstd C | scale C | shift C]
// 3 running    [domain][mean C | variance C], with RUNNING only
// A workgroup is LANES lanes over slices x COLUMNS vec4s of channels; grid x over channels, y over segments.
// Launched by src/kernels/batch_norm.rs.
#import lib/segments
#import lib/moments
#import lib/finite

@group(0) @binding(0) var<storage, read_write> partials: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> parameters: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> state: array<vec4<f32>>;
#if RUNNING
@group(0) @binding(3) var<storage, read_write> running: array<vec4<f32>>;
#endif
#import lib/batch_norm_state

const COLUMNS: u32 = WORKGROUP / LANES;

#if LANES > 1
var<workgroup> counts: array<f32, WORKGROUP>;
var<workgroup> means: array<vec4<f32>, WORKGROUP>;
var<workgroup> m2s: array<vec4<f32>, WORKGROUP>;
#endif

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let lane = local / COLUMNS;
    let quad = workgroup.x * COLUMNS + local % COLUMNS;
    let segment = params.segments[workgroup.y];
    var total = Moments(0.0, vec4<f32>(0.0), vec4<f32>(0.0));
    if (quad < params.quads) {
        let slices = slices_in(workgroup.y);
        for (var i = lane; i < slices; i += LANES) {
            let at = (segment.first_slice + i) * (2u * params.quads + 1u);
            let count = partials[at + 2u * params.quads].x;
            total = merged(total, Moments(count, partials[at + quad], partials[at + params.quads + quad]));
        }
    }
#if LANES > 1
    counts[local] = total.count;
    means[local] = total.mean;
    m2s[local] = total.m2;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (lane < half) {
            let other = local + half * COLUMNS;
            total = merged(total, Moments(counts[other], means[other], m2s[other]));
            counts[local] = total.count;
            means[local] = total.mean;
            m2s[local] = total.m2;
        }
    }
#endif
    if (lane == 0u && quad < params.quads) {
        let variance = total.m2 / f32(segment.rows);
        write_state(workgroup.y, segment, quad, total.mean, variance);
#if RUNNING
        // One value has no unbiased variance; the biased one (zero) stands in.
        let unbiased = total.m2 / f32(max(segment.rows, 2u) - 1u);
        let at = segment.domain * params.domain_stride + quad;
        let old_mean = running[at];
        let old_variance = running[at + params.quads];
        // A channel that overflowed leaves its running statistics alone: one bad batch would spoil them for
        // good.
        let usable = is_finite(total.mean) & is_finite(unbiased);
        running[at] =
            select(old_mean, (1.0 - params.momentum) * old_mean + params.momentum * total.mean, usable);
        running[at + params.quads] =
            select(old_variance, (1.0 - params.momentum) * old_variance + params.momentum * unbiased, usable);
#endif
    }
}
