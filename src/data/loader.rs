//! The endless stream of training batches, read ahead on worker threads.
//!
//! A batch is decided by the seed and its step alone: not by the number of threads, their timing, or where a resumed
//! run began. An epoch's order is a permutation drawn from (seed, epoch), an image's crop and flip from (seed, epoch,
//! image). A damaged image gives its place to the next undamaged one in the epoch's order, so that steps per epoch
//! do not depend on what is damaged.

use std::sync::Arc;

use anyhow::{bail, ensure};

use super::Dataset;
use super::random::{Purpose, Random};
use super::reader::{Gap, Reader};
use crate::config::Augmentation;

/// What a [`Loader`] reads and how.
#[derive(Clone, Debug)]
pub struct LoaderOptions {
    /// Images a batch; a last partial batch of an epoch is left out.
    pub batch_size: usize,
    /// Side of the images, pixels.
    pub image_size: usize,
    /// False: the set's own order, every epoch.
    pub shuffle: bool,
    pub seed: u64,
    pub augment: Vec<Augmentation>,
    /// Steps that are already done: the first batch is the one of this step, counted from 0.
    pub start_step: u64,
    /// Threads; 0: one a core.
    pub workers: usize,
}

/// Where an image is cut out and whether it is mirrored: output(x, y) = P(x + dx, y + dy), where P is the image,
/// mirrored left to right first if `flip`, and zero (black) outside its borders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// Pixels, at most an eighth of the side either way.
    pub dx: i32,
    pub dy: i32,
    pub flip: bool,
}

impl Placement {
    /// Draws the placement of image `sample` in `epoch`. The draws do not depend on each other: leaving an
    /// augmentation out changes nothing else.
    pub fn draw(augment: &[Augmentation], seed: u64, epoch: u64, sample: u32, image_size: usize) -> Self {
        let mut random = Random::new(Purpose::Placement, [seed, epoch, u64::from(sample)]);
        let reach = (image_size as u32 + 4) / 8;
        let mut shift = || random.below(2 * reach + 1) as i32 - reach as i32;
        let (dx, dy) = (shift(), shift());
        let flip = random.chance(0.5) && augment.contains(&Augmentation::Flip);
        if augment.contains(&Augmentation::Crop) {
            Self { dx, dy, flip }
        } else {
            Self { dx: 0, dy: 0, flip }
        }
    }
}

/// One step's images, `n` = batch size.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// The step that the batch is for, from 0.
    pub step: u64,
    /// `[n, image_size, image_size, 3]` RGB bytes, not yet cropped or flipped.
    pub images: Vec<u8>,
    pub labels: Vec<u32>,
    /// How the GPU is to crop and flip each image.
    pub placements: Vec<Placement>,
    /// Index of each image in its set.
    pub samples: Vec<u32>,
}

/// Fails for augmentations that are not there yet.
pub fn check_augment(augment: &[Augmentation]) -> anyhow::Result<()> {
    for item in augment {
        let name = match item {
            Augmentation::Crop | Augmentation::Flip => continue,
            Augmentation::Inception => "inception",
            Augmentation::Autoaugment => "autoaugment",
            Augmentation::Randaugment => "randaugment",
            Augmentation::Cutout => "cutout",
        };
        bail!("`data.augment`: \"{name}\" comes in a later version; this one has \"crop\" and \"flip\"");
    }
    Ok(())
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
}

impl Loader {
    pub fn start(set: Arc<dyn Dataset>, options: LoaderOptions) -> anyhow::Result<Self> {
        check_augment(&options.augment)?;
        let images = set.len();
        ensure!(
            images >= options.batch_size,
            "the training set has {images} images, which do not fill one batch of {}; lower `run.batch_size`",
            options.batch_size
        );
        let LoaderOptions { batch_size, image_size, start_step, workers, .. } = options;
        let reader = Reader::start(set, images, image_size, batch_size, Gap::NextImage, workers)?;
        let mut loader =
            Self { reader, images, options, step: start_step, ordered_step: start_step, order: None };
        loader.order_ahead()?;
        Ok(loader)
    }

    pub fn steps_per_epoch(&self) -> u64 {
        (self.images / self.options.batch_size) as u64
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
        let epoch = step / self.steps_per_epoch();
        let LoaderOptions { augment, seed, image_size, .. } = &self.options;
        let place = |&sample: &u32| Placement::draw(augment, *seed, epoch, sample, *image_size);
        let placements = read.samples.iter().map(place).collect();
        Ok(Batch { step, images: read.pixels, labels: read.labels, placements, samples: read.samples })
    }

    /// Damaged images met since the last call, each as `name: reason`.
    pub fn take_damaged(&mut self) -> Vec<String> {
        self.reader.take_damaged()
    }

    fn order_ahead(&mut self) -> anyhow::Result<()> {
        while self.reader.has_room() {
            let (epoch, within) =
                (self.ordered_step / self.steps_per_epoch(), self.ordered_step % self.steps_per_epoch());
            if self.options.shuffle && self.order.as_ref().is_none_or(|(drawn, _)| *drawn != epoch) {
                let mut random = Random::new(Purpose::EpochOrder, [self.options.seed, epoch, 0]);
                self.order = Some((epoch, Arc::new(random.permutation(self.images as u32))));
            }
            let start = within as usize * self.options.batch_size;
            let order = self.order.as_ref().map(|(_, order)| order);
            self.reader.order(order, start..start + self.options.batch_size)?;
            self.ordered_step += 1;
        }
        Ok(())
    }
}
