//! The classifier of a network, the one layer that depends on the classes: weights of another data set bring
//! one of another size, or none.

use crate::graph::Network;

/// The name in files of a classifier's weight `[classes, features]` and of its bias `[classes]`.
pub fn tensor_names(network: &Network) -> [String; 2] {
    let weight = &network.layout.parameters[network.classifier].name;
    [weight.clone(), weight.replace(".weight", ".bias")]
}

/// A classifier as rows of features with their biases.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// Features that each row weighs.
    pub features: usize,
    /// `[classes, features]`
    pub weight: Vec<f32>,
    /// `[classes]`
    pub bias: Vec<f32>,
}

impl Head {
    /// A classifier of zeros for `network`, with which fine-tuning begins (BiT, Kolesnikov et al. 2020): all
    /// classes are equally probable, and its first gradients do not shake the features. EfficientNet's rule
    /// for new networks draws weights for five classes so large that the loss begins at six nats.
    pub fn zeros(network: &Network) -> Self {
        let kind = network.layout.parameters[network.classifier].kind;
        let features = kind.file_len() / network.classes;
        Self { features, weight: vec![0.0; kind.file_len()], bias: vec![0.0; network.classes] }
    }

    /// Sets row `to` to the row `from` of another classifier over the same features.
    pub fn copy_row(&mut self, to: usize, other: &Self, from: usize) {
        let (to_values, from_values) = (to * self.features, from * other.features);
        self.weight[to_values..][..self.features]
            .copy_from_slice(&other.weight[from_values..][..other.features]);
        self.bias[to] = other.bias[from];
    }

    /// The classifier as tensors of a file of `network`: name, shape and values.
    pub fn into_tensors(self, network: &Network) -> [(String, Vec<usize>, Vec<f32>); 2] {
        let [weight, bias] = tensor_names(network);
        let (classes, features) = (self.classes(), self.features);
        [(weight, vec![classes, features], self.weight), (bias, vec![classes], self.bias)]
    }

    /// The rows of the classifier.
    pub fn classes(&self) -> usize {
        self.bias.len()
    }
}
