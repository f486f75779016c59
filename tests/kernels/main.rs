//! Every kernel on an adapter against its plain CPU version, on odd sizes and in every variant.

mod activation;
mod apgd;
mod attack;
mod batch_norm;
mod conv;
mod cross_entropy;
mod depthwise;
mod dlr;
mod dropout;
mod fold;
mod fusion;
mod images;
mod loss_scale;
mod optimizer;
mod pool;
mod random;
mod residual;
mod square;
mod squeeze_excite;
mod support;
mod vectors;
