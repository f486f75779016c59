//! Where the time of a forward pass goes.

use super::{ImageBatch, Inference};
use crate::gpu::profile::{DispatchTime, profile};
use crate::gpu::{Device, GpuError, Program};
use std::time::Instant;

impl Inference {
    /// The programs of a forward pass of `count` images through `domain`.
    fn forward_program(
        &mut self,
        device: &Device,
        count: usize,
        domain: usize,
    ) -> Result<&Program, GpuError> {
        let size = self.size_for(device, count)?;
        Ok(&self.sizes[size].forward[domain])
    }

    /// How many dispatches that is.
    pub fn dispatches(&mut self, device: &Device, count: usize, domain: usize) -> Result<usize, GpuError> {
        Ok(self.forward_program(device, count, domain)?.len())
    }

    /// Runs the forward pass of what is on the GPU one dispatch at a time; `None` where the adapter has no
    /// timestamps.
    pub fn profile(
        &mut self,
        device: &Device,
        count: usize,
        domain: usize,
    ) -> Result<Option<Vec<DispatchTime>>, GpuError> {
        profile(device, self.forward_program(device, count, domain)?)
    }

    /// Seconds until a batch's pixels are on the GPU.
    pub fn upload_seconds(&self, device: &Device, images: ImageBatch<'_>) -> Result<f64, GpuError> {
        let begun = Instant::now();
        self.upload_current(device, images);
        device.flush()?;
        Ok(begun.elapsed().as_secs_f64())
    }
}
