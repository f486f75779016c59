//! Class activation maps (Zhou 2016) and Grad-CAM (Selvaraju 2017) at the features' resolution.
//!
//! Every network here ends in global average pooling and one dense layer, so the gradient of a logit by a feature is
//! the classifier's weight over the number of positions: Grad-CAM needs no backward pass and equals CAM after ReLU,
//! up to that factor.

use crate::graph::{Network, pad4};

/// How a class activation map weighs the features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CamMethod {
    /// Σ_k w_k·f_k, without bias and without ReLU.
    Cam,
    /// ReLU(Σ_k α_k·f_k) with α_k the mean gradient over positions.
    GradCam,
}

/// Raw scores `[h, w]` row by row, one map an image; maps are square, as inputs are. `params` is the parameter arena,
/// `features` `[n, h, w, C]` with C padded to four.
pub fn maps(
    network: &Network,
    params: &[f32],
    features: &[f32],
    classes: &[usize],
    method: CamMethod,
) -> Vec<Vec<f32>> {
    let shape = network.node(network.features).shape;
    let (height, width, padded) = (shape.height, shape.width, pad4(shape.channels));
    let classifier = &network.layout.parameters[network.classifier];
    let weights =
        classifier.kind.unpack(&params[classifier.offset..classifier.offset + classifier.kind.padded_len()]);
    features
        .chunks_exact(height * width * padded)
        .zip(classes)
        .map(|(image, class)| {
            let row = &weights[*class * shape.channels..][..shape.channels];
            let score = |position: &[f32]| {
                let sum: f64 = position.iter().zip(row).map(|(f, w)| f64::from(*f) * f64::from(*w)).sum();
                match method {
                    CamMethod::Cam => sum as f32,
                    CamMethod::GradCam => (sum / (height * width) as f64).max(0.0) as f32,
                }
            };
            image.chunks_exact(padded).map(score).collect()
        })
        .collect()
}
