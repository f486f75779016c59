//! The built-in set `shapes`: ten classes of outline over cluttered backgrounds, made from a seed while
//! training.
//!
//! It shows on a laptop what the papers show on ImageNet. In `train` and `val` each class wears its own
//! texture nine times out of ten, so texture is a shortcut that holds on `val`. `val-stylized` shows the very
//! scenes of `val`, each in the texture of another class: only the outline tells the class there, and the
//! difference between the two accuracies is what a net owes to the shortcut.

mod figure;
mod render;
mod scene;
mod texture;

use self::figure::Figure;
use self::scene::Scene;
pub use self::texture::Texture;
use super::Dataset;
use super::random::{Purpose, Random};
use std::ops::RangeInclusive;

/// Seed of the set itself. It is part of the set's definition: a run's seed never changes the data.
const DATA_SEED: u64 = 0x5348_4150_4553;

/// How often an image of `train` and `val` wears the texture of its class.
pub const TEXTURE_SHARE: f32 = 0.9;

/// Sides that can be drawn, pixels. Outlines and textures stay clear from 32.
pub const SIZES: RangeInclusive<usize> = 8..=1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShapesSplit {
    Train,
    Val,
    ValStylized,
}

impl ShapesSplit {
    pub fn name(self) -> &'static str {
        match self {
            ShapesSplit::Train => "train",
            ShapesSplit::Val => "val",
            ShapesSplit::ValStylized => "val-stylized",
        }
    }

    fn len(self) -> usize {
        match self {
            ShapesSplit::Train => 10_000,
            ShapesSplit::Val | ShapesSplit::ValStylized => 1_000,
        }
    }

    /// Key of the scenes. `val-stylized` shares those of `val`.
    fn scenes(self) -> u64 {
        match self {
            ShapesSplit::Train => 0,
            ShapesSplit::Val | ShapesSplit::ValStylized => 1,
        }
    }
}

/// One split of the set. Labels go round the classes in turn, so every run of ten images holds each class
/// once.
pub struct Shapes {
    split: ShapesSplit,
    classes: Vec<String>,
}

impl Shapes {
    pub fn new(split: ShapesSplit) -> Self {
        Self { split, classes: Figure::NAMES.map(String::from).to_vec() }
    }

    /// The texture that image `index` wears.
    pub fn texture(&self, index: usize) -> Texture {
        let own = self.label(index);
        let key = [DATA_SEED, self.split as u64, index as u64];
        let mut random = Random::new(Purpose::SceneTexture, key);
        if self.split != ShapesSplit::ValStylized && random.chance(TEXTURE_SHARE) {
            return Texture::ALL[own];
        }
        let other = random.below(Texture::ALL.len() as u32 - 1) as usize;
        Texture::ALL[other + usize::from(other >= own)]
    }

    fn scene(&self, index: usize) -> Scene {
        let key = |part| [DATA_SEED, self.split.scenes() * 2 + part, index as u64];
        Scene::new(
            Figure::ALL[self.label(index)],
            self.texture(index),
            Random::new(Purpose::Scene, key(0)),
            Random::new(Purpose::Scene, key(1)),
        )
    }
}

impl Dataset for Shapes {
    fn len(&self) -> usize {
        self.split.len()
    }

    fn class_names(&self) -> &[String] {
        &self.classes
    }

    fn label(&self, index: usize) -> usize {
        index % Figure::ALL.len()
    }

    fn name(&self, index: usize) -> String {
        format!("{}/{index:05}", self.split.name())
    }

    fn load(&self, index: usize, size: usize) -> anyhow::Result<Vec<u8>> {
        anyhow::ensure!(
            index < self.len(),
            "image {index} of {} that the split has was asked for",
            self.len()
        );
        anyhow::ensure!(
            SIZES.contains(&size),
            "`shapes` draws images of {} to {} pixels a side, not {size}",
            SIZES.start(),
            SIZES.end()
        );
        Ok(render::render(&self.scene(index), size))
    }

    /// The pixels that the figure covers by half or more, also where one of the thin strips runs over it.
    fn mask(&self, index: usize, size: usize) -> Option<Vec<bool>> {
        Some(render::mask(&self.scene(index), size))
    }
}
