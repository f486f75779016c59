//! Whether a variant of a convolution computes what another one does: both run on made-up numbers.

use crate::gpu::{Device, Element, GpuError, StepUniform, run};
use crate::kernels::conv_case::Work;
use half::f16;

/// How far a result may be from that of the rule's variant, by the largest result: sums in another order, and
/// with f16 another rounding of what is stored.
const TOLERANCE_F32: f32 = 1e-4;
const TOLERANCE_F16: f32 = 4e-3;

/// Numbers in -1..1 that depend on nothing but their place and `stream`.
fn numbers(count: usize, stream: usize) -> impl Iterator<Item = f32> {
    (0..count).map(move |i| {
        let mixed = ((i + 1) as u32).wrapping_mul(0x9E37_79B9) ^ (stream as u32).wrapping_mul(0x85EB_CA6B);
        let mixed = (mixed ^ (mixed >> 15)).wrapping_mul(0x2C1B_3C6D);
        (mixed >> 8) as f32 / (1 << 23) as f32 - 1.0
    })
}

/// A part's numbers as the words that hold them.
fn words((count, element): (usize, Element), stream: usize) -> Vec<f32> {
    match element {
        Element::F32 => numbers(count, stream).collect(),
        Element::F16 => {
            let mut halves: Vec<u16> = numbers(count, stream).map(|n| f16::from_f32(n).to_bits()).collect();
            halves.resize(count.next_multiple_of(2), 0);
            bytemuck::pod_collect_to_vec(&halves)
        }
    }
}

/// A buffer filled with made-up numbers; `at` is the number of the part, which draws them.
pub(super) fn filled(device: &Device, at: usize, part: (usize, Element)) -> Result<wgpu::Buffer, GpuError> {
    let buffer = device.storage("trial", part.0 as u64 * part.1.bytes())?;
    device.write(&buffer, 0, &words(part, at));
    Ok(buffer)
}

/// What a variant computes.
pub(super) fn results(device: &Device, work: &Work) -> Result<Vec<f32>, GpuError> {
    let mut buffers: Vec<Vec<f32>> =
        work.parts.iter().enumerate().map(|(at, part)| words(*part, at)).collect();
    run(device, &work.launches, &mut buffers, &StepUniform::default())?;
    let (count, element) = work.parts[work.result];
    let words = &buffers[work.result];
    Ok(match element {
        Element::F32 => words[..count].to_vec(),
        Element::F16 => {
            let halves: &[u16] = bytemuck::cast_slice(words);
            halves[..count].iter().map(|bits| f16::from_bits(*bits).to_f32()).collect()
        }
    })
}

/// How far results may differ, by the largest of them.
pub(super) fn tolerance(work: &Work) -> f32 {
    match work.parts[work.result].1 {
        Element::F32 => TOLERANCE_F32,
        Element::F16 => TOLERANCE_F16,
    }
}

/// Why `found` is not `expected` within rounding; `None` if it is.
pub(super) fn difference(found: &[f32], expected: &[f32], tolerance: f32) -> Option<String> {
    let largest = expected.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
    // NaN is as wrong as a number too far off.
    let wrong = |(f, e): (&f32, &f32)| (f - e).is_nan() || (f - e).abs() > tolerance * largest;
    let at = found.iter().zip(expected).position(wrong)?;
    Some(format!("result {at} is {} where the rule's variant gives {}", found[at], expected[at]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_a_number_is_a_difference() {
        assert_eq!(difference(&[1.0, 2.0], &[1.0, 2.00001], 1e-4), None);
        assert!(difference(&[1.0, f32::NAN], &[1.0, 2.0], 1e-4).is_some());
        assert!(difference(&[1.0, 2.0], &[1.0, 2.1], 1e-4).is_some());
    }
}
