//! The GPU runtime: adapters, shader registry, buffers, replay of static plans, readbacks, errors. It knows
//! nothing of networks.

#![warn(missing_docs)]

mod adapter;
mod adapter_cache;
mod caps;
mod convolution;
mod device;
mod error;
pub mod launch;
mod mapping;
mod memory;
mod object_counts;
mod pair;
mod params;
mod pipeline_cache;
pub mod profile;
mod program;
mod readback;
mod replay;
mod run;
mod shader_dump;
pub mod shaders;
mod step_uniform;
mod timer;
pub mod tuned_variants;
mod uploads;

pub use adapter::{AdapterReport, DeviceChoice, adapters};
pub use adapter_cache::{AdapterCache, Identity};
pub use caps::{Caps, Form, Matrices, TunedVariants};
pub use convolution::{ConvCase, ConvShape, Direction};
pub use device::Device;
pub use error::GpuError;
pub use launch::{
    BufferId, Constants, Cost, Element, Kernel, Launch, MATRIX, VIEW_ALIGNMENT, View, linear_grid,
};
pub use object_counts::ObjectCounts;
pub use pair::Gpu;
pub(crate) use params::params;
pub use params::{FieldKind, FieldType, ParamField, Params};
pub use program::Program;
pub use readback::ReadbackRing;
pub use replay::{Pause, Player};
pub use run::{run, step_buffer};
pub use step_uniform::StepUniform;
pub use uploads::{Upload, UploadRing};
