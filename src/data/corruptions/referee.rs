//! Holds every corruption to scikit-image, SciPy, OpenCV and Pillow in the benchmark's formulas, given the
//! same draws (`tests/reference/make_corruption_fixtures.py`), or to moments where the draws cannot be given.

use super::raster::Raster;
use super::{Corruption, ParameterSet, blur, digital, elastic, noise, spatter, tone, weather};
use flate2::read::GzDecoder;
use safetensors::SafeTensors;
use std::io::Read as _;

/// What a corruption may differ by.
enum Tolerance {
    /// Largest mean absolute difference of any severity's pixels, levels of 255.
    Pixels(f64),
    /// Largest relative difference of the mean and of the root mean square of the change.
    Moments(f64),
}

/// Every corruption, its tolerance, the largest difference found with ImageNet-C's and with CIFAR-C's
/// strengths, and where that comes from.
#[rustfmt::skip]
const TABLE: [(Corruption, Tolerance, [f64; 2], &str); 19] = {
    use Corruption::*;
    use Tolerance::{Moments, Pixels};
    /// Sums in 32 bits, where decimals are cut off: a value beside a whole number falls on its other side.
    const CUT: &str = "sums in 32 bits before decimals are cut off";
    /// The same in areas of one colour, where the referee's sums in 64 bits miss a whole number by a hair and
    /// lose a level, or do not.
    const FLAT: &str = "areas of one colour, where the referee loses a level by rounding";
    [
        (GaussianNoise, Pixels(0.01), [0.0017, 0.0008], CUT),
        (ShotNoise, Moments(0.01), [0.0028, 0.0029], "other draws"),
        (ImpulseNoise, Moments(0.03), [0.0080, 0.0147], "other draws, of few values"),
        (DefocusBlur, Pixels(0.25), [0.0464, 0.1658], FLAT),
        (GlassBlur, Pixels(0.12), [0.0035, 0.0791], FLAT),
        (MotionBlur, Pixels(0.1), [0.0030, 0.0606], FLAT),
        (ZoomBlur, Pixels(0.01), [0.0013, 0.0025], CUT),
        (Snow, Pixels(0.01), [0.0009, 0.0017], CUT),
        (Frost, Pixels(0.02), [0.0113, 0.0000], FLAT),
        (Fog, Pixels(0.01), [0.0022, 0.0034], CUT),
        (Brightness, Pixels(0.08), [0.0421, 0.0396], FLAT),
        (Contrast, Pixels(0.0), [0.0, 0.0], "the same sums in 64 bits"),
        (ElasticTransform, Pixels(0.01), [0.0017, 0.0025], CUT),
        (Pixelate, Pixels(0.0), [0.0, 0.0], "the same integers"),
        (JpegCompression, Pixels(6.0), [5.1710, 1.6465], "other cosine transforms: a coefficient at the middle between two steps falls otherwise"),
        (SpeckleNoise, Pixels(0.01), [0.0013, 0.0025], CUT),
        (GaussianBlur, Pixels(0.06), [0.0026, 0.0354], FLAT),
        (Spatter, Pixels(0.01), [0.0013, 0.0000], CUT),
        (Saturate, Pixels(0.15), [0.0981, 0.0564], FLAT),
    ]
};

/// An image, draws for it, and what the referee made of both.
struct Fixture {
    set: ParameterSet,
    file: Vec<u8>,
    width: usize,
    height: usize,
    image: Vec<u8>,
}

impl Fixture {
    fn read(set: ParameterSet) -> Self {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/corruptions");
        let packed = std::fs::File::open(format!("{folder}/{set}.safetensors.gz")).expect("the fixture");
        let mut file = Vec::new();
        GzDecoder::new(packed).read_to_end(&mut file).expect("a whole fixture");
        let tensors = SafeTensors::deserialize(&file).expect("the fixture");
        let image = tensors.tensor("image").expect("an image");
        let (height, width, image) = (image.shape()[0], image.shape()[1], image.data().to_vec());
        drop(tensors);
        Self { set, file, width, height, image }
    }

    fn tensor(&self, name: &str) -> (Vec<usize>, Vec<u8>) {
        let tensors = SafeTensors::deserialize(&self.file).expect("the fixture");
        let tensor = tensors.tensor(name).expect("the tensor");
        (tensor.shape().to_vec(), tensor.data().to_vec())
    }

    /// The floats of a draw, in turn.
    fn draw(&self, name: &str) -> impl FnMut() -> f32 {
        let (_, bytes) = self.tensor(&format!("draw.{name}"));
        let mut floats = bytes.as_chunks::<4>().0.to_vec().into_iter().map(f32::from_le_bytes);
        move || floats.next().expect("as many draws as the referee took")
    }

    fn number<T: serde::de::DeserializeOwned>(&self, key: &str) -> T {
        let (_, header) = SafeTensors::read_metadata(&self.file).expect("a header");
        let text = header.metadata().as_ref().and_then(|m| m.get(key)).expect("the key").clone();
        serde_json::from_str(&text).expect("JSON")
    }

    /// The moments of as many corrupted images as the referee drew.
    fn mean_moments(&self, corruption: Corruption, level: usize) -> [f64; 2] {
        const DRAWN: u64 = 300;
        let corruptor = super::Corruptor::new(self.set, 7);
        let severity = level as u8 + 1;
        let mut sums = [0.0; 2];
        for id in 0..DRAWN {
            let drawn = corruptor.apply(corruption, severity, &self.image, self.width, self.height, id);
            for (sum, moment) in sums.iter_mut().zip(moments(&drawn, &self.image)) {
                *sum += moment;
            }
        }
        sums.map(|sum| sum / DRAWN as f64)
    }

    /// The image corrupted with the referee's draws; `None` where these cannot be given.
    fn corrupt(&self, corruption: Corruption, level: usize) -> Option<Vec<u8>> {
        let (set, width, height) = (self.set, self.width, self.height);
        let rgb = &self.image[..];
        let image = Raster::from_rgb(rgb, width, height);
        Some(match corruption {
            Corruption::ShotNoise | Corruption::ImpulseNoise => return None,
            Corruption::GaussianNoise => noise::gaussian_with(rgb, set, level, self.draw("normal_rgb")),
            Corruption::SpeckleNoise => noise::speckle_with(rgb, set, level, self.draw("normal_rgb")),
            Corruption::GaussianBlur => blur::gaussian(&image, set, level).into_bytes(),
            Corruption::DefocusBlur => blur::defocus(&image, set, level).into_bytes(),
            Corruption::GlassBlur => {
                let mut unit = self.draw("unit");
                let offset = |reach: usize| (unit() * 2.0 * reach as f32) as isize - reach as isize;
                blur::glass(&image, set, level, offset).into_bytes()
            }
            Corruption::MotionBlur => blur::motion(&image, set, level, self.number("angle")).into_bytes(),
            Corruption::ZoomBlur => blur::zoom(&image, set, level).into_bytes(),
            Corruption::Snow => {
                let angle = self.number("snow_angle");
                weather::snow(&image, set, level, self.draw("normal"), angle).into_bytes()
            }
            Corruption::Frost => {
                let (shape, bytes) = self.tensor("draw.frost");
                let picture = Raster::from_rgb(&bytes, shape[1], shape[0]);
                let pictures = super::frost_pictures::FrostPictures::new(vec![picture]);
                let picture = pictures.picture(set, 0, width, height);
                let (top, left) = self.number("frost_place");
                weather::frost(&image, set, level, &picture, (left, top)).into_bytes()
            }
            Corruption::Fog => {
                let mut draw = self.draw("symmetric");
                weather::fog(&image, set, level, || f64::from(draw())).into_bytes()
            }
            Corruption::Brightness => tone::brightness(rgb, set, level),
            Corruption::Contrast => tone::contrast(rgb, set, level),
            Corruption::Saturate => tone::saturate(rgb, set, level),
            Corruption::ElasticTransform => {
                let (mut points, mut fields) = (self.draw("points"), self.draw("fields"));
                let draws = elastic::Draws {
                    points: std::array::from_fn(|_| [points(), points()]),
                    fields: std::array::from_fn(|_| Raster::layer(width, height, &mut fields)),
                };
                elastic::transform(&image, set, level, &draws).into_bytes()
            }
            Corruption::Pixelate => digital::pixelate(rgb, width, height, set, level),
            Corruption::JpegCompression => digital::jpeg(rgb, width, height, set, level),
            Corruption::Spatter => spatter::spatter(&image, set, level, self.draw("normal")).into_bytes(),
        })
    }
}

fn mean_difference(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / a.len() as f64
}

/// Mean of an image, and root mean square of its change from `before`; levels of 255.
fn moments(image: &[u8], before: &[u8]) -> [f64; 2] {
    let change = image.iter().zip(before).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum::<f64>();
    let mean = image.iter().map(|value| f64::from(*value)).sum::<f64>() / image.len() as f64;
    [mean, (change / image.len() as f64).sqrt()]
}

#[test]
fn every_corruption_gives_the_pixels_of_the_benchmarks_formulas() {
    let mut wrong = Vec::new();
    for set in ParameterSet::ALL {
        let fixture = Fixture::read(set);
        for (corruption, tolerance, _, reason) in &TABLE {
            for level in 0..5 {
                let name = format!("{corruption}.{}", level + 1);
                let (_, expected) = fixture.tensor(&name);
                let (found, allowed) = match (fixture.corrupt(*corruption, level), tolerance) {
                    (Some(found), Tolerance::Pixels(allowed)) => {
                        assert_ne!(found, fixture.image, "{set} {name} leaves the image as it is");
                        (mean_difference(&found, &expected), *allowed)
                    }
                    (None, Tolerance::Moments(allowed)) => {
                        let ours = fixture.mean_moments(*corruption, level);
                        let theirs = expected.as_chunks().0.iter().map(|b| f64::from(f32::from_le_bytes(*b)));
                        let off = ours.into_iter().zip(theirs).map(|(a, b)| (a / b - 1.0).abs());
                        (off.fold(0.0, f64::max), *allowed)
                    }
                    _ => panic!("{corruption}: the kind of tolerance does not fit"),
                };
                println!("{set} {name}: {found:.4} of {allowed} ({reason})");
                if found > allowed {
                    wrong.push(format!(
                        "{set} {name} is {found:.4} off, expected at most {allowed}: {reason}"
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
