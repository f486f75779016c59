//! The GPU runtime: adapters, shader registry, buffers, replay of static plans, readbacks, errors. It knows
//! nothing of networks.

mod adapter;
pub mod choices;
mod device;
mod error;
mod kept;
pub mod launch;
mod made;
mod mapping;
mod memory;
mod pair;
mod pipeline_cache;
pub mod profile;
mod program;
mod readback;
mod replay;
mod run;
pub mod shaders;
mod step_uniform;
mod timer;
mod uploads;

pub use adapter::{AdapterReport, DeviceChoice, adapters};
pub use device::Device;
pub use error::GpuError;
pub use kept::{Identity, Kept};
pub use launch::{BufferId, Caps, Cost, Element, Form, Kernel, Launch, Matrices, View, linear_grid};
pub use made::Made;
pub use pair::Gpu;
pub use program::Program;
pub use readback::ReadbackRing;
pub use replay::{Pause, Player};
pub use run::{run, step_buffer};
pub use step_uniform::StepUniform;
pub use uploads::{Upload, UploadRing};
