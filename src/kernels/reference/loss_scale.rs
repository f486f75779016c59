//! The rule of dynamic loss scaling.

use crate::kernels::loss_scale::{GROWTH_STEPS, LossScale};

/// The state after a step with these scaled gradients, and the gradients divided by the scale.
pub fn step(state: LossScale, scaled: &[f32]) -> (LossScale, Vec<f32>) {
    let gradient = scaled.iter().map(|g| g / state.scale).collect();
    let next = if scaled.iter().all(|g| g.is_finite()) {
        let grown = state.good_steps + 1 == GROWTH_STEPS;
        LossScale {
            scale: if grown { (state.scale * 2.0).min(2.0_f32.powi(24)) } else { state.scale },
            good_steps: if grown { 0 } else { state.good_steps + 1 },
            overflow: 0,
            skipped: state.skipped,
        }
    } else {
        LossScale {
            scale: (state.scale / 2.0).max(1.0),
            good_steps: 0,
            overflow: 1,
            skipped: state.skipped + 1,
        }
    };
    (next, gradient)
}
