//! Counter-based random numbers, bit-equal to `shaders/lib/random.wgsl`: pcg4d of Jarzynski and Olano, "Hash
//! Functions for GPU Rendering" (JCGT 2020), after folding each counter's upper half into its lower one.

/// Four independent words for the four channels of a `vec4`.
pub fn random_u32x4(seed: u32, step: u32, stream: u32, element: u32) -> [u32; 4] {
    let scramble = |n: u32| (n ^ n >> 16).wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    let mut v = [seed, step, stream, element].map(scramble);
    mix(&mut v);
    for word in &mut v {
        *word ^= *word >> 16;
    }
    mix(&mut v);
    v
}

fn mix(v: &mut [u32; 4]) {
    for (target, a, b) in [(0, 1, 3), (1, 2, 0), (2, 0, 1), (3, 1, 2)] {
        v[target] = v[target].wrapping_add(v[a].wrapping_mul(v[b]));
    }
}

/// The first of the four words.
pub fn random_u32(seed: u32, step: u32, stream: u32, element: u32) -> u32 {
    random_u32x4(seed, step, stream, element)[0]
}

fn unit_of(bits: u32) -> f32 {
    (bits >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// Uniform in [0, 1), a multiple of 2^-24.
pub fn random_unit(seed: u32, step: u32, stream: u32, element: u32) -> f32 {
    unit_of(random_u32(seed, step, stream, element))
}

/// Four draws, each as [`random_unit`]; the first is equal to it.
pub fn random_unit4(seed: u32, step: u32, stream: u32, element: u32) -> [f32; 4] {
    random_u32x4(seed, step, stream, element).map(unit_of)
}

/// `step_key` of `shaders/lib/step.wgsl`: one number for a micro-batch of a step.
pub fn step_key(step: u32, micro: u32) -> u32 {
    step.wrapping_add(micro.wrapping_mul(0x9e37_79b1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws of a test; the limits below are five standard deviations of their statistic.
    const DRAWS: u32 = 1 << 16;

    /// Mean, variance and correlation of neighbours of a sequence that should be uniform and independent.
    fn assert_uniform(draw: impl Fn(u32) -> f32, what: &str) {
        let values: Vec<f64> = (0..DRAWS).map(|i| f64::from(draw(i)) - 0.5).collect();
        let n = f64::from(DRAWS);
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|v| v * v).sum::<f64>() / n;
        let neighbours = values.windows(2).map(|w| w[0] * w[1]).sum::<f64>() / n;
        let deviations = 5.0 / n.sqrt();
        assert!(mean.abs() < deviations * (1.0_f64 / 12.0).sqrt(), "{what}: mean {mean}");
        assert!((variance - 1.0 / 12.0).abs() < deviations * (1.0_f64 / 180.0).sqrt(), "{what}: {variance}");
        assert!(neighbours.abs() < deviations / 12.0, "{what}: neighbours {neighbours}");
    }

    #[test]
    fn every_counter_and_every_word_is_uniform() {
        assert_uniform(|i| random_unit(i, 5, 7, 9), "seed");
        assert_uniform(|i| random_unit(3, i, 7, 9), "step");
        assert_uniform(|i| random_unit(3, 5, i, 9), "stream");
        assert_uniform(|i| random_unit(3, 5, 7, i), "element");
        assert_uniform(|i| random_unit(0, 0, 0, i), "element from zeros");
        assert_uniform(|i| random_unit4(0, 0, 0, i / 4)[i as usize % 4], "words");
        assert_uniform(|i| random_unit(3, step_key(i / 4, i % 4), 7, 9), "micro-batches");
    }

    #[test]
    fn changing_one_bit_of_a_counter_changes_half_of_the_bits() {
        for (counter, bit) in (0..4).flat_map(|counter| (0..32).map(move |bit| (counter, bit))) {
            let mut flipped = [0; 4];
            for i in 0..8192 {
                let mut counters = [17, i, 3, 2 * i];
                let draw = |[a, b, c, d]: [u32; 4]| random_u32x4(a, b, c, d);
                let before = draw(counters);
                counters[counter] ^= 1 << bit;
                for ((flipped, before), after) in flipped.iter_mut().zip(before).zip(draw(counters)) {
                    // Draws use the upper 24 bits.
                    *flipped += ((before ^ after) >> 8).count_ones();
                }
            }
            for flipped in flipped {
                let share = f64::from(flipped) / (8192.0 * 24.0);
                assert!((0.49..0.51).contains(&share), "counter {counter} bit {bit}: {share}");
            }
        }
    }
}
