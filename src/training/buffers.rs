//! The buffers that training and inference plans share, by number. Activations live in arena chunks behind
//! them.

use crate::config::MAX_BRANCHES;
use crate::gpu::{BufferId, Device, GpuError};

/// All parameters, in the arena layout of the network.
pub const PARAMS: BufferId = BufferId(0);
/// Running means and variances of all batch norms and domains.
pub const RUNNING: BufferId = BufferId(1);
/// Gradients of all parameters, laid out as [`PARAMS`].
pub const GRADIENTS: BufferId = BufferId(2);
/// Momentum, or AdamW's first moment.
pub const MOMENTUM: BufferId = BufferId(3);
/// RMSProp's mean square, or AdamW's second moment.
pub const SQUARE: BufferId = BufferId(4);
/// Moving average of [`PARAMS`].
pub const EMA_PARAMS: BufferId = BufferId(5);
/// Moving average of [`RUNNING`].
pub const EMA_RUNNING: BufferId = BufferId(6);
/// Optimizer group of each block of 64 floats.
pub const GROUPS: BufferId = BufferId(7);
/// RGB bytes as uploaded, `[B, S, S, 3]`.
pub const BYTES: BufferId = BufferId(8);
/// Crop and flip of each uploaded image.
pub const PLACEMENTS: BufferId = BufferId(9);
/// Clean pixels 0..255, `[B, S, S, 4]`.
pub const CLEAN: BufferId = BufferId(10);
/// Labels and weights of each training row.
pub const ROWS: BufferId = BufferId(11);
/// Loss and hits of each training row.
pub const RESULTS: BufferId = BufferId(12);
/// Sums of [`RESULTS`] by branch, and the loss scale of a run in half precision.
pub const METRICS: BufferId = BufferId(13);
/// Labels that attacks aim at or away from.
pub const ATTACK_ROWS: BufferId = BufferId(14);
/// A number per image that seeds its random start.
pub const IMAGE_IDS: BufferId = BufferId(15);
/// Partial sums of the gradient's norm.
pub const NORM_PARTIALS: BufferId = BufferId(16);
/// Logits of an inference batch.
pub const LOGITS: BufferId = BufferId(17);
/// Features of an inference batch.
pub const FEATURES: BufferId = BufferId(18);
/// The images that an inference plan looks at, `[B, S, S, 4]`.
pub const CURRENT: BufferId = BufferId(19);

/// RGB bytes of the second view of a batch, the one with the augmentation policy, `[B, S, S, 3]`.
pub const AUGMENTED_BYTES: BufferId = BufferId(20);
/// Crop and flip of each image of the second view.
pub const AUGMENTED_PLACEMENTS: BufferId = BufferId(21);
/// Pixels 0..255 of the second view, `[B, S, S, 4]`.
pub const AUGMENTED: BufferId = BufferId(22);
/// Adversarial pixels of all micro-batches of a step.
pub const POOL: BufferId = BufferId(23);
/// Which images of [`POOL`] a micro-batch gets back.
pub const POOL_TABLE: BufferId = BufferId(24);

/// Weights with the batch norms of an attacked domain folded into them, laid out as [`PARAMS`].
pub const FOLDED: BufferId = BufferId(25);
/// State of the attack at work from its start to its last iteration, such as `kernels::attack::Momentum`.
/// Attacks follow one another, so all branches share it.
pub const ATTACK_STATE: BufferId = BufferId(26);

/// RGB bytes of the corrupted view of a batch, `[B, S, S, 3]`.
pub const CORRUPTED_BYTES: BufferId = BufferId(27);
/// Crop and flip of each image of the corrupted view: none, for corruptions see the cropped image.
pub const CORRUPTED_PLACEMENTS: BufferId = BufferId(28);
/// Pixels 0..255 of the corrupted view, `[B, S, S, 4]`.
pub const CORRUPTED: BufferId = BufferId(29);

const FIRST_OF_BRANCHES: u32 = 30;
const OF_A_BRANCH: u32 = 5;

fn of_branch(branch: usize, buffer: u32) -> BufferId {
    BufferId(FIRST_OF_BRANCHES + branch as u32 * OF_A_BRANCH + buffer)
}

/// Pixels that branch `i` trains on, where they are not all of the loader's: adversarial, mixed, or a part.
pub fn branch_pixels(branch: usize) -> BufferId {
    of_branch(branch, 0)
}

/// Clean pixels that the attack of branch `i` starts from, where it takes a part of the batch.
pub fn branch_clean(branch: usize) -> BufferId {
    of_branch(branch, 1)
}

/// Which images branch `i` takes, and how it mixes them.
pub fn branch_table(branch: usize) -> BufferId {
    of_branch(branch, 2)
}

/// Labels that the attack of branch `i` aims at or away from.
pub fn branch_attack_rows(branch: usize) -> BufferId {
    of_branch(branch, 3)
}

/// A number per attacked image of branch `i` that seeds its random start.
pub fn branch_image_ids(branch: usize) -> BufferId {
    of_branch(branch, 4)
}

/// The buffers that every micro-batch fills anew; with `images` those of its images too, which otherwise stay
/// on the GPU.
pub fn of_each_micro_batch(images: bool) -> impl Iterator<Item = BufferId> {
    let shared = [
        PLACEMENTS,
        ROWS,
        AUGMENTED_BYTES,
        AUGMENTED_PLACEMENTS,
        CORRUPTED_BYTES,
        CORRUPTED_PLACEMENTS,
        POOL_TABLE,
    ];
    let of_branches = (0..MAX_BRANCHES)
        .flat_map(|branch| [branch_table, branch_attack_rows, branch_image_ids].map(|id| id(branch)));
    shared.into_iter().chain(of_branches).chain(images.then_some(BYTES))
}

/// The first chunk of the arena that activations and their gradients share.
pub const ARENA: BufferId = BufferId(FIRST_OF_BRANCHES + MAX_BRANCHES as u32 * OF_A_BRANCH);

/// The buffers of one attack on `images` images.
#[derive(Clone, Copy, Debug)]
pub struct AttackPlace {
    /// Images that are attacked at once.
    pub images: usize,
    /// Pixels `[images, S, S, 4]` that the ball lies around.
    pub clean: BufferId,
    /// Pixels that move.
    pub adversarial: BufferId,
    /// A loss row an image.
    pub rows: BufferId,
    /// A number an image that seeds its start.
    pub ids: BufferId,
    /// Where an iteration leaves the logits that it started from, if anyone wants them.
    pub logits: Option<BufferId>,
}

/// The real buffers behind the numbers.
pub struct Buffers {
    list: Vec<wgpu::Buffer>,
    /// Bytes allocated.
    pub bytes: u64,
}

impl Buffers {
    /// Numbers without buffers: each stands for one small placeholder until [`Self::allocate`].
    pub fn new(device: &Device) -> Result<Self, GpuError> {
        let unused = device.storage("unused", 16)?;
        Ok(Self { list: vec![unused; ARENA.0 as usize], bytes: 16 })
    }

    /// Makes the buffer behind `id`, of `bytes` bytes; `what` names it in errors.
    pub fn allocate(
        &mut self,
        device: &Device,
        id: BufferId,
        what: &str,
        bytes: u64,
    ) -> Result<(), GpuError> {
        self.list[id.0 as usize] = device.storage(what, bytes)?;
        self.bytes += bytes;
        Ok(())
    }

    /// Lets `id` be another plan's buffer.
    pub fn share(&mut self, id: BufferId, buffer: &wgpu::Buffer) {
        self.list[id.0 as usize] = buffer.clone();
    }

    /// Makes the arena's chunks at least as large as each plan in `arenas` needs; the plans never run at one
    /// time.
    pub fn allocate_arena(&mut self, device: &Device, arenas: &[&[u64]]) -> Result<(), GpuError> {
        let chunks = arenas.iter().map(|a| a.len()).max().unwrap_or(0);
        for chunk in 0..chunks {
            let bytes = arenas.iter().filter_map(|a| a.get(chunk)).max().copied().unwrap_or(0);
            self.list.push(device.storage("activations", bytes)?);
            self.bytes += bytes;
        }
        Ok(())
    }

    /// The buffer behind a number.
    pub fn get(&self, id: BufferId) -> &wgpu::Buffer {
        &self.list[id.0 as usize]
    }

    /// All buffers, indexed by their numbers.
    pub fn all(&self) -> &[wgpu::Buffer] {
        &self.list
    }
}
