//! What is amiss with batch-norm statistics: channels that say nothing any more, channels that explode, and
//! domains that never came apart.

use super::bn_distance::{self, Distance};
use crate::training::events::BnLayer;

/// A channel whose variance is below this is constant, as behind a ReLU that no input passes.
const DEAD_VARIANCE: f32 = 1e-6;
/// A variance above this leaves f16 and soon f32.
const LARGEST_VARIANCE: f32 = 1e6;
/// Domains whose distance stays below this in every layer coincide, nats.
const COINCIDE: f64 = 1e-3;

/// One thing that is amiss.
#[derive(Clone, Debug, PartialEq)]
pub enum BnWarning {
    /// Channels of a layer and domain that are constant.
    Dead {
        /// Index of the layer.
        layer: usize,
        /// Index of the domain.
        domain: usize,
        /// How many of its channels.
        channels: usize,
    },
    /// Channels of a layer and domain whose variance or mean is huge or no number.
    Exploding {
        /// Index of the layer.
        layer: usize,
        /// Index of the domain.
        domain: usize,
        /// How many of its channels.
        channels: usize,
    },
    /// A domain that is as good as `main` in every layer.
    Coincides {
        /// Index of the domain.
        domain: usize,
    },
}

/// All that is amiss, from input to output. Layers and domains by index.
pub fn warnings(layers: &[BnLayer]) -> Vec<BnWarning> {
    let mut found = Vec::new();
    for (layer, statistics) in layers.iter().enumerate() {
        for (domain, values) in statistics.domains.iter().enumerate() {
            let pairs = || values.running_mean.iter().zip(&values.running_var);
            let explodes = |(mean, var): &(&f32, &f32)| {
                !mean.is_finite() || !var.is_finite() || **var > LARGEST_VARIANCE
            };
            let exploding = pairs().filter(explodes).count();
            let dead = pairs().filter(|(_, var)| **var < DEAD_VARIANCE).count();
            if dead > 0 {
                found.push(BnWarning::Dead { layer, domain, channels: dead });
            }
            if exploding > 0 {
                found.push(BnWarning::Exploding { layer, domain, channels: exploding });
            }
        }
    }
    let domains = layers.iter().map(|layer| layer.domains.len()).max().unwrap_or(0);
    for domain in 1..domains {
        let near =
            |layer: &BnLayer| bn_distance::of_layer(layer, 0, domain).map_or(0.0, Distance::total) < COINCIDE;
        if layers.iter().all(near) {
            found.push(BnWarning::Coincides { domain });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::events::BnDomain;

    fn domain(mean: f32, var: f32) -> BnDomain {
        BnDomain {
            running_mean: vec![0.0, mean],
            running_var: vec![1.0, var],
            gamma: vec![1.0; 2],
            beta: vec![0.0; 2],
        }
    }

    #[test]
    fn healthy_statistics_pass_and_each_fault_is_named() {
        let layers = |domains: Vec<BnDomain>| vec![BnLayer { name: "bn1".into(), domains }];
        assert_eq!(warnings(&layers(vec![domain(0.5, 2.0), domain(0.9, 3.0)])), []);
        assert_eq!(warnings(&layers(vec![domain(0.5, 2.0); 2])), [BnWarning::Coincides { domain: 1 }]);
        let found = warnings(&layers(vec![domain(0.5, 0.0), domain(f32::NAN, 3.0)]));
        let dead = BnWarning::Dead { layer: 0, domain: 0, channels: 1 };
        let exploding = BnWarning::Exploding { layer: 0, domain: 1, channels: 1 };
        assert!(found.contains(&dead) && found.contains(&exploding), "{found:?}");
    }
}
