//! The few numbers that change from one replay of a plan to the next.

use bytemuck::{Pod, Zeroable};

/// Keep in step with `struct Step` in `shaders/lib/step.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
pub struct StepUniform {
    /// The run's seed, folded to 32 bits.
    pub seed: u32,
    /// Finished optimizer updates.
    pub step: u32,
    /// Micro-batch within the step.
    pub micro: u32,
    /// 1 at the first update of an optimizer's life, where momentum buffers start.
    pub first_step: u32,
    /// Learning rate of the step.
    pub lr: f32,
    /// Multiplies every gradient in the optimizer: 1 / (loss scale · micro-batches).
    pub grad_scale: f32,
    /// 1 − decay of the moving average, subtracted in f64: 1 − 0.9999f32 is off by 1.7e-4.
    pub ema_rate: f32,
    /// AdamW: 1 − beta1^t.
    pub bias_correction1: f32,
    /// AdamW: 1 − beta2^t.
    pub bias_correction2: f32,
    /// Uniform buffers come in multiples of 16 bytes.
    pub padding: [u32; 3],
}
