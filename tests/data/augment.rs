//! Augmentations: the same pixels as torchvision over Pillow and as EfficientNet's TensorFlow code, the
//! published tables, and draws with the stated frequencies. The fixture's script is
//! tests/reference/make_augment_fixtures.py.

use dualprop::config::{AutoAugmentPolicy, DataConfig, Interpolation};
use dualprop::data::augment::{
    Action, Convention, Operation, PixelReach, Policy, PolicyTable, Showing, Square,
};
use dualprop::data::{CropWindow, Framing, Picture, load_image_file};
use safetensors::SafeTensors;
use serde_json::Value;
use std::collections::BTreeMap;

const OPERATIONS: [(&str, Operation); 16] = [
    ("ShearX", Operation::ShearX),
    ("ShearY", Operation::ShearY),
    ("TranslateX", Operation::TranslateX),
    ("TranslateY", Operation::TranslateY),
    ("Rotate", Operation::Rotate),
    ("AutoContrast", Operation::AutoContrast),
    ("Equalize", Operation::Equalize),
    ("Invert", Operation::Invert),
    ("Posterize", Operation::Posterize),
    ("Solarize", Operation::Solarize),
    ("SolarizeAdd", Operation::SolarizeAdd),
    ("Color", Operation::Color),
    ("Contrast", Operation::Contrast),
    ("Brightness", Operation::Brightness),
    ("Sharpness", Operation::Sharpness),
    ("Cutout", Operation::Cutout),
];

fn operation(name: &str) -> Operation {
    // timm's name for the same operation.
    let name = name.strip_suffix("Rel").unwrap_or(name);
    OPERATIONS.iter().find(|(known, _)| *known == name).expect("a known operation").1
}

fn fixture() -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/augment/operations.safetensors");
    std::fs::read(path).expect("the fixture")
}

fn metadata(file: &[u8], key: &str) -> Value {
    let (_, header) = SafeTensors::read_metadata(file).expect("a header");
    let text = header.metadata().as_ref().and_then(|m| m.get(key)).expect("the key").clone();
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn every_operation_gives_the_bytes_of_its_reference() {
    let file = fixture();
    let tensors = SafeTensors::deserialize(&file).expect("the fixture");
    let square = |name: &str| {
        let tensor = tensors.tensor(name).expect("an image");
        Square::new(tensor.shape()[0], tensor.data().to_vec())
    };
    let cases = metadata(&file, "cases");
    let mut wrong = Vec::new();
    let mut seen = BTreeMap::new();
    for (i, case) in cases.as_array().expect("a list").iter().enumerate() {
        let convention = match case["convention"].as_str().expect("a word") {
            "pillow" => Convention::Pillow,
            "autoaugment" => Convention::TensorFlow(PixelReach::AUTOAUGMENT),
            _ => Convention::TensorFlow(PixelReach::RANDAUGMENT),
        };
        let number = |value: &Value| value.as_u64().expect("a number");
        let action = Action {
            operation: operation(case["operation"].as_str().expect("a name")),
            level: number(&case["level"]) as u8,
            negative: case["negative"].as_bool().expect("a flag"),
            centre: [number(&case["centre"][0]) as u32, number(&case["centre"][1]) as u32],
        };
        let mut image = square(&format!("image.{}", case["image"]));
        action.apply(convention, &mut image);
        let expected = square(&format!("out.{i}"));
        let differing = image.rgb().iter().zip(expected.rgb()).filter(|(a, b)| a != b).count();
        if differing > 0 {
            wrong.push(format!(
                "{convention:?} {action:?}: {differing} of {} bytes differ",
                image.rgb().len()
            ));
        }
        *seen.entry((convention == Convention::Pillow, action.operation)).or_insert(0) += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(seen.len(), 14 + 16, "operations are missing from the fixture");
}

#[test]
fn a_resized_window_is_pillows_within_one_level() {
    let file = fixture();
    let tensors = SafeTensors::deserialize(&file).expect("the fixture");
    let photo = tensors.tensor("photo").expect("a photo");
    let (height, width) = (photo.shape()[0], photo.shape()[1]);
    let picture = Picture::new(width, height, photo.data().to_vec()).expect("a photo");
    let windows = metadata(&file, "windows");
    for (i, window) in windows.as_array().expect("a list").iter().enumerate() {
        let at = |k: usize| window[k].as_u64().expect("a number") as usize;
        let part = CropWindow { left: at(0), top: at(1), width: at(2), height: at(3) };
        let ours = picture.crop_bicubic(part, at(4)).expect("an image");
        let expected = tensors.tensor(&format!("window.{i}")).expect("an image").data().to_vec();
        // Both keep the result between the passes in bytes, with weights in fixed point of different
        // precision.
        let most = ours.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max().expect("pixels");
        assert!(most <= 1, "{part:?} differs by {most}");
    }
    let outside = CropWindow { left: width - 3, top: 0, width: 4, height: 4 };
    assert!(picture.crop_bicubic(outside, 8).is_err());
}

#[test]
fn whole_images_are_framed_as_timm_frames_them() {
    let file = fixture();
    let tensors = SafeTensors::deserialize(&file).expect("the fixture");
    let photo = tensors.tensor("photo").expect("a photo");
    let (height, width) = (photo.shape()[0] as u32, photo.shape()[1] as u32);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("photo.png");
    image::save_buffer(&path, photo.data(), width, height, image::ColorType::Rgb8).expect("a file");
    for (i, square) in metadata(&file, "squares").as_array().expect("a list").iter().enumerate() {
        let size = square[0].as_u64().expect("a size") as usize;
        let interpolation = match square[2].as_str().expect("a filter") {
            "bilinear" => Interpolation::Bilinear,
            _ => Interpolation::Bicubic,
        };
        let framing = Framing { crop_ratio: square[1].as_f64().expect("a ratio"), interpolation };
        let ours = load_image_file(&path, size, framing).expect("an image");
        let expected = tensors.tensor(&format!("square.{i}")).expect("an image");
        assert_eq!(expected.shape(), [size, size, 3]);
        let apart: Vec<u8> = ours.iter().zip(expected.data()).map(|(a, b)| a.abs_diff(*b)).collect();
        // Values that end halfway between two bytes: Pillow's weights are rounded to 22 bits, ours to 16 and
        // more.
        let differing = apart.iter().filter(|apart| **apart > 0).count();
        let most = apart.iter().max().expect("pixels");
        assert!(
            differing * 1000 <= apart.len() && *most <= 1,
            "{framing:?}: {differing} bytes by up to {most}"
        );
    }
}

fn table(policy: AutoAugmentPolicy) -> &'static PolicyTable {
    match Policy::autoaugment(policy) {
        Policy::AutoAugment { table, .. } => table,
        Policy::RandAugment { .. } => unreachable!("asked for AutoAugment"),
    }
}

const POLICIES: [(&str, AutoAugmentPolicy); 3] = [
    ("imagenet_v0", AutoAugmentPolicy::ImagenetV0),
    ("imagenet", AutoAugmentPolicy::Imagenet),
    ("cifar", AutoAugmentPolicy::Cifar),
];

#[test]
fn the_tables_are_those_of_torchvision_and_timm() {
    let tables = metadata(&fixture(), "tables");
    for (name, policy) in POLICIES {
        for (ours, theirs) in table(policy).iter().zip(tables[name].as_array().expect("a list")) {
            for (&(ours, probability, level), theirs) in ours.iter().zip(theirs.as_array().expect("a pair")) {
                assert_eq!(ours, operation(theirs[0].as_str().expect("a name")), "{name}");
                assert_eq!(f64::from(probability), f64::from(theirs[1].as_f64().expect("a number") as f32));
                // torchvision leaves out levels that say nothing.
                let plain = matches!(ours, Operation::AutoContrast | Operation::Equalize | Operation::Invert);
                assert!(plain || theirs[2].as_u64() == Some(u64::from(level)), "{name} {ours:?} {level}");
            }
        }
        assert_eq!(tables[name].as_array().map(Vec::len), Some(25));
    }
}

fn showing(place: u32) -> Showing {
    Showing { seed: 7, epoch: 3, place }
}

/// Five standard deviations around `n` draws of probability `p`.
fn is_likely(count: u32, n: u32, p: f64) -> bool {
    let (mean, deviation) = (f64::from(n) * p, (f64::from(n) * p * (1.0 - p)).sqrt());
    (f64::from(count) - mean).abs() <= 5.0 * deviation.max(0.2)
}

#[test]
fn autoaugment_draws_pairs_evenly_and_operations_by_their_probability() {
    const N: u32 = 40_000;
    for (name, policy) in POLICIES {
        let table = table(policy);
        let mut counts: BTreeMap<(Operation, u8), u32> = BTreeMap::new();
        let mut negative = [0; 2];
        for place in 0..N {
            for action in Policy::autoaugment(policy).draw(32, &showing(place)) {
                *counts.entry((action.operation, action.level)).or_default() += 1;
                negative[usize::from(action.negative)] += 1;
                assert!(action.centre.iter().all(|&c| c < 32));
            }
        }
        let mut expected: BTreeMap<(Operation, u8), f64> = BTreeMap::new();
        for &(operation, probability, level) in table.iter().flatten() {
            *expected.entry((operation, level)).or_default() += f64::from(probability) / 25.0;
        }
        for (key, p) in expected {
            let count = counts.remove(&key).unwrap_or(0);
            assert!(is_likely(count, N, p.min(1.0)), "{name}: {key:?} {count} times, expected {p} of {N}");
        }
        assert!(counts.is_empty(), "{name} draws {counts:?}, which its table does not have");
        assert!(is_likely(negative[0], negative[0] + negative[1], 0.5), "{name}: {negative:?}");
    }
}

#[test]
fn randaugment_draws_all_sixteen_operations_evenly_at_its_level() {
    const N: u32 = 16_000;
    let policy = Policy::RandAugment { operations: 3, level: 17 };
    let mut counts = BTreeMap::new();
    for place in 0..N {
        let actions = policy.draw(32, &showing(place));
        assert_eq!(actions.len(), 3);
        for action in actions {
            assert_eq!(action.level, 17);
            *counts.entry(action.operation).or_insert(0) += 1;
        }
    }
    assert_eq!(counts.len(), 16);
    assert!(counts.values().all(|&count| is_likely(count, 3 * N, 1.0 / 16.0)), "{counts:?}");
}

#[test]
fn pixel_distances_are_the_published_ones_from_224_pixels_on() {
    // A white column of one pixel in the middle of an image shows how far a translation reaches.
    let moved = |side: usize| {
        let mut rgb = vec![0; side * side * 3];
        rgb[side / 2 * 3..][..3].fill(255);
        let mut image = Square::new(side, rgb);
        let action = Action { operation: Operation::TranslateX, level: 10, negative: true, centre: [0; 2] };
        action.apply(Convention::TensorFlow(PixelReach::RANDAUGMENT), &mut image);
        let row: Vec<&[u8]> = image.rgb()[..side * 3].chunks(3).collect();
        row.iter().position(|pixel| *pixel == [255; 3]).map(|x| x - side / 2)
    };
    assert_eq!(moved(224), Some(100));
    assert_eq!(moved(300), Some(100));
    assert_eq!(moved(32), Some(14));
}

#[test]
fn the_configuration_reaches_the_policy() {
    use dualprop::config::Augmentation;
    use dualprop::data::Recipe;
    let recipe = |config: DataConfig| Recipe::from_config(&config);
    let augment = vec![Augmentation::Randaugment];
    let config = DataConfig { augment, randaugment_n: 3, randaugment_m: 7, ..Default::default() };
    assert_eq!(recipe(config.clone()).policy(), Some(Policy::RandAugment { operations: 3, level: 7 }));
    let augment = vec![Augmentation::Autoaugment];
    let config = DataConfig { augment, policy: AutoAugmentPolicy::Cifar, ..config };
    assert_eq!(recipe(config).policy(), Some(Policy::autoaugment(AutoAugmentPolicy::Cifar)));
    assert!(!recipe(DataConfig::default()).has_policy());
}

#[test]
fn a_preview_shows_what_training_does_to_an_image() {
    use dualprop::config::Augmentation::{Crop, Flip, Randaugment};
    use dualprop::data::shapes::{Shapes, ShapesSplit};
    use dualprop::data::{Dataset, Recipe};
    let set = Shapes::new(ShapesSplit::Train);
    let recipe =
        |augment: &[_]| Recipe::from_config(&DataConfig { augment: augment.to_vec(), ..Default::default() });
    let original = set.load(5, 16).expect("an image");
    let plain = recipe(&[]).preview(&set, 5, 16, 1, 2).expect("images");
    assert!(plain == [original.clone(), original.clone()]);
    for augment in [&[Crop, Flip][..], &[Crop, Flip, Randaugment]] {
        let made = recipe(augment).preview(&set, 5, 16, 1, 6).expect("images");
        assert!(made == recipe(augment).preview(&set, 5, 16, 1, 6).expect("images"));
        let distinct: std::collections::BTreeSet<&Vec<u8>> = made.iter().collect();
        assert!(distinct.len() >= 4 && made.iter().all(|image| image.len() == original.len()));
    }
}
