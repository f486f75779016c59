//! Statistics estimated anew (precise BN, Wu and Johnson 2021, "Rethinking Batch in BatchNorm", section 3):
//! plain means of the batch statistics over some batches of each domain's own images, all through the same
//! weights. A running average instead mixes those of all weights that came by, and of the start.

use super::Engine;
use crate::config::Config;
use crate::data::Batch;
use crate::gpu::{BufferId, GpuError};
use crate::graph::params::ParamLayout;
use crate::training::buffers;

/// The sums of batch statistics, laid out as the running ones.
struct Sums {
    values: Vec<f64>,
    /// Passes that were added, by domain.
    passes: Vec<u32>,
}

impl Sums {
    fn new(layout: &ParamLayout) -> Self {
        Self { values: vec![0.0; layout.running_len], passes: vec![0; layout.domains] }
    }

    fn add(&mut self, layout: &ParamLayout, domain: usize, running: &[f32]) {
        for place in places(layout, domain) {
            for (sum, value) in self.values[place.clone()].iter_mut().zip(&running[place]) {
                *sum += f64::from(*value);
            }
        }
        self.passes[domain] += 1;
    }

    /// Puts the means in place of the statistics of every domain that had a pass.
    fn replace(&self, layout: &ParamLayout, running: &mut [f32]) {
        for (domain, passes) in self.passes.iter().enumerate().filter(|(_, passes)| **passes > 0) {
            for place in places(layout, domain) {
                for (value, sum) in running[place.clone()].iter_mut().zip(&self.values[place]) {
                    *value = (sum / f64::from(*passes)) as f32;
                }
            }
        }
    }
}

/// Where the statistics of a domain lie, a range a layer.
fn places(layout: &ParamLayout, domain: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    layout.bn.iter().map(move |place| {
        let first = place.running_offset + domain * place.domain_stride;
        first..first + place.domain_stride
    })
}

/// The buffers that validation looks through: those of the EMA when there is one.
fn shown(config: &Config) -> (BufferId, BufferId) {
    if config.ema.decay > 0.0 {
        (buffers::EMA_PARAMS, buffers::EMA_RUNNING)
    } else {
        (buffers::PARAMS, buffers::RUNNING)
    }
}

impl Engine {
    /// The first of the steps whose batches statistics are estimated on after `step` finished ones: the last
    /// `eval.precise_bn`, as far as they are of the present phase, whose domains see other images.
    pub fn estimates_from(&self, step: u64) -> u64 {
        let phase = self.parts.phase_at(step.saturating_sub(1));
        step.saturating_sub(self.config.eval.precise_bn).max(phase.phase.first_step)
    }

    /// Replaces the statistics that validation looks through, those of every domain of the present phase, by
    /// their means over `batches`, whose images are augmented, mixed and attacked as in the steps that they
    /// are of. Neither the weights nor, with an EMA, the statistics that training moves are touched. `go_on`
    /// hears of each finished batch, and false leaves everything as it was; so does an error.
    pub fn estimate_statistics(
        &mut self,
        batches: impl Iterator<Item = anyhow::Result<Batch>>,
        go_on: impl FnMut() -> bool,
    ) -> anyhow::Result<bool> {
        self.drain()?;
        let (params, running) = shown(&self.config);
        let trained = (self.read_arena(buffers::PARAMS)?, self.read_arena(buffers::RUNNING)?);
        let weights = self.read_arena(params)?;
        let mut statistics = self.read_arena(running)?;
        self.write_arena(buffers::PARAMS, &weights);
        let sums = self.sum_statistics(batches, &statistics, go_on);
        self.write_arena(buffers::PARAMS, &trained.0);
        self.write_arena(buffers::RUNNING, &trained.1);
        let Some(sums) = sums? else { return Ok(false) };
        sums.replace(&self.network.layout, &mut statistics);
        self.write_arena(running, &statistics);
        Ok(true)
    }

    /// `None` where `go_on` said no.
    fn sum_statistics(
        &mut self,
        batches: impl Iterator<Item = anyhow::Result<Batch>>,
        running: &[f32],
        mut go_on: impl FnMut() -> bool,
    ) -> anyhow::Result<Option<Sums>> {
        let mut sums = Sums::new(&self.network.layout);
        for batch in batches {
            let batch = batch?;
            for micro in 0..self.config.run.accumulate {
                // Attacks may normalise by the running statistics.
                self.write_arena(buffers::RUNNING, running);
                self.begin_micro(batch.step, micro, 0.0, &batch)?;
                let phase = self.parts.phase_at(batch.step);
                self.gpu.play(&phase.prepare)?;
                for attack in &phase.attacks {
                    self.gpu.play(&attack.start)?;
                    for _ in 0..attack.iterations {
                        self.gpu.play(&attack.iteration)?;
                    }
                }
                for (domain, statistics) in &phase.statistics {
                    self.gpu.play(statistics)?;
                    self.gpu.submit()?;
                    let found = self.read_arena(buffers::RUNNING)?;
                    sums.add(&self.network.layout, *domain, &found);
                }
            }
            if !go_on() {
                return Ok(None);
            }
        }
        Ok(Some(sums))
    }

    fn read_arena(&self, id: BufferId) -> Result<Vec<f32>, GpuError> {
        let buffer = self.parts.buffers.get(id);
        self.gpu.device.read_f32(buffer, 0, (buffer.size() / 4) as usize)
    }

    fn write_arena(&self, id: BufferId, values: &[f32]) {
        self.gpu.device.write(self.parts.buffers.get(id), 0, values);
    }
}
