//! How strong an attack was: figures of a perturbation that show a weak attack for what it is.

/// Float rounding of the engine around 255.
const ROUNDING: f32 = 1e-3;

/// Share, 0..1, of the pixel values that went as far as they may: to ε from the clean value, or to 0 or 255
/// where that is nearer. Values that did not move do not count. `clean` and `adversarial` are 0..255, ε in
/// 1/255.
pub fn share_at_bound(clean: &[f32], adversarial: &[f32], epsilon: f32) -> f32 {
    let at_bound = |(clean, adversarial): (&f32, &f32)| {
        let (low, high) = ((clean - epsilon).max(0.0), (clean + epsilon).min(255.0));
        let moved = (adversarial - clean).abs() > ROUNDING;
        moved && (*adversarial <= low + ROUNDING || *adversarial >= high - ROUNDING)
    };
    let count = clean.iter().zip(adversarial).filter(|pair| at_bound(*pair)).count();
    count as f32 / clean.len().max(1) as f32
}

/// Share, 0..1, of the images that were right before and are wrong after; `None` where none was right before.
pub fn success_rate(right_before: &[bool], right_after: &[bool]) -> Option<f32> {
    let both = right_before.iter().zip(right_after);
    let (mut right, mut fooled) = (0_u32, 0_u32);
    for (before, after) in both {
        right += u32::from(*before);
        fooled += u32::from(*before && !after);
    }
    (right > 0).then(|| fooled as f32 / right as f32)
}

/// Bytes of adversarial images: every change is rounded towards zero, so it cannot leave the ball, and never
/// more than `limit` (whole 1/255). A change within float rounding of a whole number is that number.
pub fn rounded_towards(clean: &[f32], adversarial: &[f32], limit: f32) -> Vec<u8> {
    let round = |(clean, adversarial): (&f32, &f32)| {
        let change = adversarial - clean;
        let whole = if (change - change.round()).abs() < ROUNDING { change.round() } else { change.trunc() };
        (clean + whole.clamp(-limit, limit)).clamp(0.0, 255.0) as u8
    };
    clean.iter().zip(adversarial).map(round).collect()
}

/// The perturbation around mid-grey, magnified by the largest whole factor that fits; with the factor and the
/// largest change.
pub fn magnify(clean: &[u8], adversarial: &[u8]) -> (Vec<u8>, u8, u8) {
    let largest = clean.iter().zip(adversarial).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0);
    let gain = (127 / largest.max(1)).max(1);
    let shown = |(a, b): (&u8, &u8)| {
        let change = (i32::from(*b) - i32::from(*a)) * i32::from(gain);
        (128 + change).clamp(0, 255) as u8
    };
    (clean.iter().zip(adversarial).map(shown).collect(), gain, largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_the_ball_or_the_range_and_rest_does_not_count() {
        let clean = [100.0, 100.0, 100.0, 1.0, 0.0, 255.0];
        let adversarial = [104.0, 98.0, 96.0, 0.0, 0.0, 251.0];
        assert_eq!(share_at_bound(&clean, &adversarial, 4.0), 4.0 / 6.0);
        assert_eq!(share_at_bound(&clean, &clean, 4.0), 0.0);
    }

    #[test]
    fn success_counts_only_what_was_right() {
        assert_eq!(success_rate(&[true, true, false, true], &[false, true, false, true]), Some(1.0 / 3.0));
        assert_eq!(success_rate(&[false], &[true]), None);
    }

    #[test]
    fn rounding_never_leaves_the_ball_and_keeps_whole_steps() {
        let clean = [10.0, 10.0, 10.0, 10.0, 0.0, 255.0];
        let adversarial = [11.99999, 12.5, 8.2, 7.5, -0.4, 254.00002];
        assert_eq!(rounded_towards(&clean, &adversarial, 2.0), [12, 12, 9, 8, 0, 254]);
        assert_eq!(rounded_towards(&[10.0], &[10.5], 0.0), [10]);
    }

    #[test]
    fn the_perturbation_is_magnified_as_far_as_it_fits() {
        assert_eq!(magnify(&[100, 100, 100], &[104, 96, 100]), (vec![252, 4, 128], 31, 4));
        assert_eq!(magnify(&[0, 255], &[0, 255]), (vec![128, 128], 127, 0));
        assert_eq!(magnify(&[0], &[255]), (vec![255], 1, 255));
    }
}
