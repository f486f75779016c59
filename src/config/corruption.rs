//! The corruptions of ImageNet-C: how many there are, and what they are called everywhere.

use super::schema::nearest_choice;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A corruption of the ImageNet-C benchmark (Hendrycks and Dietterich 2019), in the benchmark's order: the 15
/// that a mean corruption error is the mean of, then the four extra ones, held out for validation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Corruption {
    /// Normal noise.
    GaussianNoise,
    /// Poisson noise, as of few photons.
    ShotNoise,
    /// Salt and pepper: single channels of single pixels at 0 or 255.
    ImpulseNoise,
    /// A disk in place of every pixel, as of a lens out of focus.
    DefocusBlur,
    /// Pixels exchanged with near ones, as behind frosted glass.
    GlassBlur,
    /// A one-sided smear along a line.
    MotionBlur,
    /// The mean of enlarged images, as of a camera that moves forwards.
    ZoomBlur,
    /// Flakes that fall, over a whitened image.
    Snow,
    /// A picture of frost added to the image.
    Frost,
    /// A fractal cloud added to the image.
    Fog,
    /// A higher value in HSV.
    Brightness,
    /// A smaller distance of every channel from its mean.
    Contrast,
    /// A small affine change, then locally moved pixels.
    ElasticTransform,
    /// Fewer pixels.
    Pixelate,
    /// JPEG of low quality.
    JpegCompression,
    /// Normal noise in proportion to the pixel.
    SpeckleNoise,
    /// A normal kernel.
    GaussianBlur,
    /// Drops of water or mud.
    Spatter,
    /// Another saturation in HSV.
    Saturate,
}

impl Corruption {
    /// All 19, in the benchmark's order.
    pub const ALL: [Self; 19] = [
        Self::GaussianNoise,
        Self::ShotNoise,
        Self::ImpulseNoise,
        Self::DefocusBlur,
        Self::GlassBlur,
        Self::MotionBlur,
        Self::ZoomBlur,
        Self::Snow,
        Self::Frost,
        Self::Fog,
        Self::Brightness,
        Self::Contrast,
        Self::ElasticTransform,
        Self::Pixelate,
        Self::JpegCompression,
        Self::SpeckleNoise,
        Self::GaussianBlur,
        Self::Spatter,
        Self::Saturate,
    ];

    /// The 15 that a mean corruption error is the mean of.
    pub const MAIN: [Self; 15] = {
        let mut main = [Self::GaussianNoise; 15];
        let mut index = 0;
        while index < main.len() {
            main[index] = Self::ALL[index];
            index += 1;
        }
        main
    };

    /// The name in files, on the command line and in the window; also that of the benchmark's folders.
    pub const fn name(self) -> &'static str {
        match self {
            Self::GaussianNoise => "gaussian_noise",
            Self::ShotNoise => "shot_noise",
            Self::ImpulseNoise => "impulse_noise",
            Self::DefocusBlur => "defocus_blur",
            Self::GlassBlur => "glass_blur",
            Self::MotionBlur => "motion_blur",
            Self::ZoomBlur => "zoom_blur",
            Self::Snow => "snow",
            Self::Frost => "frost",
            Self::Fog => "fog",
            Self::Brightness => "brightness",
            Self::Contrast => "contrast",
            Self::ElasticTransform => "elastic_transform",
            Self::Pixelate => "pixelate",
            Self::JpegCompression => "jpeg_compression",
            Self::SpeckleNoise => "speckle_noise",
            Self::GaussianBlur => "gaussian_blur",
            Self::Spatter => "spatter",
            Self::Saturate => "saturate",
        }
    }

    /// The place in [`Corruption::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Whether it is one of the four extra ones, which no mean corruption error counts.
    pub const fn is_extra(self) -> bool {
        self.index() >= Self::MAIN.len()
    }
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Corruption {
    type Err = String;

    /// Reads a name; the error says what was expected.
    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|corruption| corruption.name() == name);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name);
            let nearest = nearest_choice(name, &names);
            let all = names.join(", ");
            format!("\"{name}\" is no corruption; did you mean {nearest}? The corruptions are {all}")
        })
    }
}

/// Largest side of an image, pixels, that [`ParameterSet::of_size`] corrupts with the strengths of CIFAR-C.
pub const CIFAR_C_MAX_SIZE: usize = 64;

/// How strong the five severities are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParameterSet {
    /// As in ImageNet-C, made for photographs of 224 pixels a side.
    #[serde(rename = "imagenet-c")]
    ImageNetC,
    /// As in CIFAR-10-C and CIFAR-100-C, made for images of 32 pixels a side.
    CifarC,
}

impl ParameterSet {
    /// Both, by age.
    pub const ALL: [Self; 2] = [Self::ImageNetC, Self::CifarC];

    /// The name in files and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ImageNetC => "imagenet-c",
            Self::CifarC => "cifar-c",
        }
    }

    /// The set for images of `size` pixels a side: CIFAR-C's up to [`CIFAR_C_MAX_SIZE`]. The blurs of
    /// ImageNet-C, whose radii are pixels, would leave nothing of so small an image.
    pub const fn of_size(size: usize) -> Self {
        if size <= CIFAR_C_MAX_SIZE { Self::CifarC } else { Self::ImageNetC }
    }
}

impl fmt::Display for ParameterSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for ParameterSet {
    type Err = String;

    /// Reads a name; the error says what was expected.
    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|set| set.name() == name);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(" or ");
            format!("\"{name}\" is no set of corruption strengths; expected {names}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_corruptions_and_sets_lead_back_to_them() {
        for (index, corruption) in Corruption::ALL.into_iter().enumerate() {
            assert_eq!((corruption.index(), corruption.is_extra()), (index, index >= 15));
            assert_eq!(corruption.name().parse(), Ok(corruption));
            assert_eq!(toml::Value::try_from(corruption).expect("a word").as_str(), Some(corruption.name()));
        }
        for set in ParameterSet::ALL {
            assert_eq!(set.name().parse(), Ok(set));
            assert_eq!(toml::Value::try_from(set).expect("a word").as_str(), Some(set.name()));
        }
        assert!(Corruption::MAIN.iter().all(|corruption| !corruption.is_extra()));
        let wrong = "jpeg_compresion".parse::<Corruption>();
        assert!(wrong.is_err_and(|sentence| sentence.contains("did you mean jpeg_compression?")));
        let begun = "gauss".parse::<Corruption>();
        assert!(begun.is_err_and(|sentence| sentence.contains("did you mean gaussian_")));
    }

    #[test]
    fn small_images_are_corrupted_as_in_cifar_c() {
        assert_eq!([32, 64, 65, 224].map(ParameterSet::of_size).map(ParameterSet::name), {
            ["cifar-c", "cifar-c", "imagenet-c", "imagenet-c"]
        });
    }
}
