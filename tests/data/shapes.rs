//! The built-in set: its law, its determinism, its look.

use dualprop::data::shapes::{Shapes, ShapesSplit, TEXTURE_SHARE, Texture};
use dualprop::data::{Dataset, open};

/// A share among n draws may differ from its probability by this many standard deviations; five never happen
/// by chance, and the draws are fixed anyway.
const DEVIATIONS: f64 = 5.0;

fn wears_own(set: &Shapes, index: usize) -> bool {
    set.texture(index) == Texture::ALL[set.label(index)]
}

#[test]
fn every_class_is_equally_frequent_in_every_split() {
    for (split, len) in
        [(ShapesSplit::Train, 10_000), (ShapesSplit::Val, 1_000), (ShapesSplit::ValStylized, 1_000)]
    {
        let set = Shapes::new(split);
        assert_eq!(set.len(), len);
        let mut counts = vec![0; set.class_names().len()];
        (0..len).for_each(|i| counts[set.label(i)] += 1);
        assert_eq!(counts, vec![len / 10; 10], "{}", split.name());
    }
}

#[test]
fn textures_follow_the_class_nine_times_out_of_ten() {
    for split in [ShapesSplit::Train, ShapesSplit::Val] {
        let set = Shapes::new(split);
        let own = (0..set.len()).filter(|&i| wears_own(&set, i)).count() as f64;
        let (n, p) = (set.len() as f64, f64::from(TEXTURE_SHARE));
        let deviation = (n * p * (1.0 - p)).sqrt();
        assert!((own - n * p).abs() < DEVIATIONS * deviation, "{}: {own} of {n}", split.name());
    }
}

#[test]
fn stylized_images_wear_every_texture_but_their_own() {
    let set = Shapes::new(ShapesSplit::ValStylized);
    let mut counts = [[0; 10]; 10];
    for i in 0..set.len() {
        assert!(!wears_own(&set, i), "image {i} wears the texture of its class");
        let texture = Texture::ALL.iter().position(|&t| t == set.texture(i)).expect("a listed texture");
        counts[set.label(i)][texture] += 1;
    }
    for (class, row) in counts.iter().enumerate() {
        assert_eq!(row.iter().filter(|&&count| count > 0).count(), 9, "class {class} has textures {row:?}");
    }
}

#[test]
fn a_scene_of_val_keeps_its_surroundings_in_val_stylized() {
    let (val, stylized) = (Shapes::new(ShapesSplit::Val), Shapes::new(ShapesSplit::ValStylized));
    for i in (0..1000).step_by(97) {
        let (a, b) = (val.load(i, 32).expect("an image"), stylized.load(i, 32).expect("an image"));
        let same = a.chunks(3).zip(b.chunks(3)).filter(|(a, b)| a == b).count();
        // A figure covers at most half of the picture.
        assert!((512..1024).contains(&same), "image {i} has {same} pixels in common");
    }
}

#[test]
fn images_depend_on_split_and_index_only() {
    let set = Shapes::new(ShapesSplit::Train);
    let forward: Vec<_> = (0..20).map(|i| set.load(i, 32).expect("an image")).collect();
    let again = Shapes::new(ShapesSplit::Train);
    for i in (0..20).rev() {
        assert_eq!(again.load(i, 32).expect("an image"), forward[i]);
        assert_ne!(Shapes::new(ShapesSplit::Val).load(i, 32).expect("an image"), forward[i]);
    }
    let distinct: std::collections::BTreeSet<_> = forward.iter().collect();
    assert_eq!(distinct.len(), forward.len());
}

/// A checksum of images at three sizes. A change here changes the data set: results made before and after do
/// not compare.
#[test]
fn the_set_is_the_same_bytes_on_every_machine() {
    let mut sum = 0xcbf2_9ce4_8422_2325u64;
    for (split, size) in [(ShapesSplit::Train, 32), (ShapesSplit::Val, 45), (ShapesSplit::ValStylized, 224)] {
        let set = Shapes::new(split);
        for i in (0..set.len()).step_by(set.len() / 20) {
            for byte in set.load(i, size).expect("an image") {
                sum = (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
    }
    assert_eq!(format!("{sum:016x}"), "065636e9340ad529");
}

#[test]
fn any_size_shows_the_same_picture() {
    let set = Shapes::new(ShapesSplit::Val);
    for i in 0..20 {
        let small = set.load(i, 32).expect("an image");
        let large = set.load(i, 128).expect("an image");
        assert_eq!((small.len(), large.len()), (32 * 32 * 3, 128 * 128 * 3));
        let mut difference = 0.0;
        for y in 0..32 {
            for x in 0..32 {
                for c in 0..3 {
                    let mut mean = 0.0;
                    for k in 0..16 {
                        mean += f64::from(large[((y * 4 + k / 4) * 128 + x * 4 + k % 4) * 3 + c]) / 16.0;
                    }
                    difference += (mean - f64::from(small[(y * 32 + x) * 3 + c])).abs() / (32.0 * 32.0 * 3.0);
                }
            }
        }
        // Sensor noise of ±5 levels averages 2.5, edges add a little.
        assert!(difference < 6.0, "image {i} differs by {difference:.1} levels on average");
    }
}

#[test]
fn a_size_that_cannot_be_drawn_is_an_error() {
    let set = Shapes::new(ShapesSplit::Val);
    for size in [0, 7, 1025, usize::MAX] {
        let text = super::message(set.load(0, size));
        super::assert_mentions(&text, &["shapes", "8", "1024", &size.to_string()]);
    }
    assert!(set.load(1000, 32).is_err());
}

#[test]
fn opening_shapes_needs_no_path_and_honours_the_limit() {
    let config = dualprop::config::DataConfig { train_limit: 70, ..Default::default() };
    let splits = open(&config).expect("the built-in set");
    assert_eq!((splits.train.len(), splits.val.len()), (70, 1000));
    assert_eq!(
        splits.extra.iter().map(|(name, set)| (name.as_str(), set.len())).collect::<Vec<_>>(),
        [("val-stylized", 1000)]
    );
}
