//! The GPU runtime: adapters, shader registry, buffers, replay of static plans, readbacks, errors. It knows
//! nothing of networks.

#![warn(missing_docs)]

mod adapter;
mod adapter_cache;
mod caps;
mod compile_ahead;
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
// For this program's own modules and tests; versions do not promise these.
#[cfg_attr(api, doc(hidden))]
pub use self::{
    adapter_cache::{AdapterCache, Identity},
    caps::{Caps, Form, Matrices, TunedVariants},
    convolution::{ConvCase, ConvShape, Direction},
    device::Device,
    error::GpuError,
    launch::{BufferId, Constants, Cost, Element, Kernel, Launch, MATRIX, VIEW_ALIGNMENT, View, linear_grid},
    object_counts::ObjectCounts,
    pair::Gpu,
    params::{FieldKind, FieldType, ParamField, Params},
    program::Program,
    readback::ReadbackRing,
    replay::{Pause, Player},
    run::{run, step_buffer},
    step_uniform::StepUniform,
    uploads::{Upload, UploadRing},
};
pub(crate) use params::params;
