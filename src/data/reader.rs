//! Reads runs of images on worker threads; what training's [`Loader`](super::Loader) and the [`EvalReader`]
//! share.

use super::augment::{Placement, Recipe, Showing, Shown, ShownViews, Views};
use super::corrupting::Corrupting;
use super::damage::{Damage, Tally, Unusable, guarded, load_checked};
use super::pool::{OrderedPool, Stop, worker_count};
use super::random::{Purpose, Random};
use super::{Dataset, PlacedImages};
use anyhow::ensure;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

/// Batches under way: one that the caller waits for and two ahead of it.
const BATCHES_AHEAD: usize = 3;

/// Most images in one job, so that a batch is spread over the workers and a stop is quick.
const MAX_CHUNK: usize = 16;

/// What takes the place of a damaged image.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Gap {
    /// The next undamaged image of the order, which wraps around: batches stay full.
    NextImage,
    /// Nothing: the batch is shorter.
    Nothing,
}

/// What is made of each image.
pub(super) enum Making {
    /// The image as evaluation sees it.
    Evaluation,
    /// Views for training.
    Training { recipe: Recipe, views: Views, corrupting: Option<Corrupting>, seed: u64 },
}

/// What a [`Reader`] reads.
pub(super) struct ReaderOptions {
    /// Images in all: the first so many of the order.
    pub(super) total: usize,
    /// Side of the images, pixels.
    pub(super) size: usize,
    pub(super) batch_size: usize,
    pub(super) gap: Gap,
    pub(super) making: Making,
    /// Threads; 0: one a core.
    pub(super) workers: usize,
}

impl ReaderOptions {
    fn room(&self) -> Room {
        let bytes = self.size * self.size * 3;
        match &self.making {
            Making::Evaluation => Room { bytes, augmented: false, corrupted: false },
            Making::Training { views, corrupting, .. } => Room {
                bytes: if *views == Views::Placements { 0 } else { bytes },
                augmented: *views == Views::Two,
                corrupted: corrupting.is_some(),
            },
        }
    }
}

/// What an image takes, and which views there are beside the first.
#[derive(Clone, Copy)]
struct Room {
    bytes: usize,
    augmented: bool,
    corrupted: bool,
}

struct Job {
    /// Order of the images; `None`: as they are numbered.
    order: Option<Arc<Vec<u32>>>,
    epoch: u64,
    positions: Range<usize>,
}

/// Images that were read, in order.
pub(super) struct Images {
    pub(super) first: PlacedImages,
    /// Only with [`Views::Two`].
    pub(super) augmented: Option<PlacedImages>,
    /// Only where images are corrupted.
    pub(super) corrupted: Option<PlacedImages>,
    pub(super) labels: Vec<u32>,
    /// Index of each image in its set.
    pub(super) samples: Vec<u32>,
    unusable: BTreeMap<u32, Unusable>,
}

impl Images {
    /// No images yet, and room for `count`.
    fn with_room(count: usize, room: Room) -> Self {
        let view = || PlacedImages::with_room(count, room.bytes);
        Self {
            first: view(),
            augmented: room.augmented.then(view),
            corrupted: room.corrupted.then(view),
            labels: Vec::with_capacity(count),
            samples: Vec::with_capacity(count),
            unusable: BTreeMap::new(),
        }
    }

    /// Takes over what a worker read; its damage is left in it.
    fn append(&mut self, chunk: &mut Images) {
        self.first.append(&mut chunk.first);
        if let (Some(ours), Some(augmented)) = (&mut self.augmented, &mut chunk.augmented) {
            ours.append(augmented);
        }
        if let (Some(ours), Some(corrupted)) = (&mut self.corrupted, &mut chunk.corrupted) {
            ours.append(corrupted);
        }
        self.labels.append(&mut chunk.labels);
        self.samples.append(&mut chunk.samples);
    }
}

pub(super) struct Reader {
    pool: OrderedPool<Job, Images>,
    damage: Damage,
    batch_size: usize,
    room: Room,
    chunk: usize,
    /// Jobs of the batches that were ordered and not yet taken.
    ordered: VecDeque<usize>,
}

impl Reader {
    pub(super) fn start(set: Arc<dyn Dataset>, options: ReaderOptions) -> anyhow::Result<Self> {
        let ReaderOptions { total, size, batch_size, workers, .. } = options;
        ensure!(batch_size > 0, "a batch of 0 images was asked for, expected at least 1");
        ensure!(size > 0, "`data.image_size` is 0, expected at least 1");
        ensure!(u32::try_from(total).is_ok(), "the data set has {total} images, more than {}", u32::MAX);
        let workers = worker_count(workers);
        let chunk = batch_size.div_ceil(workers).clamp(1, MAX_CHUNK);
        let chunks = batch_size.div_ceil(chunk);
        let batches = BATCHES_AHEAD.max((2 * workers).div_ceil(chunks) + 1);
        let room = options.room();
        let work = move |job: Job, stop: &Stop| read(&*set, &options, &job, stop);
        let pool = OrderedPool::start("read-images", workers, batches * chunks, work)?;
        Ok(Self { pool, damage: Damage::new(total), batch_size, room, chunk, ordered: VecDeque::new() })
    }

    /// Whether another batch may be ordered.
    pub(super) fn has_room(&self) -> bool {
        self.pool.room() >= self.batch_size.div_ceil(self.chunk)
    }

    /// Orders the images at `positions` of an epoch's `order` as one batch.
    pub(super) fn order(
        &mut self,
        order: Option<&Arc<Vec<u32>>>,
        epoch: u64,
        positions: Range<usize>,
    ) -> anyhow::Result<()> {
        let starts = positions.clone().step_by(self.chunk);
        let jobs = starts.len();
        for start in starts {
            let end = positions.end.min(start + self.chunk);
            self.pool.submit(Job { order: order.cloned(), epoch, positions: start..end })?;
        }
        self.ordered.push_back(jobs);
        Ok(())
    }

    /// Waits for the oldest batch ordered; `None` when there is none. Fails once too many images are damaged.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<Images>> {
        self.damage.check()?;
        let Some(jobs) = self.ordered.pop_front() else { return Ok(None) };
        let mut batch = Images::with_room(self.batch_size, self.room);
        for _ in 0..jobs {
            let Some(mut chunk) = self.pool.next()? else { break };
            batch.append(&mut chunk);
            for (index, unusable) in chunk.unusable {
                self.damage.add(index, unusable);
            }
        }
        self.damage.check()?;
        Ok(Some(batch))
    }

    pub(super) fn take_damaged(&mut self) -> Vec<String> {
        self.damage.take()
    }
}

fn read(set: &dyn Dataset, options: &ReaderOptions, job: &Job, stop: &Stop) -> Images {
    let &ReaderOptions { total, size, gap, .. } = options;
    let mut images = Images::with_room(job.positions.len(), options.room());
    let mut tally = Tally::default();
    for start in job.positions.clone() {
        let mut position = start;
        loop {
            // With this much damage the reader fails, whatever the other jobs find.
            if stop.requested() || tally.is_too_much(total) {
                return images;
            }
            let sample = job.order.as_ref().map_or(position as u32, |order| order[position]);
            let make = || match &options.making {
                Making::Evaluation => {
                    let rgb = load_checked(set, sample as usize, size)?;
                    let first = Shown { rgb, placement: Placement::default() };
                    Ok((ShownViews { first, augmented: None }, None))
                }
                Making::Training { recipe, views, corrupting, seed } => {
                    let showing = Showing { seed: *seed, epoch: job.epoch, place: start as u32 };
                    let shown = recipe.show(set, sample as usize, size, &showing, *views)?;
                    let corrupted = corrupting.as_ref().map(|c| c.corrupted(&shown.first, size, &showing));
                    Ok((shown, corrupted))
                }
            };
            match guarded(set, sample as usize, make) {
                Ok((shown, corrupted)) => {
                    images.first.push(shown.first);
                    if let (Some(ours), Some(corrupted)) = (&mut images.corrupted, corrupted) {
                        ours.push(corrupted);
                    }
                    if let (Some(ours), Some(augmented)) = (&mut images.augmented, shown.augmented) {
                        ours.push(augmented);
                    }
                    images.labels.push(set.label(sample as usize) as u32);
                    images.samples.push(sample);
                    break;
                }
                Err(unusable) => {
                    images.unusable.entry(sample).or_insert_with(|| {
                        tally.add(&unusable);
                        unusable
                    });
                    if gap == Gap::Nothing {
                        break;
                    }
                    position = (position + 1) % total;
                }
            }
        }
    }
    images
}

/// What an [`EvalReader`] reads.
#[derive(Clone, Copy, Debug)]
pub struct EvalOptions {
    pub batch_size: usize,
    /// Side of the images, pixels.
    pub image_size: usize,
    /// So many images, one drawn from each of as many equal stretches of the set, always the same ones; 0:
    /// all. Orders differ: where classes follow one another a reading of the first would miss most of them,
    /// and where they take turns a regular step would.
    pub limit: usize,
    /// Threads; 0: one a core.
    pub workers: usize,
}

/// Consecutive images of a set. Damaged ones are left out, so a batch may be shorter than asked for, as the
/// last one may be; it may even be empty.
#[derive(Clone, Debug, PartialEq)]
pub struct EvalBatch {
    /// Place in the reading of the image that the batch starts at, damaged or not.
    pub first: usize,
    /// Index of each image in its set.
    pub indices: Vec<usize>,
    /// `[n, image_size, image_size, 3]` RGB bytes.
    pub images: Vec<u8>,
    pub labels: Vec<u32>,
}

/// Reads a set once from its start, ahead of the caller.
pub struct EvalReader {
    reader: Reader,
    /// Indices of a limited reading.
    order: Option<Arc<Vec<u32>>>,
    total: usize,
    batch_size: usize,
    ordered: usize,
    first: usize,
}

impl EvalReader {
    pub fn start(set: Arc<dyn Dataset>, options: EvalOptions) -> anyhow::Result<Self> {
        Self::start_at(set, options, 0)
    }

    /// As [`Self::start`], from place `first` of the reading on: with a multiple of the batch's size, the
    /// batches are those that a reading from the start comes to there.
    pub fn start_at(set: Arc<dyn Dataset>, options: EvalOptions, first: usize) -> anyhow::Result<Self> {
        let EvalOptions { batch_size, image_size, limit, workers } = options;
        let set_len = set.len();
        let total = if limit == 0 { set_len } else { limit.min(set_len) };
        let making = Making::Evaluation;
        let gap = Gap::Nothing;
        let reading = ReaderOptions { total, size: image_size, batch_size, gap, making, workers };
        let reader = Reader::start(set, reading)?;
        let stretch = |i: usize| (i as u64 * set_len as u64 / total as u64) as u32;
        let draw = |i: usize| {
            let start = stretch(i);
            start + Random::new(Purpose::EvaluationSample, [i as u64, 0, 0]).below(stretch(i + 1) - start)
        };
        let order = (total < set_len).then(|| Arc::new((0..total).map(draw).collect()));
        let first = first.min(total);
        let mut started = Self { reader, order, total, batch_size, ordered: first, first };
        started.order_ahead()?;
        Ok(started)
    }

    /// Images that will be read, damaged ones included.
    pub fn total(&self) -> usize {
        self.total
    }

    /// All images of a set, `[n, size, size, 3]` RGB bytes as evaluation sees them; `None` if one of them is
    /// damaged. `progress` hears (images done, of all).
    pub fn read_whole(
        set: Arc<dyn Dataset>,
        size: usize,
        mut progress: impl FnMut(usize, usize),
    ) -> anyhow::Result<Option<Vec<u8>>> {
        let total = set.len();
        let options = EvalOptions { batch_size: 256, image_size: size, limit: 0, workers: 0 };
        let mut reader = Self::start(set, options)?;
        let mut images = Vec::with_capacity(total * size * size * 3);
        let mut done = 0;
        while let Some(batch) = reader.next()? {
            if !reader.take_damaged().is_empty() {
                return Ok(None);
            }
            images.extend_from_slice(&batch.images);
            done += batch.labels.len();
            progress(done, total);
        }
        Ok(Some(images))
    }

    /// The next batch; `None` at the end. Fails when more than 1% of the images are damaged.
    #[expect(
        clippy::should_implement_trait,
        reason = "the errors are between `Option` and batch, which `?` likes better"
    )]
    pub fn next(&mut self) -> anyhow::Result<Option<EvalBatch>> {
        let Some(read) = self.reader.next()? else { return Ok(None) };
        self.order_ahead()?;
        let first = self.first;
        self.first = self.total.min(first + self.batch_size);
        Ok(Some(EvalBatch {
            first,
            indices: read.samples.iter().map(|&sample| sample as usize).collect(),
            images: read.first.images,
            labels: read.labels,
        }))
    }

    /// Damaged images met since the last call, each as `name: reason`.
    pub fn take_damaged(&mut self) -> Vec<String> {
        self.reader.take_damaged()
    }

    fn order_ahead(&mut self) -> anyhow::Result<()> {
        while self.ordered < self.total && self.reader.has_room() {
            let end = self.total.min(self.ordered + self.batch_size);
            self.reader.order(self.order.as_ref(), 0, self.ordered..end)?;
            self.ordered = end;
        }
        Ok(())
    }
}
