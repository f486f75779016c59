//! Plain CPU versions of the kernels: slow indexing loops over slices, sums in f64, the same layouts as the
//! shaders.

pub mod activation;
pub mod apgd;
pub mod attack;
pub mod batch_norm;
pub mod column_sum;
pub mod conv;
pub mod cross_entropy;
pub mod depthwise;
pub mod dlr;
pub mod dropout;
pub mod images;
pub mod loss_scale;
pub mod optimizer;
pub mod pool;
pub mod random;
pub mod residual;
pub mod square;
pub mod squeeze_excite;
