//! The ten textures of the `shapes` set: each says how much of a second colour a point takes.

use super::figure::{floor, length, rotate, sine};
use crate::data::random::Random;

/// Look of a figure's surface, independent of its outline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Texture {
    Stripes,
    Checks,
    Dots,
    Waves,
    Noise,
    Rings,
    Grid,
    Plain,
    Patches,
    Gradient,
}

impl Texture {
    /// All textures; entry `c` is the one that training ties to class `c`.
    pub const ALL: [Texture; 10] = [
        Texture::Patches,
        Texture::Plain,
        Texture::Rings,
        Texture::Stripes,
        Texture::Grid,
        Texture::Gradient,
        Texture::Noise,
        Texture::Dots,
        Texture::Waves,
        Texture::Checks,
    ];

    /// Length of one period as a part of the side. At 32 px the finest detail stays above two pixels.
    fn period(self) -> f32 {
        match self {
            Texture::Stripes | Texture::Dots | Texture::Grid => 0.17,
            Texture::Rings => 0.16,
            Texture::Waves => 0.19,
            Texture::Checks => 0.25,
            Texture::Noise => 0.05,
            Texture::Patches => 0.13,
            Texture::Plain | Texture::Gradient => 1.0,
        }
    }
}

/// Random values on a 16×16 torus, read with smooth interpolation: cheap noise of any frequency.
#[derive(Clone)]
pub(super) struct Lattice([u8; 256]);

impl Lattice {
    pub(super) const SIDE: i32 = 16;

    pub(super) fn new(random: &mut Random) -> Self {
        let mut values = [0; 256];
        random.fill(&mut values);
        Self(values)
    }

    /// The value at a lattice point, 0..=1.
    #[inline]
    pub(super) fn at(&self, i: i32, j: i32) -> f32 {
        let index = (j & (Self::SIDE - 1)) * Self::SIDE + (i & (Self::SIDE - 1));
        f32::from(self.0[index as usize]) * (1.0 / 255.0)
    }

    #[inline]
    fn smooth(&self, x: f32, y: f32) -> f32 {
        let (i, j) = (floor(x), floor(y));
        let (s, t) = (ease(x - i as f32), ease(y - j as f32));
        let top = lerp(self.at(i, j), self.at(i + 1, j), s);
        let bottom = lerp(self.at(i, j + 1), self.at(i + 1, j + 1), s);
        lerp(top, bottom, t)
    }
}

/// A texture laid out for one figure: lengths in sides of the picture.
#[derive(Clone)]
pub(super) struct Surface {
    pub(super) texture: Texture,
    axis: (f32, f32),
    period: f32,
    phase: (f32, f32),
    radius: f32,
    lattice: Lattice,
}

impl Surface {
    /// `radius` is the half extent of the figure that wears it.
    pub(super) fn new(texture: Texture, radius: f32, random: &mut Random) -> Self {
        // Nearly upright: a net finds a texture of any direction about as late as an outline, and it would
        // tempt nobody.
        let turn = random.range(-0.06, 0.06);
        Self {
            texture,
            axis: (sine(turn + 0.25), sine(turn)),
            period: texture.period() * random.range(0.88, 1.14),
            phase: (random.unit(), random.unit()),
            radius,
            lattice: Lattice::new(random),
        }
    }

    /// Share of the second colour, 0..=1, at an offset from the figure's centre; `pixel` is a pixel's width.
    #[inline]
    pub(super) fn share(&self, dx: f32, dy: f32, pixel: f32) -> f32 {
        let (u, v) = rotate(self.axis, dx, dy);
        let period = self.period;
        let (s, t) = (u / period + self.phase.0, v / period + self.phase.1);
        let edge = match self.texture {
            Texture::Stripes => bars(s),
            Texture::Checks => {
                let (a, b) = (bars(s), bars(t));
                a.abs().min(b.abs()).copysign(a * b)
            }
            Texture::Dots => 0.34 - length(centred(s), centred(t)),
            Texture::Waves => bars(s + 0.3 * sine(0.55 * t)),
            Texture::Noise => return ((self.lattice.smooth(s, t) - 0.5) * 2.4 + 0.5).clamp(0.0, 1.0),
            Texture::Rings => bars(length(dx, dy) / period + self.phase.0),
            Texture::Grid => 0.17 - centred(s).abs().min(centred(t).abs()),
            Texture::Plain => return 0.0,
            // The slope of the interpolated noise is near 0.8 a cell where it crosses one half.
            Texture::Patches => (self.lattice.smooth(s, t) - 0.5) * 1.2,
            Texture::Gradient => return (0.5 + u / (1.7 * self.radius)).clamp(0.0, 1.0),
        };
        (0.5 + edge * period / pixel).clamp(0.0, 1.0)
    }
}

/// Signed distance, in periods, to the edges of bars that cover half of each period.
#[inline]
fn bars(t: f32) -> f32 {
    0.25 - centred(t).abs()
}

/// Position within a period, −0.5..0.5.
#[inline]
fn centred(t: f32) -> f32 {
    t - floor(t) as f32 - 0.5
}

#[inline]
pub(super) fn ease(t: f32) -> f32 {
    t * t * (3.0 - 2.0 * t)
}

#[inline]
pub(super) fn lerp(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}
