//! Random changes of training images, on the threads that decode them.
//!
//! Every image goes through the same stations, in the order of EfficientNet's code whatever the order of the
//! words in the configuration: framing (`inception` or `crop`), `flip`, `color`, a policy (`autoaugment` or
//! `randaugment`), `cutout`. Framing, flip and colour are drawn once for a showing of an image and shared by
//! all its views; policy and cutout together are what the *augmented* view has and the *plain* one lacks.
//!
//! Pad-and-crop and flip are the GPU's work, told by a [`Placement`], unless something follows that must see
//! the framed image; both are then done here.

mod blend;
mod color;
mod cutout;
mod inception;
mod lookup;
mod operation;
mod pillow;
mod placement;
mod policy;
mod sample;
mod square;
mod tables;
mod tensorflow;

pub use self::color::Color;
pub use self::cutout::Cutout;
pub use self::operation::{Action, Convention, Operation, PixelReach};
pub use self::placement::Placement;
pub use self::policy::Policy;
pub use self::square::Square;
pub use self::tables::{PolicyTable, Step};

use super::Dataset;
use super::damage::load_checked;
use super::random::{Purpose, Random};
use crate::config::{Augmentation, DataConfig};

/// One showing of an image to the net. Every random choice about it follows from this alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Showing {
    pub seed: u64,
    pub epoch: u64,
    /// Place in the epoch's order.
    pub place: u32,
}

impl Showing {
    pub(super) fn random(&self, purpose: Purpose) -> Random {
        Random::new(purpose, [self.seed, self.epoch, u64::from(self.place)])
    }
}

/// Which views of its images a batch carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Views {
    /// One: with `policy`, the augmented view; without, the plain one.
    One { policy: bool },
    /// None: the caller has the images themselves and wants to know where and how they go. For recipes that
    /// are [`Recipe::only_placed`].
    Placements,
    /// The plain view in the batch's `images` and the augmented one of the same images in `augmented`.
    Two,
}

/// How images are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Whole,
    PadCrop,
    Inception,
}

/// What happens to training images.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    framing: Framing,
    flip: bool,
    color: bool,
    policy: Option<Policy>,
    cutout: Option<Cutout>,
}

/// One view of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    /// `[size, size, 3]` RGB.
    pub(super) rgb: Vec<u8>,
    /// What the GPU still has to do.
    pub(super) placement: Placement,
}

/// The views of an image that a batch wants.
pub(super) struct ShownViews {
    pub(super) first: Shown,
    /// Only with [`Views::Two`].
    pub(super) augmented: Option<Shown>,
}

impl Recipe {
    /// The recipe of a valid configuration.
    pub fn from_config(config: &DataConfig) -> Self {
        let has = |item| config.augment.contains(&item);
        let framing = if has(Augmentation::Inception) {
            Framing::Inception
        } else if has(Augmentation::Crop) {
            Framing::PadCrop
        } else {
            Framing::Whole
        };
        let policy = if has(Augmentation::Autoaugment) {
            Some(Policy::autoaugment(config.policy))
        } else if has(Augmentation::Randaugment) {
            Some(Policy::RandAugment { operations: config.randaugment_n, level: config.randaugment_m })
        } else {
            None
        };
        let cutout = has(Augmentation::Cutout).then(|| Cutout::new(config.cutout_size, config.mean));
        Self { framing, flip: has(Augmentation::Flip), color: has(Augmentation::Color), policy, cutout }
    }

    /// The policy of `autoaugment` or `randaugment`, if any.
    pub fn policy(&self) -> Option<Policy> {
        self.policy
    }

    /// Whether the augmented view differs from the plain one.
    pub fn has_policy(&self) -> bool {
        self.policy.is_some() || self.cutout.is_some()
    }

    /// Whether all that happens to an image is its [`Placement`].
    pub fn only_placed(&self) -> bool {
        self.framing != Framing::Inception && !self.color && !self.has_policy()
    }

    /// What `versions` epochs of a run would make of image `index`: `[size, size, 3]` RGB each, as the net
    /// sees them before normalisation.
    pub fn preview(
        &self,
        set: &dyn Dataset,
        index: usize,
        size: usize,
        seed: u64,
        versions: u64,
    ) -> anyhow::Result<Vec<Vec<u8>>> {
        (0..versions)
            .map(|epoch| {
                let showing = Showing { seed, epoch, place: index as u32 };
                let shown = self.show(set, index, size, &showing, Views::One { policy: true })?.first;
                Ok(shown.placement.apply(shown.rgb, size))
            })
            .collect()
    }

    /// Decodes image `index` for a `showing` at `size` pixels a side and makes the wanted views of it.
    pub(super) fn show(
        &self,
        set: &dyn Dataset,
        index: usize,
        size: usize,
        showing: &Showing,
        views: Views,
    ) -> anyhow::Result<ShownViews> {
        let placement = Placement::draw(self.framing == Framing::PadCrop, self.flip, showing, size);
        if views == Views::Placements {
            return Ok(ShownViews { first: Shown { rgb: Vec::new(), placement }, augmented: None });
        }
        let rgb = match self.framing {
            Framing::Inception => inception::frame(&set.decode(index, size)?, size, showing)?,
            Framing::Whole | Framing::PadCrop => load_checked(set, index, size)?,
        };
        let plain = self.colored(Shown { rgb, placement }, size, showing);
        Ok(match views {
            Views::Placements | Views::One { policy: false } => ShownViews { first: plain, augmented: None },
            Views::One { policy: true } => {
                ShownViews { first: self.augmented(plain, size, showing), augmented: None }
            }
            Views::Two => {
                let augmented = self.augmented(plain.clone(), size, showing);
                ShownViews { first: plain, augmented: Some(augmented) }
            }
        })
    }

    /// Distorts the colours of the framed image, where that is asked for: the padding takes part in the
    /// contrast.
    fn colored(&self, framed: Shown, size: usize, showing: &Showing) -> Shown {
        if !self.color {
            return framed;
        }
        let mut square = Square::new(size, framed.placement.apply(framed.rgb, size));
        Color::draw(showing).apply(&mut square);
        Shown { rgb: square.into_rgb(), placement: Placement::default() }
    }

    /// The augmented view of a plain one.
    fn augmented(&self, plain: Shown, size: usize, showing: &Showing) -> Shown {
        if !self.has_policy() {
            return plain;
        }
        let mut square = Square::new(size, plain.placement.apply(plain.rgb, size));
        if let Some(policy) = &self.policy {
            policy.apply(&mut square, showing);
        }
        if let Some(cutout) = &self.cutout {
            cutout.apply(&mut square, showing);
        }
        Shown { rgb: square.into_rgb(), placement: Placement::default() }
    }
}
