//! The GPU runtime: adapters, shader registry, buffers, replay of static plans, readbacks, errors. It knows
//! nothing of networks.

#![warn(missing_docs)]

mod adapter;
mod adapter_cache;
mod caps;
mod convolution;
mod device;
mod error;
#[cfg_attr(api, doc(hidden))]
pub mod launch;
mod mapping;
mod memory;
mod object_counts;
mod pair;
mod params;
mod pipeline_cache;
#[cfg_attr(api, doc(hidden))]
pub mod profile;
mod program;
mod readback;
mod replay;
mod run;
mod shader_dump;
#[cfg_attr(api, doc(hidden))]
pub mod shaders;
mod step_uniform;
mod timer;
#[cfg_attr(api, doc(hidden))]
pub mod tuned_variants;
mod uploads;

pub use adapter::{AdapterReport, DeviceChoice, adapters};
#[cfg_attr(api, doc(hidden))]
pub use adapter_cache::{AdapterCache, Identity};
#[cfg_attr(api, doc(hidden))]
pub use caps::{Caps, Form, Matrices, TunedVariants};
#[cfg_attr(api, doc(hidden))]
pub use convolution::{ConvCase, ConvShape, Direction};
#[cfg_attr(api, doc(hidden))]
pub use device::Device;
#[cfg_attr(api, doc(hidden))]
pub use error::GpuError;
#[cfg_attr(api, doc(hidden))]
pub use launch::{
    BufferId, Constants, Cost, Element, Kernel, Launch, MATRIX, VIEW_ALIGNMENT, View, linear_grid,
};
#[cfg_attr(api, doc(hidden))]
pub use object_counts::ObjectCounts;
#[cfg_attr(api, doc(hidden))]
pub use pair::Gpu;
pub(crate) use params::params;
#[cfg_attr(api, doc(hidden))]
pub use params::{FieldKind, FieldType, ParamField, Params};
#[cfg_attr(api, doc(hidden))]
pub use program::Program;
#[cfg_attr(api, doc(hidden))]
pub use readback::ReadbackRing;
#[cfg_attr(api, doc(hidden))]
pub use replay::{Pause, Player};
#[cfg_attr(api, doc(hidden))]
pub use run::{run, step_buffer};
#[cfg_attr(api, doc(hidden))]
pub use step_uniform::StepUniform;
#[cfg_attr(api, doc(hidden))]
pub use uploads::{Upload, UploadRing};
