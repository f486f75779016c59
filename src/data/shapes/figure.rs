//! The ten figures of the `shapes` set as signed distances, and where one stands in the picture.
//!
//! A distance is exact near straight and round edges, which is all that antialiasing needs; at corners it is
//! only a bound. A figure's own frame has y upwards and 1 as its half extent; every figure lies within radius
//! [`Figure::REACH`]. No `sin`, `cos` or `exp` of the platform is used, so pictures are the same bytes
//! everywhere.

/// Class of a picture. The order is the classes' index and alphabetical, so that an exported image folder,
/// whose classes are sorted by name, keeps the labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Figure {
    Arrow,
    Crescent,
    Cross,
    Disc,
    Heart,
    Hourglass,
    Ring,
    Square,
    Star,
    Triangle,
}

impl Figure {
    pub(super) const ALL: [Figure; 10] = [
        Figure::Arrow,
        Figure::Crescent,
        Figure::Cross,
        Figure::Disc,
        Figure::Heart,
        Figure::Hourglass,
        Figure::Ring,
        Figure::Square,
        Figure::Star,
        Figure::Triangle,
    ];

    pub(super) const NAMES: [&str; 10] =
        ["arrow", "crescent", "cross", "disc", "heart", "hourglass", "ring", "square", "star", "triangle"];

    /// Radius of a circle around the origin that holds every figure.
    pub(super) const REACH: f32 = 1.25;

    /// Signed distance of (x, y) to the figure's edge, negative inside.
    #[inline]
    pub(super) fn distance(self, x: f32, y: f32) -> f32 {
        match self {
            Figure::Arrow => {
                // Edge of the head from its tip (0, 1.1) to its corner (0.95, 0).
                const NORMAL: (f32, f32) = (0.756_84, 0.653_63);
                let head = (NORMAL.0 * x.abs() + NORMAL.1 * (y - 1.1)).max(-y);
                let shaft = (x.abs() - 0.27).max(y - 0.1).max(-1.1 - y);
                head.min(shaft)
            }
            Figure::Crescent => {
                let x = x + 0.2;
                (length(x, y) - 0.98).max(0.74 - length(x - 0.5, y))
            }
            Figure::Cross => {
                let (x, y) = (x.abs(), y.abs());
                (x - 1.0).max(y - 0.32).min((x - 0.32).max(y - 1.0))
            }
            Figure::Disc => length(x, y) - 0.9,
            Figure::Heart => {
                // A square on its corner with a half disc on each upper side.
                const H: f32 = 0.84;
                let (x, y) = (x.abs(), y + 0.1);
                let square = (x + y.abs() - H) * std::f32::consts::FRAC_1_SQRT_2;
                square.min(length(x - 0.5 * H, y - 0.5 * H) - H * std::f32::consts::FRAC_1_SQRT_2)
            }
            Figure::Hourglass => {
                const SLOPE: f32 = 0.78;
                const SCALE: f32 = 0.788_5;
                (y.abs() - 0.92).max((x.abs() - 0.08 - SLOPE * y.abs()) * SCALE)
            }
            Figure::Ring => (length(x, y) - 0.69).abs() - 0.27,
            Figure::Square => x.abs().max(y.abs()) - 0.78,
            Figure::Star => {
                // Five-fold symmetry: reflections at the line through an inner corner (54° from the x axis)
                // and at the y axis bring every point between that line and the upper tip.
                const LINE: (f32, f32) = (0.587_785_25, 0.809_017);
                const OUTER: f32 = 1.12;
                const INNER: f32 = 0.47;
                let (mut x, mut y) = (x.abs(), y);
                for _ in 0..2 {
                    let below = (LINE.1 * x - LINE.0 * y).max(0.0);
                    x = (x - 2.0 * below * LINE.1).abs();
                    y += 2.0 * below * LINE.0;
                }
                let edge = (INNER * LINE.0, INNER * LINE.1 - OUTER);
                let scale = 1.0 / length(edge.0, edge.1);
                (-edge.1 * x + edge.0 * (y - OUTER)) * scale
            }
            Figure::Triangle => {
                const INRADIUS: f32 = 0.56;
                (-y).max(0.866_025_4 * x.abs() + 0.5 * y) - INRADIUS
            }
        }
    }
}

/// Place, size and rotation of a figure in a picture of side 1, y downwards.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pose {
    pub(super) x: f32,
    pub(super) y: f32,
    /// Half extent.
    pub(super) radius: f32,
    axis: (f32, f32),
}

impl Pose {
    /// `turn` is the rotation in whole turns.
    pub(super) fn new(x: f32, y: f32, radius: f32, turn: f32) -> Self {
        Self { x, y, radius, axis: (sine(turn + 0.25), sine(turn)) }
    }

    /// From an offset to the centre, in sides, to the figure's own frame.
    #[inline]
    pub(super) fn local(&self, dx: f32, dy: f32) -> (f32, f32) {
        let (u, v) = rotate(self.axis, dx, -dy);
        let scale = 1.0 / self.radius;
        (u * scale, v * scale)
    }
}

#[inline]
pub(super) fn rotate(axis: (f32, f32), x: f32, y: f32) -> (f32, f32) {
    (axis.0 * x + axis.1 * y, axis.0 * y - axis.1 * x)
}

#[inline]
pub(super) fn length(x: f32, y: f32) -> f32 {
    (x * x + y * y).sqrt()
}

/// `floor` without a call into the platform's library; for values that fit an `i32`.
#[inline]
pub(super) fn floor(t: f32) -> i32 {
    let whole = t as i32;
    whole - i32::from((whole as f32) > t)
}

/// sin(2π·turns) to about 4e-6: the Taylor series to the ninth power after folding into a quarter turn.
#[inline]
pub(super) fn sine(turns: f32) -> f32 {
    let mut t = turns - floor(turns + 0.5) as f32;
    if t.abs() > 0.25 {
        t = 0.5f32.copysign(t) - t;
    }
    let a = t * std::f32::consts::TAU;
    let s = a * a;
    a * (1.0
        - s * (1.0 / 6.0) * (1.0 - s * (1.0 / 20.0) * (1.0 - s * (1.0 / 42.0) * (1.0 - s * (1.0 / 72.0)))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sine_follows_the_library() {
        for i in -300..300 {
            let t = i as f32 * 0.0137;
            let expected = (f64::from(t) * std::f64::consts::TAU).sin() as f32;
            assert!((sine(t) - expected).abs() < 2e-5, "sine({t}) = {} instead of {expected}", sine(t));
        }
    }

    #[test]
    fn every_figure_has_an_inside_and_ends_within_its_reach() {
        for figure in Figure::ALL {
            let mut inside = 0;
            for i in 0..200 {
                for j in 0..200 {
                    let (x, y) = (i as f32 * 0.016 - 1.6, j as f32 * 0.016 - 1.6);
                    if figure.distance(x, y) < 0.0 {
                        inside += 1;
                        assert!(length(x, y) <= Figure::REACH, "{figure:?} reaches ({x}, {y})");
                    }
                }
            }
            let area = inside as f32 * 0.016 * 0.016;
            assert!((0.9..2.8).contains(&area), "{figure:?} has area {area}");
        }
    }
}
