//! Speed of reading and augmenting on one core, and of listing a big folder: `cargo bench --bench data [--
//! TEXT]` runs the lines whose name contains TEXT. `DUALPROP_FOLDER` adds the photos of an image folder,
//! `DUALPROP_SETS`, such as `folder=DIR,parquet=DIR`, how fast sets of any source are opened and read.
//! Reports, never judges.

use dualprop::config::{Augmentation, AutoAugmentPolicy, DataConfig, DataSource};
use dualprop::data::shapes::{Shapes, ShapesSplit};
use dualprop::data::{Dataset, Folder, FolderIndex, Loader, LoaderOptions, Recipe, Views, open};
use std::sync::Arc;
use std::time::{Duration, Instant};

const LEAST_TIME: Duration = Duration::from_millis(1500);

/// Images of random bytes, 32 pixels a side, as CIFAR's lie in memory.
struct Small(Vec<u8>);

const SMALL_IMAGES: usize = 10_000;
const SMALL_BYTES: usize = 32 * 32 * 3;

impl Small {
    fn new() -> Self {
        let mut state = 1u32;
        let mut byte = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        Self((0..SMALL_IMAGES * SMALL_BYTES).map(|_| byte()).collect())
    }
}

impl Dataset for Small {
    fn len(&self) -> usize {
        SMALL_IMAGES
    }

    fn class_names(&self) -> &[String] {
        &[]
    }

    fn label(&self, _index: usize) -> usize {
        0
    }

    fn name(&self, index: usize) -> String {
        index.to_string()
    }

    fn load(&self, index: usize, size: usize) -> anyhow::Result<Vec<u8>> {
        anyhow::ensure!(size == 32, "these images have 32 pixels a side");
        Ok(self.0[index * SMALL_BYTES..][..SMALL_BYTES].to_vec())
    }
}

/// Processor time of this process's threads so far, seconds. Threads that have ended do not count.
fn processor_seconds() -> Option<f64> {
    let mut nanoseconds = 0;
    for task in std::fs::read_dir("/proc/self/task").ok()? {
        let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        nanoseconds += text.split(' ').next()?.parse::<u64>().ok()?;
    }
    Some(nanoseconds as f64 * 1e-9)
}

/// Images a second of processor time that one worker makes.
fn measure(set: &Arc<dyn Dataset>, image_size: usize, recipe: Recipe, views: Views) -> anyhow::Result<f64> {
    let options = LoaderOptions {
        batch_size: 64.min(set.len()),
        image_size,
        shuffle: true,
        balanced: false,
        seed: 1,
        recipe,
        corrupting: None,
        views,
        start_step: 0,
        workers: 1,
    };
    let mut loader = Loader::start(Arc::clone(set), options)?;
    loader.next()?;
    let (start, processor) = (Instant::now(), processor_seconds());
    let mut images = 0;
    while start.elapsed() < LEAST_TIME {
        images += loader.next()?.labels.len();
    }
    let seconds = match (processor, processor_seconds()) {
        (Some(before), Some(after)) => after - before,
        _ => start.elapsed().as_secs_f64(),
    };
    Ok(images as f64 / seconds)
}

fn augmentations(filter: &str, name: &str, set: Arc<dyn Dataset>, image_size: usize) -> anyhow::Result<()> {
    use Augmentation::{Autoaugment, Crop, Cutout, Flip, Inception, Randaugment};
    let recipes: [(&str, &[Augmentation], AutoAugmentPolicy, Views); 9] = [
        ("none", &[], AutoAugmentPolicy::Cifar, Views::One { policy: true }),
        ("crop, flip (GPU)", &[Crop, Flip], AutoAugmentPolicy::Cifar, Views::One { policy: true }),
        ("crop, flip, cutout", &[Crop, Flip, Cutout], AutoAugmentPolicy::Cifar, Views::One { policy: true }),
        (
            "autoaugment cifar",
            &[Crop, Flip, Autoaugment],
            AutoAugmentPolicy::Cifar,
            Views::One { policy: true },
        ),
        ("inception, flip", &[Inception, Flip], AutoAugmentPolicy::Imagenet, Views::One { policy: true }),
        (
            "autoaugment imagenet_v0",
            &[Inception, Flip, Autoaugment],
            AutoAugmentPolicy::ImagenetV0,
            Views::One { policy: true },
        ),
        (
            "autoaugment imagenet",
            &[Inception, Flip, Autoaugment],
            AutoAugmentPolicy::Imagenet,
            Views::One { policy: true },
        ),
        (
            "randaugment",
            &[Inception, Flip, Randaugment],
            AutoAugmentPolicy::Cifar,
            Views::One { policy: true },
        ),
        (
            "two views, imagenet_v0",
            &[Inception, Flip, Autoaugment],
            AutoAugmentPolicy::ImagenetV0,
            Views::Two,
        ),
    ];
    for (what, augment, policy, views) in recipes {
        let line = format!("{name}, {image_size} px, {what}");
        if !line.contains(filter) {
            continue;
        }
        let config = DataConfig { augment: augment.to_vec(), policy, ..Default::default() };
        let rate = measure(&set, image_size, Recipe::from_config(&config), views)?;
        println!("{line:58} {rate:9.0} images/s a core");
    }
    Ok(())
}

/// Largest memory that the process has had, MiB.
fn peak_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(f64::NAN) / 1024.0
}

/// Lists a made folder of 200 classes and 200,000 empty files for the first and the second time.
fn listing(filter: &str) -> anyhow::Result<()> {
    const CLASSES: usize = 200;
    const FILES: usize = 1000;
    if !"folder of 200000 files".contains(filter) {
        return Ok(());
    }
    let dir = tempfile::tempdir()?;
    for class in 0..CLASSES {
        let folder = dir.path().join(format!("train/n{class:08}"));
        std::fs::create_dir_all(&folder)?;
        for file in 0..FILES {
            std::fs::write(folder.join(format!("n{class:08}_{:05}.JPEG", file * 7919 % 100_000)), "")?;
        }
    }
    // A folder that was changed a moment ago is not believed.
    std::thread::sleep(Duration::from_secs(3));
    let index = FolderIndex { dir: dir.path().join("index"), least_files: 0 };
    for what in ["first", "second"] {
        let before = peak_memory();
        let start = Instant::now();
        let set = Folder::open(dir.path(), "train", Some(&index), |_, _| ())?;
        println!(
            "folder of {} files, {what} time: {:.3} s, peak memory {before:.0} -> {:.0} MiB",
            set.len(),
            start.elapsed().as_secs_f64(),
            peak_memory()
        );
    }
    let kept = std::fs::read_dir(&index.dir)?.next().transpose()?;
    let bytes = kept.map_or(Ok(0), |file| file.metadata().map(|m| m.len()))?;
    println!("folder of {} files: the kept list has {:.1} MiB", CLASSES * FILES, bytes as f64 / 1048576.0);
    Ok(())
}

/// Opens the training part of each set of `DUALPROP_SETS` and decodes its images on one thread, in their
/// order and in a random one.
fn sets(filter: &str) -> anyhow::Result<()> {
    for set in
        std::env::var("DUALPROP_SETS").unwrap_or_default().split(',').filter(|set| set.contains(filter))
    {
        let Some((name, path)) = set.split_once('=') else { continue };
        let source: DataSource = serde_json::from_value(name.into())?;
        let config = DataConfig { source, path: path.to_owned(), ..Default::default() };
        let begun = Instant::now();
        let train = open(&config)?.train;
        println!("{set}: {} images listed in {:.2} s", train.len(), begun.elapsed().as_secs_f64());
        // A step without a common factor with the number of images visits them all, far from each other.
        let count = train.len();
        let stride = (count * 618 / 1000..).find(|step| gcd(*step, count) == 1).unwrap_or(1);
        for (how, stride) in [("in order", 1), ("at random", stride)] {
            let begun = Instant::now();
            for place in 0..count {
                train.decode(place * stride % count, 32)?;
            }
            let seconds = begun.elapsed().as_secs_f64();
            println!(
                "{set}: {how} {:.0} images/s, {:.3} ms each",
                count as f64 / seconds,
                1e3 * seconds / count as f64
            );
        }
    }
    Ok(())
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn main() -> anyhow::Result<()> {
    let filter = std::env::args().skip(1).find(|a| !a.starts_with('-')).unwrap_or_default();
    sets(&filter)?;
    listing(&filter)?;
    augmentations(&filter, "in memory", Arc::new(Small::new()), 32)?;
    for size in [32, 64, 224] {
        augmentations(&filter, "shapes", Arc::new(Shapes::new(ShapesSplit::Train)), size)?;
    }
    if let Some(path) = std::env::var_os("DUALPROP_FOLDER") {
        let path = path.to_string_lossy().into_owned();
        let config = DataConfig { source: DataSource::Folder, path, ..Default::default() };
        let photos = open(&config)?.train;
        for size in [64, 128, 224] {
            augmentations(&filter, "photos", Arc::clone(&photos), size)?;
        }
    }
    Ok(())
}
