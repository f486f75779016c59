//! Reads a set once and makes of every block of its images all the corruptions that are asked for, ahead of
//! the caller and on worker threads. However large the set is and however many corruptions there are, two
//! blocks of images and a few pieces of corrupted ones are held at a time.

use super::corruptions::{Corruption, Corruptor};
use super::pool::{OrderedPool, Stop, worker_count};
use super::{Dataset, EvalBatch, EvalOptions, EvalReader};
use anyhow::Context as _;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// Most images in one job, so that a block is spread over the workers and a stop is quick.
const MAX_CHUNK: usize = 16;

/// What is made of every image, and how.
#[derive(Clone, Default)]
pub struct Cells {
    /// Corruptions with their severities, 1 to 5, in the order in which they are handed out.
    pub cells: Vec<(Corruption, u8)>,
    /// What makes them; needed where there are any.
    pub corruptor: Option<Arc<Corruptor>>,
}

/// Some images of a block under one corruption.
struct Job {
    block: Arc<EvalBatch>,
    images: Range<usize>,
    cell: (Corruption, u8),
}

/// Blocks of a set's images with their corruptions.
pub struct CorruptedReader {
    reader: EvalReader,
    cells: Vec<(Corruption, u8)>,
    pool: OrderedPool<Job, Vec<u8>>,
    chunk: usize,
    /// The block behind the one that was handed out.
    ahead: Option<Arc<EvalBatch>>,
    /// Jobs of blocks that were read, to be submitted.
    waiting: VecDeque<Job>,
    /// How many jobs the next corruptions are in.
    jobs: VecDeque<usize>,
}

impl CorruptedReader {
    /// Starts to read `set` from place `first` of the reading on.
    pub fn start(
        set: Arc<dyn Dataset>,
        options: EvalOptions,
        first: usize,
        cells: Cells,
    ) -> anyhow::Result<Self> {
        let size = options.image_size;
        let workers = worker_count(options.workers).min(if cells.cells.is_empty() { 1 } else { usize::MAX });
        let chunk = options.batch_size.div_ceil(workers).clamp(1, MAX_CHUNK);
        let capacity = 2 * workers + options.batch_size.div_ceil(chunk);
        let Cells { cells, corruptor } = cells;
        let work = move |job: Job, _: &Stop| match &corruptor {
            Some(corruptor) => corrupted(&job, corruptor, size),
            None => Vec::new(),
        };
        Ok(Self {
            reader: EvalReader::start_at(set, options, first)?,
            cells,
            pool: OrderedPool::start("corrupt-images", workers, capacity, work)?,
            chunk,
            ahead: None,
            waiting: VecDeque::new(),
            jobs: VecDeque::new(),
        })
    }

    /// Damaged images met since the last call, each as `name: reason`.
    pub fn take_damaged(&mut self) -> Vec<String> {
        self.reader.take_damaged()
    }

    /// The next block of undamaged images as they are; `None` at the end. All corruptions of the block before
    /// must have been taken.
    pub fn next_block(&mut self) -> anyhow::Result<Option<Arc<EvalBatch>>> {
        self.feed()?;
        Ok(self.ahead.take())
    }

    /// The images of the block under the next of the corruptions, `[n, size, size, 3]` RGB bytes.
    pub fn next_cell(&mut self) -> anyhow::Result<Vec<u8>> {
        self.feed()?;
        let jobs = self.jobs.pop_front().context("all corruptions of the block were taken")?;
        let mut pixels = Vec::new();
        for _ in 0..jobs {
            pixels.extend(self.pool.next()?.context("a corruption of the block is not under way")?);
            self.feed()?;
        }
        Ok(pixels)
    }

    /// Keeps the workers busy: with the jobs that wait, then with those of the block behind.
    fn feed(&mut self) -> anyhow::Result<()> {
        loop {
            while self.pool.room() > 0 {
                let Some(job) = self.waiting.pop_front() else { break };
                self.pool.submit(job)?;
            }
            if self.ahead.is_some() || !self.waiting.is_empty() {
                return Ok(());
            }
            let Some(block) = self.reader.next()? else { return Ok(()) };
            let count = block.labels.len();
            if count == 0 {
                continue;
            }
            let block = Arc::new(block);
            for &cell in &self.cells {
                let starts = (0..count).step_by(self.chunk);
                self.jobs.push_back(starts.len());
                self.waiting.extend(starts.map(|start| Job {
                    block: Arc::clone(&block),
                    images: start..count.min(start + self.chunk),
                    cell,
                }));
            }
            self.ahead = Some(block);
        }
    }
}

fn corrupted(job: &Job, corruptor: &Corruptor, size: usize) -> Vec<u8> {
    let each = size * size * 3;
    let (corruption, severity) = job.cell;
    let images = job.images.clone().flat_map(|image| {
        let pixels = &job.block.images[image * each..][..each];
        corruptor.apply(corruption, severity, pixels, size, size, job.block.indices[image] as u64)
    });
    images.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::corruptions::ParameterSet;
    use std::collections::BTreeMap;

    const SIZE: usize = 16;

    /// Made images, of which one cannot be decoded.
    struct Made {
        classes: Vec<String>,
        damaged: usize,
    }

    impl Dataset for Made {
        fn len(&self) -> usize {
            110
        }

        fn class_names(&self) -> &[String] {
            &self.classes
        }

        fn label(&self, index: usize) -> usize {
            index % 2
        }

        fn name(&self, index: usize) -> String {
            format!("made/{index}")
        }

        fn load(&self, index: usize, size: usize) -> anyhow::Result<Vec<u8>> {
            anyhow::ensure!(index != self.damaged, "damaged");
            Ok((0..size * size * 3).map(|i| ((i * 7 + index * 31) % 256) as u8).collect())
        }
    }

    fn cells() -> Cells {
        let corruptor = Some(Arc::new(Corruptor::new(ParameterSet::CifarC, 5)));
        Cells { cells: vec![(Corruption::GaussianNoise, 2), (Corruption::ShotNoise, 5)], corruptor }
    }

    /// The images of each corruption by their number in the set, read from place `first`; and the damaged
    /// ones.
    fn read(batch_size: usize, workers: usize, first: usize) -> (Vec<BTreeMap<usize, Vec<u8>>>, Vec<String>) {
        let set = Arc::new(Made { classes: vec!["a".into(), "b".into()], damaged: 41 });
        let options = EvalOptions { batch_size, image_size: SIZE, limit: 0, workers };
        let mut reader = CorruptedReader::start(set, options, first, cells()).unwrap();
        let mut found = vec![BTreeMap::new(); 2];
        let mut damaged = Vec::new();
        while let Some(block) = reader.next_block().unwrap() {
            for found in &mut found {
                let pixels = reader.next_cell().unwrap();
                let images = pixels.chunks(SIZE * SIZE * 3).map(<[u8]>::to_vec);
                assert_eq!(images.len(), block.labels.len());
                found.extend(block.indices.iter().copied().zip(images));
            }
            damaged.extend(reader.take_damaged());
        }
        damaged.extend(reader.take_damaged());
        (found, damaged)
    }

    #[test]
    fn every_image_comes_once_under_each_corruption_however_it_is_read() {
        let (found, damaged) = read(32, 3, 0);
        assert_eq!(damaged, ["made/41: damaged"]);
        let set = Made { classes: Vec::new(), damaged: 41 };
        let Cells { cells, corruptor } = cells();
        for (found, (corruption, severity)) in found.iter().zip(cells) {
            assert_eq!(found.len(), 109, "one is damaged, and left out of every corruption");
            for (&index, pixels) in found {
                let clean = set.load(index, SIZE).unwrap();
                let corruptor = corruptor.as_ref().unwrap();
                let wanted = corruptor.apply(corruption, severity, &clean, SIZE, SIZE, index as u64);
                assert!(*pixels == wanted && *pixels != clean, "image {index}");
            }
        }
        assert_eq!(read(7, 1, 0).0, found);
        let (rest, _) = read(32, 2, 64);
        let behind = |all: &BTreeMap<usize, Vec<u8>>| all.clone().split_off(&64);
        assert_eq!(rest, found.iter().map(behind).collect::<Vec<_>>());
    }
}
