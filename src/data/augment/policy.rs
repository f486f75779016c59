//! What a learned or random policy does to an image: which operations are drawn, and in which convention they
//! act.

use super::Showing;
use super::operation::{Action, Convention, Operation, PixelReach};
use super::square::Square;
use super::tables::{self, PolicyTable};
use crate::config::AutoAugmentPolicy;
use crate::data::random::Purpose;

/// RandAugment's operations in EfficientNet's code; all are equally likely, and doing nothing is not among
/// them.
const RANDOM: [Operation; 16] = [
    Operation::AutoContrast,
    Operation::Equalize,
    Operation::Invert,
    Operation::Rotate,
    Operation::Posterize,
    Operation::Solarize,
    Operation::Color,
    Operation::Contrast,
    Operation::Brightness,
    Operation::Sharpness,
    Operation::ShearX,
    Operation::ShearY,
    Operation::TranslateX,
    Operation::TranslateY,
    Operation::Cutout,
    Operation::SolarizeAdd,
];

/// Operations in random choice and strength.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Policy {
    /// One pair of the table for each image; each of its two operations happens with its own probability.
    AutoAugment { table: &'static PolicyTable, convention: Convention },
    /// So many operations one after another, drawn with replacement, all at one level.
    RandAugment { operations: usize, level: u8 },
}

impl Policy {
    pub fn autoaugment(policy: AutoAugmentPolicy) -> Self {
        let (table, convention) = match policy {
            AutoAugmentPolicy::ImagenetV0 => {
                (&tables::IMAGENET_V0, Convention::TensorFlow(PixelReach::AUTOAUGMENT))
            }
            AutoAugmentPolicy::Imagenet => (&tables::IMAGENET, Convention::Pillow),
            AutoAugmentPolicy::Cifar => (&tables::CIFAR, Convention::Pillow),
        };
        Self::AutoAugment { table, convention }
    }

    pub fn convention(&self) -> Convention {
        match self {
            Policy::AutoAugment { convention, .. } => *convention,
            Policy::RandAugment { .. } => Convention::TensorFlow(PixelReach::RANDAUGMENT),
        }
    }

    /// What happens to an image of `side` pixels at one showing, in order.
    pub fn draw(&self, side: usize, showing: &Showing) -> Vec<Action> {
        let mut random = showing.random(Purpose::Policy);
        match self {
            Policy::AutoAugment { table, .. } => {
                let pair = &table[random.below(table.len() as u32) as usize];
                let mut happening = Vec::with_capacity(pair.len());
                for &(operation, probability, level) in pair {
                    let happens = random.chance(probability);
                    let action = Action::draw(operation, level, side, &mut random);
                    if happens {
                        happening.push(action);
                    }
                }
                happening
            }
            Policy::RandAugment { operations, level } => (0..*operations)
                .map(|_| {
                    let operation = RANDOM[random.below(RANDOM.len() as u32) as usize];
                    Action::draw(operation, *level, side, &mut random)
                })
                .collect(),
        }
    }

    pub fn apply(&self, image: &mut Square, showing: &Showing) {
        for action in self.draw(image.side(), showing) {
            action.apply(self.convention(), image);
        }
    }
}
