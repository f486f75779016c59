// Mean and sum of squared deviations of `count` values, and how two of them merge (Chan et al. 1983, equation
// 2.1b).
struct Moments {
    count: f32,
    mean: vec4<f32>,
    m2: vec4<f32>,
}

fn merged(a: Moments, b: Moments) -> Moments {
    let count = a.count + b.count;
    // 0 / 1 for two empty lanes.
    let share = b.count / max(count, 1.0);
    let delta = b.mean - a.mean;
    return Moments(count, a.mean + delta * share, a.m2 + b.m2 + delta * delta * (a.count * share));
}
