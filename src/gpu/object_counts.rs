//! How many objects a device has made, so that a test can show that a step makes none.

use super::device::Device;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many objects of each kind were made since the device was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ObjectCounts {
    /// Buffers, with the staging buffer that wgpu makes for each [`Device::write`].
    pub buffers: u64,
    /// Bind groups.
    pub bind_groups: u64,
    /// Compute pipelines.
    pub pipelines: u64,
}

#[derive(Default)]
pub(super) struct Counters {
    buffers: AtomicU64,
    bind_groups: AtomicU64,
    pipelines: AtomicU64,
}

impl Counters {
    pub(super) fn buffer(&self) {
        self.buffers.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn pipeline(&self) {
        self.pipelines.fetch_add(1, Ordering::Relaxed);
    }
}

impl Device {
    /// The objects that this device has made so far.
    pub fn object_counts(&self) -> ObjectCounts {
        let Counters { buffers, bind_groups, pipelines } = &self.counters;
        let [buffers, bind_groups, pipelines] =
            [buffers, bind_groups, pipelines].map(|count| count.load(Ordering::Relaxed));
        ObjectCounts { buffers, bind_groups, pipelines }
    }

    pub(super) fn bind_group(&self, descriptor: &wgpu::BindGroupDescriptor<'_>) -> wgpu::BindGroup {
        self.counters.bind_groups.fetch_add(1, Ordering::Relaxed);
        self.device.create_bind_group(descriptor)
    }
}
