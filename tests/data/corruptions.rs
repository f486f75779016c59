//! Corruptions: what they promise beside the pixels, which `src/data/corruptions/referee.rs` holds to the
//! benchmark's.

use super::{assert_mentions, message, ramp, save};
use dualprop::data::corruptions::{Corruption, Corruptor, ParameterSet, SEVERITIES};

const WIDTH: usize = 40;
const HEIGHT: usize = 24;

fn image() -> Vec<u8> {
    ramp(WIDTH as u32, HEIGHT as u32, 90).into_raw()
}

fn draws(corruption: Corruption) -> bool {
    use Corruption::*;
    !matches!(
        corruption,
        DefocusBlur | ZoomBlur | Brightness | Contrast | Pixelate | JpegCompression | GaussianBlur | Saturate
    )
}

#[test]
fn a_corruption_depends_on_seed_and_image_number_alone() {
    let of = |seed, corruption, id| {
        Corruptor::new(ParameterSet::CifarC, seed).apply(corruption, 3, &image(), WIDTH, HEIGHT, id)
    };
    for corruption in Corruption::ALL {
        let first = of(1, corruption, 5);
        let elsewhere = std::thread::spawn(move || of(1, corruption, 5)).join().expect("no panic");
        assert!(first == elsewhere, "{corruption} depends on the thread");
        assert!(first != image(), "{corruption} leaves the image as it is");
        for other in [of(2, corruption, 5), of(1, corruption, 6)] {
            assert_eq!(other != first, draws(corruption), "{corruption}");
        }
    }
}

#[test]
fn every_corruption_takes_images_of_any_size() {
    for set in ParameterSet::ALL {
        let corruptor = Corruptor::new(set, 0);
        for (width, height) in [(1, 1), (2, 3), (8, 8), (5, 70), (33, 7)] {
            let image: Vec<u8> = (0..width * height * 3).map(|i| (i * 37 % 256) as u8).collect();
            for corruption in Corruption::ALL {
                for severity in SEVERITIES {
                    let out = corruptor.apply(corruption, severity, &image, width, height, 0);
                    assert_eq!(out.len(), image.len(), "{set} {corruption} {severity} at {width}x{height}");
                }
            }
        }
    }
}

#[test]
fn corruptions_without_colour_of_their_own_keep_a_grey_image_grey() {
    use Corruption::*;
    let grey: Vec<u8> = image().chunks(3).flat_map(|pixel| [pixel[0]; 3]).collect();
    for set in ParameterSet::ALL {
        for corruption in
            [DefocusBlur, GlassBlur, MotionBlur, ZoomBlur, Snow, Fog, Brightness, Contrast, ElasticTransform]
        {
            let out = Corruptor::new(set, 3).apply(corruption, 4, &grey, WIDTH, HEIGHT, 0);
            assert!(
                out.chunks(3).all(|p| p[0] == p[1] && p[1] == p[2]),
                "{set} {corruption} colours a grey image"
            );
        }
    }
}

#[test]
fn frost_takes_five_of_the_pictures_in_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let corruptor = || Corruptor::new(ParameterSet::ImageNetC, 0);
    for number in 0..4 {
        save(&ramp(60, 50, 40 * number), &folder.path().join(format!("frost{number}.png")));
    }
    assert_mentions(&message(corruptor().with_frost(folder.path())), &["has 4 images", "at least 5"]);
    for number in 4..6 {
        save(&ramp(60, 50, 40 * number), &folder.path().join(format!("frost{number}.png")));
    }
    let frosty = corruptor().with_frost(folder.path()).expect("six pictures");
    let black = vec![0; WIDTH * HEIGHT * 3];
    let mut blues: Vec<u8> =
        (0..200).map(|id| frosty.apply(Corruption::Frost, 1, &black, WIDTH, HEIGHT, id)[2]).collect();
    blues.sort();
    blues.dedup();
    // 0.4 of the pictures' blue; the sixth, 200, is never drawn.
    assert_eq!(blues, [0, 16, 32, 48, 64]);
    std::fs::write(folder.path().join("frost0.png"), b"no picture").expect("a writable file");
    assert_mentions(&message(corruptor().with_frost(folder.path())), &["frost0.png"]);
}

#[test]
fn generated_frost_is_as_bright_as_the_benchmarks_photographs() {
    let black = vec![0; 224 * 224 * 3];
    let corruptor = Corruptor::new(ParameterSet::ImageNetC, 0);
    let means: Vec<f64> = (0..20)
        .map(|id| corruptor.apply(Corruption::Frost, 3, &black, 224, 224, id))
        .map(|frost| frost.iter().map(|v| f64::from(*v) / 0.7).sum::<f64>() / black.len() as f64)
        .collect();
    let mean = means.iter().sum::<f64>() / 20.0;
    assert!((90.0..180.0).contains(&mean), "generated frost has the mean {mean:.0}");
}

/// Power of `side` x `side` values without their mean, averaged over rings of spatial frequency from low to
/// high.
fn radial_spectrum(values: &[f64], side: usize, rings: usize) -> Vec<f64> {
    let angle = |k: usize, x: usize| -std::f64::consts::TAU * (k * x % side) as f64 / side as f64;
    let transform = |real: &[f64], imaginary: &[f64]| -> (Vec<f64>, Vec<f64>) {
        // Along the rows, written as columns: two of them are the plane's transform.
        let mut out = (vec![0.0; side * side], vec![0.0; side * side]);
        for row in 0..side {
            for k in 0..side {
                for x in 0..side {
                    let (sin, cos) = angle(k, x).sin_cos();
                    let (a, b) = (real[row * side + x], imaginary[row * side + x]);
                    out.0[k * side + row] += a * cos - b * sin;
                    out.1[k * side + row] += a * sin + b * cos;
                }
            }
        }
        out
    };
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let centred: Vec<f64> = values.iter().map(|value| value - mean).collect();
    let (real, imaginary) = transform(&centred, &vec![0.0; values.len()]);
    let (real, imaginary) = transform(&real, &imaginary);
    let mut sums = vec![(0.0, 0); rings];
    for u in 0..side {
        for v in 0..side {
            let folded = |k: usize| k.min(side - k) as f64;
            let ring = (folded(u).hypot(folded(v)) / (side as f64 / 2.0) * rings as f64) as usize;
            if (u, v) != (0, 0) && ring < rings {
                sums[ring].0 += real[u * side + v].powi(2) + imaginary[u * side + v].powi(2);
                sums[ring].1 += 1;
            }
        }
    }
    sums.into_iter().map(|(sum, count)| sum / f64::from(count)).collect()
}

/// Noise is independent from pixel to pixel, so that every frequency has the same power; fog, a fractal, has
/// most in the lowest.
#[test]
fn noise_is_white_and_fog_is_not() {
    const SIDE: usize = 48;
    const RINGS: usize = 6;
    const IMAGES: u64 = 12;
    let grey = [128; SIDE * SIDE * 3];
    let corruptor = Corruptor::new(ParameterSet::CifarC, 4);
    let spectrum = |corruption: Corruption| -> Vec<f64> {
        let mut mean = [0.0; RINGS];
        for id in 0..IMAGES {
            let out = corruptor.apply(corruption, 3, &grey, SIDE, SIDE, id);
            let green: Vec<f64> = out.as_chunks::<3>().0.iter().map(|pixel| f64::from(pixel[1])).collect();
            for (sum, power) in mean.iter_mut().zip(radial_spectrum(&green, SIDE, RINGS)) {
                *sum += power / IMAGES as f64;
            }
        }
        let all = mean.iter().sum::<f64>() / RINGS as f64;
        mean.iter().map(|power| power / all).collect()
    };
    use Corruption::*;
    for corruption in [GaussianNoise, ShotNoise, ImpulseNoise, SpeckleNoise] {
        let powers = spectrum(corruption);
        // The lowest ring has some fifty coefficients an image: 4% are one standard deviation.
        assert!(powers.iter().all(|power| (power - 1.0).abs() < 0.15), "{corruption}: {powers:?}");
    }
    let fog = spectrum(Fog);
    assert!(fog[0] > 20.0 * fog[RINGS - 1] && fog.is_sorted_by(|a, b| a > b), "{fog:?}");
}
