//! Hue, saturation and value of a colour, as scikit-image and TensorFlow define them; all in 0..=1.

/// Hue in turns, saturation, value. Brightness may have left 0..1; a negative value has no saturation.
pub(super) fn to_hsv([r, g, b]: [f32; 3]) -> [f32; 3] {
    let (high, low) = (r.max(g).max(b), r.min(g).min(b));
    let range = high - low;
    if range <= 0.0 || high <= 0.0 {
        return [0.0, 0.0, high];
    }
    let sixths = if high == r {
        (g - b) / range
    } else if high == g {
        2.0 + (b - r) / range
    } else {
        4.0 + (r - g) / range
    };
    [(sixths / 6.0).rem_euclid(1.0), range / high, high]
}

/// Red, green and blue of a hue in turns, a saturation and a value.
pub(super) fn from_hsv([h, s, v]: [f32; 3]) -> [f32; 3] {
    let channel = |shift: f32| {
        let place = (h * 6.0 + shift).rem_euclid(6.0);
        v - v * s * place.min(4.0 - place).clamp(0.0, 1.0)
    };
    [channel(5.0), channel(3.0), channel(1.0)]
}
