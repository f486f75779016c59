//! What moving averages keep of their start in a run that is too short for them. Running statistics that have
//! not settled make validation worse than training.

use super::schedule;
use crate::config::Config;
use crate::words::counted;

/// The largest share of the start that is no reason for a warning.
const HARMLESS: f64 = 0.1;
/// The share that a recommended momentum leaves.
const WANTED: f64 = 0.01;
/// Batches that are recommended to estimate statistics on.
const PRECISE: u64 = 50;

/// A sentence for each moving average that keeps much of its start in a run of `steps`. `momentum` is that of
/// the running statistics in PyTorch's convention; `None` where none of them move.
pub fn sentences(config: &Config, momentum: Option<f32>, steps: u64) -> Vec<String> {
    let statistics = momentum.and_then(|momentum| of_statistics(config, momentum, steps));
    statistics.into_iter().chain(of_weights(config, steps)).collect()
}

/// Each micro-batch moves the running statistics.
fn of_statistics(config: &Config, momentum: f32, steps: u64) -> Option<String> {
    let updates = steps.saturating_mul(config.run.accumulate as u64) as f64;
    let kept = (1.0 - f64::from(momentum)).powf(updates);
    // Two digits, rounded up.
    let better = ((1.0 - WANTED.powf(1.0 / updates)) * 100.0).ceil() / 100.0;
    // EfficientNet-Lite0 with ImageNet's statistics at 224 pixels: after 60 steps on flowers at 64 pixels 69%
    // of a batch were right in training and 40% in validation.
    let (start, when) = if config.run.init.is_empty() {
        ("their start", "")
    } else {
        ("those of run.init", ", where its images were others, of another size too")
    };
    (kept > HARMLESS && config.eval.precise_bn == 0).then(|| {
        format!(
            "batch norm's running statistics keep {:.0}% of {start} in a run of {} (momentum \
             {momentum}): validation will look worse than training{when}; take more steps, model.bn_momentum = \
             {better}, or eval.precise_bn = {PRECISE}",
            100.0 * kept,
            counted(steps as usize, "step")
        )
    })
}

fn of_weights(config: &Config, steps: u64) -> Option<String> {
    let decay = config.ema.decay;
    let mut kept = 1.0;
    for step in 0..steps {
        kept *= schedule::ema_decay(&config.ema, step);
        if kept <= HARMLESS {
            return None;
        }
    }
    (decay > 0.0 && steps > 0).then(|| {
        format!(
            "the moving average of the weights keeps {:.0}% of their start in a run of {} (ema.decay = \
             {decay}), and validation looks through it; expected a smaller ema.decay, ema.warmup = true, or 0 for none",
            100.0 * kept,
            counted(steps as usize, "step")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(sets: &[&str], momentum: f32, steps: u64) -> Vec<String> {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        sentences(&Config::parse("[ema]\ndecay = 0\n", "test", &sets).unwrap(), Some(momentum), steps)
    }

    #[test]
    fn statistics_that_cannot_settle_are_told_with_a_momentum_that_would() {
        let told_100 = told(&[], 0.01, 100);
        assert!(told_100[0].contains("37% of their start in a run of 100 steps"), "{told_100:?}");
        assert!(told_100[0].contains("model.bn_momentum = 0.05, or eval.precise_bn = 50"), "{told_100:?}");
        assert_eq!(told(&["eval.precise_bn=50"], 0.01, 100), [""; 0], "estimated anew");
        assert_eq!(told(&[], 0.01, 300), [""; 0]);
        assert_eq!(told(&[], 0.05, 100), [""; 0], "what was recommended");
        assert_eq!(told(&["run.accumulate=4", "run.batch_size=8"], 0.01, 100), [""; 0], "400 updates");
        let fine_tuned = told(&["run.init=\"net.safetensors\""], 0.01, 100);
        assert!(fine_tuned[0].contains("keep 37% of those of run.init"), "{fine_tuned:?}");
    }

    #[test]
    fn an_average_that_stays_at_the_first_weights_is_told() {
        let slow = ["ema.decay=0.999", "ema.warmup=false"];
        assert!(told(&slow, 0.1, 500)[0].contains("keeps 61% of their start"), "{:?}", told(&slow, 0.1, 500));
        assert_eq!(told(&slow, 0.1, 3000), [""; 0]);
        assert_eq!(told(&["ema.decay=0.999"], 0.1, 500), [""; 0], "it warms up");
    }
}
