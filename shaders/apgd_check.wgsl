// What Auto-PGD decides about each image after a pass (Croce & Hein 2020, section 3 and algorithm 1): which
// points to keep, and at a checkpoint whether the step is halved and the search goes on from the best point.
// 0 results [images] (loss, 1 where the label is the top class, …) of the pass
// 1 records [images, 3], cleared before the first pass:
//   (step, best loss, best loss at the last checkpoint, loss of the pass before),
//   (rises since the last checkpoint, passes since then, passes from it to the next, 1 behind the first),
//   (1 where the step was halved at the last checkpoint, 1 where the image was fooled, flags as bits, 0)
// One thread an image, workgroups of 64. Twin: src/kernels/reference/apgd.rs. Launched by
// src/kernels/apgd.rs.
#import lib/apgd_flags

struct Params {
    images: u32,
    // Passes to the first checkpoint, how many fewer each later one has, and the fewest.
    window: f32,
    shrink: f32,
    least: f32,
    epsilon: f32,
}

// Share of the passes that must raise the loss for the step to stay.
const RHO: f32 = 0.75;

@group(0) @binding(0) var<storage, read_write> results: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> records: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let image = workgroup.x * 64u + local;
    if (image >= params.images) {
        return;
    }
    let loss = results[image].x;
    let right = results[image].y > 0.5;
    var search = records[3u * image];
    var count = records[3u * image + 1u];
    var held = records[3u * image + 2u];
    var flags = 0u;
    if (count.w == 0.0) {
        // The authors' code compares the second loss with 0, not with the first one.
        search = vec4<f32>(2.0 * params.epsilon, loss, loss, 0.0);
        count = vec4<f32>(0.0, 0.0, params.window, 1.0);
        held = vec4<f32>(1.0, select(1.0, 0.0, right), 0.0, 0.0);
        flags = FIRST | KEEP_BEST | KEEP_RESULT;
    } else {
        if (!right) {
            held.y = 1.0;
            flags |= KEEP_RESULT;
        }
        if (loss > search.w) {
            count.x += 1.0;
        }
        if (loss > search.y) {
            search.y = loss;
            flags |= KEEP_BEST;
            if (held.y == 0.0) {
                flags |= KEEP_RESULT;
            }
        }
        search.w = loss;
        count.y += 1.0;
        if (count.y >= count.z) {
            let stands_still = held.x == 0.0 && search.z >= search.y;
            let halve = count.x <= RHO * count.z || stands_still;
            if (halve) {
                search.x *= 0.5;
                flags |= RETURN_TO_BEST;
            }
            held.x = select(0.0, 1.0, halve);
            search.z = search.y;
            count = vec4<f32>(0.0, 0.0, max(count.z - params.shrink, params.least), 1.0);
        }
    }
    held.z = bitcast<f32>(flags);
    records[3u * image] = search;
    records[3u * image + 1u] = count;
    records[3u * image + 2u] = held;
}
