//! How width and depth factors change a layer list: EfficientNet's published rules, which all families here
//! follow.

/// Channels times `width`, rounded to a multiple of 8 (at least 8), but never more than a tenth below.
pub(super) fn round_channels(channels: usize, width: f64) -> usize {
    let scaled = channels as f64 * width;
    let rounded = (((scaled + 4.0) / 8.0).floor() as usize * 8).max(8);
    if (rounded as f64) < 0.9 * scaled { rounded + 8 } else { rounded }
}

/// Repeats of a block times `depth`, rounded up, at least 1.
pub(super) fn round_repeats(repeats: usize, depth: f64) -> usize {
    ((depth * repeats as f64).ceil() as usize).max(1)
}

/// Repeats of each kind of block of a stage times `depth`: the stage's sum is rounded up, and shared out from
/// the last kind to the first in proportion, at least 1 each. This is timm's rule for stages of several kinds
/// of blocks.
pub(super) fn stage_repeats(repeats: &[usize], depth: f64) -> Vec<usize> {
    let mut left: usize = repeats.iter().sum();
    let mut scaled_left = round_repeats(left, depth) as f64;
    let mut scaled: Vec<usize> = repeats
        .iter()
        .rev()
        .map(|&count| {
            let share = (count as f64 / left as f64 * scaled_left).round_ties_even().max(1.0);
            left -= count;
            scaled_left -= share;
            share as usize
        })
        .collect();
    scaled.reverse();
    scaled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rounding_rule_gives_the_published_widths() {
        // (channels, width factor) of EfficientNet-B2, B3 and B8.
        assert_eq!(round_channels(40, 1.1), 48);
        assert_eq!(round_channels(16, 1.2), 24);
        assert_eq!(round_channels(112, 1.1), 120);
        assert_eq!(round_channels(1280, 1.1), 1408);
        assert_eq!(round_channels(320, 2.2), 704);
        assert_eq!(round_channels(32, 0.25), 8);
        assert_eq!(round_repeats(3, 1.1), 4);
        assert_eq!(round_repeats(4, 3.6), 15);
        assert_eq!(round_repeats(1, 0.3), 1);
    }

    #[test]
    fn a_stage_shares_its_repeats_out_as_timm_does() {
        // timm's `_scale_stage_depth`.
        assert_eq!(stage_repeats(&[1, 1, 2], 1.0), [1, 1, 2]);
        assert_eq!(stage_repeats(&[1, 1, 2], 1.5), [1, 2, 3]);
        assert_eq!(stage_repeats(&[1, 1, 2], 0.3), [1, 1, 1]);
        assert_eq!(stage_repeats(&[1, 2], 2.0), [2, 4]);
        assert_eq!(stage_repeats(&[3], 1.2), [4]);
    }
}
