//! The few numbers that change from one replay of a plan to the next.

use super::params::params;

params! {
    /// The shader's `struct Step` in `shaders/lib/step.wgsl`.
    pub struct StepUniform {
        /// The run's seed, folded to 32 bits.
        seed: u32,
        /// Finished optimizer updates.
        step: u32,
        /// Micro-batch within the step.
        micro: u32,
        /// 1 at the first update of an optimizer's life, where momentum buffers start.
        first_step: u32,
        /// Learning rate of the step.
        lr: f32,
        /// Multiplies every gradient in the optimizer: 1 / (loss scale · micro-batches).
        grad_scale: f32,
        /// 1 − decay of the moving average, subtracted in f64: 1 − 0.9999f32 is off by 1.7e-4.
        ema_rate: f32,
        /// AdamW: 1 − beta1^t.
        bias_correction1: f32,
        /// AdamW: 1 − beta2^t.
        bias_correction2: f32,
        ; padding: [u32; 3],
    }
}
