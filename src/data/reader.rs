//! Reads runs of images on worker threads; what training's [`Loader`](super::Loader) and the [`EvalReader`] share.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use anyhow::ensure;

use super::Dataset;
use super::damage::{Damage, is_too_much, load_guarded};
use super::pool::{OrderedPool, Stop, worker_count};

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

struct Job {
    /// Order of the images; `None`: as they are numbered.
    order: Option<Arc<Vec<u32>>>,
    positions: Range<usize>,
}

/// Images that were read, in order.
#[derive(Default)]
pub(super) struct Images {
    /// `[n, size, size, 3]` RGB.
    pub(super) pixels: Vec<u8>,
    pub(super) labels: Vec<u32>,
    /// Index of each image in its set.
    pub(super) samples: Vec<u32>,
    damaged: BTreeMap<u32, String>,
}

pub(super) struct Reader {
    pool: OrderedPool<Job, Images>,
    damage: Damage,
    batch_size: usize,
    size: usize,
    chunk: usize,
    /// Jobs of the batches that were ordered and not yet taken.
    ordered: VecDeque<usize>,
}

impl Reader {
    /// Reads the first `total` images of `set` at `size` pixels a side.
    pub(super) fn start(
        set: Arc<dyn Dataset>,
        total: usize,
        size: usize,
        batch_size: usize,
        gap: Gap,
        workers: usize,
    ) -> anyhow::Result<Self> {
        ensure!(batch_size > 0, "`run.batch_size` is 0, expected at least 1");
        ensure!(size > 0, "`data.image_size` is 0, expected at least 1");
        ensure!(u32::try_from(total).is_ok(), "the data set has {total} images, more than {}", u32::MAX);
        let workers = worker_count(workers);
        let chunk = batch_size.div_ceil(workers).clamp(1, MAX_CHUNK);
        let chunks = batch_size.div_ceil(chunk);
        let batches = BATCHES_AHEAD.max((2 * workers).div_ceil(chunks) + 1);
        let pool = OrderedPool::start("read-images", workers, batches * chunks, move |job: Job, stop| {
            read(&*set, &job, total, size, gap, stop)
        })?;
        let damage = Damage::new(total);
        Ok(Self { pool, damage, batch_size, size, chunk, ordered: VecDeque::new() })
    }

    /// Whether another batch may be ordered.
    pub(super) fn has_room(&self) -> bool {
        self.pool.room() >= self.batch_size.div_ceil(self.chunk)
    }

    /// Orders the images at `positions` of `order` as one batch.
    pub(super) fn order(
        &mut self,
        order: Option<&Arc<Vec<u32>>>,
        positions: Range<usize>,
    ) -> anyhow::Result<()> {
        let starts = positions.clone().step_by(self.chunk);
        let jobs = starts.len();
        for start in starts {
            let end = positions.end.min(start + self.chunk);
            self.pool.submit(Job { order: order.cloned(), positions: start..end })?;
        }
        self.ordered.push_back(jobs);
        Ok(())
    }

    /// Waits for the oldest batch ordered; `None` when there is none. Fails once too many images are damaged.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<Images>> {
        self.damage.check()?;
        let Some(jobs) = self.ordered.pop_front() else { return Ok(None) };
        let mut batch = Images::default();
        batch.pixels.reserve_exact(self.batch_size * self.size * self.size * 3);
        for _ in 0..jobs {
            let Some(chunk) = self.pool.next()? else { break };
            batch.pixels.extend_from_slice(&chunk.pixels);
            batch.labels.extend_from_slice(&chunk.labels);
            batch.samples.extend_from_slice(&chunk.samples);
            for (index, text) in chunk.damaged {
                self.damage.add(index, text);
            }
        }
        self.damage.check()?;
        Ok(Some(batch))
    }

    pub(super) fn take_damaged(&mut self) -> Vec<String> {
        self.damage.take()
    }
}

fn read(set: &dyn Dataset, job: &Job, total: usize, size: usize, gap: Gap, stop: &Stop) -> Images {
    let mut images = Images::default();
    images.pixels.reserve_exact(job.positions.len() * size * size * 3);
    for start in job.positions.clone() {
        let mut position = start;
        loop {
            // With this much damage the reader fails, whatever the other jobs find.
            if stop.requested() || is_too_much(images.damaged.len(), total) {
                return images;
            }
            let sample = job.order.as_ref().map_or(position as u32, |order| order[position]);
            match load_guarded(set, sample as usize, size) {
                Ok(pixels) => {
                    images.pixels.extend_from_slice(&pixels);
                    images.labels.push(set.label(sample as usize) as u32);
                    images.samples.push(sample);
                    break;
                }
                Err(text) => {
                    images.damaged.insert(sample, text);
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
    /// So many images, evenly spread over the set, whose order is often that of its classes; 0: all.
    pub limit: usize,
    /// Threads; 0: one a core.
    pub workers: usize,
}

/// Consecutive images of a set. Damaged ones are left out, so a batch may be shorter than asked for, as the last one
/// may be; it may even be empty.
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
        let EvalOptions { batch_size, image_size, limit, workers } = options;
        let set_len = set.len();
        let total = if limit == 0 { set_len } else { limit.min(set_len) };
        let reader = Reader::start(set, total, image_size, batch_size, Gap::Nothing, workers)?;
        let spread = |i: usize| (i as u64 * set_len as u64 / total as u64) as u32;
        let order = (total < set_len).then(|| Arc::new((0..total).map(spread).collect()));
        let mut started = Self { reader, order, total, batch_size, ordered: 0, first: 0 };
        started.order_ahead()?;
        Ok(started)
    }

    /// Images that will be read, damaged ones included.
    pub fn total(&self) -> usize {
        self.total
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
            images: read.pixels,
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
            self.reader.order(self.order.as_ref(), self.ordered..end)?;
            self.ordered = end;
        }
        Ok(())
    }
}
