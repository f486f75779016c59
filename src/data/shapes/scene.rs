//! One picture of the `shapes` set as numbers: what stands where in which colours. Lengths are in sides of
//! the picture, colours in 0..1, so one scene renders at any size.

use super::figure::{Figure, Pose};
use super::texture::{Lattice, Surface, Texture};
use crate::data::random::Random;

pub(super) type Colour = [f32; 3];

pub(super) struct Scene {
    pub(super) figure: Figure,
    pub(super) pose: Pose,
    pub(super) surface: Surface,
    /// First and second colour of the texture.
    pub(super) colours: [Colour; 2],
    pub(super) background: Backdrop,
    /// Small faint figures behind the main one.
    pub(super) distractors: Vec<Distractor>,
    /// Thin strips across the picture: behind the figure, and over it.
    pub(super) strips_behind: Vec<Strip>,
    pub(super) strips_over: Vec<Strip>,
    /// Key of the sensor noise.
    pub(super) noise_key: u32,
}

pub(super) struct Backdrop {
    pub(super) colour: Colour,
    pub(super) lattice: Lattice,
    /// Colour swing and cells per side of two octaves of noise.
    pub(super) octaves: [(Colour, f32); 2],
    /// Change of brightness from left to right and from top to bottom.
    pub(super) slope: (f32, f32),
}

pub(super) struct Distractor {
    pub(super) figure: Figure,
    pub(super) pose: Pose,
    pub(super) colour: Colour,
    pub(super) opacity: f32,
}

pub(super) struct Strip {
    /// A point on the middle line; the pose's y axis is the strip's direction.
    pub(super) pose: Pose,
    pub(super) half_width: f32,
    pub(super) colour: Colour,
    pub(super) opacity: f32,
}

impl Scene {
    /// `random` decides everything but the texture's kind, `surface_random` the texture's layout: the same
    /// scene can wear any texture.
    pub(super) fn new(
        figure: Figure,
        texture: Texture,
        mut random: Random,
        mut surface_random: Random,
    ) -> Self {
        let r = &mut random;
        let background = Backdrop::new(r);
        let colours = figure_colours(background.colour, r);
        let radius = r.range(0.26, 0.41);
        let margin = (radius * 1.02).min(0.46);
        let (x, y) = (r.range(margin, 1.0 - margin), r.range(margin, 1.0 - margin));
        // An eighth of a turn would make a diamond of the square and a saltire of the cross.
        let pose = Pose::new(x, y, radius, r.range(-0.09, 0.09));
        let distractors = (0..2 + r.below(4)).map(|_| Distractor::new(background.colour, r)).collect();
        let strips_behind = (0..r.below(3))
            .map(|_| {
                let place = (r.unit(), r.unit());
                Strip::new(place, r.range(0.008, 0.025), r.range(0.25, 0.5), background.colour, r)
            })
            .collect();
        let over = u32::from(r.chance(0.4));
        let strips_over = (0..over)
            .map(|_| {
                let off = radius * 0.75;
                let place = (x + r.range(-off, off), y + r.range(-off, off));
                Strip::new(place, r.range(0.015, 0.03), r.range(0.85, 1.0), background.colour, r)
            })
            .collect();
        let noise_key = r.bits();
        let surface = Surface::new(texture, radius, &mut surface_random);
        Self {
            figure,
            pose,
            surface,
            colours,
            background,
            distractors,
            strips_behind,
            strips_over,
            noise_key,
        }
    }
}

impl Backdrop {
    fn new(r: &mut Random) -> Self {
        let grey = r.range(0.1, 0.4);
        let colour = [(); 3].map(|()| (grey + r.range(-0.15, 0.15)).clamp(0.03, 0.95));
        let mut swing = |size: f32| [(); 3].map(|()| r.range(-size, size));
        let coarse = swing(0.3);
        let fine = swing(0.2);
        let octaves = [(coarse, r.range(2.5, 5.0)), (fine, r.range(7.0, 13.0))];
        Self { colour, lattice: Lattice::new(r), octaves, slope: (r.range(-0.1, 0.1), r.range(-0.1, 0.1)) }
    }
}

impl Distractor {
    fn new(background: Colour, r: &mut Random) -> Self {
        let figure = Figure::ALL[r.below(10) as usize];
        let pose = Pose::new(r.unit(), r.unit(), r.range(0.04, 0.085), r.unit());
        Self { figure, pose, colour: apart_from(&[(background, 0.3)], 0.0, r), opacity: r.range(0.25, 0.5) }
    }
}

impl Strip {
    fn new(place: (f32, f32), half_width: f32, opacity: f32, background: Colour, r: &mut Random) -> Self {
        let pose = Pose::new(place.0, place.1, 1.0, r.unit());
        Self { pose, half_width, colour: apart_from(&[(background, 0.15)], 0.0, r), opacity }
    }
}

/// Bright colours on a darker ground: without that, which side of an edge is the figure takes a small net
/// most of a short run to learn.
fn figure_colours(background: Colour, r: &mut Random) -> [Colour; 2] {
    let first = apart_from(&[(background, 0.5)], 0.5, r);
    let second = apart_from(&[(background, 0.3), (first, 0.65)], 0.15, r);
    [first, second]
}

/// A random colour of at least the given mean and at least the given distances away from others; the best of
/// 24 tries if none is.
fn apart_from(others: &[(Colour, f32)], brightness: f32, r: &mut Random) -> Colour {
    let mut best = ([0.0; 3], f32::NEG_INFINITY);
    for _ in 0..24 {
        let colour = [(); 3].map(|()| r.range(0.02, 0.98));
        let slack = others
            .iter()
            .map(|(other, least)| {
                let d: [f32; 3] = std::array::from_fn(|c| colour[c] - other[c]);
                (d[0] * d[0] + d[1] * d[1] + d[2] * d[2]).sqrt() - least
            })
            .fold(colour.iter().sum::<f32>() / 3.0 - brightness, f32::min);
        if slack > best.1 {
            best = (colour, slack);
        }
        if slack >= 0.0 {
            break;
        }
    }
    best.0
}
