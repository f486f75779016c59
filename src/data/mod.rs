//! Where images come from: the built-in `shapes` set, CIFAR files, image folders; decoding and drawing of
//! augmentations on worker threads. Images leave here as RGB bytes; the GPU crops, flips and normalises.

mod dataset;
mod random;
pub mod shapes;

pub use dataset::{Dataset, Splits};
