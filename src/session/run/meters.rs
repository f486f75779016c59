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
    /// images per second over the last reports, with `batch_size` images a step; NaN before there are two.
    pub(super) fn images_per_s(&mut self, elapsed_s: f64, step: u64, batch_size: usize) -> f64 {
        self.recent.push_back((elapsed_s, step));
        if self.recent.len() > SPEED_WINDOW {
            self.recent.pop_front();
        }
        match (self.recent.front(), self.recent.back()) {
            (Some((t0, s0)), Some((t1, s1))) if t1 > t0 => (s1 - s0) as f64 * batch_size as f64 / (t1 - t0),
            _ => f64::NAN,
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

/// Counts a run's time while it runs; a resumed run counts on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopwatch {
    /// Seconds up to the last stop.
    counted_s: f64,
    /// When it was started, while it runs.
    since: Option<Instant>,
}

impl Stopwatch {
    /// Stands at so many seconds.
    pub(super) fn new(counted_s: f64) -> Self {
        Self { counted_s, since: None }
    }

    pub(super) fn start(&mut self, now: Instant) {
        self.since = self.since.or(Some(now));
    }

    /// Whether it was running.
    pub(super) fn stop(&mut self, now: Instant) -> bool {
        self.counted_s = self.seconds(now);
        self.since.take().is_some()
    }

    pub(super) fn seconds(&self, now: Instant) -> f64 {
        self.counted_s + self.since.map_or(0.0, |since| now.duration_since(since).as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stopwatch_counts_all_between_a_start_and_a_stop_and_nothing_else() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let mut watch = Stopwatch::new(10.0);
        assert_eq!(watch.seconds(at(5)), 10.0, "it was not started");
        watch.start(at(5));
        watch.start(at(6));
        assert_eq!(watch.seconds(at(8)), 13.0, "a second start changes nothing");
        assert!(watch.stop(at(9)) && !watch.stop(at(20)));
        assert_eq!(watch.seconds(at(30)), 14.0);
        watch.start(at(40));
        assert_eq!(watch.seconds(at(41)), 15.0);
    }

    #[test]
    fn the_speed_is_that_of_the_last_steps_and_begins_anew_after_a_pause() {
        let mut meters = Meters::default();
        assert!(meters.images_per_s(1.0, 1, 10).is_nan(), "one report has no duration");
        assert_eq!(meters.images_per_s(3.0, 2, 10), 5.0);
        for step in 3..40 {
            meters.images_per_s(3.0 + step as f64, step, 10);
        }
        assert_eq!(meters.images_per_s(43.0, 40, 10), 10.0, "the slow start has left the window");
        meters.restart_speed();
        assert!(meters.images_per_s(100.0, 41, 10).is_nan());
    }
}
