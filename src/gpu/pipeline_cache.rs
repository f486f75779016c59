//! Compiled pipelines kept on disk between runs, where the driver hands them out (Vulkan).
//!
//! The file: a magic word, the identity of [`AdapterCache`] as JSON behind its length, the driver's bytes,
//! and a CRC-32C of it all, because a driver need not check what it is given.

use super::adapter_cache::AdapterCache;
use std::sync::{Mutex, Once, PoisonError};

const MAGIC: &[u8; 8] = b"DPPIPES1";
const HEAD: usize = MAGIC.len() + 4;
const CHECKSUM: usize = 4;

/// One device's cache and the file behind it.
pub(super) struct PipelineCache {
    pub(super) cache: wgpu::PipelineCache,
    folder: AdapterCache,
    /// What the file holds.
    written: Mutex<Vec<u8>>,
    /// Whether the file had anything for this device.
    pub(super) found: bool,
}

impl PipelineCache {
    /// `None` where the device does not offer it.
    #[allow(
        unsafe_code,
        reason = "wgpu wants to be told that the bytes came from the same adapter and driver"
    )]
    pub(super) fn open(device: &wgpu::Device, folder: AdapterCache) -> Option<Self> {
        if !device.features().contains(wgpu::Features::PIPELINE_CACHE) {
            return None;
        }
        let written = load(&folder).unwrap_or_default();
        let descriptor = wgpu::PipelineCacheDescriptor {
            label: Some("dualprop"),
            data: (!written.is_empty()).then_some(&written),
            fallback: true,
        };
        // SAFETY: the bytes came from `get_data` on an adapter, driver and backend of the same name, and
        // their checksum holds.
        let cache = unsafe { device.create_pipeline_cache(&descriptor) };
        Some(Self { cache, folder, found: !written.is_empty(), written: Mutex::new(written) })
    }

    /// Writes the cache to its file if there is anything new in it.
    pub(super) fn save(&self) {
        let Some(data) = self.cache.get_data() else { return };
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if *written == data {
            return;
        }
        if let Err(error) =
            self.folder.write(&self.folder.file("pipelines", "bin"), &encode(&self.folder, &data))
        {
            // A program compiles several times, and on several devices.
            static TOLD: Once = Once::new();
            TOLD.call_once(|| tracing::warn!("compiled shaders are not kept for the next start: {error}"));
        }
        *written = data;
    }
}

fn encode(folder: &AdapterCache, data: &[u8]) -> Vec<u8> {
    let identity = serde_json::to_vec(folder.identity()).expect("four strings make JSON");
    let mut bytes = MAGIC.to_vec();
    bytes.extend((identity.len() as u32).to_le_bytes());
    bytes.extend(&identity);
    bytes.extend(data);
    bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
    bytes
}

/// The driver's bytes; `None` unless all of the file is as it should be.
fn load(folder: &AdapterCache) -> Option<Vec<u8>> {
    let bytes = std::fs::read(folder.file("pipelines", "bin")).ok()?;
    let (body, checksum) = bytes.split_at_checked(bytes.len().checked_sub(CHECKSUM)?)?;
    if crc32c::crc32c(body).to_le_bytes() != checksum || !body.starts_with(MAGIC) {
        return None;
    }
    let length = u32::from_le_bytes(body.get(MAGIC.len()..HEAD)?.try_into().ok()?) as usize;
    let identity = body.get(HEAD..HEAD.checked_add(length)?)?;
    let matches = serde_json::from_slice::<super::adapter_cache::Identity>(identity)
        .is_ok_and(|i| i == *folder.identity());
    matches.then(|| body[HEAD + length..].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::adapters;

    #[test]
    fn only_a_sound_file_of_the_same_adapter_driver_and_shaders_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let report = adapters().remove(0);
        let cache = AdapterCache::at(folder.path(), &report);
        let file = cache.file("pipelines", "bin");
        assert_eq!(load(&cache), None, "there is none yet");
        let sound = encode(&cache, b"compiled");
        cache.write(&file, &sound).unwrap();
        assert_eq!(load(&cache).as_deref(), Some(b"compiled".as_slice()));

        let other_driver = crate::gpu::AdapterReport { driver: "next".to_owned(), ..report };
        assert_eq!(load(&AdapterCache::at(folder.path(), &other_driver)), None, "made by another driver");
        for at in 0..sound.len() {
            let mut damaged = sound.clone();
            damaged[at] ^= 1;
            cache.write(&file, &damaged).unwrap();
            assert_eq!(load(&cache), None, "byte {at} is wrong");
            cache.write(&file, &sound[..at]).unwrap();
            assert_eq!(load(&cache), None, "cut at {at}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "temporary files were left behind");
    }
}
