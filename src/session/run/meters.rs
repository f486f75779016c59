//! What a run measures of itself beside the training: its speed, what its steps waited for, the GPU memory in
//! use.

use crate::gpu::Device;
use crate::session::input::Waited;
use crate::training::events::Idle;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Steps over which the images per second are averaged.
const SPEED_WINDOW: usize = 16;
/// Time between two looks at the GPU memory: each goes through all allocations.
const MEMORY_EVERY: Duration = Duration::from_secs(1);

/// The meters of one run.
#[derive(Default)]
pub(super) struct Meters {
    /// (seconds of training, step) of recent reports.
    recent: VecDeque<(f64, u64)>,
    /// How long steps waited for their images.
    pub(super) waited: Waited,
    /// The last known shares of a step in which images were waited for and the GPU was idle.
    pub(super) last_idle: Option<Idle>,
    /// When the GPU memory was last looked up, and what it was, bytes.
    memory: Option<(Instant, Option<u64>)>,
}

impl Meters {
    /// Notes that step number `step` was reported after `elapsed_s` seconds of training and returns the
    /// images per second over the last reports, with `batch_size` images a step; 0 before there are two.
    pub(super) fn images_per_s(&mut self, elapsed_s: f64, step: u64, batch_size: usize) -> f64 {
        self.recent.push_back((elapsed_s, step));
        if self.recent.len() > SPEED_WINDOW {
            self.recent.pop_front();
        }
        match (self.recent.front(), self.recent.back()) {
            (Some((t0, s0)), Some((t1, s1))) if t1 > t0 => (s1 - s0) as f64 * batch_size as f64 / (t1 - t0),
            _ => 0.0,
        }
    }

    /// Begins the average speed anew, as after a pause.
    pub(super) fn restart_speed(&mut self) {
        self.recent.clear();
    }

    /// The idle shares of a step of `step_s` seconds that spends `stages` seconds on the GPU.
    pub(super) fn idle(&mut self, step_s: f64, stages: &[(&str, f64)]) -> Option<Idle> {
        let idle = self.waited.idle(step_s, stages);
        self.last_idle = idle.or(self.last_idle);
        idle
    }

    /// Bytes of GPU memory in use, looked up at most once a second; `None` where the adapter does not tell.
    pub(super) fn memory_bytes(&mut self, device: &Device) -> Option<u64> {
        let known = self.memory.filter(|(at, _)| at.elapsed() < MEMORY_EVERY);
        let (at, bytes) = known.unwrap_or_else(|| (Instant::now(), device.memory_taken()));
        self.memory = Some((at, bytes));
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_speed_is_that_of_the_last_steps_and_begins_anew_after_a_pause() {
        let mut meters = Meters::default();
        assert_eq!(meters.images_per_s(1.0, 1, 10), 0.0, "one report has no duration");
        assert_eq!(meters.images_per_s(3.0, 2, 10), 5.0);
        for step in 3..40 {
            meters.images_per_s(3.0 + step as f64, step, 10);
        }
        assert_eq!(meters.images_per_s(43.0, 40, 10), 10.0, "the slow start has left the window");
        meters.restart_speed();
        assert_eq!(meters.images_per_s(100.0, 41, 10), 0.0);
    }
}
