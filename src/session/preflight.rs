//! What would go wrong is told before a run starts: the data is opened, the memory planned and taken, one
//! batch sent through everything, and the time predicted. Nothing is written but a probe file that vanishes
//! again. The batch also shows what each branch trains on.

use super::setup::{check_statistics, class_names, loader_options};
use super::starting_weights::starting_weights;
use super::{disk_room, open_device};
use crate::config::{Config, Domain};
use crate::data::{self, Loader};
use crate::gpu::{Device, DeviceChoice};
use crate::models::{ModelOptions, build};
use crate::training::engine::{Engine, RunLength};
use crate::training::method;
use crate::training::run_folder::may_begin_in;
use crate::training::schedule::{total_steps, warmup_caution};
use crate::words::counted;
use anyhow::Context as _;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Images of a preview.
const SHOWN: usize = 8;
/// Steps whose time is taken, after one that warms up.
const TIMED_STEPS: u64 = 2;
const QUEUE: usize = 256;

/// What a preflight reports.
#[derive(Clone, Debug)]
pub enum Preflight {
    /// `done` of `total` of the named work.
    Working {
        /// The work, in a few words.
        what: String,
        /// Pieces done.
        done: usize,
        /// Pieces in all.
        total: usize,
    },
    /// Something is as it should be.
    Passed {
        /// Name of the check.
        what: &'static str,
        /// What it found, in one sentence.
        finding: String,
    },
    /// The run would go otherwise than configured, as with less memory than hoped for.
    Warning(String),
    /// The first images of each branch.
    Previews(Arc<Vec<BranchPreview>>),
    /// The last event: all is well.
    Ready(Forecast),
    /// The last event: one sentence on what would stop the run.
    Refused {
        /// Name of the check.
        what: &'static str,
        /// What is wrong and what to do, in one sentence.
        reason: String,
    },
}

/// How long the run will be and what it will take.
#[derive(Clone, Copy, Debug)]
pub struct Forecast {
    /// Optimizer steps of an epoch.
    pub steps_per_epoch: u64,
    /// Optimizer steps of the run.
    pub total_steps: u64,
    /// Mean of the timed steps, reading of the data included.
    pub seconds_per_step: f64,
    /// GPU memory of the training plans.
    pub planned_bytes: u64,
}

impl Forecast {
    /// Seconds for all steps; validation comes on top.
    pub fn seconds(&self) -> f64 {
        self.seconds_per_step * self.total_steps as f64
    }
}

/// The first images of a branch, as the first step trains on them.
#[derive(Clone, Debug)]
pub struct BranchPreview {
    /// `clean`, `attack`, …, as in `[[method.branch]]`.
    pub source: &'static str,
    /// Name of the BN domain.
    pub domain: String,
    /// Side of an image, pixels.
    pub size: usize,
    /// `[S, S, 3]` each.
    pub images: Vec<Vec<u8>>,
    /// What mixup made the first of them from.
    pub mixed: Option<MixedPreview>,
}

/// Pairs of images and how the first step mixes them.
#[derive(Clone, Debug)]
pub struct MixedPreview {
    /// λ as the first step draws it, 0..=1: the share of the first image of each pair.
    pub lambda: f32,
    /// `[S, S, 3]` each.
    pub pairs: Vec<[Vec<u8>; 2]>,
}

impl MixedPreview {
    /// The images that another λ would make.
    pub fn at(&self, lambda: f32) -> Vec<Vec<u8>> {
        let mix = |[a, b]: [&u8; 2]| (lambda * f32::from(*a) + (1.0 - lambda) * f32::from(*b)).round() as u8;
        let image = |[a, b]: &[Vec<u8>; 2]| a.iter().zip(b).map(|(a, b)| mix([a, b])).collect();
        self.pairs.iter().map(image).collect()
    }
}

/// Starts a preflight on a thread of its own. `wake` is called after each event. When the receiver is dropped
/// it ends with the work at hand.
pub fn spawn(
    config: Config,
    out: PathBuf,
    device: DeviceChoice,
    wake: Arc<dyn Fn() + Send + Sync>,
) -> anyhow::Result<Receiver<Preflight>> {
    let (sender, receiver) = bounded(QUEUE);
    let work = move || {
        let teller =
            Teller { sender, wake: &*wake, gone: Cell::new(false), what: Cell::new("Configuration") };
        let checked = std::panic::AssertUnwindSafe(|| check(&config, &out, &device, &teller));
        let refused = |reason| Preflight::Refused { what: teller.what.get(), reason };
        teller.tell(match std::panic::catch_unwind(checked) {
            Ok(Ok(forecast)) => Preflight::Ready(forecast),
            Ok(Err(error)) => refused(format!("{error:#}")),
            Err(panic) => refused(format!("internal error: {}", super::panic_text(panic.as_ref()))),
        });
    };
    std::thread::Builder::new().name("preflight".to_owned()).spawn(work)?;
    Ok(receiver)
}

/// Tells the front end how the checks go.
struct Teller<'a> {
    sender: Sender<Preflight>,
    wake: &'a dyn Fn(),
    /// Another preflight has taken this one's place.
    gone: Cell<bool>,
    /// The check at hand, for its report.
    what: Cell<&'static str>,
}

impl Teller<'_> {
    fn tell(&self, event: Preflight) {
        self.gone.set(self.gone.get() || self.sender.send(event).is_err());
        (self.wake)();
    }

    /// Begins a check; fails when nobody waits for it any more.
    fn begin(&self, what: &'static str) -> anyhow::Result<()> {
        anyhow::ensure!(!self.gone.get(), "nobody waits for this preflight any more");
        self.what.set(what);
        Ok(())
    }

    /// Tells that `done` of `total` of the named work is done.
    fn working(&self, work: &str, done: usize, total: usize) {
        self.tell(Preflight::Working { what: work.to_owned(), done, total });
    }

    /// Tells that the check at hand found all well.
    fn passed(&self, finding: String) {
        self.tell(Preflight::Passed { what: self.what.get(), finding });
    }
}

/// Goes through all checks, each of which fails with one sentence.
fn check(
    config: &Config,
    out: &Path,
    device: &DeviceChoice,
    teller: &Teller<'_>,
) -> anyhow::Result<Forecast> {
    config.validate()?;
    teller.passed("All values fit together".to_owned());
    teller.begin("Run folder")?;
    check_folder(out)?;
    teller.passed(format!("{} can be written", out.display()));
    teller.begin("Data")?;
    let mut data = Data::open(config, teller)?;
    teller.begin("Adapter")?;
    let device = open_adapter(config, device, teller)?;
    teller.begin("Memory")?;
    let steps_per_epoch = data::steps_per_epoch(data.train_images, config.run.batch_size)?;
    let length = RunLength { steps_per_epoch, total_steps: total_steps(&config.run, steps_per_epoch) };
    if let Some(caution) = warmup_caution(&config.schedule, steps_per_epoch, length.total_steps) {
        teller.tell(Preflight::Warning(caution));
    }
    let mut engine = plan(config, device, data.classes.len(), length, teller)?;
    teller.begin("Disk")?;
    teller.passed(disk_room::check(out, disk_room::needed(config, engine.network(), length))?);
    teller.begin("One batch")?;
    let seconds_per_step = train(config, &mut engine, &mut data, teller)?;
    Ok(Forecast {
        steps_per_epoch,
        total_steps: length.total_steps,
        seconds_per_step,
        planned_bytes: engine.planned_bytes(),
    })
}

/// The training set as the run would read it.
struct Data {
    loader: Loader,
    train_images: usize,
    classes: Vec<String>,
}

impl Data {
    fn open(config: &Config, teller: &Teller<'_>) -> anyhow::Result<Self> {
        teller.working("Opening the data", 0, 1);
        let splits = data::open_reporting(&config.data, |split, done, total| {
            teller.working(&format!("Listing {split}"), done, total);
        })?;
        let classes = class_names(config, splits.train.as_ref())?;
        splits.notes().into_iter().for_each(|note| teller.tell(Preflight::Warning(note)));
        let loader = Loader::start(Arc::clone(&splits.train), loader_options(config, 0))?;
        let (train_images, val) = (splits.train.len(), splits.val.len());
        teller.passed(format!(
            "{train_images} training and {} of {} classes",
            counted(val, "validation image"),
            classes.len()
        ));
        Ok(Self { loader, train_images, classes })
    }
}

/// Opens the adapter that the run would train on.
fn open_adapter(config: &Config, device: &DeviceChoice, teller: &Teller<'_>) -> anyhow::Result<Arc<Device>> {
    teller.working("Opening the GPU", 0, 1);
    let device = open_device::open(device, config.run.precision)?;
    let report = device.report();
    teller.passed(format!("{} ({}, {})", report.name, report.device_type, report.backend));
    Ok(device)
}

/// Plans and allocates the training step.
fn plan(
    config: &Config,
    device: Arc<Device>,
    classes: usize,
    length: RunLength,
    teller: &Teller<'_>,
) -> anyhow::Result<Engine> {
    let (size, domains) = (config.data.image_size, method::domains(&config.method));
    let options = ModelOptions::from_config(&config.model, size, classes, domains);
    let network = build(&config.model.arch, &options)?;
    for caution in check_statistics(config, &network, length)? {
        teller.tell(Preflight::Warning(caution));
    }
    let engine = Engine::new(
        device,
        config,
        network,
        length,
        |done, total| teller.working("Compiling shaders", done, total),
        |notice| teller.tell(Preflight::Warning(notice)),
    )?;
    let mib = engine.planned_bytes().div_ceil(1 << 20);
    teller.passed(format!("The adapter gave the {mib} MiB that training plans ({})", engine.layout()));
    Ok(engine)
}

/// Trains on a few batches, shows what the first one's branches trained on, and returns the mean seconds of a
/// step.
fn train(config: &Config, engine: &mut Engine, data: &mut Data, teller: &Teller<'_>) -> anyhow::Result<f64> {
    teller.working("Training on one batch", 0, 1);
    let begun = starting_weights(config, engine.network(), &data.classes)?;
    begun.notes.into_iter().for_each(|note| teller.tell(Preflight::Warning(note)));
    engine.load_fresh(&begun.arenas);
    let mut step = |engine: &mut Engine, number: u64| -> anyhow::Result<()> {
        let batch = data.loader.next()?;
        engine.step(number, &batch)?;
        engine.drain()?;
        Ok(())
    };
    step(engine, 0)?;
    let sums = engine.poll()?.context("the step reported nothing")?;
    let loss: f64 = sums.branches.iter().map(|b| b.loss / b.images.max(1.0)).sum();
    anyhow::ensure!(loss.is_finite(), "the loss of the first batch is no finite number");
    teller.tell(Preflight::Previews(Arc::new(previews(engine)?)));
    let begun = Instant::now();
    for number in 1..=TIMED_STEPS {
        step(engine, number)?;
    }
    let seconds_per_step = begun.elapsed().as_secs_f64() / TIMED_STEPS as f64;
    teller.passed(format!("went through every branch; their losses add up to {loss:.3} nats"));
    Ok(seconds_per_step)
}

/// A folder that a new run may begin in, and that can be made and written to. Writes a file without a name
/// into the nearest folder that exists.
fn check_folder(out: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(may_begin_in(out), "{} is not empty; expected a new run folder", out.display());
    expect_writable(out)
}

/// Tries whether the run folder `out` can be made and written; the probe vanishes again.
pub fn expect_writable(out: &Path) -> anyhow::Result<()> {
    let nearest = out.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    anyhow::ensure!(
        nearest.is_dir(),
        "{} is a file, so there can be no folder {}; expected a new run folder",
        nearest.display(),
        out.display()
    );
    tempfile::tempfile_in(nearest)
        .with_context(|| format!("cannot write into {}; expected a folder of yours", nearest.display()))?;
    Ok(())
}

/// The first images of each branch, as the last step trained on them.
fn previews(engine: &Engine) -> anyhow::Result<Vec<BranchPreview>> {
    let method = engine.method_at(0);
    let size = engine.network().image_size;
    let made = method.branches.iter().enumerate().map(|(index, branch)| {
        let source = branch.source.kind().name();
        let pixels = engine.branch_pixels(0, index)?;
        let images = pixels.chunks_exact(size * size * 4).take(SHOWN).map(rgb).collect();
        let mixed = engine.mixed_pairs(0, index, SHOWN)?.map(|found| {
            let pairs = found.pairs.iter().map(|[a, b]| [rgb(a), rgb(b)]);
            MixedPreview { lambda: found.lambda, pairs: pairs.collect() }
        });
        Ok(BranchPreview { source, domain: Domain::name_of(branch.domain), size, images, mixed })
    });
    made.collect()
}

/// `[S, S, 4]` pixels as bytes without the fourth channel.
fn rgb(pixels: &[f32]) -> Vec<u8> {
    let byte = |value: f32| value.round().clamp(0.0, 255.0) as u8;
    pixels.chunks_exact(4).flat_map(|pixel| [byte(pixel[0]), byte(pixel[1]), byte(pixel[2])]).collect()
}
