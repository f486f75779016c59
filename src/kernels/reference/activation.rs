//! The activation functions and their slopes, in f64.

use crate::kernels::activation::Activation;

/// `act(u)`.
pub fn activate(activation: Activation, u: f64) -> f64 {
    match activation {
        Activation::None => u,
        Activation::Relu => u.max(0.0),
        Activation::Silu => u / (1.0 + (-u).exp()),
        Activation::Sigmoid => 1.0 / (1.0 + (-u).exp()),
        Activation::Relu6 => u.clamp(0.0, 6.0),
        Activation::HardSwish => u * (u + 3.0).clamp(0.0, 6.0) / 6.0,
        Activation::HardSigmoid => (u + 3.0).clamp(0.0, 6.0) / 6.0,
    }
}

/// `act'` at the input `u`, as PyTorch has it where the function has a corner.
pub fn slope(activation: Activation, u: f64) -> f64 {
    match activation {
        Activation::None => 1.0,
        Activation::Relu => f64::from(u > 0.0),
        Activation::Silu => {
            let s = activate(Activation::Sigmoid, u);
            s * (1.0 + u * (1.0 - s))
        }
        Activation::Sigmoid => {
            let s = activate(Activation::Sigmoid, u);
            s * (1.0 - s)
        }
        Activation::Relu6 => f64::from(u > 0.0 && u < 6.0),
        Activation::HardSwish if u <= -3.0 => 0.0,
        Activation::HardSwish if u >= 3.0 => 1.0,
        Activation::HardSwish => u / 3.0 + 0.5,
        Activation::HardSigmoid => f64::from(u > -3.0 && u < 3.0) / 6.0,
    }
}

/// `act'` from what a backward pass is given: the input, or the output where [`Activation::slope_from`] says
/// so.
fn slope_at(activation: Activation, kept: f64) -> f64 {
    match activation {
        Activation::Sigmoid => kept * (1.0 - kept),
        Activation::HardSigmoid => f64::from(kept > 0.0 && kept < 1.0) / 6.0,
        // The output of these has the slope of the input.
        _ => slope(activation, kept),
    }
}

/// `act(x)`, element by element.
pub fn forward(activation: Activation, x: &[f32]) -> Vec<f32> {
    x.iter().map(|x| activate(activation, f64::from(*x)) as f32).collect()
}

/// `dy * act'`, element by element; `kept` is the activation's input or output, as [`Activation::slope_from`]
/// says.
pub fn backward(activation: Activation, kept: &[f32], dy: &[f32]) -> Vec<f32> {
    let product = |(kept, dy): (&f32, &f32)| f64::from(*dy) * slope_at(activation, f64::from(*kept));
    kept.iter().zip(dy).map(|pair| product(pair) as f32).collect()
}
