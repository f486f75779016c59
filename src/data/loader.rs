//! The endless stream of training batches, read ahead on worker threads.
//!
//! A batch is decided by the seed and its step alone: not by the number of threads, their timing, or where a
//! resumed run began. An epoch's order is drawn from (seed, epoch), all that happens to an image from (seed,
//! epoch, place in the order). A damaged image gives its place to the next undamaged one in the epoch's
//! order, so that steps per epoch do not depend on what is damaged.

use super::Dataset;
use super::augment::{Placement, Recipe, Shown, Views};
use super::corrupting::Corrupting;
use super::random::{Purpose, Random};
use super::reader::{Gap, Making, Reader, ReaderOptions};
use anyhow::{bail, ensure};
use std::sync::Arc;

/// What a [`Loader`] reads and how.
#[derive(Clone, Debug)]
pub struct LoaderOptions {
    /// Images a batch; a last partial batch of an epoch is left out.
    pub batch_size: usize,
    /// Side of the images, pixels.
    pub image_size: usize,
    /// False: the set's own order, every epoch.
    pub shuffle: bool,
    /// Takes the place of `shuffle`: every place of an epoch goes to a class drawn evenly, then to one of its
    /// images, with replacement.
    pub balanced: bool,
    pub seed: u64,
    pub recipe: Recipe,
    pub views: Views,
    /// How a view of corrupted images is made beside the others; not with [`Views::Placements`].
    pub corrupting: Option<Corrupting>,
    /// Steps that are already done: the first batch is the one of this step, counted from 0.
    pub start_step: u64,
    /// Threads; 0: one a core.
    pub workers: usize,
}

/// Images with what the GPU still has to do to them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlacedImages {
    /// `[n, image_size, image_size, 3]` RGB bytes.
    pub images: Vec<u8>,
    /// How the GPU is to crop and flip each image.
    pub placements: Vec<Placement>,
}

impl PlacedImages {
    /// An empty view with room for `images` of `bytes` each.
    pub(super) fn with_room(images: usize, bytes: usize) -> Self {
        Self { images: Vec::with_capacity(images * bytes), placements: Vec::with_capacity(images) }
    }

    pub(super) fn push(&mut self, shown: Shown) {
        self.images.extend_from_slice(&shown.rgb);
        self.placements.push(shown.placement);
    }

    pub(super) fn append(&mut self, other: &mut PlacedImages) {
        self.images.append(&mut other.images);
        self.placements.append(&mut other.placements);
    }
}

/// One step's images, `n` = batch size.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// The step that the batch is for, from 0.
    pub step: u64,
    /// `[n, image_size, image_size, 3]` RGB bytes, cropped and flipped as far as `placements` do not say it.
    /// With [`Views::Two`] the plain view; with [`Views::Placements`] empty.
    pub images: Vec<u8>,
    pub labels: Vec<u32>,
    /// How the GPU is to crop and flip each image.
    pub placements: Vec<Placement>,
    /// The augmented view of the same images, in the same order; exactly with [`Views::Two`].
    pub augmented: Option<PlacedImages>,
    /// The corrupted view of the same images, in the same order; exactly with [`LoaderOptions::corrupting`].
    pub corrupted: Option<PlacedImages>,
    /// Index of each image in its set.
    pub samples: Vec<u32>,
}

/// Batches of step `start_step`, `start_step + 1`, … without end.
pub struct Loader {
    reader: Reader,
    images: usize,
    options: LoaderOptions,
    /// Steps of the next batch to hand out and to order.
    step: u64,
    ordered_step: u64,
    /// Epoch of the last order drawn.
    order: Option<(u64, Arc<Vec<u32>>)>,
    /// The images of each class that has any; empty unless orders are balanced.
    by_class: Vec<Vec<u32>>,
}

impl Loader {
    pub fn start(set: Arc<dyn Dataset>, options: LoaderOptions) -> anyhow::Result<Self> {
        let images = set.len();
        steps_per_epoch(images, options.batch_size)?;
        let &LoaderOptions { batch_size, image_size, views, seed, start_step, workers, .. } = &options;
        let reading = ReaderOptions {
            total: images,
            size: image_size,
            batch_size,
            gap: Gap::NextImage,
            making: Making::Training {
                recipe: options.recipe.clone(),
                views,
                corrupting: options.corrupting.clone(),
                seed,
            },
            workers,
        };
        let by_class = if options.balanced { images_by_class(set.as_ref()) } else { Vec::new() };
        let reader = Reader::start(set, reading)?;
        let (step, ordered_step) = (start_step, start_step);
        let mut loader = Self { reader, images, options, step, ordered_step, order: None, by_class };
        loader.order_ahead()?;
        Ok(loader)
    }

    /// Waits for the next batch. Fails when more than 1% of the set has turned out damaged.
    #[expect(
        clippy::should_implement_trait,
        reason = "a stream without end whose items may be errors is no iterator"
    )]
    pub fn next(&mut self) -> anyhow::Result<Batch> {
        let Some(read) = self.reader.next()? else { bail!("no batch was ordered after an earlier failure") };
        self.order_ahead()?;
        let step = self.step;
        self.step += 1;
        Ok(Batch {
            step,
            images: read.first.images,
            placements: read.first.placements,
            augmented: read.augmented,
            corrupted: read.corrupted,
            labels: read.labels,
            samples: read.samples,
        })
    }

    /// Damaged images met since the last call, each as `name: reason`.
    pub fn take_damaged(&mut self) -> Vec<String> {
        self.reader.take_damaged()
    }

    fn order_ahead(&mut self) -> anyhow::Result<()> {
        let steps = (self.images / self.options.batch_size) as u64;
        while self.reader.has_room() {
            let (epoch, within) = (self.ordered_step / steps, self.ordered_step % steps);
            if self.order.as_ref().is_none_or(|(drawn, _)| *drawn != epoch) {
                self.order = self.draw_order(epoch).map(|order| (epoch, Arc::new(order)));
            }
            let start = within as usize * self.options.batch_size;
            let order = self.order.as_ref().map(|(_, order)| order);
            self.reader.order(order, epoch, start..start + self.options.batch_size)?;
            self.ordered_step += 1;
        }
        Ok(())
    }

    /// The images of an epoch; `None`: as they are numbered.
    fn draw_order(&self, epoch: u64) -> Option<Vec<u32>> {
        let random = |purpose| Random::new(purpose, [self.options.seed, epoch, 0]);
        if self.options.balanced {
            let mut random = random(Purpose::BalancedOrder);
            let mut draw = || {
                let class = &self.by_class[random.below(self.by_class.len() as u32) as usize];
                class[random.below(class.len() as u32) as usize]
            };
            Some((0..self.images).map(|_| draw()).collect())
        } else if self.options.shuffle {
            Some(random(Purpose::EpochOrder).permutation(self.images as u32))
        } else {
            None
        }
    }
}

/// Batches of an epoch over `images`; fails when there is none.
pub fn steps_per_epoch(images: usize, batch_size: usize) -> anyhow::Result<u64> {
    ensure!(batch_size > 0, "`run.batch_size` is 0, expected at least 1");
    ensure!(
        images >= batch_size,
        "the training set has {images} images, which do not fill one batch of {batch_size}; lower `run.batch_size`"
    );
    Ok((images / batch_size) as u64)
}

fn images_by_class(set: &dyn Dataset) -> Vec<Vec<u32>> {
    let mut by_class = vec![Vec::new(); set.class_names().len()];
    for index in 0..set.len() {
        by_class[set.label(index)].push(index as u32);
    }
    by_class.retain(|images| !images.is_empty());
    by_class
}
