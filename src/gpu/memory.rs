//! What the graphics driver has given to a device, as wgpu's allocator counts it.

use super::device::Device;

impl Device {
    /// Bytes that the driver has given to this device so far for all of its buffers: those of plans and
    /// results, copies on their way, and what is free in the blocks that buffers are cut from. Compiled
    /// pipelines and what the driver keeps for itself are not in it. `None` where the back end does not tell
    /// (Metal).
    pub fn memory_taken(&self) -> Option<u64> {
        Some(self.device.generate_allocator_report()?.total_reserved_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::DeviceChoice;

    #[test]
    fn memory_follows_what_is_made_and_dropped() {
        // More than any block of the allocator has left.
        const BYTES: u64 = 300 << 20;
        let device = Device::open_with(&DeviceChoice::Cpu, |_| None).unwrap();
        let taken = || device.memory_taken().expect("Vulkan and DX12 tell");
        let before = taken();
        let buffer = device.storage("x", BYTES).unwrap();
        assert!(taken() >= before + BYTES, "{before} then {}", taken());
        drop(buffer);
        device.flush().unwrap();
        assert!(taken() < before + BYTES, "{before} then {}", taken());
    }
}
