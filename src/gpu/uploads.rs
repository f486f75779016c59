//! A ring of staging buffers that takes a step's images and tables to the GPU. `Device::write` lets wgpu make
//! and free a buffer for every write; these are made once.

use super::device::Device;
use super::error::GpuError;
use super::mapping::Mapping;
use super::replay::{IN_FLIGHT, Player};
use std::collections::VecDeque;

/// Where mapped memory may be written in pieces, in bytes.
const ALIGN: u64 = wgpu::MAP_ALIGNMENT;

/// Staging buffers of one size, in the order in which they are free again.
pub struct UploadRing {
    bytes: u64,
    slots: VecDeque<Slot>,
}

struct Slot {
    buffer: wgpu::Buffer,
    /// `None` once it is closed: its copies may not be submitted yet.
    mapping: Option<Mapping>,
}

impl UploadRing {
    /// For uploads of at most one write to each of buffers of these `sizes` in bytes.
    pub fn new(device: &Device, sizes: impl IntoIterator<Item = u64>) -> Result<Self, GpuError> {
        let bytes: u64 = sizes.into_iter().map(|size| size.next_multiple_of(ALIGN)).sum();
        let bytes = bytes.max(ALIGN);
        let usage = wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC;
        // One is filled while the GPU has the others.
        let slots = (0..=IN_FLIGHT).map(|_| {
            let buffer = device.buffer("upload ring", bytes, usage)?;
            let mapping = Some(Mapping::ask(&buffer, wgpu::MapMode::Write));
            Ok(Slot { buffer, mapping })
        });
        Ok(Self { bytes, slots: slots.collect::<Result<_, GpuError>>()? })
    }

    /// Bytes of memory that the ring holds.
    pub fn held_bytes(&self) -> u64 {
        self.bytes * self.slots.len() as u64
    }

    /// Begins an upload: it happens behind everything played so far and before everything played after it.
    /// Waits only where the GPU still reads what was uploaded as many submits ago as may be queued.
    pub fn begin<'a>(
        &'a mut self,
        device: &'a Device,
        player: &'a mut Player,
    ) -> Result<Upload<'a>, GpuError> {
        // A buffer can be mapped again once the copies out of it are submitted.
        player.submit(device)?;
        for Slot { buffer, mapping } in &mut self.slots {
            mapping.get_or_insert_with(|| Mapping::ask(buffer, wgpu::MapMode::Write));
        }
        self.slots.rotate_left(1);
        let Slot { buffer, mapping } = &mut self.slots[0];
        if let Some(asked) = mapping {
            asked.finish(device, true)?;
        }
        let view = buffer.get_mapped_range_mut(..).map_err(|error| GpuError::Reported(error.to_string()))?;
        Ok(Upload { device, player, buffer, mapping, view: Some(view), used: 0 })
    }
}

/// Writes on their way; they set out when this is dropped and the player submits.
pub struct Upload<'a> {
    device: &'a Device,
    player: &'a mut Player,
    buffer: &'a wgpu::Buffer,
    mapping: &'a mut Option<Mapping>,
    /// There until the end.
    view: Option<wgpu::BufferViewMut>,
    used: u64,
}

impl Upload<'_> {
    /// Copies `data` to the beginning of `to`, with zeros up to a whole word behind it.
    ///
    /// # Panics
    /// Where the ring was made for less.
    pub fn write<T: bytemuck::NoUninit>(&mut self, to: &wgpu::Buffer, data: &[T]) {
        let data: &[u8] = bytemuck::cast_slice(data);
        if data.is_empty() {
            return;
        }
        let view = self.view.as_mut().expect("there until the end");
        let padded = data.len().next_multiple_of(wgpu::COPY_BUFFER_ALIGNMENT as usize);
        let from = self.used as usize;
        view.slice(from..from + data.len()).copy_from_slice(data);
        view.slice(from + data.len()..from + padded).fill(0);
        self.player.copy(self.device, (self.buffer, self.used), (to, 0), padded as u64);
        self.used += (padded as u64).next_multiple_of(ALIGN);
    }
}

impl Drop for Upload<'_> {
    fn drop(&mut self) {
        // A view must be gone before its buffer is unmapped.
        self.view = None;
        self.buffer.unmap();
        *self.mapping = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_arrive_in_order_and_make_no_buffer() {
        let device = Device::for_tests();
        let mut player = Player::new(&device);
        let [a, b, all] = [32, 16, 1024].map(|bytes| device.storage("test", bytes).unwrap());
        let mut ring = UploadRing::new(&device, [32, 16]).unwrap();
        let counts = device.object_counts();
        for round in 0..32_u32 {
            let mut upload = ring.begin(&device, &mut player).unwrap();
            upload.write(&a, &[round; 3]);
            // Not a whole word.
            upload.write(&b, &[7_u8, round as u8, 9]);
            drop(upload);
            for (from, place) in [(&a, 0), (&b, 16)] {
                player.copy(&device, (from, 0), (&all, u64::from(round) * 32 + place), 16);
            }
        }
        player.finish(&device).unwrap();
        assert_eq!(device.object_counts(), counts);
        let bytes = device.read(&all, 0, 1024).unwrap();
        for (round, rows) in bytes.chunks_exact(32).enumerate() {
            let round = round as u8;
            assert_eq!(rows[..12], [round, 0, 0, 0, round, 0, 0, 0, round, 0, 0, 0]);
            assert_eq!(rows[16..20], [7, round, 9, 0]);
        }
    }
}
