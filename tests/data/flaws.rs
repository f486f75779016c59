//! Training sets that are made to lack images of some classes, true labels, clean pixels.

use dualprop::config::DataConfig;
use dualprop::data::{Dataset, open};
use std::sync::Arc;

fn counts(set: &dyn Dataset) -> Vec<usize> {
    let mut counts = vec![0; set.class_names().len()];
    (0..set.len()).for_each(|index| counts[set.label(index)] += 1);
    counts
}

/// The training images of the built-in set as `config` wants them.
fn train(config: &DataConfig) -> Arc<dyn Dataset> {
    open(config).expect("the built-in set").train
}

#[test]
fn imbalance_leaves_exponentially_fewer_images_of_later_classes() {
    let config = DataConfig { class_limit: 200, imbalance: 100.0, ..DataConfig::default() };
    let splits = open(&config).expect("the built-in set");
    let counts = counts(splits.train.as_ref());
    let last = counts.len() - 1;
    let expected = |class: usize| 200.0 * 0.01_f64.powf(class as f64 / last as f64);
    let expected: Vec<usize> = (0..counts.len()).map(|class| expected(class).round() as usize).collect();
    assert_eq!(counts, expected);
    assert_eq!((counts[0], counts[last]), (200, 2));
    let whole = open(&DataConfig::default()).expect("the built-in set");
    assert_eq!(splits.val.len(), whole.val.len(), "the validation set is as it was");
}

#[test]
fn a_share_of_the_labels_is_wrong_and_the_same_each_time() {
    let plain = train(&DataConfig { class_limit: 100, ..DataConfig::default() });
    let config = DataConfig { class_limit: 100, label_noise: 0.4, ..DataConfig::default() };
    let noisy = train(&config);
    let again = train(&config);
    let classes = plain.class_names().len();
    let mut offsets = vec![0; classes];
    for index in 0..plain.len() {
        assert_eq!(noisy.label(index), again.label(index));
        assert_eq!(noisy.name(index), plain.name(index));
        offsets[(noisy.label(index) + classes - plain.label(index)) % classes] += 1;
    }
    let wrong = plain.len() * 4 / 10;
    assert_eq!(offsets[0], plain.len() - wrong, "exactly the share, and none to its own class");
    // Symmetric: each of the other classes equally often, within five standard deviations of a binomial.
    let each = wrong as f64 / (classes - 1) as f64;
    let spread = 5.0 * each.sqrt();
    assert!(offsets[1..].iter().all(|&n| (n as f64 - each).abs() < spread), "{offsets:?}");
    assert_eq!(
        noisy.load(3, 32).expect("drawn"),
        plain.load(3, 32).expect("drawn"),
        "images are as they were"
    );
}

#[test]
fn a_share_of_the_images_is_corrupted_and_the_same_each_time() {
    let plain = train(&DataConfig { class_limit: 10, ..DataConfig::default() });
    let config = DataConfig { class_limit: 10, corrupted_share: 0.5, ..DataConfig::default() };
    let poor = train(&config);
    let again = train(&config);
    let mut changed = 0;
    for index in 0..plain.len() {
        let seen = poor.load(index, 32).expect("drawn");
        assert_eq!(seen, again.load(index, 32).expect("drawn"));
        assert_eq!(poor.label(index), plain.label(index));
        changed += usize::from(seen != plain.load(index, 32).expect("drawn"));
    }
    // A weak corruption may leave an image as it was.
    let half = plain.len() / 2;
    assert!(changed <= half && changed * 10 >= half * 9, "{changed} of {} images", plain.len());
}
