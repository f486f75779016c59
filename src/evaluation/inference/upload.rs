//! Images on their way to the GPU.

use super::{ImageBatch, Inference};
use crate::gpu::{BufferId, Device};
use crate::training::buffers;

impl Inference {
    /// Puts a batch on the GPU as clean and current images. Rows behind it keep what was there; nobody reads
    /// them.
    pub(super) fn upload(&self, device: &Device, images: ImageBatch<'_>) {
        self.upload_moved(device, images, images.pixels);
    }

    /// As [`Self::upload`], with other pixels as current images.
    pub(super) fn upload_moved(&self, device: &Device, images: ImageBatch<'_>, current: &[f32]) {
        self.check_images(images);
        self.write_pixels(device, buffers::CLEAN, images.pixels);
        self.write_pixels(device, buffers::CURRENT, current);
        device.write(self.buffers.get(buffers::IMAGE_IDS), 0, images.ids);
    }

    /// Puts a batch on the GPU as current images alone, which is what a forward pass reads.
    pub(super) fn upload_current(&self, device: &Device, images: ImageBatch<'_>) {
        self.check_images(images);
        self.write_pixels(device, buffers::CURRENT, images.pixels);
    }

    fn check_images(&self, images: ImageBatch<'_>) {
        let area = self.network.image_size.pow(2);
        let count = images.labels.len();
        assert!(count > 0 && count <= self.batch, "a batch has 1 to {} images", self.batch);
        assert_eq!(images.pixels.len(), count * area * 3, "pixels are [n, S, S, 3]");
    }

    /// Writes pixels `[n, S, S, 3]` to a buffer of four floats a pixel.
    fn write_pixels(&self, device: &Device, id: BufferId, pixels: &[f32]) {
        let padded = pixels.chunks_exact(3).flat_map(|p| [p[0], p[1], p[2], 0.0]);
        device.write(self.buffers.get(id), 0, &padded.collect::<Vec<f32>>());
    }
}
