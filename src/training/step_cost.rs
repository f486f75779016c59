//! What an optimizer step costs, counted in passes over the network.

use super::method::{Method, Source, phases};
use crate::config::Config;

/// Forward and backward passes of a step, in multiples of one pass over the clean batch: 1 for vanilla
/// training, n + 2 for AdvProp with n attack iterations, 2 for MixProp (MixProp, Table 4, where an epoch of N
/// images costs that many times N). Methods with phases are averaged over a run of `total_steps`.
pub fn passes(config: &Config, steps_per_epoch: u64, total_steps: u64) -> f64 {
    let images = (config.run.batch_size / config.run.accumulate.max(1)).max(1);
    let phases = phases(&config.method, images, steps_per_epoch, total_steps);
    let total = total_steps.max(1);
    let ends = phases.iter().skip(1).map(|phase| phase.first_step).chain([total]);
    let sum: f64 = phases
        .iter()
        .zip(ends)
        .map(|(phase, end)| {
            let steps = end.min(total).saturating_sub(phase.first_step);
            steps as f64 * of_method(&phase.method, images)
        })
        .sum();
    sum / total as f64
}

fn of_method(method: &Method, images: usize) -> f64 {
    let of_branch = method.branches.iter().map(|branch| {
        let attack = match &branch.source {
            // Recycling trains on the gradients of one iteration.
            Source::Attack { .. } if method.recycle => 1,
            Source::Attack { config, .. } => config.iterations(),
            _ => 0,
        };
        branch.images.len() as f64 * f64::from(1 + attack)
    });
    of_branch.sum::<f64>() / images as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sets: &[&str]) -> f64 {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        let config = Config::parse("[run]\nbatch_size = 10\n", "test", &sets).expect("valid");
        passes(&config, 5, 100)
    }

    /// MixProp, Table 4, and what follows from it for the other methods.
    #[test]
    fn the_costs_are_those_of_the_papers_table() {
        assert_eq!(of(&["method.kind=vanilla"]), 1.0);
        assert_eq!(of(&["method.kind=mixup"]), 1.0);
        assert_eq!(of(&["method.kind=mixprop"]), 2.0);
        for (epsilon, cost) in [(1, 3.0), (2, 5.0), (3, 6.0), (4, 7.0)] {
            assert_eq!(of(&["method.kind=advprop", &format!("method.attack.epsilon={epsilon}")]), cost);
        }
        assert_eq!(of(&["method.kind=adversarial"]), 2.0);
        assert_eq!(of(&["method.kind=adversarial_mix"]), 3.0);
        assert_eq!(of(&["method.kind=advprop_fine_grained", "data.augment=[\"autoaugment\"]"]), 4.0);
        // Half of the run costs two passes, the other half one.
        assert_eq!(of(&["method.kind=adversarial_finetune"]), 1.5);
        // Eight clean images, two that are attacked: the noisy pass trains too.
        assert!((of(&["method.kind=fast_advprop"]) - 1.2).abs() < 1e-12);
    }
}
