//! What a micro-batch brings to the GPU: images, labels with their weights, mixing tables, attack labels.

use crate::config::{BranchSource, Config, Precision};
use crate::data::{Batch, Placement};
use crate::gpu::{BufferId, Upload};
use crate::graph::Network;
use crate::kernels::cross_entropy::table_row;
use crate::kernels::images::placement;
use crate::training::branch_buffers::{BranchBuffers, ExtraView};
use crate::training::buffers::{self, Buffers};
use crate::training::draws::{self, Mixing, Stream};
use crate::training::method::{Branch, Source};
use crate::training::parts::PhaseParts;
use anyhow::Context as _;
use rand::seq::SliceRandom as _;
use std::ops::Range;

/// A table row that copies an image.
fn copy(image: u32) -> [u32; 4] {
    [image, image, 1.0_f32.to_bits(), 0]
}

/// The draws of one micro-batch that its branches share.
#[derive(Default)]
struct Draws {
    mixing: Mixing,
    corners: [u32; 4],
}

/// Tables as they are made, kept for their memory: a step allocates none.
#[derive(Default)]
pub(super) struct Scratch {
    draws: Draws,
    rows: Vec<[u32; 4]>,
    table: Vec<[u32; 4]>,
    placements: Vec<[i32; 4]>,
    ids: Vec<u32>,
}

/// One micro-batch and where it goes.
pub(super) struct MicroBatch<'a> {
    pub(super) config: &'a Config,
    pub(super) network: &'a Network,
    pub(super) phase: &'a PhaseParts,
    pub(super) buffers: &'a Buffers,
    pub(super) holds_images: bool,
    pub(super) step: u64,
    pub(super) micro: usize,
    pub(super) batch: &'a Batch,
}

impl MicroBatch<'_> {
    fn images(&self) -> usize {
        self.config.run.batch_size / self.config.run.accumulate
    }

    /// Its images among those of the step.
    fn range(&self) -> Range<usize> {
        self.micro * self.images()..(self.micro + 1) * self.images()
    }

    pub(super) fn upload(&self, scratch: &mut Scratch, to: &mut Upload<'_>) -> anyhow::Result<()> {
        let (batch, images) = (self.batch, self.images());
        let range = self.range();
        if self.holds_images {
            let stored = |i| batch.samples[i] as usize;
            self.placements(&batch.placements, buffers::PLACEMENTS, stored, scratch, to);
        } else {
            self.images_to(&batch.images, buffers::BYTES, to);
            let stored = |i| i - range.start;
            self.placements(&batch.placements, buffers::PLACEMENTS, stored, scratch, to);
        }
        let method = &self.phase.phase.method;
        for extra in ExtraView::wanted(&method.branches) {
            let made =
                if extra.source == BranchSource::Corrupted { &batch.corrupted } else { &batch.augmented };
            let name = extra.source.name();
            let view = made.as_ref().with_context(|| format!("the loader made no {name} view"))?;
            self.images_to(&view.images, extra.bytes, to);
            let stored = |i| i - range.start;
            self.placements(&view.placements, extra.placements, stored, scratch, to);
        }
        let mixes = |b: &Branch| matches!(b.source, Source::Mixup { .. } | Source::Cutmix);
        if method.branches.iter().any(mixes) {
            self.draw(&mut scratch.draws)?;
        }
        scratch.rows.clear();
        scratch.rows.resize(self.phase.rows_at.total, [0; 4]);
        for (index, branch) in method.branches.iter().enumerate() {
            self.branch_rows(index, branch, scratch);
            if let Some(own) = BranchBuffers::new(index, branch, images).own_pixels() {
                to.write(self.buffers.get(own.table), &scratch.table);
            }
        }
        for attack in &self.phase.attacks {
            let branch = &method.branches[attack.branch];
            self.attack(attack.branch, branch, attack.targeted, scratch, to);
            if attack.deal.is_some() {
                self.deal(attack.branch, branch, scratch, to);
            }
        }
        to.write(self.buffers.get(buffers::ROWS), &scratch.rows);
        Ok(())
    }

    fn images_to(&self, images: &[u8], id: BufferId, to: &mut Upload<'_>) {
        let each = self.network.image_size.pow(2) * 3;
        let Range { start, end } = self.range();
        to.write(self.buffers.get(id), &images[start * each..end * each]);
    }

    /// `stored` says which of the images on the GPU an image of the batch is.
    fn placements(
        &self,
        placements: &[Placement],
        id: BufferId,
        stored: impl Fn(usize) -> usize,
        scratch: &mut Scratch,
        to: &mut Upload<'_>,
    ) {
        let row = |i: usize| {
            let Placement { dx, dy, flip } = placements[i];
            placement(stored(i), dx, dy, flip)
        };
        scratch.placements.clear();
        scratch.placements.extend(self.range().map(row));
        to.write(self.buffers.get(id), &scratch.placements);
    }

    fn draw(&self, draws: &mut Draws) -> anyhow::Result<()> {
        let (seed, micro) = (self.config.run.seed, self.micro as u64);
        let mut rng = draws::generator(seed, Stream::Mixup, self.step, micro);
        draws.mixing.draw(&self.config.method.mixup, self.images(), &mut rng)?;
        let mut rng = draws::generator(seed, Stream::Cutmix, self.step, micro);
        draws.corners = draws::cutmix_box(draws.mixing.lambda, self.network.image_size as u32, &mut rng);
        Ok(())
    }

    /// Fills a branch's loss rows and its image table.
    fn branch_rows(&self, index: usize, branch: &Branch, scratch: &mut Scratch) {
        let labels = &self.batch.labels[self.range()];
        let Scratch { draws: Draws { mixing, corners }, rows, table, .. } = scratch;
        // Fast AdvProp's losses are sums; the optimizer divides the gradients.
        let recycle = self.phase.phase.method.recycle;
        let count = if recycle { 1.0 } else { branch.images.len() as f32 };
        let weight = branch.weight / count;
        table.clear();
        let rows = &mut rows[self.phase.rows_at.branch_first[index]..];
        for (position, (image, to)) in branch.images.clone().zip(rows).enumerate() {
            let label = labels[image];
            match branch.source {
                Source::Mixup { mixed } if position < mixed => {
                    let partner = mixing.partners[image];
                    let other = labels[partner as usize];
                    *to = table_row(label, other, mixing.lambda, weight);
                    table.push([image as u32, partner, mixing.lambda.to_bits(), 0]);
                }
                Source::Cutmix => {
                    let partner = mixing.partners[image];
                    let other = labels[partner as usize];
                    let lambda = draws::cutmix_lambda(*corners, self.network.image_size as u32);
                    *to = table_row(label, other, lambda, weight);
                    table.extend([[image as u32, partner, 0, 0], *corners]);
                }
                _ => {
                    *to = table_row(label, label, 1.0, weight);
                    table.push(copy(image as u32));
                }
            }
        }
    }

    /// Labels and image numbers of one attacked branch.
    fn attack(
        &self,
        index: usize,
        branch: &Branch,
        targeted: bool,
        scratch: &mut Scratch,
        to: &mut Upload<'_>,
    ) {
        let (seed, classes) = (self.config.run.seed, self.network.classes as u32);
        let mut rng = draws::generator(seed, Stream::Target, self.step, self.micro as u64);
        // Only the sign of an attack's gradient counts; weight 1 keeps it far from underflow. In half
        // precision the loss scale does that, and it fits gradients of a mean. With recycling the same loss
        // trains.
        let weight = match self.config.run.precision {
            _ if self.phase.phase.method.recycle => branch.weight,
            Precision::F32 => 1.0,
            Precision::F16 => 1.0 / branch.images.len() as f32,
        };
        scratch.table.clear();
        scratch.table.extend(self.batch.labels[self.range()].iter().map(|label| {
            let aim = if targeted { draws::wrong_class(*label, classes, &mut rng) } else { *label };
            table_row(aim, aim, 1.0, weight)
        }));
        let rows = &scratch.table[branch.images.clone()];
        to.write(self.buffers.get(buffers::branch_attack_rows(index)), rows);
        // Distinct within a step, so that every image starts its attack from noise of its own.
        let first = self.range().start;
        scratch.ids.clear();
        scratch.ids.extend(branch.images.clone().map(|image| (first + image) as u32));
        to.write(self.buffers.get(buffers::branch_image_ids(index)), &scratch.ids);
    }

    /// Which of the pool's adversarial images this micro-batch gets, with their labels.
    fn deal(&self, index: usize, branch: &Branch, scratch: &mut Scratch, to: &mut Upload<'_>) {
        let (images, each) = (self.images(), branch.images.len());
        let Scratch { rows, table, ids: order, .. } = scratch;
        order.clear();
        order.extend(0..(each * self.config.run.accumulate) as u32);
        order.shuffle(&mut draws::generator(self.config.run.seed, Stream::Pool, self.step, 0));
        let mine = &order[self.micro * each..(self.micro + 1) * each];
        table.clear();
        table.extend(mine.iter().map(|at| copy(*at)));
        to.write(self.buffers.get(buffers::POOL_TABLE), table);
        let rows = &mut rows[self.phase.rows_at.branch_first[index]..];
        for (to, at) in rows.iter_mut().zip(mine) {
            let at = *at as usize;
            let image = at / each * images + branch.images.start + at % each;
            *to = table_row(self.batch.labels[image], self.batch.labels[image], 1.0, branch.weight);
        }
    }
}
