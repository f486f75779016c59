//! What can go wrong between the program and the GPU, each as a sentence with the next thing to do.

/// A failure of the GPU or of what it was asked to do.
#[derive(Clone, Debug, thiserror::Error)]
pub enum GpuError {
    #[error(
        "no GPU adapter found: install a Vulkan driver (on Debian without a GPU: mesa-vulkan-drivers), \
         or Metal or DX12 where the system has them"
    )]
    NoAdapter,
    #[error("no adapter matches the device choice \"{choice}\"; there is: {available}")]
    NoSuchAdapter { choice: String, available: String },
    #[error("the adapter {adapter} does not offer {what}")]
    Unsupported { adapter: String, what: String },
    #[error("the adapter {adapter} refused to open: {reason}")]
    Refused { adapter: String, reason: String },
    #[error(
        "the GPU has no room for {bytes} more bytes ({what}): use a smaller batch or image, or close other programs"
    )]
    OutOfMemory { what: String, bytes: u64 },
    #[error(
        "{what} needs {bytes} bytes in one piece, and this adapter allows {limit}: use a smaller batch, image or network"
    )]
    TooLarge { what: String, bytes: u64, limit: u64 },
    #[error("the GPU was lost ({0}): continue the run from its last checkpoint with --resume")]
    Lost(String),
    #[error("the GPU reported an error: {0}")]
    Reported(String),
    #[error(transparent)]
    Shader(#[from] std::sync::Arc<super::shaders::ShaderError>),
}
