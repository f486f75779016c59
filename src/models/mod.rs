//! EfficientNets, MobileNets and ResNets as graphs, under timm's parameter names. Forward and backward are
//! the graph's work; a model here is only its list of layers.

#![warn(missing_docs)]

mod efficientnet;
#[cfg_attr(api, doc(hidden))]
pub mod head;
#[cfg_attr(api, doc(hidden))]
pub mod init;
mod inverted_residual;
mod mobilenet_v3;
#[cfg_attr(api, doc(hidden))]
pub mod names;
mod options;
mod preact_resnet;
pub mod registry;
mod resnet;
mod scaling;
mod stages;

pub use options::ModelOptions;
pub use registry::build;
