//! Pictures of frost: generated ones, or the user's.

use super::enlarge::resize;
use super::plasma::plasma;
use super::raster::Raster;
use crate::config::ParameterSet;
use crate::data::picture::{has_image_ending, read};
use crate::data::random::{Purpose, Random};
use anyhow::{Context as _, ensure};
use std::path::Path;

/// How many pictures frost draws from. The benchmark names six and never draws the sixth, because the upper
/// bound of its draw is left out.
const PICTURES: usize = 5;

/// Pictures of frost, RGB, for both sets of strengths.
pub(super) struct FrostPictures {
    full: Vec<Raster>,
    /// A fifth of the size, every fifth pixel: what CIFAR-C uses.
    fifth: Vec<Raster>,
}

impl FrostPictures {
    pub(super) fn new(full: Vec<Raster>) -> Self {
        let side = |side: usize| ((side as f64 * 0.2).round_ties_even() as usize).max(1);
        let fifth = full.iter().map(|p| resize(p, side(p.width), side(p.height))).collect();
        Self { full, fifth }
    }

    /// Pictures drawn from a seed: veins of ice on a pale blue ground, as bright and as rich in contrast as
    /// the benchmark's photographs.
    pub(super) fn generated(seed: u64) -> Self {
        Self::new((0..PICTURES as u64).map(|number| generate(seed, number)).collect())
    }

    /// The first five pictures of a folder, by name.
    pub(super) fn from_folder(folder: &Path) -> anyhow::Result<Self> {
        let entries = std::fs::read_dir(folder)
            .with_context(|| format!("the folder of frost pictures {} cannot be read", folder.display()))?;
        let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
        paths.retain(|path| path.file_name().is_some_and(|name| has_image_ending(&name.to_string_lossy())));
        paths.sort();
        ensure!(
            paths.len() >= PICTURES,
            "the folder of frost pictures {} has {} images, expected at least {PICTURES} (.png, .jpg, .webp)",
            folder.display(),
            paths.len()
        );
        let picture = |path: &std::path::PathBuf| {
            let picture = read(path).with_context(|| format!("{} is no picture of frost", path.display()))?;
            Ok(Raster::from_rgb(picture.rgb(), picture.width(), picture.height()))
        };
        Ok(Self::new(paths.iter().take(PICTURES).map(picture).collect::<anyhow::Result<_>>()?))
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.full.len()
    }

    /// Picture `number` for images of `width` · `height`; one that is too small is enlarged.
    pub(super) fn picture(
        &self,
        set: ParameterSet,
        number: usize,
        width: usize,
        height: usize,
    ) -> std::borrow::Cow<'_, Raster> {
        let picture = match set {
            ParameterSet::ImageNetC => &self.full[number],
            ParameterSet::CifarC => &self.fifth[number],
        };
        let factor = (width as f64 / picture.width as f64).max(height as f64 / picture.height as f64);
        if factor <= 1.0 {
            return std::borrow::Cow::Borrowed(picture);
        }
        let enlarged = |side: usize| (side as f64 * factor).ceil() as usize;
        let (to_width, to_height) =
            (enlarged(picture.width).max(width), enlarged(picture.height).max(height));
        std::borrow::Cow::Owned(resize(picture, to_width, to_height))
    }
}

/// Side of a generated picture, pixels.
const SIDE: usize = 512;

fn generate(seed: u64, number: u64) -> Raster {
    let mut random = Random::new(Purpose::FrostTexture, [seed, number, 0]);
    let mut map = |decay: f64| plasma(SIDE, decay, || f64::from(random.range(-1.0, 1.0)));
    // Veins are where a height map crosses its middle; two of them make crystals, a third the ground's
    // shades.
    let (first, second, ground) = (map(1.9), map(1.6), map(2.2));
    let vein = |height: f32| 1.0 - (4.0 * (height - 0.5)).abs().min(1.0);
    let mut shades =
        first.iter().zip(&second).zip(&ground).map(|((first, second), ground)| {
            0.55 * vein(*first).powi(2) + 0.3 * vein(*second) + 0.5 * ground
        });
    let mut values = Vec::with_capacity(SIDE * SIDE * 3);
    for shade in &mut shades {
        let [red, green, blue] = [0.75 * shade + 0.05, 0.8 * shade + 0.1, 0.8 * shade + 0.2];
        values.extend([red, green, blue].map(|value: f32| value.clamp(0.0, 1.0)));
    }
    Raster { width: SIDE, height: SIDE, channels: 3, values }
}
