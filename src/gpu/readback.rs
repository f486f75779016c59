//! A ring of staging buffers that brings small results back without stopping the GPU: the step that made them
//! is long submitted when they are read.

use super::device::Device;
use super::error::GpuError;
use super::mapping::Mapping;
use super::replay::Player;
use std::collections::VecDeque;

/// Results of a fixed size on their way back, each with the caller's tag.
pub struct ReadbackRing<T> {
    bytes: u64,
    free: Vec<wgpu::Buffer>,
    pending: VecDeque<Pending<T>>,
    /// The values taken last, kept for their memory.
    values: Vec<f32>,
}

struct Pending<T> {
    tag: T,
    buffer: wgpu::Buffer,
    mapping: Mapping,
}

impl<T> ReadbackRing<T> {
    /// `slots` results of `bytes` each may be on their way at once.
    pub fn new(device: &Device, bytes: u64, slots: usize) -> Result<Self, GpuError> {
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let free =
            (0..slots).map(|_| device.buffer("readback ring", bytes, usage)).collect::<Result<_, _>>()?;
        Ok(Self { bytes, free, pending: VecDeque::new(), values: Vec::new() })
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
        player.copy(device, (buffer, offset), (&slot, 0), self.bytes);
        player.submit(device)?;
        let mapping = Mapping::ask(&slot, wgpu::MapMode::Read);
        self.pending.push_back(Pending { tag, buffer: slot, mapping });
        Ok(())
    }

    /// The oldest result that has arrived, in order; with `wait`, waits for the oldest if any is on its way.
    pub fn take(&mut self, device: &Device, wait: bool) -> Result<Option<(T, &[f32])>, GpuError> {
        let arrived = self.pending.front().map(|front| front.mapping.finish(device, wait)).transpose()?;
        if arrived != Some(true) {
            return Ok(None);
        }
        let Some(Pending { tag, buffer, .. }) = self.pending.pop_front() else { return Ok(None) };
        {
            let mapped = buffer.get_mapped_range(..).map_err(|e| GpuError::Reported(e.to_string()))?;
            self.values.clear();
            self.values.extend(mapped.chunks_exact(4).map(bytemuck::pod_read_unaligned::<f32>));
        }
        buffer.unmap();
        self.free.push(buffer);
        Ok(Some((tag, &self.values)))
    }
}
