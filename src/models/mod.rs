//! EfficientNets and ResNets as graphs, under timm's parameter names. Forward and backward are the graph's work;
//! a model here is only its list of layers.

mod efficientnet;
pub mod init;
pub mod names;
mod preact_resnet;
pub mod registry;
mod resnet;
mod scaling;
mod stages;

pub use registry::{ModelOptions, build};
