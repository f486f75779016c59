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
