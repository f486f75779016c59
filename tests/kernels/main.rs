//! Every kernel on an adapter against its plain CPU version, on odd sizes and in every variant.

mod conv;
mod depthwise;
mod permutations;
mod support;
