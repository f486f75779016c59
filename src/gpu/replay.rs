//! Plays programs: encodes their dispatches into compute passes, cuts the stream into submits of a few
//! milliseconds (a desktop shares this GPU, and an operating system kills work of seconds), and keeps at most
//! [`IN_FLIGHT`] of them queued.

use super::device::Device;
use super::error::GpuError;
use super::launch::Cost;
use super::program::Program;
use super::timer::StageTimer;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Submits queued before the caller waits: one runs, one is ready.
pub(super) const IN_FLIGHT: usize = 2;

/// Seconds of work a submit aims at. Long enough that its fixed cost (about 0.1 ms) does not show.
const TARGET_GPU_S: f64 = 0.012;
/// A software adapter runs a single dispatch for longer than that; its desktop is drawn by the same cores.
const TARGET_SOFTWARE_S: f64 = 0.05;
/// With pauses in between: a frame of the window that comes meanwhile waits for one piece.
const TARGET_SHARED_S: f64 = 0.006;

/// Completed submits: (estimated seconds, when it was done).
type Completions = Arc<Mutex<Vec<(f64, Instant)>>>;

/// Called after each submit with how long it ran; the next one is submitted when it returns.
pub type Pause = Box<dyn FnMut(Duration) + Send>;

/// Plays programs in order. One player per device.
pub struct Player {
    open: Option<Open>,
    in_flight: VecDeque<wgpu::SubmissionIndex>,
    completions: Completions,
    /// Those that were taken out, kept for its memory.
    learned: Vec<(f64, Instant)>,
    last_done: Option<Instant>,
    /// Measured over estimated time, smoothed.
    scale: f64,
    target_s: f64,
    flops_per_s: f64,
    bytes_per_s: f64,
    timer: Option<StageTimer>,
    /// What the next passes belong to; `None`: they go untimed.
    stage: Option<&'static str>,
    pause: Option<Pause>,
}

/// A command buffer being written.
struct Open {
    encoder: wgpu::CommandEncoder,
    pass: Option<wgpu::ComputePass<'static>>,
    estimate_s: f64,
}

impl Player {
    /// A player for the device, with nothing queued.
    pub fn new(device: &Device) -> Self {
        let software = device.report().device_type == "software";
        // Starting points only; `scale` corrects them within a few submits.
        let (flops_per_s, bytes_per_s) = if software { (2e10, 5e9) } else { (1e12, 1e11) };
        Self {
            open: None,
            in_flight: VecDeque::new(),
            completions: Arc::default(),
            learned: Vec::new(),
            last_done: None,
            scale: 1.0,
            target_s: if software { TARGET_SOFTWARE_S } else { TARGET_GPU_S },
            flops_per_s,
            bytes_per_s,
            timer: None,
            stage: None,
            pause: None,
        }
    }

    fn estimate(&self, cost: Cost) -> f64 {
        // 5 µs: a dispatch with nothing to do.
        self.scale * (cost.flops as f64 / self.flops_per_s).max(cost.bytes as f64 / self.bytes_per_s) + 5e-6
    }

    /// Times stages from here on, where the adapter can.
    pub fn time_stages(&mut self, device: &Device) -> Result<(), GpuError> {
        self.timer = StageTimer::new(device)?;
        Ok(())
    }

    /// From here on each submit is waited for, and then `pause` is: the gaps that leave a GPU to others.
    /// `None` keeps it busy. What is computed is the same.
    pub fn pause_between(&mut self, pause: Option<Pause>) {
        self.pause = pause;
    }

    /// Names what is played next; `None` leaves it untimed.
    pub fn stage(&mut self, stage: Option<&'static str>) {
        if self.timer.is_some()
            && self.stage != stage
            && let Some(open) = &mut self.open
        {
            open.pass = None;
        }
        self.stage = stage;
    }

    /// Ends a timed step.
    pub fn end_step(&mut self, device: &Device) -> Result<(), GpuError> {
        let Some(mut timer) = self.timer.take() else { return Ok(()) };
        let ended = timer.end_step(device, self);
        self.timer = Some(timer);
        ended
    }

    /// Mean seconds a step by stage so far; empty without timestamps.
    pub fn stage_seconds(&self) -> Vec<(&'static str, f64)> {
        self.timer.as_ref().map(StageTimer::mean_seconds).unwrap_or_default()
    }

    pub(super) fn resolve(&mut self, device: &Device, set: &wgpu::QuerySet, count: u32, to: &wgpu::Buffer) {
        let open = self.open.get_or_insert_with(|| Open::new(device));
        open.pass = None;
        open.encoder.resolve_query_set(set, 0..count, to, 0);
    }

    /// Encodes all dispatches of `program`, submitting whenever enough has gathered.
    pub fn play(&mut self, device: &Device, program: &Program) -> Result<(), GpuError> {
        // Pauses are for others, who wait for the piece before one.
        let target_s = if self.pause.is_some() { self.target_s.min(TARGET_SHARED_S) } else { self.target_s };
        for dispatch in &program.dispatches {
            let estimate = self.estimate(dispatch.cost);
            let open = self.open.get_or_insert_with(|| Open::new(device));
            let pass = open.pass(self.timer.as_mut(), self.stage);
            dispatch.encode(pass, &program.uniforms);
            open.estimate_s += estimate;
            if open.estimate_s >= target_s {
                self.submit(device)?;
            }
        }
        Ok(())
    }

    /// Copies `bytes` from a buffer at a byte to another at a byte, after everything played so far.
    pub fn copy(
        &mut self,
        device: &Device,
        (from, from_offset): (&wgpu::Buffer, u64),
        (to, to_offset): (&wgpu::Buffer, u64),
        bytes: u64,
    ) {
        let open = self.open.get_or_insert_with(|| Open::new(device));
        open.pass = None;
        open.encoder.copy_buffer_to_buffer(from, from_offset, to, to_offset, bytes);
    }

    /// Submits what has been encoded. Waits while `IN_FLIGHT` submits are still queued, and for this one
    /// with [`Self::pause_between`].
    pub fn submit(&mut self, device: &Device) -> Result<(), GpuError> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        open.pass = None;
        let begun = Instant::now();
        if self.pause.is_some() {
            // The queue is empty, so this one's time begins now.
            self.last_done = Some(begun);
        }
        let index = device.queue.submit([open.encoder.finish()]);
        let (completions, estimate) = (Arc::clone(&self.completions), open.estimate_s);
        device.queue.on_submitted_work_done(move || {
            completions.lock().unwrap_or_else(PoisonError::into_inner).push((estimate, Instant::now()));
        });
        self.in_flight.push_back(index);
        let may_wait = if self.pause.is_some() { 0 } else { IN_FLIGHT };
        while self.in_flight.len() > may_wait {
            let oldest = self.in_flight.pop_front();
            device
                .device
                .poll(wgpu::PollType::Wait { submission_index: oldest, timeout: None })
                .map_err(|e| GpuError::Reported(e.to_string()))?;
        }
        self.learn();
        device.check()?;
        if let Some(pause) = &mut self.pause {
            pause(begun.elapsed());
        }
        Ok(())
    }

    /// Corrects the estimate by the time between two completions of a full queue.
    fn learn(&mut self) {
        std::mem::swap(
            &mut self.learned,
            &mut *self.completions.lock().unwrap_or_else(PoisonError::into_inner),
        );
        for (estimate, when) in self.learned.drain(..) {
            if let Some(before) = self.last_done.replace(when) {
                let ratio = when.duration_since(before).as_secs_f64() / estimate.max(1e-6);
                // An idle gap between steps also lengthens the time; bounded steps keep it from running away.
                self.scale = (self.scale * ratio.clamp(0.5, 2.0).powf(0.2)).clamp(1e-3, 1e3);
            }
        }
    }

    /// Submits and waits until all is done.
    pub fn finish(&mut self, device: &Device) -> Result<(), GpuError> {
        self.submit(device)?;
        self.in_flight.clear();
        device.wait()
    }
}

impl Open {
    fn new(device: &Device) -> Self {
        let encoder = device.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        Self { encoder, pass: None, estimate_s: 0.0 }
    }

    fn pass(
        &mut self,
        timer: Option<&mut StageTimer>,
        stage: Option<&'static str>,
    ) -> &mut wgpu::ComputePass<'static> {
        let encoder = &mut self.encoder;
        self.pass.get_or_insert_with(|| {
            let timestamp_writes = timer.zip(stage).and_then(|(timer, stage)| timer.begin(stage));
            let descriptor = wgpu::ComputePassDescriptor { label: stage, timestamp_writes };
            encoder.begin_compute_pass(&descriptor).forget_lifetime()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::launch::{BufferId, Element, Kernel, Launch, View};
    use crate::gpu::{StepUniform, params, step_buffer};

    params! {
        struct Count {
            count: u32,
        }
    }

    /// A rest that only counts: five pieces have five rests, each when its piece is done.
    #[test]
    fn the_player_pauses_after_every_submit() {
        const FLOATS: usize = 256;
        let device = Device::for_tests();
        let buffer = device.storage("x", FLOATS as u64 * 4).unwrap();
        device.write(&buffer, 0, &[1.0_f32; FLOATS]);
        let zero = |part: u64| {
            let size = FLOATS as u64;
            let view = View { buffer: BufferId(0), offset: part * size, size, element: Element::F32 };
            let params = Count { count: FLOATS as u32 / 16 };
            Launch::new(Kernel::new("zero", &[]), vec![view], params, [1, 1, 1], Cost::default())
        };
        let step = step_buffer(&device, &StepUniform::default()).unwrap();
        let launches: Vec<Launch> = (0..4).map(zero).collect();
        let program = Program::new(&device, &launches, std::slice::from_ref(&buffer), &step).unwrap();

        let mut player = Player::new(&device);
        // Every dispatch is a piece of its own.
        player.target_s = 0.0;
        let (sender, pauses) = std::sync::mpsc::channel();
        player.pause_between(Some(Box::new(move |worked| sender.send(worked).unwrap())));
        player.play(&device, &program).unwrap();
        assert_eq!(pauses.try_iter().count(), launches.len());
        assert!(player.in_flight.is_empty(), "a piece is done before its pause");
        player.finish(&device).unwrap();
        assert_eq!(pauses.try_iter().count(), 0, "nothing was submitted, so nothing rests");
        assert_eq!(device.read_f32(&buffer, 0, FLOATS).unwrap(), [0.0; FLOATS]);

        device.write(&buffer, 0, &[1.0_f32; FLOATS]);
        player.pause_between(None);
        player.play(&device, &program).unwrap();
        player.finish(&device).unwrap();
        assert_eq!(pauses.try_iter().count(), 0);
        assert_eq!(device.read_f32(&buffer, 0, FLOATS).unwrap(), [0.0; FLOATS]);
    }
}
