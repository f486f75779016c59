//! Geometric operations by the nearest pixel.

use super::operation::GREY;
use super::square::Square;

/// Replaces pixel (x, y) by the one at `source(x, y)`, or grey where that is outside the image.
pub(super) fn sample(image: &mut Square, source: impl Fn(usize, usize) -> Option<(usize, usize)>) {
    let side = image.side();
    let mut out = GREY.repeat(side * side);
    let mut pixels = out.chunks_exact_mut(3);
    for y in 0..side {
        for (x, pixel) in (0..side).zip(&mut pixels) {
            if let Some((x, y)) = source(x, y) {
                pixel.copy_from_slice(&image.rgb()[(y * side + x) * 3..][..3]);
            }
        }
    }
    *image = Square::new(side, out);
}

/// Moves the image by whole pixels: output(x, y) = input(x + dx, y + dy).
pub(super) fn shift(image: &mut Square, dx: i64, dy: i64) {
    let side = image.side() as i64;
    sample(image, |x, y| {
        let (x, y) = (x as i64 + dx, y as i64 + dy);
        ((0..side).contains(&x) && (0..side).contains(&y)).then_some((x as usize, y as usize))
    });
}
