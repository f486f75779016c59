//! Programs for batches of one size. A single image must not cost as much as sixty-four: a batch that fills
//! no more than half has programs of its own, over the same buffers, made when the first such batch comes.

use super::fitting::probe_attack;
use super::{Inference, attack_pass};
use crate::config::{Apgd, AttackConfig, Square};
use crate::gpu::{Device, GpuError, Program};
use crate::graph::Plan;
use crate::kernels::apgd::ApgdState;
use crate::kernels::square::SquareState;
use crate::training::buffers::ARENA;
use crate::training::plans::PlanContext;

/// Attacks kept for each size. Enough for a sweep over strengths; an endless one must not hold every program
/// it made.
const KEPT_ATTACKS: usize = 32;

/// What runs on batches of up to `images` images.
pub(super) struct Sized {
    images: usize,
    /// By domain.
    pub(super) forward: Vec<Program>,
    /// Made so far.
    pub(super) attacks: Vec<SizedAttack>,
}

/// What is planned for an attack.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum SizedKind {
    Signs(AttackConfig),
    Apgd(Apgd),
    Square(Square),
}

/// One attack through one domain.
pub(super) struct SizedAttack {
    kind: SizedKind,
    domain: usize,
    pub(super) start: Program,
    pub(super) iteration: Program,
}

impl Sized {
    /// The most images of these programs.
    pub(super) fn images(&self) -> usize {
        self.images
    }

    /// The forward pass by domain and, as the largest of all, an attack's iteration.
    pub(super) fn plans(context: &PlanContext<'_>) -> Vec<Plan> {
        let domains = 0..context.network.layout.domains;
        domains.map(|domain| context.inference(domain)).chain([probe_attack(context)]).collect()
    }
}

impl PlanContext<'_> {
    /// Bytes of [`buffers::ATTACK_STATE`] for an attack on all images of the context.
    fn attack_state_bytes(&self, kind: &SizedKind) -> u64 {
        let shape = self.attack_shape(&self.inference_attack_place());
        match kind {
            SizedKind::Signs(attack) if attack.has_momentum() => self.attack_momentum_bytes(),
            SizedKind::Signs(_) => 0,
            // The larger for both: programs keep the buffer that they were made with, and the host must find
            // it.
            SizedKind::Apgd(_) | SizedKind::Square(_) => {
                ApgdState::bytes(&shape).max(SquareState::bytes(&shape))
            }
        }
    }

    /// The start and one iteration of an attack.
    fn attack_plans(&self, kind: &SizedKind, domain: usize) -> [Plan; 2] {
        let (place, pass) = (self.inference_attack_place(), attack_pass(domain));
        match kind {
            SizedKind::Signs(attack) => {
                [self.attack_start(attack, pass, &place), self.attack_iteration(attack, pass, &place)]
            }
            SizedKind::Apgd(attack) => self.apgd_plans(attack, domain),
            SizedKind::Square(attack) => self.square_plans(attack),
        }
    }
}

impl Inference {
    /// The place of the programs for `count` images.
    pub(super) fn size_for(&mut self, device: &Device, count: usize) -> Result<usize, GpuError> {
        let images = count.next_power_of_two();
        if 2 * images > self.batch {
            return Ok(0);
        }
        if let Some(place) = self.sizes.iter().position(|size| size.images == images) {
            return Ok(place);
        }
        let plans = Sized::plans(&Self::context(device, &self.config, &self.network, images, self.recompute));
        // A smaller plan needs less in all, but its parts may be spread otherwise over the chunks.
        let held = &self.buffers.all()[ARENA.0 as usize..];
        let fits = |plan: &Plan| {
            plan.arena.len() <= held.len()
                && plan.arena.iter().zip(held).all(|(bytes, held)| *bytes <= held.size())
        };
        if !plans.iter().all(fits) {
            return Ok(0);
        }
        self.add_size(device, images, &plans, |_, _| {})?;
        Ok(self.sizes.len() - 1)
    }

    /// Makes the programs of [`Sized::plans`]. `progress` hears (pipelines done, of all).
    pub(super) fn add_size(
        &mut self,
        device: &Device,
        images: usize,
        plans: &[Plan],
        progress: impl FnMut(usize, usize),
    ) -> Result<(), GpuError> {
        // Any attack needs the probe's kernels and at most a few of its own.
        device.prepare(plans.iter().flat_map(|plan| &plan.launches), progress)?;
        let forward = plans[..self.network.layout.domains].iter().map(|plan| self.program(device, plan));
        let forward = forward.collect::<Result<_, _>>()?;
        self.sizes.push(Sized { images, forward, attacks: Vec::new() });
        Ok(())
    }

    fn program(&self, device: &Device, plan: &Plan) -> Result<Program, GpuError> {
        Program::new(device, &plan.launches, self.buffers.all(), &self.step_uniform)
    }

    /// The place of an attack's programs among those of a size.
    pub(super) fn attack_programs(
        &mut self,
        device: &Device,
        size: usize,
        kind: &SizedKind,
        domain: usize,
    ) -> Result<usize, GpuError> {
        let known = self.sizes[size].attacks.iter();
        if let Some(place) = known.clone().position(|made| made.kind == *kind && made.domain == domain) {
            return Ok(place);
        }
        let bytes = self.whole_context(device).attack_state_bytes(kind);
        self.make_attack_state(device, bytes)?;
        let images = self.sizes[size].images;
        let context = Self::context(device, &self.config, &self.network, images, self.recompute);
        let [start, iteration] = context.attack_plans(kind, domain);
        device.prepare(start.launches.iter().chain(&iteration.launches), |_, _| {})?;
        let (start, iteration) = (self.program(device, &start)?, self.program(device, &iteration)?);
        let attacks = &mut self.sizes[size].attacks;
        if attacks.len() >= KEPT_ATTACKS {
            attacks.remove(0);
        }
        attacks.push(SizedAttack { kind: kind.clone(), domain, start, iteration });
        Ok(attacks.len() - 1)
    }
}
