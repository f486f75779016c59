//! Training's and evaluation's readers: order, resume, damage, threads.

use super::{assert_mentions, message};
use dualprop::config::{Augmentation, Config, CorruptionWord, DataConfig};
use dualprop::data::augment::Showing;
use dualprop::data::corruptions::{Corruption, Corruptor, ParameterSet};
use dualprop::data::shapes::{Shapes, ShapesSplit};
use dualprop::data::{
    Batch, Corrupting, Dataset, EvalOptions, EvalReader, Folder, Loader, LoaderOptions, Placement, Recipe,
    Views,
};
use dualprop::kernels::images::placement;
use dualprop::kernels::reference::images as reference;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Images of one colour, some of which cannot be read.
struct Plain {
    len: usize,
    damaged: BTreeSet<usize>,
    /// Panics instead of failing.
    panics: bool,
    /// Time that one image takes.
    pause: Duration,
    loads: AtomicUsize,
}

impl Plain {
    fn new(len: usize, damaged: impl IntoIterator<Item = usize>) -> Self {
        let damaged = damaged.into_iter().collect();
        Self { len, damaged, panics: false, pause: Duration::ZERO, loads: AtomicUsize::new(0) }
    }
}

impl Dataset for Plain {
    fn len(&self) -> usize {
        self.len
    }

    fn class_names(&self) -> &[String] {
        &[]
    }

    fn label(&self, index: usize) -> usize {
        index % 7
    }

    fn name(&self, index: usize) -> String {
        format!("image-{index}")
    }

    fn load(&self, index: usize, size: usize) -> anyhow::Result<Vec<u8>> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        // Uneven times make late jobs overtake early ones.
        std::thread::sleep(self.pause * (index % 3) as u32);
        if self.damaged.contains(&index) {
            assert!(!self.panics, "a decoder's bug");
            anyhow::bail!("torn");
        }
        Ok(vec![index as u8; size * size * 3])
    }
}

fn recipe(augment: &[Augmentation]) -> Recipe {
    Recipe::from_config(&DataConfig { augment: augment.to_vec(), cutout_size: 3, ..Default::default() })
}

fn options(batch_size: usize, workers: usize) -> LoaderOptions {
    LoaderOptions {
        batch_size,
        image_size: 8,
        shuffle: true,
        balanced: false,
        seed: 5,
        recipe: recipe(&[Augmentation::Crop, Augmentation::Flip]),
        corrupting: None,
        views: Views::One { policy: true },
        start_step: 0,
        workers,
    }
}

fn batches(set: Plain, options: LoaderOptions, count: usize) -> Vec<Batch> {
    let mut loader = Loader::start(Arc::new(set), options).expect("a loader");
    (0..count).map(|_| loader.next().expect("a batch")).collect()
}

#[test]
fn batches_are_the_same_for_any_number_of_threads() {
    let slow = || Plain { pause: Duration::from_micros(300), ..Plain::new(203, [17, 90]) };
    let one = batches(slow(), options(20, 1), 25);
    for workers in [2, 3, 9] {
        assert!(batches(slow(), options(20, workers), 25) == one, "{workers} threads give other batches");
    }
    for (step, batch) in one.iter().enumerate() {
        assert_eq!(batch.step, step as u64);
        assert_eq!(
            (batch.labels.len(), batch.placements.len(), batch.images.len()),
            (20, 20, 20 * 8 * 8 * 3)
        );
        for (i, &sample) in batch.samples.iter().enumerate() {
            assert_eq!(batch.labels[i], sample % 7);
            assert!(batch.images[i * 192..][..192].iter().all(|&byte| byte == sample as u8));
        }
    }
}

#[test]
fn placements_alone_are_those_of_the_batches_with_pixels() {
    let with = options(16, 2);
    let without = LoaderOptions { views: Views::Placements, ..with.clone() };
    let [with, without] = [with, without].map(|options| batches(Plain::new(100, []), options, 15));
    for (with, without) in with.into_iter().zip(without) {
        assert!(without.images.is_empty() && !with.images.is_empty());
        assert_eq!(Batch { images: Vec::new(), ..with }, without);
    }
}

#[test]
fn a_whole_set_is_read_in_its_order_unless_an_image_is_damaged() {
    let mut heard = Vec::new();
    let set = Arc::new(Plain::new(600, []));
    let all = EvalReader::read_whole(set, 4, |done, total| heard.push((done, total))).unwrap().unwrap();
    let bytes: Vec<u8> = (0..600_usize).flat_map(|index| [index as u8; 48]).collect();
    assert!(all == bytes);
    assert_eq!(heard.last(), Some(&(600, 600)));
    let damaged = Arc::new(Plain::new(600, [333]));
    assert!(EvalReader::read_whole(damaged, 4, |_, _| {}).unwrap().is_none());
}

#[test]
fn a_resumed_run_gets_the_batches_it_would_have_got() {
    let whole = batches(Plain::new(100, [40]), options(16, 3), 20);
    for start_step in [1, 5, 6, 7, 13] {
        let resumed = LoaderOptions { start_step, ..options(16, 2) };
        let rest = batches(Plain::new(100, [40]), resumed, 20 - start_step as usize);
        assert!(rest == whole[start_step as usize..], "a run resumed at step {start_step} goes another way");
    }
}

#[test]
fn augmented_batches_depend_on_neither_threads_nor_resuming() {
    use Augmentation::{Autoaugment, Color, Crop, Cutout, Flip, Inception, Randaugment};
    for words in [vec![Crop, Flip, Autoaugment], vec![Inception, Flip, Color, Randaugment, Cutout]] {
        let start = |workers, start_step| {
            let recipe = recipe(&words);
            let options = LoaderOptions {
                recipe,
                views: Views::Two,
                image_size: 16,
                start_step,
                ..options(25, workers)
            };
            let set = Arc::new(Shapes::new(ShapesSplit::Train));
            Loader::start(set, options).expect("a loader")
        };
        let (mut one, mut four, mut resumed) = (start(1, 0), start(4, 0), start(3, 2));
        for step in 0..4 {
            let batch = one.next().expect("a batch");
            assert!(four.next().expect("a batch") == batch, "{words:?}: threads change step {step}");
            if step >= 2 {
                assert!(resumed.next().expect("a batch") == batch, "{words:?}: resuming changes step {step}");
            }
            let augmented = batch.augmented.expect("two views");
            assert!(augmented.placements.iter().all(|place| *place == Placement::default()));
            assert_ne!(augmented.images, placed(&batch.images, &batch.placements, 16), "{words:?}");
        }
    }
}

#[test]
fn an_epoch_shows_every_image_once_and_another_epoch_in_another_order() {
    let all = batches(Plain::new(60, []), options(20, 2), 6);
    let epoch = |k: usize| all[k * 3..k * 3 + 3].iter().flat_map(|b| b.samples.clone()).collect::<Vec<u32>>();
    for k in 0..2 {
        let mut sorted = epoch(k);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..60).collect::<Vec<u32>>());
    }
    assert_ne!(epoch(0), epoch(1));
    let other_seed = batches(Plain::new(60, []), LoaderOptions { seed: 6, ..options(20, 2) }, 1);
    assert_ne!(other_seed[0].samples, all[0].samples);
}

#[test]
fn balanced_epochs_draw_classes_evenly_whatever_their_sizes() {
    // Class 0 has 900 images, class 1 has 90, class 2 has 10, class 3 none.
    struct Uneven;
    impl Dataset for Uneven {
        fn len(&self) -> usize {
            1000
        }
        fn class_names(&self) -> &[String] {
            static NAMES: std::sync::LazyLock<Vec<String>> =
                std::sync::LazyLock::new(|| (0..4).map(|i| i.to_string()).collect());
            &NAMES
        }
        fn label(&self, index: usize) -> usize {
            usize::from(index >= 900) + usize::from(index >= 990)
        }
        fn name(&self, index: usize) -> String {
            index.to_string()
        }
        fn load(&self, _: usize, size: usize) -> anyhow::Result<Vec<u8>> {
            Ok(vec![0; size * size * 3])
        }
    }
    let start = |start_step| {
        let options = LoaderOptions { balanced: true, start_step, ..options(100, 2) };
        Loader::start(Arc::new(Uneven), options).expect("a loader")
    };
    let mut loader = start(0);
    let all: Vec<Batch> = (0..30).map(|_| loader.next().expect("a batch")).collect();
    let mut counts = [0u32; 3];
    let mut rare = BTreeSet::new();
    for batch in &all {
        for (&label, &sample) in batch.labels.iter().zip(&batch.samples) {
            assert_eq!(label as usize, Uneven.label(sample as usize));
            counts[label as usize] += 1;
            if label == 2 {
                rare.insert(sample);
            }
        }
    }
    // Five standard deviations of 3000 draws of one third.
    assert!(counts.iter().all(|count| count.abs_diff(1000) < 129), "{counts:?}");
    assert_eq!(rare.len(), 10);
    assert_ne!(all[0].samples, all[10].samples, "epochs are drawn anew");
    // An image that comes twice in an epoch is shown in two ways.
    let shown: BTreeSet<_> = all[..10]
        .iter()
        .flat_map(|b| b.samples.iter().zip(&b.placements))
        .filter(|(sample, _)| **sample == 995)
        .map(|(_, p)| (p.dx, p.dy, p.flip))
        .collect();
    assert!(shown.len() > 1);
    assert!(start(17).next().expect("a batch") == all[17], "a resumed run goes another way");
}

#[test]
fn without_shuffle_images_come_in_file_order_and_the_rest_is_left_out() {
    let all = batches(Plain::new(25, []), LoaderOptions { shuffle: false, ..options(10, 2) }, 4);
    for (step, batch) in all.iter().enumerate() {
        let first = step as u32 % 2 * 10;
        assert_eq!(batch.samples, (first..first + 10).collect::<Vec<u32>>());
    }
}

#[test]
fn placements_stay_within_an_eighth_of_the_side_and_follow_the_augmentations() {
    let draw = |crop, flip, epoch, place| Placement::draw(crop, flip, &Showing { seed: 3, epoch, place }, 32);
    let all: Vec<Placement> = (0..4000).map(|i| draw(true, true, 2, i)).collect();
    let shifts = |f: fn(&Placement) -> i32| all.iter().map(f).collect::<BTreeSet<i32>>();
    assert_eq!(shifts(|p| p.dx), (-4..=4).collect());
    assert_eq!(shifts(|p| p.dy), (-4..=4).collect());
    let flips = all.iter().filter(|p| p.flip).count();
    // Five standard deviations of 4000 fair coins.
    assert!(flips.abs_diff(2000) < 158, "{flips} of 4000 are flipped");
    for (i, &placement) in (0..).zip(&all) {
        assert_eq!(draw(true, false, 2, i), Placement { flip: false, ..placement });
        assert_eq!(draw(false, true, 2, i), Placement { dx: 0, dy: 0, ..placement });
        assert_eq!(draw(false, false, 2, i), Placement::default());
    }
    assert_ne!(all[..50], (0..50).map(|i| draw(true, true, 3, i)).collect::<Vec<_>>());
}

#[test]
fn a_placement_on_the_cpu_gives_the_pixels_that_the_gpu_makes() {
    let size = 5;
    let image: Vec<u8> = (1..=75).collect();
    for (dx, dy) in [(0, 0), (1, -2), (-4, 3), (5, 0), (0, -7), (2, 2)] {
        for flip in [false, true] {
            let on_gpu = reference::prepare(size, &image, &[placement(0, dx, dy, flip)]);
            let expected: Vec<u8> =
                on_gpu.chunks(4).flat_map(|pixel| [pixel[0] as u8, pixel[1] as u8, pixel[2] as u8]).collect();
            assert_eq!(Placement { dx, dy, flip }.apply(image.clone(), size), expected, "{dx} {dy} {flip}");
        }
    }
}

/// A view's images as the net sees them.
fn placed(images: &[u8], placements: &[Placement], size: usize) -> Vec<u8> {
    let each = images.chunks(size * size * 3).zip(placements);
    each.flat_map(|(image, placement)| placement.apply(image.to_vec(), size)).collect()
}

#[test]
fn two_views_share_crop_and_flip_and_only_one_has_the_policy() {
    let set = || Arc::new(Shapes::new(ShapesSplit::Train));
    let words = [Augmentation::Crop, Augmentation::Flip, Augmentation::Cutout];
    let start = |views| {
        let options = LoaderOptions { recipe: recipe(&words), views, ..options(10, 2) };
        Loader::start(set(), options).expect("a loader")
    };
    let (mut two, mut plain, mut policy) =
        (start(Views::Two), start(Views::One { policy: false }), start(Views::One { policy: true }));
    for _ in 0..3 {
        let (two, plain, policy) = (two.next(), plain.next(), policy.next());
        let (two, plain, policy) = (two.expect("a batch"), plain.expect("a batch"), policy.expect("a batch"));
        assert!(plain.augmented.is_none() && policy.augmented.is_none());
        assert!(plain == Batch { augmented: None, ..two.clone() }, "the plain view depends on the other one");
        let augmented = two.augmented.expect("two views");
        assert!((&augmented.images, &augmented.placements) == (&policy.images, &policy.placements));
        let (plain, augmented) =
            (placed(&two.images, &two.placements, 8), placed(&augmented.images, &augmented.placements, 8));
        for (plain, augmented) in plain.chunks(192).zip(augmented.chunks(192)) {
            // What differs is the hidden square of three pixels a side, as grey as the mean; at a corner a
            // part of it.
            let differing: Vec<usize> =
                (0..64).filter(|i| plain[i * 3..i * 3 + 3] != augmented[i * 3..i * 3 + 3]).collect();
            assert!((1..=9).contains(&differing.len()), "{} pixels differ", differing.len());
            assert!(differing.iter().all(|i| augmented[i * 3..i * 3 + 3] == [128; 3]));
        }
    }
}

#[test]
fn without_a_policy_both_views_are_the_same() {
    let two = LoaderOptions { views: Views::Two, ..options(10, 2) };
    let batch = batches(Plain::new(60, []), two, 1).remove(0);
    let augmented = batch.augmented.expect("two views");
    assert!((augmented.images, augmented.placements) == (batch.images, batch.placements));
}

#[test]
fn a_damaged_image_gives_its_place_to_the_next_and_is_named_once() {
    for panics in [false, true] {
        let set = Plain { panics, ..Plain::new(200, [3, 4]) };
        let mut loader = Loader::start(Arc::new(set), LoaderOptions { shuffle: false, ..options(10, 3) })
            .expect("a loader");
        assert_eq!(loader.next().expect("a batch").samples, [0, 1, 2, 5, 5, 5, 6, 7, 8, 9]);
        let named = loader.take_damaged();
        assert_eq!(named.len(), 2, "{named:?}");
        let reason = if panics { "decoder" } else { "torn" };
        assert_mentions(&named[0], &["image-3", reason]);
        assert_mentions(&named[1], &["image-4", reason]);
        for _ in 1..45 {
            loader.next().expect("a batch");
        }
        assert!(loader.take_damaged().is_empty(), "damage is reported once, not each epoch");
    }
}

#[test]
fn the_last_image_of_the_order_is_replaced_by_the_first() {
    let all = batches(Plain::new(100, [99]), LoaderOptions { shuffle: false, ..options(50, 2) }, 2);
    assert_eq!(all[1].samples[49], 0);
}

#[test]
fn more_than_one_percent_damaged_stops_with_the_list() {
    // Two of 200 are exactly 1%.
    batches(Plain::new(200, [3, 150]), options(20, 2), 30);
    let mut steps = BTreeSet::new();
    for workers in [1, 4] {
        let mut loader =
            Loader::start(Arc::new(Plain::new(200, [3, 77, 150])), options(20, workers)).expect("a loader");
        let (step, text) = (0..11)
            .find_map(|step| loader.next().err().map(|error| (step, format!("{error:#}"))))
            .expect("a failure within an epoch");
        assert_mentions(&text, &["3 of 200", "1%", "image-3: torn", "image-77: torn", "image-150: torn"]);
        assert_eq!(message(loader.next()), text, "the failure stays");
        steps.insert(step);
    }
    assert_eq!(steps.len(), 1, "the failing step depends on the threads");
}

/// Files that are no images, whatever their names say, are left out however many they are.
#[test]
fn a_file_that_is_no_image_never_stops_a_set() {
    let dir = tempfile::tempdir().unwrap();
    for class in ["a", "b"] {
        super::save(&super::ramp(8, 8, 1), &dir.path().join(format!("train/{class}/0.png")));
        for (name, content) in [("notes.png", "some words"), ("page.jpg", "<html>"), ("empty.jpg", "")] {
            std::fs::write(dir.path().join("train").join(class).join(name), content).unwrap();
        }
    }
    let open = || Folder::open(dir.path(), "train", None, |_, _| {}).unwrap();
    let mut loader = Loader::start(Arc::new(open()), options(4, 2)).unwrap();
    for _ in 0..6 {
        loader.next().expect("a full batch");
    }
    assert_eq!(loader.take_damaged().len(), 6);
    let options = EvalOptions { batch_size: 4, image_size: 8, limit: 0, workers: 2 };
    let mut reader = EvalReader::start(Arc::new(open()), options).unwrap();
    let mut labels = Vec::new();
    while let Some(batch) = reader.next().unwrap() {
        labels.extend(batch.labels);
    }
    assert_eq!(labels, [0, 1]);
    for class in ["a", "b"] {
        std::fs::write(dir.path().join(format!("train/{class}/0.png")), "words").unwrap();
    }
    let mut reader = EvalReader::start(Arc::new(open()), options).unwrap();
    let text = (0..3).find_map(|_| reader.next().err()).expect("a set without an image").to_string();
    assert_mentions(&text, &["8 files that hold no image"]);
}

#[test]
fn a_wholly_damaged_set_fails_at_once_and_lists_twenty() {
    let set = Arc::new(Plain::new(5000, 0..5000));
    let mut loader = Loader::start(Arc::clone(&set) as Arc<dyn Dataset>, options(10, 2)).expect("a loader");
    let text = message(loader.next());
    assert_eq!(text.matches("image-").count(), 20, "{text}");
    drop(loader);
    assert!(set.loads.load(Ordering::Relaxed) < 5000, "the whole set was read before giving up");
}

#[test]
fn too_few_images_for_a_batch_is_an_error() {
    assert_mentions(
        &message(Loader::start(Arc::new(Plain::new(9, [])), options(10, 1))),
        &["9 images", "10", "run.batch_size"],
    );
    assert_mentions(&message(Loader::start(Arc::new(Plain::new(9, [])), options(0, 1))), &["run.batch_size"]);
}

#[test]
fn dropping_a_loader_is_prompt() {
    let set = Plain { pause: Duration::from_millis(5), ..Plain::new(100_000, []) };
    let mut loader = Loader::start(Arc::new(set), options(2000, 3)).expect("a loader");
    let start = Instant::now();
    drop(loader);
    // A batch would take more than three seconds. Each worker may finish its image.
    assert!(start.elapsed() < Duration::from_secs(2), "dropping took {:?}", start.elapsed());

    loader = Loader::start(Arc::new(Shapes::new(ShapesSplit::Train)), options(8, 2)).expect("a loader");
    loader.next().expect("a batch");
    drop(loader);
}

#[test]
fn evaluation_reads_every_image_once_in_order_and_leaves_damaged_ones_out() {
    for workers in [1, 5] {
        let set = Plain { pause: Duration::from_micros(200), ..Plain::new(250, [31, 249]) };
        let eval = EvalOptions { batch_size: 32, image_size: 4, limit: 0, workers };
        let mut reader = EvalReader::start(Arc::new(set), eval).expect("a reader");
        assert_eq!(reader.total(), 250);
        let mut seen = Vec::new();
        let mut firsts = Vec::new();
        while let Some(batch) = reader.next().expect("a batch") {
            assert_eq!(batch.images.len(), batch.indices.len() * 48);
            for (i, &index) in batch.indices.iter().enumerate() {
                assert_eq!((batch.labels[i] as usize, batch.images[i * 48]), (index % 7, index as u8));
            }
            firsts.push(batch.first);
            seen.extend(batch.indices);
        }
        assert_eq!(seen, (0..250).filter(|i| ![31, 249].contains(i)).collect::<Vec<_>>());
        assert_eq!(firsts, (0..250).step_by(32).collect::<Vec<_>>());
        assert_eq!(reader.take_damaged(), ["image-31: torn", "image-249: torn"]);
        assert!(reader.next().expect("the end stays the end").is_none());
    }
}

#[test]
fn evaluation_honours_the_limit_and_stops_at_too_much_damage() {
    let eval = EvalOptions { batch_size: 32, image_size: 4, limit: 40, workers: 2 };
    let mut reader = EvalReader::start(Arc::new(Plain::new(250, [])), eval).expect("a reader");
    let mut read = reader.next().expect("a batch").expect("a batch").indices;
    assert_eq!(read.len(), 32);
    read.extend(reader.next().expect("a batch").expect("a batch").indices);
    assert!(reader.next().expect("the end").is_none());
    assert_eq!(read.len(), 40);
    assert!(
        read.iter().enumerate().all(|(i, index)| (i * 250 / 40..(i + 1) * 250 / 40).contains(index)),
        "{read:?}"
    );

    let torn = read[1];
    let mut reader = EvalReader::start(Arc::new(Plain::new(250, [torn])), eval).expect("a reader");
    assert_mentions(&message(reader.next()), &["1 of 40", &format!("image-{torn}: torn")]);
}

#[test]
fn a_limited_evaluation_meets_every_class_however_they_are_ordered() {
    for (len, limit) in [(2000, 100), (2000, 200), (700, 70)] {
        let eval = EvalOptions { batch_size: limit, image_size: 4, limit, workers: 1 };
        let mut reader = EvalReader::start(Arc::new(Plain::new(len, [])), eval).expect("a reader");
        let read = reader.next().expect("a batch").expect("a batch").indices;
        for classes in [5, 7, 10] {
            let taking_turns: BTreeSet<usize> = read.iter().map(|index| index % classes).collect();
            let in_a_row: BTreeSet<usize> = read.iter().map(|index| index * classes / len).collect();
            assert_eq!((taking_turns.len(), in_a_row.len()), (classes, classes), "{limit} of {len}");
        }
    }
}

#[test]
fn the_corrupted_view_is_the_clean_one_corrupted_for_any_number_of_threads() {
    let mut config = Config::default();
    config.data.image_size = 8;
    config.method.corrupted.severity = vec![5];
    let all = Corrupting::from_config(&config);
    config.method.corrupted.corruptions = vec![CorruptionWord::One(Corruption::Brightness)];
    let brighter = Corrupting::from_config(&config);
    let with = |corrupting: &Corrupting, workers| LoaderOptions {
        recipe: recipe(&[]),
        corrupting: Some(corrupting.clone()),
        ..options(20, workers)
    };
    let one = batches(Plain::new(110, [7]), with(&all, 1), 6);
    assert!(batches(Plain::new(110, [7]), with(&all, 3), 6) == one, "threads change the corrupted view");
    let resumed = LoaderOptions { start_step: 4, ..with(&all, 2) };
    assert!(batches(Plain::new(110, [7]), resumed, 2) == one[4..], "a resumed loader corrupts otherwise");
    let plain = batches(Plain::new(110, [7]), LoaderOptions { recipe: recipe(&[]), ..options(20, 2) }, 6);
    let corruptor = Corruptor::new(ParameterSet::CifarC, 0);
    for (plain, (one, brighter)) in
        plain.iter().zip(one.iter().zip(batches(Plain::new(110, [7]), with(&brighter, 2), 6)))
    {
        assert_eq!((&plain.images, &plain.samples), (&one.images, &one.samples));
        let view = brighter.corrupted.expect("a corrupted view");
        for (clean, corrupted) in plain.images.chunks(192).zip(view.images.chunks(192)) {
            assert_eq!(corruptor.apply(Corruption::Brightness, 5, clean, 8, 8, 0), corrupted);
        }
    }
}
