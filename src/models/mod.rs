//! EfficientNets, MobileNets and ResNets as graphs, under timm's parameter names. Forward and backward are
//! the graph's work; a model here is only its list of layers.

#![warn(missing_docs)]

mod efficientnet;
pub mod head;
pub mod init;
mod inverted_residual;
mod mobilenet_v3;
pub mod names;
mod options;
mod preact_resnet;
pub mod registry;
mod resnet;
mod scaling;
mod stages;

pub use options::ModelOptions;
pub use registry::build;
