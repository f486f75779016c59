//! Fresh weights from a seed, by the published rules of each family. They are drawn on the CPU in the file's
//! order with a named generator, so they are equal on every machine.

use super::registry::{InitRule, find};
use crate::graph::params::ParamKind;
use crate::graph::{Network, pad4};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Values of a network's arenas, laid out by its `ParamLayout`.
#[derive(Clone)]
pub struct Arenas {
    /// Weights, biases, and each domain's gamma and beta.
    pub params: Vec<f32>,
    /// Each domain's running mean and variance.
    pub running: Vec<f32>,
}

/// A network's starting point: weights by the rule of the architecture `arch`, and batch norm at γ = 1, β =
/// 0, mean 0 and variance 1 in every domain.
///
/// # Panics
/// For an `arch` that the registry does not know; `network` was built by that name.
pub fn initialize(arch: &str, network: &Network, seed: u64) -> Arenas {
    let rule = find(arch).expect("the network was built by this name").init;
    let layout = &network.layout;
    let mut params = vec![0.0; layout.param_len];
    let mut running = vec![0.0; layout.running_len];
    // A stream of its own, so that no other use of the seed repeats these draws.
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(u64::from_le_bytes(*b"weights\0"));
    for parameter in &layout.parameters {
        let file = draw(rule, parameter.kind, network, &mut rng);
        let place = parameter.offset..parameter.offset + parameter.kind.padded_len();
        parameter.kind.pack(&file, &mut params[place]);
    }
    for bn in &layout.bn {
        for domain in 0..layout.domains {
            let gamma = bn.param_offset + domain * bn.domain_stride;
            params[gamma..gamma + bn.channels].fill(1.0);
            let variance = bn.running_offset + domain * bn.domain_stride + pad4(bn.channels);
            running[variance..variance + bn.channels].fill(1.0);
        }
    }
    Arenas { params, running }
}

/// Values of one parameter in file order.
fn draw(rule: InitRule, kind: ParamKind, network: &Network, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let count = kind.file_len();
    match (kind, rule) {
        // Bound 1/sqrt(fan in).
        (ParamKind::Conv { input, kernel, .. }, InitRule::PyTorch) => {
            uniform(rng, count, 1.0 / ((input * kernel * kernel) as f64).sqrt())
        }
        // Variance 2 over the fan out.
        (ParamKind::Conv { out, kernel, .. }, InitRule::TensorFlow | InitRule::Torchvision) => {
            normal(rng, count, (2.0 / (out * kernel * kernel) as f64).sqrt())
        }
        // One filter a channel: the fan is the kernel alone.
        (ParamKind::Depthwise { kernel, .. }, _) => {
            normal(rng, count, (2.0 / (kernel * kernel) as f64).sqrt())
        }
        (ParamKind::Dense { out, .. }, InitRule::TensorFlow) => {
            uniform(rng, count, 1.0 / (out as f64).sqrt())
        }
        (ParamKind::Dense { input, .. }, _) => uniform(rng, count, 1.0 / (input as f64).sqrt()),
        (ParamKind::Bias { .. }, InitRule::TensorFlow) => vec![0.0; count],
        // Only the classifier of a ResNet has a bias: PyTorch's default, bound 1/sqrt(features).
        (ParamKind::Bias { .. }, InitRule::Torchvision | InitRule::PyTorch) => {
            let features = network.node(network.features).shape.channels;
            uniform(rng, count, 1.0 / (features as f64).sqrt())
        }
    }
}

/// `count` values, uniform in [-bound, bound).
fn uniform(rng: &mut ChaCha8Rng, count: usize, bound: f64) -> Vec<f32> {
    (0..count).map(|_| ((rng.random::<f64>() * 2.0 - 1.0) * bound) as f32).collect()
}

/// `count` values of a normal distribution around 0, by Box and Muller's transform, two values a draw.
fn normal(rng: &mut ChaCha8Rng, count: usize, deviation: f64) -> Vec<f32> {
    let mut values = Vec::with_capacity(count + 1);
    while values.len() < count {
        // 1 − u keeps the logarithm's argument above zero.
        let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt() * deviation;
        let angle = std::f64::consts::TAU * rng.random::<f64>();
        values.push((radius * angle.cos()) as f32);
        values.push((radius * angle.sin()) as f32);
    }
    values.truncate(count);
    values
}
