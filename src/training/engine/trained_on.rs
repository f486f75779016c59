//! What the last step trained on, for those who look: the pixels of each branch, and the pairs that mixup
//! mixed.

use super::Engine;
use crate::gpu::GpuError;
use crate::training::branch_buffers::BranchBuffers;
use crate::training::buffers;
use crate::training::method::Source;

/// What a branch with mixup mixed: `lambda` of the first image of a pair and the rest of the second.
#[derive(Clone, Debug)]
pub struct MixedPairs {
    /// As drawn for the step, 0..=1.
    pub lambda: f32,
    /// Pixels 0..255 of an image and of its partner, `[S, S, 4]` each.
    pub pairs: Vec<[Vec<f32>; 2]>,
}

impl Engine {
    /// Pixels of branch `index` of update `step`, the last one, `[images, S, S, 4]`: what it trained on.
    pub fn branch_pixels(&self, step: u64, index: usize) -> Result<Vec<f32>, GpuError> {
        let branch = BranchBuffers::new(index, &self.method_at(step).branches[index], self.micro_images());
        let floats = branch.images() * self.network.image_size.pow(2) * 4;
        self.gpu.device.read_f32(self.parts.buffers.get(branch.trained()), 0, floats)
    }

    /// The first `most` pairs that branch `index` of update `step`, the last one, mixed, in the order of
    /// [`Self::branch_pixels`]. `None` where the branch has no mixup.
    pub fn mixed_pairs(&self, step: u64, index: usize, most: usize) -> Result<Option<MixedPairs>, GpuError> {
        let Source::Mixup { mixed } = self.method_at(step).branches[index].source else { return Ok(None) };
        let made = &self.parts.buffers;
        let rows = mixed.min(most);
        let table = self.gpu.device.read(made.get(buffers::branch_table(index)), 0, rows as u64 * 16)?;
        let table: Vec<[u32; 4]> = bytemuck::pod_collect_to_vec(&table);
        let floats = self.network.image_size.pow(2) * 4;
        let pixels = |image: u32| {
            let offset = u64::from(image) * floats as u64 * 4;
            self.gpu.device.read_f32(made.get(buffers::CLEAN), offset, floats)
        };
        let pairs = table.iter().map(|[image, partner, ..]| Ok([pixels(*image)?, pixels(*partner)?]));
        let pairs: Vec<_> = pairs.collect::<Result<_, GpuError>>()?;
        let lambda = table.first().map_or(1.0, |row| f32::from_bits(row[2]));
        Ok(Some(MixedPairs { lambda, pairs }))
    }
}
