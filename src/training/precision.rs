//! Half precision in a run: whether the adapter can, and where the loss scale is kept.
//!
//! With `run.precision = "f16"` the training and attack plans store activations and their gradients in f16.
//! Weights, their gradients, optimizer state, batch statistics, vectors by image, logits and loss stay f32,
//! and so does inference.

use super::buffers;
use crate::config::{MAX_BRANCHES, Precision};
use crate::gpu::{AdapterReport, Element, GpuError, View};
use crate::kernels::loss_scale;

/// Bytes from the start of [`buffers::METRICS`] to the loss scale: it comes back to the host with every
/// step's metrics, in one copy.
pub(super) const LOSS_SCALE_OFFSET: u64 = 256;

const _: () =
    assert!(MAX_BRANCHES as u64 * 16 <= LOSS_SCALE_OFFSET, "the sums of all branches come before it");

/// The state of loss scaling, which begins with a `kernels::loss_scale::LossScale`.
pub(super) fn loss_scale() -> View {
    View::words(buffers::METRICS, LOSS_SCALE_OFFSET, loss_scale::STATE_WORDS)
}

/// Bytes of [`buffers::METRICS`].
pub(super) fn metrics_bytes(precision: Precision, branches: usize) -> u64 {
    match precision {
        Precision::F32 => branches as u64 * 16,
        Precision::F16 => LOSS_SCALE_OFFSET + loss_scale().size,
    }
}

/// How the plans of a run store activations. An error where the adapter has no f16.
pub fn storage(precision: Precision, adapter: &AdapterReport) -> Result<Element, GpuError> {
    match precision {
        Precision::F32 => Ok(Element::F32),
        Precision::F16 if adapter.features.iter().any(|f| f == "shader_f16") => Ok(Element::F16),
        Precision::F16 => Err(GpuError::Unsupported {
            adapter: adapter.name.clone(),
            what: "16-bit floats in shaders, which `run.precision` = \"f16\" needs; use \"f32\" or another --device"
                .to_owned(),
        }),
    }
}
