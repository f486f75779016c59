//! What a micro-batch brings to the GPU: images, labels with their weights, mixing tables, attack labels.

use super::Engine;
use crate::config::{MixupConfig, Precision};
use crate::data::{Batch, Placement};
use crate::gpu::BufferId;
use crate::kernels::images::placement;
use crate::training::buffers;
use crate::training::draws::{self, Mixing, Stream};
use crate::training::method::{Branch, Source};
use anyhow::Context as _;
use rand::seq::SliceRandom as _;
use std::ops::Range;

/// A row of the loss: two labels, the first one's share and the weight of the row.
fn row(first: u32, second: u32, lambda: f32, weight: f32) -> [u32; 4] {
    [first, second, lambda.to_bits(), weight.to_bits()]
}

/// A table row that copies an image.
fn copy(image: u32) -> [u32; 4] {
    [image, image, 1.0_f32.to_bits(), 0]
}

/// The draws of one micro-batch that its branches share.
struct Draws {
    mixing: Mixing,
    corners: [u32; 4],
}

impl Engine {
    pub(super) fn upload(&self, step: u64, micro: usize, batch: &Batch) -> anyhow::Result<()> {
        let images = self.micro_images();
        let range = micro * images..(micro + 1) * images;
        if self.holds_images {
            self.upload_placements(&batch.placements, &range, buffers::PLACEMENTS, |i| {
                batch.samples[i] as usize
            });
        } else {
            let (bytes, placements) = (buffers::BYTES, buffers::PLACEMENTS);
            self.upload_images(&batch.images, &batch.placements, &range, bytes, placements);
        }
        let phase = self.parts.phase_at(step);
        let method = &phase.phase.method;
        if method.branches.iter().any(|b| b.source == Source::Augmented) {
            let view = batch.augmented.as_ref().context("the loader made no augmented view")?;
            let (bytes, placements) = (buffers::AUGMENTED_BYTES, buffers::AUGMENTED_PLACEMENTS);
            self.upload_images(&view.images, &view.placements, &range, bytes, placements);
        }
        let labels = &batch.labels[range];
        let mixes = |b: &Branch| matches!(b.source, Source::Mixup { .. } | Source::Cutmix);
        let draws = method.branches.iter().any(mixes).then(|| self.draw(step, micro, images)).transpose()?;
        let mut rows = vec![[0_u32; 4]; phase.rows_at.total];
        for (index, branch) in method.branches.iter().enumerate() {
            let own = &labels[branch.images.clone()];
            // Fast AdvProp's losses are sums; the optimizer divides the gradients.
            let count = if method.recycle { 1.0 } else { own.len() as f32 };
            let weight = branch.weight / count;
            let first = phase.rows_at.branch_first[index];
            let place = first..first + own.len();
            let table = self.branch_rows(branch, labels, weight, draws.as_ref(), &mut rows[place]);
            let whole = own.len() == images;
            if !(whole && matches!(branch.source, Source::Clean | Source::Augmented | Source::Attack { .. }))
            {
                self.device.write(self.parts.buffers.get(buffers::branch_table(index)), 0, &table);
            }
        }
        for attack in &phase.attacks {
            let branch = &method.branches[attack.branch];
            self.upload_attack(step, micro, attack.branch, branch, attack.targeted, labels, method.recycle);
            if attack.deal.is_some() {
                let first = phase.rows_at.branch_first[attack.branch];
                let place = first..first + branch.images.len();
                self.deal(step, micro, branch, batch, &mut rows[place]);
            }
        }
        self.device.write(self.parts.buffers.get(buffers::ROWS), 0, &rows);
        Ok(())
    }

    fn upload_images(
        &self,
        images: &[u8],
        placements: &[Placement],
        range: &Range<usize>,
        bytes_to: BufferId,
        placements_to: BufferId,
    ) {
        let each = self.network.image_size.pow(2) * 3;
        let bytes = &images[range.start * each..range.end * each];
        let mut padded = bytes.to_vec();
        padded.resize(bytes.len().next_multiple_of(4), 0);
        self.device.write(self.parts.buffers.get(bytes_to), 0, &padded);
        self.upload_placements(placements, range, placements_to, |i| i - range.start);
    }

    /// `stored` says which of the images on the GPU an image of the batch is.
    fn upload_placements(
        &self,
        placements: &[Placement],
        range: &Range<usize>,
        to: BufferId,
        stored: impl Fn(usize) -> usize,
    ) {
        let row = |i: usize| {
            let Placement { dx, dy, flip } = placements[i];
            placement(stored(i), dx, dy, flip)
        };
        let rows: Vec<[i32; 4]> = range.clone().map(row).collect();
        self.device.write(self.parts.buffers.get(to), 0, &rows);
    }

    fn draw(&self, step: u64, micro: usize, images: usize) -> anyhow::Result<Draws> {
        let config: &MixupConfig = &self.config.method.mixup;
        let (seed, micro) = (self.config.run.seed, micro as u64);
        let mut rng = draws::generator(seed, Stream::Mixup, step, micro);
        let mixing = Mixing::draw(config, images, &mut rng)?;
        let mut rng = draws::generator(seed, Stream::Cutmix, step, micro);
        let corners = draws::cutmix_box(mixing.lambda, self.network.image_size as u32, &mut rng);
        Ok(Draws { mixing, corners })
    }

    /// Fills a branch's loss rows and returns its image table.
    fn branch_rows(
        &self,
        branch: &Branch,
        labels: &[u32],
        weight: f32,
        draws: Option<&Draws>,
        rows: &mut [[u32; 4]],
    ) -> Vec<[u32; 4]> {
        let mut table = Vec::new();
        for (position, (image, to)) in branch.images.clone().zip(rows).enumerate() {
            let label = labels[image];
            match (&branch.source, draws) {
                (Source::Mixup { mixed }, Some(Draws { mixing, .. })) if position < *mixed => {
                    let partner = mixing.partners[image];
                    let other = labels[partner as usize];
                    *to = row(label, other, mixing.lambda, weight);
                    table.push([image as u32, partner, mixing.lambda.to_bits(), 0]);
                }
                (Source::Cutmix, Some(Draws { mixing, corners })) => {
                    let partner = mixing.partners[image];
                    let other = labels[partner as usize];
                    let lambda = draws::cutmix_lambda(*corners, self.network.image_size as u32);
                    *to = row(label, other, lambda, weight);
                    table.extend([[image as u32, partner, 0, 0], *corners]);
                }
                _ => {
                    *to = row(label, label, 1.0, weight);
                    table.push(copy(image as u32));
                }
            }
        }
        table
    }

    /// Labels and image numbers of one attacked branch.
    fn upload_attack(
        &self,
        step: u64,
        micro: usize,
        index: usize,
        branch: &Branch,
        targeted: bool,
        labels: &[u32],
        recycle: bool,
    ) {
        let (seed, classes) = (self.config.run.seed, self.network.classes as u32);
        let mut rng = draws::generator(seed, Stream::Target, step, micro as u64);
        // Only the sign of an attack's gradient counts; weight 1 keeps it far from underflow. In half precision the
        // loss scale does that, and it fits gradients of a mean. With recycling the same loss trains.
        let weight = match self.config.run.precision {
            _ if recycle => branch.weight,
            Precision::F32 => 1.0,
            Precision::F16 => 1.0 / branch.images.len() as f32,
        };
        let rows: Vec<[u32; 4]> = labels
            .iter()
            .map(|label| {
                let aim = if targeted { draws::wrong_class(*label, classes, &mut rng) } else { *label };
                row(aim, aim, 1.0, weight)
            })
            .collect();
        let (device, made) = (&self.device, &self.parts.buffers);
        let rows = &rows[branch.images.clone()];
        device.write(made.get(buffers::branch_attack_rows(index)), 0, rows);
        // Distinct within a step, so that every image starts its attack from noise of its own.
        let first = micro * self.micro_images();
        let ids: Vec<u32> = branch.images.clone().map(|image| (first + image) as u32).collect();
        device.write(made.get(buffers::branch_image_ids(index)), 0, &ids);
    }

    /// Which of the pool's adversarial images this micro-batch gets, with their labels.
    fn deal(&self, step: u64, micro: usize, branch: &Branch, batch: &Batch, rows: &mut [[u32; 4]]) {
        let (images, each) = (self.micro_images(), branch.images.len());
        let mut order: Vec<usize> = (0..each * self.config.run.accumulate).collect();
        order.shuffle(&mut draws::generator(self.config.run.seed, Stream::Pool, step, 0));
        let mine = &order[micro * each..(micro + 1) * each];
        let table: Vec<[u32; 4]> = mine.iter().map(|at| copy(*at as u32)).collect();
        self.device.write(self.parts.buffers.get(buffers::POOL_TABLE), 0, &table);
        for (to, at) in rows.iter_mut().zip(mine) {
            let image = at / each * images + branch.images.start + at % each;
            *to = row(batch.labels[image], batch.labels[image], 1.0, branch.weight);
        }
    }
}
