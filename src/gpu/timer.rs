//! GPU time by stage, from timestamps at the ends of compute passes, where the adapter offers them.

use super::device::Device;
use super::error::GpuError;
use super::readback::ReadbackRing;
use super::replay::Player;
use std::collections::BTreeMap;

/// Passes that one step may have timed; later ones of a step go untimed.
const PASSES: u32 = 128;
/// Steps whose times may be on their way back; a step finds no slot rather than wait for one.
const SLOTS: usize = 4;
/// Weight of the newest step in the mean: it looks back over some ten steps.
const NEW_SHARE: f64 = 0.1;

/// Collects the durations of a step's passes by stage.
pub(super) struct StageTimer {
    set: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    ring: ReadbackRing<Vec<&'static str>>,
    /// Stage of each timed pass of the step being encoded.
    stages: Vec<&'static str>,
    period_s: f64,
    /// Seconds a step by stage, a moving average, and the steps in it.
    means: BTreeMap<&'static str, (f64, u32)>,
}

impl StageTimer {
    /// `None` where the adapter has no timestamps.
    pub(super) fn new(device: &Device) -> Result<Option<Self>, GpuError> {
        if !device.device.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            return Ok(None);
        }
        let bytes = u64::from(PASSES) * 16;
        let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
        Ok(Some(Self {
            set: device.device.create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("stage times"),
                ty: wgpu::QueryType::Timestamp,
                count: 2 * PASSES,
            }),
            resolved: device.buffer("stage times", bytes, usage)?,
            ring: ReadbackRing::new(device, bytes, SLOTS)?,
            stages: Vec::new(),
            period_s: f64::from(device.queue.get_timestamp_period()) * 1e-9,
            means: BTreeMap::new(),
        }))
    }

    /// The timestamps that the next pass writes.
    pub(super) fn begin(&mut self, stage: &'static str) -> Option<wgpu::ComputePassTimestampWrites<'_>> {
        let pass = self.stages.len() as u32;
        (pass < PASSES).then(|| {
            self.stages.push(stage);
            wgpu::ComputePassTimestampWrites {
                query_set: &self.set,
                beginning_of_pass_write_index: Some(2 * pass),
                end_of_pass_write_index: Some(2 * pass + 1),
            }
        })
    }

    /// Ends a step: its times set out for the CPU, unless too many are on their way already.
    pub(super) fn end_step(&mut self, device: &Device, player: &mut Player) -> Result<(), GpuError> {
        self.collect(device)?;
        let stages = std::mem::take(&mut self.stages);
        if stages.is_empty() || !self.ring.has_room() {
            return Ok(());
        }
        player.resolve(device, &self.set, 2 * stages.len() as u32, &self.resolved);
        self.ring.push(device, player, &self.resolved, 0, stages)
    }

    fn collect(&mut self, device: &Device) -> Result<(), GpuError> {
        while let Some((stages, words)) = self.ring.take(device, false)? {
            let tick = |low: f32, high: f32| u64::from(low.to_bits()) | u64::from(high.to_bits()) << 32;
            let mut step: BTreeMap<&'static str, f64> = BTreeMap::new();
            for (stage, w) in stages.iter().zip(words.chunks_exact(4)) {
                let ticks = tick(w[2], w[3]).saturating_sub(tick(w[0], w[1]));
                *step.entry(stage).or_default() += ticks as f64 * self.period_s;
            }
            for (stage, seconds) in step {
                let (mean, steps) = self.means.entry(stage).or_insert((seconds, 0));
                *mean += (seconds - *mean) * share_of_step(*steps);
                *steps += 1;
            }
        }
        Ok(())
    }

    /// Mean seconds a step by stage, over the last steps that have come back.
    pub(super) fn mean_seconds(&self) -> Vec<(&'static str, f64)> {
        self.means.iter().map(|(stage, (seconds, _))| (*stage, *seconds)).collect()
    }
}

/// What the next step counts in a mean that has seen `steps`. Some drivers compile in the first step, so the
/// second one takes its place.
fn share_of_step(steps: u32) -> f64 {
    if steps < 2 { 1.0 } else { f64::max(NEW_SHARE, 1.0 / f64::from(steps)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_forgets_the_first_step_and_follows_the_last_ten() {
        let mut mean = 0.0;
        let mut means = Vec::new();
        for (steps, seconds) in [100.0, 1.0, 2.0, 3.0].into_iter().enumerate() {
            mean += (seconds - mean) * share_of_step(steps as u32);
            means.push(mean);
        }
        assert_eq!(means, [100.0, 1.0, 1.5, 2.0]);
        (4..60).for_each(|steps| mean += (7.0 - mean) * share_of_step(steps));
        assert!((mean - 7.0).abs() < 0.05, "{mean}");
    }
}
