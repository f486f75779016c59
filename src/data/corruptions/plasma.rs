//! A fractal height map by the diamond-square algorithm, for fog and for generated frost.

/// A map of `side` · `side` heights, 0..=1, that continues itself at its borders. `side` is a power of two,
/// at least 2; `decay` divides the roughness from level to level; `draw` draws evenly from −1..1.
///
/// As in the benchmark, the roughness counts squared: it is both the range of the draws and a factor of them.
pub(super) fn plasma(side: usize, decay: f64, mut draw: impl FnMut() -> f64) -> Vec<f32> {
    let mut map = vec![0.0_f64; side * side];
    let mut step = side;
    let mut roughness = 100.0_f64;
    while step >= 2 {
        let half = step / 2;
        let mut wobble = |sum: f64| sum / 4.0 + roughness * roughness * draw();
        let at = |y: usize, x: usize| (y % side) * side + x % side;
        for y in (0..side).step_by(step) {
            for x in (0..side).step_by(step) {
                let corners =
                    map[at(y, x)] + map[at(y + step, x)] + map[at(y, x + step)] + map[at(y + step, x + step)];
                map[at(y + half, x + half)] = wobble(corners);
            }
        }
        // The middles of horizontal edges first, then those of vertical ones.
        for y in (0..side).step_by(step) {
            for x in (0..side).step_by(step) {
                let above = map[at(y + side - half, x + half)];
                let around = map[at(y + half, x + half)] + above + map[at(y, x)] + map[at(y, x + step)];
                map[at(y, x + half)] = wobble(around);
            }
        }
        for y in (0..side).step_by(step) {
            for x in (0..side).step_by(step) {
                let left = map[at(y + half, x + side - half)];
                let around = map[at(y + half, x + half)] + left + map[at(y, x)] + map[at(y + step, x)];
                map[at(y + half, x)] = wobble(around);
            }
        }
        step = half;
        roughness /= decay;
    }
    let low = map.iter().copied().fold(f64::INFINITY, f64::min);
    let high = map.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let range = if high > low { high - low } else { 1.0 };
    map.into_iter().map(|height| ((height - low) / range) as f32).collect()
}
