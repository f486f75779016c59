//! The corruptions of ImageNet-C and CIFAR-C (Hendrycks and Dietterich, *Benchmarking Neural Network
//! Robustness to Common Corruptions and Perturbations*, 2019) on images in memory: 19 corruptions of five
//! severities, in two sets of strengths.
//!
//! ```
//! use dualprop::data::corruptions::{Corruption, Corruptor, ParameterSet};
//!
//! let image = vec![128; 48 * 32 * 3];
//! let corruptor = Corruptor::new(ParameterSet::CifarC, 0);
//! let foggy = corruptor.apply(Corruption::Fog, 3, &image, 48, 32, 0);
//! assert_eq!(foggy.len(), image.len());
//! ```
//!
//! The pixels are those of the benchmark's code given the same draws, up to the rounding that the table in
//! `referee.rs` lists; the draws are of the same distributions from another generator. Its oddities are kept
//! where they change the pixels: see [`Corruption`]'s families. What differs from the published files:
//!
//! * The files of ImageNet-C were stored as JPEG of quality 85 after the corruption; these images are not.
//! * Frost adds generated pictures unless the benchmark's are handed over ([`Corruptor::with_frost`]).
//! * JPEG is compressed and read by other code than libjpeg.
//! * The benchmark knows squares of 224 and of 32 pixels. Here any size goes: radii in pixels stay, the
//!   lengths of the elastic transform follow the shorter side, fog is cut from a cloud of the next power of
//!   two.

mod blur;
mod digital;
mod edges;
mod elastic;
mod enlarge;
mod filter;
mod frost_pictures;
mod noise;
mod plasma;
mod raster;
#[cfg(test)]
mod referee;
mod smear;
mod spatter;
mod tone;
mod weather;

pub use crate::config::{Corruption, ParameterSet};

use self::frost_pictures::FrostPictures;
use self::raster::Raster;
use super::random::{Purpose, Random};
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// The severities, from weak to strong.
pub const SEVERITIES: std::ops::RangeInclusive<u8> = 1..=5;

/// Corrupts images. What an image becomes depends on the set, the seed, the pictures of frost, the
/// corruption, the severity and the image's number alone. Clones share the pictures of frost.
#[derive(Clone)]
pub struct Corruptor {
    set: ParameterSet,
    seed: u64,
    /// Generated when frost first needs them.
    frost: Arc<OnceLock<FrostPictures>>,
}

impl Corruptor {
    /// A corruptor with generated pictures of frost.
    pub fn new(set: ParameterSet, seed: u64) -> Self {
        Self { set, seed, frost: Arc::default() }
    }

    /// The same with pictures of frost from a folder: its first five images by name, as the benchmark uses
    /// five of the six that it names. Fails with the folder or the file that cannot be used.
    pub fn with_frost(self, folder: &Path) -> anyhow::Result<Self> {
        let pictures = FrostPictures::from_folder(folder)?;
        Ok(Self { frost: Arc::new(OnceLock::from(pictures)), ..self })
    }

    /// The strengths of the severities.
    pub fn set(&self) -> ParameterSet {
        self.set
    }

    /// The corrupted image, RGB `[height, width, 3]`. `image` has the same shape and at least one pixel; a
    /// grey image comes with equal channels, and gets noise and tints as a coloured one does. `severity` is
    /// one
    /// of [`SEVERITIES`]. `id` is the image's number, which names its draws: equal numbers, equal draws.
    ///
    /// # Panics
    ///
    /// When the bytes are not as many as the size says, a side is 0 or above 65,520, or the severity is none.
    pub fn apply(
        &self,
        corruption: Corruption,
        severity: u8,
        image: &[u8],
        width: usize,
        height: usize,
        id: u64,
    ) -> Vec<u8> {
        assert!(SEVERITIES.contains(&severity), "severity {severity} is none of 1 to 5");
        // The largest number of whole blocks that a JPEG has room for.
        let sides = 1..=65_520;
        assert!(
            sides.contains(&width) && sides.contains(&height),
            "an image of {width}x{height} pixels, where sides of 1 to 65520 were expected"
        );
        assert_eq!(image.len(), width * height * 3, "bytes of an RGB image of {width}x{height} pixels");
        let (set, level) = (self.set, usize::from(severity) - 1);
        let cell = (corruption.index() * 5 + level) as u64;
        let mut random = Random::new(Purpose::Corruption, [self.seed, id, cell]);
        let raster = || Raster::from_rgb(image, width, height);
        match corruption {
            Corruption::GaussianNoise => noise::gaussian(image, set, level, &mut random),
            Corruption::ShotNoise => noise::shot(image, set, level, &mut random),
            Corruption::ImpulseNoise => noise::impulse(image, set, level, &mut random),
            Corruption::SpeckleNoise => noise::speckle(image, set, level, &mut random),
            Corruption::GaussianBlur => blur::gaussian(&raster(), set, level).into_bytes(),
            Corruption::DefocusBlur => blur::defocus(&raster(), set, level).into_bytes(),
            Corruption::GlassBlur => {
                let offset = |reach: usize| random.below(2 * reach as u32) as isize - reach as isize;
                blur::glass(&raster(), set, level, offset).into_bytes()
            }
            Corruption::MotionBlur => {
                let angle = f64::from(random.range(-45.0, 45.0));
                blur::motion(&raster(), set, level, angle).into_bytes()
            }
            Corruption::ZoomBlur => blur::zoom(&raster(), set, level).into_bytes(),
            Corruption::Snow => {
                let angle = f64::from(random.range(-135.0, -45.0));
                weather::snow(&raster(), set, level, || random.normal(), angle).into_bytes()
            }
            Corruption::Frost => self.frost(&raster(), level, &mut random).into_bytes(),
            Corruption::Fog => {
                weather::fog(&raster(), set, level, || f64::from(random.range(-1.0, 1.0))).into_bytes()
            }
            Corruption::Spatter => spatter::spatter(&raster(), set, level, || random.normal()).into_bytes(),
            Corruption::ElasticTransform => {
                let mut draw = || random.range(-1.0, 1.0);
                let points = std::array::from_fn(|_| [draw(), draw()]);
                let fields = std::array::from_fn(|_| Raster::layer(width, height, &mut draw));
                let draws = elastic::Draws { points, fields };
                elastic::transform(&raster(), set, level, &draws).into_bytes()
            }
            Corruption::Brightness => tone::brightness(image, set, level),
            Corruption::Contrast => tone::contrast(image, set, level),
            Corruption::Saturate => tone::saturate(image, set, level),
            Corruption::Pixelate => digital::pixelate(image, width, height, set, level),
            Corruption::JpegCompression => digital::jpeg(image, width, height, set, level),
        }
    }

    /// Adds a part of one of the pictures, both drawn.
    fn frost(&self, image: &Raster, level: usize, random: &mut Random) -> Raster {
        let pictures = self.frost.get_or_init(|| FrostPictures::generated(self.seed));
        let number = random.below(pictures.len() as u32) as usize;
        let picture = pictures.picture(self.set, number, image.width, image.height);
        // The last row and column of a picture never show, for the benchmark's draw leaves the upper bound
        // out.
        let mut place = |surplus: usize| random.below(surplus.max(1) as u32) as usize;
        let top = place(picture.height - image.height);
        let left = place(picture.width - image.width);
        weather::frost(image, self.set, level, &picture, (left, top))
    }
}
