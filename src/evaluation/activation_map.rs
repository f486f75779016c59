//! Class activation maps (Zhou 2016) and Grad-CAM (Selvaraju 2017) at the features' resolution.
//!
//! Most networks here end in global average pooling and one dense layer, so the gradient of a logit by a
//! feature is the classifier's weight over the number of positions: Grad-CAM needs no backward pass and
//! equals CAM after ReLU, up to that factor. MobileNetV3 has a dense layer with an activation between pooling
//! and classifier. A logit is not linear in the features there, and CAM, which is defined for a linear head
//! alone, takes the logit's gradient at the image in place of the classifier's weights: the map before
//! Grad-CAM's ReLU, up to the factor.

use crate::graph::{Network, ParamKind, pad4};
use crate::kernels::reference::activation::slope;

/// How a class activation map weighs the features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CamMethod {
    /// Σ_k w_k·f_k, without bias and without ReLU.
    Cam,
    /// ReLU(Σ_k α_k·f_k) with α_k the mean gradient over positions.
    GradCam,
}

impl CamMethod {
    /// The word on the command line and in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cam => "cam",
            Self::GradCam => "gradcam",
        }
    }
}

/// Raw scores `[h, w]` row by row, one map an image; maps are square, as inputs are. `params` is the
/// parameter arena, `features` `[n, h, w, C]` with C padded to four.
pub fn maps(
    network: &Network,
    params: &[f32],
    features: &[f32],
    classes: &[usize],
    method: CamMethod,
) -> Vec<Vec<f32>> {
    let shape = network.node(network.features).shape;
    let (height, width, padded) = (shape.height, shape.width, pad4(shape.channels));
    let head = Head::of(network, params);
    features
        .chunks_exact(height * width * padded)
        .zip(classes)
        .map(|(image, class)| {
            let row = head.weights(image, padded, *class);
            let score = |position: &[f32]| {
                let sum: f64 = position.iter().zip(&row).map(|(f, w)| f64::from(*f) * f64::from(*w)).sum();
                match method {
                    CamMethod::Cam => sum as f32,
                    CamMethod::GradCam => (sum / (height * width) as f64).max(0.0) as f32,
                }
            };
            image.chunks_exact(padded).map(score).collect()
        })
        .collect()
}

/// A sentence where the maps of a network can show no place.
pub fn caution(network: &Network) -> Option<String> {
    let shape = network.node(network.features).shape;
    (shape.height * shape.width == 1).then(|| {
        format!(
            "the features of {0} × {0} pixels are a single cell: a class activation map is the same everywhere and \
             shows nothing; expected a model with a larger data.image_size or model.stem_stride = 1",
            network.image_size
        )
    })
}

/// The dense layers behind the pooling, in file order.
struct Head<'a> {
    network: &'a Network,
    /// `[classes][inputs]`
    classifier: Vec<f32>,
    /// Weight `[outputs][features]` and bias of the layer before the classifier, where there is one.
    hidden: Option<(Vec<f32>, Vec<f32>)>,
}

impl<'a> Head<'a> {
    fn of(network: &'a Network, params: &[f32]) -> Self {
        let read = |index: usize| {
            let parameter = &network.layout.parameters[index];
            let kind: ParamKind = parameter.kind;
            kind.unpack(&params[parameter.offset..parameter.offset + kind.padded_len()])
        };
        let hidden = network.hidden.map(|hidden| (read(hidden.weight), read(hidden.bias)));
        Self { network, classifier: read(network.classifier), hidden }
    }

    /// The gradient of a class's logit by the pooled features of `image` `[h, w, padded]`.
    fn weights(&self, image: &[f32], padded: usize, class: usize) -> Vec<f32> {
        let channels = self.network.node(self.network.features).shape.channels;
        let (Some(layer), Some((weight, bias))) = (self.network.hidden, &self.hidden) else {
            return self.classifier[class * channels..][..channels].to_vec();
        };
        let positions = (image.len() / padded) as f64;
        let pooled: Vec<f64> = (0..channels)
            .map(|c| image.iter().skip(c).step_by(padded).map(|v| f64::from(*v)).sum::<f64>() / positions)
            .collect();
        let row = &self.classifier[class * bias.len()..][..bias.len()];
        let mut gradient = vec![0.0; channels];
        for ((weights, bias), out) in weight.chunks_exact(channels).zip(bias).zip(row) {
            let sum: f64 = weights.iter().zip(&pooled).map(|(w, p)| f64::from(*w) * p).sum();
            let factor = f64::from(*out) * slope(layer.activation, sum + f64::from(*bias));
            for (gradient, weight) in gradient.iter_mut().zip(weights) {
                *gradient += factor * f64::from(*weight);
            }
        }
        gradient.into_iter().map(|value| value as f32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{ModelOptions, build};

    #[test]
    fn a_map_of_one_cell_is_said_to_show_nothing() {
        let told = |size, stem_stride| {
            let options =
                ModelOptions { width: 0.1, depth: 0.3, stem_stride, ..ModelOptions::plain(10, size) };
            caution(&build("tf_efficientnet_b0", &options).unwrap())
        };
        assert!(told(32, 2).is_some_and(|text| text.contains("32 × 32 pixels are a single cell")));
        assert_eq!((told(32, 1), told(64, 2)), (None, None));
    }
}
