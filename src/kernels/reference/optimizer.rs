//! Optimizers in f64 on one parameter at a time.

use crate::gpu::StepUniform;
use crate::kernels::optimizer::{BLOCK, Group, Rule};

/// Parameters with their state, in f64 so that a test sees only the shader's rounding.
#[derive(Clone, Debug, PartialEq)]
pub struct Arena {
    /// The parameters, as many floats as the range has.
    pub weights: Vec<f64>,
    /// [`Rule::states`] vectors.
    pub state: Vec<Vec<f64>>,
}

/// One update; `table` holds the group of every 64 floats.
pub fn update(
    rule: &Rule,
    groups: &[Group],
    step: &StepUniform,
    table: &[u32],
    gradient: &[f32],
    arena: &mut Arena,
) {
    for i in 0..arena.weights.len() {
        let group = &groups[table[i / BLOCK] as usize];
        let decay_of_weights = f64::from(group.weight_decay);
        let lr = f64::from(step.lr) * f64::from(group.lr_scale);
        let raw = f64::from(gradient[i]) * f64::from(step.grad_scale) * f64::from(group.grad_scale);
        let w = arena.weights[i];
        let coupled = raw + decay_of_weights * w;
        let state = &mut arena.state;
        arena.weights[i] = match *rule {
            Rule::Sgd { momentum, nesterov } => {
                state[0][i] = if step.first_step != 0 { coupled } else { momentum * state[0][i] + coupled };
                w - lr * if nesterov { coupled + momentum * state[0][i] } else { state[0][i] }
            }
            Rule::RmsProp { momentum, decay, eps } => {
                state[0][i] += (1.0 - decay) * (coupled * coupled - state[0][i]);
                state[1][i] = momentum * state[1][i] + lr * coupled / (state[0][i] + eps).sqrt();
                w - state[1][i]
            }
            Rule::AdamW { beta1, beta2, eps } => {
                state[0][i] = beta1 * state[0][i] + (1.0 - beta1) * raw;
                state[1][i] = beta2 * state[1][i] + (1.0 - beta2) * raw * raw;
                let first = state[0][i] / f64::from(step.bias_correction1);
                let second = state[1][i] / f64::from(step.bias_correction2);
                w * (1.0 - lr * decay_of_weights) - lr * first / (second.sqrt() + eps)
            }
        };
    }
}

/// Norm of the gradients as the optimizer sees them.
pub fn gradient_norm(groups: &[Group], step: &StepUniform, table: &[u32], gradient: &[f32]) -> f64 {
    let scale =
        |i: usize| f64::from(groups[table[i / BLOCK] as usize].grad_scale) * f64::from(step.grad_scale);
    gradient.iter().enumerate().map(|(i, g)| (f64::from(*g) * scale(i)).powi(2)).sum::<f64>().sqrt()
}
