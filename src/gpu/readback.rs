//! A ring of staging buffers that brings small results back without stopping the GPU: the step that made them is
//! long submitted when they are read.

use super::device::Device;
use super::error::GpuError;
use super::replay::Player;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const WAITING: u8 = 0;
const READY: u8 = 1;
const FAILED: u8 = 2;

/// Results of a fixed size on their way back, each with the caller's tag.
pub struct ReadbackRing<T> {
    bytes: u64,
    free: Vec<wgpu::Buffer>,
    pending: VecDeque<Pending<T>>,
}

struct Pending<T> {
    tag: T,
    buffer: wgpu::Buffer,
    state: Arc<AtomicU8>,
}

impl<T> ReadbackRing<T> {
    /// `slots` results of `bytes` each may be on their way at once.
    pub fn new(device: &Device, bytes: u64, slots: usize) -> Result<Self, GpuError> {
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let free =
            (0..slots).map(|_| device.buffer("readback ring", bytes, usage)).collect::<Result<_, _>>()?;
        Ok(Self { bytes, free, pending: VecDeque::new() })
    }

    /// True when [`Self::push`] has a free slot; otherwise take results first.
    pub fn has_room(&self) -> bool {
        !self.free.is_empty()
    }

    /// Copies `buffer` at `offset` behind all played work, and submits.
    ///
    /// # Panics
    /// Without a free slot.
    pub fn push(
        &mut self,
        device: &Device,
        player: &mut Player,
        buffer: &wgpu::Buffer,
        offset: u64,
        tag: T,
    ) -> Result<(), GpuError> {
        let slot = self.free.pop().expect("the caller asks has_room first");
        player.copy(device, buffer, offset, &slot, self.bytes);
        player.submit(device)?;
        let state = Arc::new(AtomicU8::new(WAITING));
        let signal = Arc::clone(&state);
        slot.map_async(wgpu::MapMode::Read, .., move |result| {
            signal.store(if result.is_ok() { READY } else { FAILED }, Ordering::Release);
        });
        self.pending.push_back(Pending { tag, buffer: slot, state });
        Ok(())
    }

    /// The oldest result that has arrived, in order; with `wait`, waits for the oldest if any is on its way.
    pub fn take(&mut self, device: &Device, wait: bool) -> Result<Option<(T, Vec<f32>)>, GpuError> {
        let Some(front) = self.pending.front() else { return Ok(None) };
        if front.state.load(Ordering::Acquire) == WAITING {
            if wait {
                device.wait()?;
            } else {
                device.device.poll(wgpu::PollType::Poll).map_err(|e| GpuError::Reported(e.to_string()))?;
            }
        }
        match front.state.load(Ordering::Acquire) {
            WAITING => return device.check().map(|()| None),
            FAILED => {
                device.check()?;
                return Err(GpuError::Reported("a result could not be read back".to_owned()));
            }
            _ => {}
        }
        let Some(Pending { tag, buffer, .. }) = self.pending.pop_front() else { return Ok(None) };
        let values = {
            let mapped = buffer.get_mapped_range(..).map_err(|e| GpuError::Reported(e.to_string()))?;
            bytemuck::pod_collect_to_vec(&mapped[..])
        };
        buffer.unmap();
        self.free.push(buffer);
        Ok(Some((tag, values)))
    }
}
