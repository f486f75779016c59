// Batch statistics, first pass: mean and sum of squared deviations of each slice of rows, per channel.
// 0 x        [rows, C]
// 1 partials [slices][mean C | M2 C | count, one vec4]
// One thread a slice and vec4 of channels, workgroups of 64, grid y over segments.
// Launched by src/kernels/batch_norm.rs.
// The sums are taken about the slice's first row: E[x^2] - E[x]^2 would cancel where the mean is large (Chan,
// Golub, LeVeque, "Algorithms for Computing the Sample Variance", 1983).
#import lib/segments
#import lib/storage

@group(0) @binding(0) var<storage, read_write> x: array<Stored>;
@group(0) @binding(1) var<storage, read_write> partials: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let place = place_of(workgroup, groups, local);
    if (place.first >= place.end) {
        return;
    }
    let quad = place.quad;
    let pivot = vec4<f32>(x[place.first * params.quads + quad]);
    var sum = vec4<f32>(0.0);
    var squares = vec4<f32>(0.0);
    var row = place.first;
    for (; row + 4u <= place.end; row += 4u) {
        let at = row * params.quads + quad;
#for i in 0..4
        let d_$i = vec4<f32>(x[at + $(i)u * params.quads]) - pivot;
#end
        sum += (d_0 + d_1) + (d_2 + d_3);
        squares += (d_0 * d_0 + d_1 * d_1) + (d_2 * d_2 + d_3 * d_3);
    }
    for (; row < place.end; row += 1u) {
        let d = vec4<f32>(x[row * params.quads + quad]) - pivot;
        sum += d;
        squares += d * d;
    }
    let shift = sum / f32(place.end - place.first);
    let at = place.slice * (2u * params.quads + 1u) + quad;
    partials[at] = pivot + shift;
    partials[at + params.quads] = max(squares - sum * shift, vec4<f32>(0.0));
    if (quad == 0u) {
        partials[at + 2u * params.quads] = vec4<f32>(f32(place.end - place.first));
    }
}
