//! A staging buffer on its way to being mapped.

use super::device::Device;
use super::error::GpuError;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const WAITING: u8 = 0;
const READY: u8 = 1;
const FAILED: u8 = 2;

/// The answer to a request to map a whole buffer.
pub(super) struct Mapping(Arc<AtomicU8>);

impl Mapping {
    /// Asks for it behind all submitted work that uses the buffer.
    pub(super) fn ask(buffer: &wgpu::Buffer, mode: wgpu::MapMode) -> Self {
        let state = Arc::new(AtomicU8::new(WAITING));
        let signal = Arc::clone(&state);
        buffer.map_async(mode, .., move |result| {
            signal.store(if result.is_ok() { READY } else { FAILED }, Ordering::Release);
        });
        Self(state)
    }

    /// Whether the buffer is mapped; with `wait`, waits until it is.
    pub(super) fn finish(&self, device: &Device, wait: bool) -> Result<bool, GpuError> {
        let state = || self.0.load(Ordering::Acquire);
        if state() == WAITING {
            device.device.poll(wgpu::PollType::Poll).map_err(|e| GpuError::Reported(e.to_string()))?;
        }
        if state() == WAITING && wait {
            device.wait()?;
        }
        match state() {
            READY => Ok(true),
            WAITING => device.check().map(|()| false),
            _ => {
                device.check()?;
                Err(GpuError::Reported("a staging buffer could not be mapped".to_owned()))
            }
        }
    }
}
