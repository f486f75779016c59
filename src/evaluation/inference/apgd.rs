//! Auto-PGD (Croce & Hein 2020) on a batch: its plans, and one start of it.

use super::sized::SizedKind;
use super::{Draws, ImageBatch, Inference, attack_pass};
use crate::config::{Apgd, ApgdLoss, AttackConfig, AttackKind};
use crate::gpu::{Gpu, GpuError, View};
use crate::graph::{Plan, PlanBuilder};
use crate::kernels::apgd::{self, ApgdState, Checkpoints};
use crate::kernels::attack::AttackShape;
use crate::kernels::cross_entropy::{self, LossShape, table_row};
use crate::kernels::{dlr, optimizer};
use crate::training::buffers::{self, ARENA};
use crate::training::plans::PlanContext;

impl PlanContext<'_> {
    /// The start of Auto-PGD, and one pass of it: loss and gradient, what is kept, the next point.
    pub(super) fn apgd_plans(&self, attack: &Apgd, domain: usize) -> [Plan; 2] {
        let (place, pass) = (self.inference_attack_place(), attack_pass(domain));
        let shape = self.attack_shape(&place);
        let state = ApgdState::new(&shape, buffers::ATTACK_STATE);
        let start = AttackConfig {
            kind: AttackKind::Pgd,
            epsilon: attack.epsilon,
            random_start: attack.random_start,
            ..AttackConfig::default()
        };
        let mut start = self.attack_start(&start, pass, &place);
        start.launches.push(optimizer::zero(shape.images * 12, state.records));

        let mut builder = PlanBuilder::new();
        let classes = self.network.classes;
        let rows = LossShape { rows: place.images, classes, smoothing: 0.0, negate: false };
        let results = View::whole(buffers::RESULTS, place.images * 4);
        let gradient =
            self.image_gradient(&mut builder, pass, &place, Some(results), |views| match attack.loss {
                ApgdLoss::CrossEntropy => {
                    let d_logits = Some(views.d_logits);
                    cross_entropy::cross_entropy(&rows, views.logits, views.table, views.results, d_logits)
                }
                ApgdLoss::TargetedDlr => {
                    dlr::targeted(&rows, views.logits, views.table, views.results, views.d_logits)
                }
            });
        let checkpoints = Checkpoints::published(attack.iterations);
        let [clean, moved] = self.attack_pixels();
        builder.push(apgd::check(&shape, &checkpoints, attack.epsilon, results, &state));
        builder.push(apgd::step(&shape, attack.epsilon, clean, gradient, &state, moved));
        [start, builder.finish(ARENA, self.chunk_limit)]
    }
}

impl Inference {
    /// One start of Auto-PGD through `domain`; leaves as current what fooled the network last, or where
    /// nothing did, what has the highest loss. `aims` has the other class of each image for a targeted loss.
    pub(super) fn apgd(
        &mut self,
        gpu: &mut Gpu,
        images: ImageBatch<'_>,
        aims: &[u32],
        attack: &Apgd,
        domain: usize,
        draws: Draws,
    ) -> Result<(), GpuError> {
        let size = self.size_for(&gpu.device, images.labels.len())?;
        let index = self.attack_programs(&gpu.device, size, &SizedKind::Apgd(*attack), domain)?;
        self.upload(&gpu.device, images);
        let pairs = images.labels.iter().zip(aims);
        let rows: Vec<[u32; 4]> = pairs.map(|(label, aim)| table_row(*label, *aim, 1.0, 1.0)).collect();
        gpu.device.write(self.buffers.get(buffers::ATTACK_ROWS), 0, &rows);
        self.write_draws(&gpu.device, draws);
        gpu.play(&self.sizes[size].attacks[index].start)?;
        // The first pass looks at the start.
        for _ in 0..=attack.iterations {
            gpu.play(&self.sizes[size].attacks[index].iteration)?;
        }
        let area = self.network.image_size.pow(2);
        let planned = AttackShape { images: self.sizes[size].images(), rows_per_image: area };
        let result = ApgdState::new(&planned, buffers::ATTACK_STATE).result;
        let bytes = (images.labels.len() * area * 16) as u64;
        let (state, current) = (self.buffers.get(buffers::ATTACK_STATE), self.buffers.get(buffers::CURRENT));
        gpu.player.copy(&gpu.device, (state, result.offset), (current, 0), bytes);
        gpu.submit()
    }
}
