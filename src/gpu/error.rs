//! What can go wrong between the program and the GPU, each as a sentence with the next thing to do.

/// A failure of the GPU or of what it was asked to do.
#[derive(Clone, Debug, thiserror::Error)]
pub enum GpuError {
    /// The system has no adapter at all.
    #[error(
        "no GPU adapter found: install a Vulkan driver (on Debian without a GPU: mesa-vulkan-drivers), \
         or Metal or DX12 where the system has them"
    )]
    NoAdapter,
    /// There is no adapter that the choice means.
    #[error("no adapter matches the device choice \"{choice}\"; there is: {available}")]
    NoSuchAdapter {
        /// What the user asked for.
        choice: String,
        /// The adapters with their numbers.
        available: String,
    },
    /// The adapter lacks what was asked for.
    #[error("the adapter {adapter} does not offer {what}")]
    Unsupported {
        /// The adapter's name.
        adapter: String,
        /// What it lacks.
        what: String,
    },
    /// The driver would not open the adapter.
    #[error("the adapter {adapter} refused to open: {reason}")]
    Refused {
        /// The adapter's name.
        adapter: String,
        /// What the driver said.
        reason: String,
    },
    /// The driver has no memory left.
    #[error(
        "the GPU has no room for {bytes} more bytes ({what}): use a smaller batch or image, or close other programs"
    )]
    OutOfMemory {
        /// What the memory was for.
        what: String,
        /// Bytes that were asked for.
        bytes: u64,
    },
    /// A buffer or a part of one is beyond the adapter's limit.
    #[error(
        "{what} needs {bytes} bytes in one piece, and this adapter allows {limit}: use a smaller batch, image or network"
    )]
    TooLarge {
        /// What would be too large.
        what: String,
        /// Bytes that it needs.
        bytes: u64,
        /// Bytes that the adapter allows.
        limit: u64,
    },
    /// The device is gone, with the driver's reason.
    #[error("the GPU was lost ({0}): continue the run from its last checkpoint with --resume")]
    Lost(String),
    /// wgpu reported an error outside of any call.
    #[error("the GPU reported an error: {0}")]
    Reported(String),
    /// A shader file has a mistake.
    #[error(transparent)]
    Shader(#[from] std::sync::Arc<super::shaders::ShaderError>),
}
