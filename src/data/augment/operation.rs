//! The operations that policies are made of, and the two conventions for what a level means and how pixels
//! are computed.

use super::square::Square;
use super::{pillow, tensorflow};
use crate::data::random::Random;

/// Colour of what a geometric operation or a cutout leaves empty, in both conventions.
pub(super) const GREY: [u8; 3] = [128; 3];

/// By the names of the AutoAugment paper (table 6). `SolarizeAdd` is from EfficientNet's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    ShearX,
    ShearY,
    TranslateX,
    TranslateY,
    Rotate,
    AutoContrast,
    Equalize,
    Invert,
    Posterize,
    Solarize,
    SolarizeAdd,
    Color,
    Contrast,
    Brightness,
    Sharpness,
    Cutout,
}

/// How levels become arguments, and arguments pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Convention {
    /// EfficientNet's code in TensorFlow: levels 0 to 10, higher ones reach further.
    TensorFlow(PixelReach),
    /// torchvision over Pillow: levels 0 to 9. `SolarizeAdd` and `Cutout` do not exist there and change
    /// nothing.
    Pillow,
}

/// The arguments that EfficientNet's code counts in pixels, at level 10. Its smallest input has 224 pixels a
/// side; on smaller images they shrink in proportion, since 100 pixels would move a 32-pixel image out of
/// sight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PixelReach {
    pub translate: f64,
    /// Half the side of the hidden square.
    pub cutout: f64,
}

impl PixelReach {
    /// Of the AutoAugment policy.
    pub const AUTOAUGMENT: Self = Self { translate: 250.0, cutout: 100.0 };
    pub const RANDAUGMENT: Self = Self { translate: 100.0, cutout: 40.0 };

    /// For images of `side` pixels.
    pub(super) fn at(self, side: usize) -> Self {
        let scale = (side as f64 / 224.0).min(1.0);
        Self { translate: self.translate * scale, cutout: self.cutout * scale }
    }
}

/// An operation with everything drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    pub operation: Operation,
    pub level: u8,
    /// Shears, moves and rotates the other way; under [`Convention::Pillow`] colour, contrast, brightness and
    /// sharpness sink instead of rising.
    pub negative: bool,
    /// Column and row of the hidden square's centre, for `Cutout`.
    pub centre: [u32; 2],
}

impl Action {
    /// Draws direction and centre for an image of `side` pixels.
    pub(super) fn draw(operation: Operation, level: u8, side: usize, random: &mut Random) -> Self {
        let negative = random.chance(0.5);
        let centre = [random.below(side as u32), random.below(side as u32)];
        Self { operation, level, negative, centre }
    }

    pub fn apply(&self, convention: Convention, image: &mut Square) {
        match convention {
            Convention::TensorFlow(reach) => tensorflow::apply(self, reach.at(image.side()), image),
            Convention::Pillow => pillow::apply(self, image),
        }
    }
}
