//! What augmentation makes of training images, to be looked at before any run: the set is opened, nothing is
//! trained and no GPU asked.

use crate::config::DataConfig;
use crate::data::{Dataset, Recipe, open_part};
use std::sync::Arc;

/// Images that are shown, and versions of each.
const IMAGES: u64 = 4;
const VERSIONS: u64 = 5;
/// Steps of this share of a set spread any number of images over it: the golden ratio's.
const STRIDE: f64 = 0.618_033_988_749_895;

/// What to show.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// The set and its augmentation.
    pub data: DataConfig,
    /// Of the run.
    pub seed: u64,
    /// Each number has other images, and another draw of the augmentation.
    pub draw: u64,
}

/// An opened training set; another draw of the same configuration needs no second opening.
#[derive(Clone)]
pub struct Opened {
    data: DataConfig,
    set: Arc<dyn Dataset>,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Opened {}", self.data.source.name())
    }
}

/// Some images, as they are and augmented.
#[derive(Clone, Debug)]
pub struct Augmented {
    /// Side of an image, pixels.
    pub size: usize,
    /// The images.
    pub images: Vec<AugmentedImage>,
}

/// One image.
#[derive(Clone, Debug)]
pub struct AugmentedImage {
    /// Its name in the set.
    pub name: String,
    /// `[S, S, 3]` RGB.
    pub plain: Vec<u8>,
    /// As the network might get it, `[S, S, 3]` RGB each.
    pub versions: Vec<Vec<u8>>,
}

/// Draws what is `asked` for. `opened` is the set of an earlier answer, if there was one. An error is one
/// sentence for the user.
pub fn show(asked: &Asked, opened: Option<Opened>) -> anyhow::Result<(Augmented, Opened)> {
    let same_set = |opened: &Opened| {
        let (old, new) = (&opened.data, &asked.data);
        old == &DataConfig { augment: old.augment.clone(), ..new.clone() }
    };
    let set = match opened.filter(same_set) {
        Some(opened) => opened.set,
        None => open_part(&asked.data, "train")?,
    };
    anyhow::ensure!(!set.is_empty(), "the training set has no image; expected at least one");
    let size = asked.data.image_size;
    let recipe = Recipe::from_config(&asked.data);
    let plain = Recipe::from_config(&DataConfig { augment: Vec::new(), ..asked.data.clone() });
    let image = |number: u64| {
        let place = ((asked.draw * IMAGES + number + 1) as f64 * STRIDE).fract();
        let index = ((place * set.len() as f64) as usize).min(set.len() - 1);
        // Draws of one seed are other draws than those of its neighbours.
        let seed = asked.seed.wrapping_add(asked.draw << 32);
        let mut first = plain.preview(set.as_ref(), index, size, seed, 1)?;
        Ok(AugmentedImage {
            name: set.name(index),
            plain: first.pop().unwrap_or_default(),
            versions: recipe.preview(set.as_ref(), index, size, seed, VERSIONS)?,
        })
    };
    let images = (0..IMAGES).map(image).collect::<anyhow::Result<Vec<_>>>()?;
    Ok((Augmented { size, images }, Opened { data: asked.data.clone(), set }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Augmentation;

    fn asked(draw: u64, augment: &[Augmentation]) -> Asked {
        let data = DataConfig { augment: augment.to_vec(), image_size: 16, ..DataConfig::default() };
        Asked { data, seed: 3, draw }
    }

    #[test]
    fn a_draw_is_the_same_again_and_another_one_is_not() {
        let augment = [Augmentation::Crop, Augmentation::Flip];
        let (first, opened) = show(&asked(0, &augment), None).expect("built-in images");
        let (again, opened) = show(&asked(0, &augment), Some(opened)).expect("built-in images");
        let versions =
            |made: &Augmented| -> Vec<_> { made.images.iter().map(|i| i.versions.clone()).collect() };
        assert_eq!(versions(&first), versions(&again));
        assert_eq!((first.images.len(), first.images[0].versions.len()), (4, 5));
        let (other, opened) = show(&asked(1, &augment), Some(opened)).expect("built-in images");
        assert_ne!(versions(&first), versions(&other));
        let (none, _) = show(&asked(0, &[]), Some(opened)).expect("built-in images");
        assert!(none.images.iter().all(|image| image.versions.iter().all(|made| *made == image.plain)));
        assert!(first.images.iter().any(|image| image.versions.iter().any(|made| *made != image.plain)));
    }
}
