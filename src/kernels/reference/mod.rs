//! Plain CPU versions of the kernels: slow indexing loops over slices, sums in f64, the same layouts as the shaders.

pub mod conv;
pub mod depthwise;
pub mod random;
