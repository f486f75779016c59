//! The Square attack (Andriushchenko et al. 2020) on a batch: proposals are drawn here, image by image, and
//! made and judged on the GPU. It asks for logits alone, so that a network cannot hide its gradients from it.

use super::sized::SizedKind;
use super::{Draws, ImageBatch, Inference};
use crate::config::Square;
use crate::gpu::{Gpu, GpuError};
use crate::graph::{Plan, PlanBuilder};
use crate::kernels::attack::AttackShape;
use crate::kernels::reference::attack::into_ball;
use crate::kernels::square::{self, Proposal, SquareState};
use crate::training::buffers::{self, ARENA};
use crate::training::draws::{Stream, generator};
use crate::training::plans::PlanContext;
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

/// Share of the pixels that the first squares cover (section 4, for L∞ on ImageNet and CIFAR-10).
const FIRST_SHARE: f64 = 0.8;

/// Where the share halves, in queries of an attack of [`SCHEDULE`] (appendix B).
const HALVINGS: [f64; 9] = [10.0, 50.0, 200.0, 500.0, 1000.0, 2000.0, 4000.0, 6000.0, 8000.0];

/// Queries that the published schedule is for; others are stretched to it, as in the authors' code.
const SCHEDULE: f64 = 10_000.0;

/// Pixels of a side of the square that query `query` of `queries` moves on an image of `size` pixels a side.
fn side(query: u32, queries: u32, size: usize) -> u32 {
    let place = (f64::from(query) / f64::from(queries) * SCHEDULE).floor();
    let halved = HALVINGS.iter().filter(|from| place > **from).count() as i32;
    let share = FIRST_SHARE / 2.0_f64.powi(halved);
    ((share.sqrt() * size as f64).round_ties_even() as u32).max(1)
}

/// How far the label's logit lies above the largest other; not above 0 where the network is wrong.
fn margin(logits: &[f32], label: usize) -> f32 {
    let others = logits.iter().enumerate().filter(|(class, _)| *class != label);
    let margin = logits[label] - others.map(|(_, logit)| *logit).fold(f32::NEG_INFINITY, f32::max);
    if margin.is_nan() { 0.0 } else { margin }
}

impl PlanContext<'_> {
    /// Nothing to start with, and one proposal.
    pub(super) fn square_plans(&self, attack: &Square) -> [Plan; 2] {
        let shape = self.attack_shape(&self.inference_attack_place());
        let state = SquareState::new(&shape, buffers::ATTACK_STATE);
        let [clean, moved] = self.attack_pixels();
        let mut builder = PlanBuilder::new();
        let width = self.network.image_size;
        builder.push(square::propose(&shape, width, attack.epsilon, clean, &state, moved));
        [PlanBuilder::new(), builder].map(|builder| builder.finish(ARENA, self.chunk_limit))
    }
}

/// What the attack knows of the images of a batch.
struct Search {
    /// `[n, S, S, 3]`
    pixels: Vec<f32>,
    margins: Vec<f32>,
    draws: Vec<ChaCha8Rng>,
    query: u32,
}

impl Inference {
    /// One start of the Square attack through `domain`; leaves the images with the smallest margin as
    /// current.
    pub(super) fn square(
        &mut self,
        gpu: &mut Gpu,
        images: ImageBatch<'_>,
        attack: &Square,
        domain: usize,
        Draws { seed, start }: Draws,
    ) -> Result<(), GpuError> {
        let stream = |id: &u32| generator(seed, Stream::Square, u64::from(start), u64::from(*id));
        let mut search = Search {
            pixels: images.pixels.to_vec(),
            margins: Vec::new(),
            draws: images.ids.iter().map(stream).collect(),
            query: 0,
        };
        let size = self.network.image_size;
        for (image, rng) in search.pixels.chunks_exact_mut(size * size * 3).zip(&mut search.draws) {
            stripes(image, size, attack.epsilon, rng);
        }
        self.upload_moved(&gpu.device, images, &search.pixels);
        search.margins = self.margins(gpu, images.labels, domain)?;
        loop {
            let live: Vec<usize> = (0..images.labels.len()).filter(|i| search.margins[*i] > 0.0).collect();
            if live.is_empty() || search.query >= attack.queries {
                break;
            }
            self.squares(gpu, images, &live, attack, domain, &mut search)?;
        }
        self.upload_moved(&gpu.device, images, &search.pixels);
        Ok(())
    }

    /// Proposals for the `live` images until half of them are fooled, or the queries are used up: the other
    /// half then has smaller programs.
    fn squares(
        &mut self,
        gpu: &mut Gpu,
        images: ImageBatch<'_>,
        live: &[usize],
        attack: &Square,
        domain: usize,
        search: &mut Search,
    ) -> Result<(), GpuError> {
        let size = self.network.image_size;
        let each = size * size * 3;
        let of_live = |pixels: &[f32]| -> Vec<f32> {
            live.iter().flat_map(|i| &pixels[i * each..][..each]).copied().collect()
        };
        let [labels, ids] =
            [images.labels, images.ids].map(|all| live.iter().map(|i| all[*i]).collect::<Vec<_>>());
        let part = ImageBatch { pixels: &of_live(images.pixels), labels: &labels, ids: &ids };
        self.upload_moved(&gpu.device, part, &of_live(&search.pixels));
        // What was uploaded is the best so far.
        let mut proposals = vec![Proposal { keep: true, ..Proposal::default() }; live.len()];
        while search.query < attack.queries {
            let side = side(search.query, attack.queries, size);
            for (proposal, i) in proposals.iter_mut().zip(live) {
                let rng = &mut search.draws[*i];
                let first = |rng: &mut ChaCha8Rng| rng.random_range(0..(size as u32 - side).max(1));
                let (row, column) = (first(rng), first(rng));
                let up = [(); 3].map(|()| rng.random());
                let fooled = search.margins[*i] <= 0.0;
                *proposal =
                    Proposal { row, column, side: if fooled { 0 } else { side }, up, keep: proposal.keep };
            }
            self.propose(gpu, attack, domain, &proposals)?;
            search.query += 1;
            let margins = self.margins(gpu, &labels, domain)?;
            for ((proposal, i), margin) in proposals.iter_mut().zip(live).zip(margins) {
                let known = &mut search.margins[*i];
                proposal.keep = *known > 0.0 && (margin < *known || margin <= 0.0);
                if proposal.keep {
                    *known = margin;
                }
            }
            let fooled = live.iter().filter(|i| search.margins[**i] <= 0.0).count();
            if 2 * fooled >= live.len() {
                break;
            }
        }
        proposals.iter_mut().for_each(|proposal| proposal.side = 0);
        self.propose(gpu, attack, domain, &proposals)?;
        gpu.submit()?;
        let found = self.pixels(&gpu.device, live.len())?;
        for (image, i) in found.chunks_exact(each).zip(live) {
            search.pixels[i * each..][..each].copy_from_slice(image);
        }
        Ok(())
    }

    fn propose(
        &mut self,
        gpu: &mut Gpu,
        attack: &Square,
        domain: usize,
        proposals: &[Proposal],
    ) -> Result<(), GpuError> {
        let size = self.size_for(&gpu.device, proposals.len())?;
        // The number of queries is not part of a program.
        let planned = Square { queries: 1, ..*attack };
        let index = self.attack_programs(&gpu.device, size, &SizedKind::Square(planned), domain)?;
        let words: Vec<[u32; 4]> = proposals.iter().map(Proposal::words).collect();
        let area = self.network.image_size.pow(2);
        let shape = AttackShape { images: self.sizes[size].images(), rows_per_image: area };
        let table = SquareState::new(&shape, buffers::ATTACK_STATE).table;
        gpu.device.write(self.buffers.get(table.buffer), table.offset, &words);
        gpu.play(&self.sizes[size].attacks[index].iteration)
    }

    /// The margins of the current images.
    fn margins(&mut self, gpu: &mut Gpu, labels: &[u32], domain: usize) -> Result<Vec<f32>, GpuError> {
        let outcome = self.forward_current(gpu, labels, domain)?;
        let rows = outcome.logits.chunks_exact(self.network.classes).zip(labels);
        Ok(rows.map(|(logits, label)| margin(logits, *label as usize)).collect())
    }
}

/// The start: every column of every channel moved by ε, up or down (algorithm 1 for L∞).
fn stripes(image: &mut [f32], size: usize, epsilon: f32, rng: &mut ChaCha8Rng) {
    let up: Vec<bool> = (0..size * 3).map(|_| rng.random()).collect();
    for (i, value) in image.iter_mut().enumerate() {
        let moved = if up[i % (size * 3)] { *value + epsilon } else { *value - epsilon };
        *value = into_ball(moved, *value, epsilon);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Figures of `p_selection` and the side behind it in the authors' code, fra31/auto-attack.
    #[test]
    fn squares_shrink_by_the_published_schedule() {
        let sides =
            [0, 10, 11, 51, 201, 501, 1001, 2001, 4001, 6001, 8001].map(|query| side(query, 10_000, 32));
        assert_eq!(sides, [29, 29, 20, 14, 10, 7, 5, 4, 3, 2, 1]);
        assert_eq!([1, 2, 6, 100].map(|query| side(query, 1000, 224)), [200, 142, 100, 50]);
        assert_eq!(side(999, 1000, 3), 1);
    }

    #[test]
    fn a_margin_is_the_distance_to_the_largest_other_logit() {
        assert_eq!(margin(&[1.0, 4.0, 3.5], 1), 0.5);
        assert_eq!(margin(&[1.0, 4.0, 3.5], 2), -0.5);
        assert_eq!(margin(&[f32::NAN, 4.0], 0), 0.0);
    }
}
