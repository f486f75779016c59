//! The length of a run, and its learning rate and EMA decay as functions of the step, so that a resumed run
//! needs no schedule state.

use crate::config::{EmaConfig, RunConfig, ScheduleConfig, ScheduleKind};
use crate::words::counted;

/// Optimizer steps of the whole run: `run.steps`, else `run.epochs` rounded up to a whole step.
pub fn total_steps(config: &RunConfig, steps_per_epoch: u64) -> u64 {
    config.steps.unwrap_or_else(|| (config.epochs * steps_per_epoch as f64).ceil() as u64)
}

/// Optimizer steps from one validation to the next, at least 1, for an interval of `epochs`; 0 for 0: the
/// only one is at the end of the run.
pub fn validation_steps(epochs: f64, steps_per_epoch: u64) -> u64 {
    if epochs > 0.0 { ((epochs * steps_per_epoch as f64).round() as u64).max(1) } else { 0 }
}

/// A sentence on a run that ends before its warm-up does.
pub fn warmup_caution(config: &ScheduleConfig, steps_per_epoch: u64, total_steps: u64) -> Option<String> {
    let warmup = (config.warmup_epochs * steps_per_epoch as f64).ceil() as u64;
    (warmup > 0 && warmup >= total_steps).then(|| {
        format!(
            "the run has {} and its warm-up {warmup}: the learning rate never reaches `optimizer.lr`; \
             lower `schedule.warmup_epochs` or train longer",
            counted(total_steps as usize, "step")
        )
    })
}

/// The learning rate of update `step` (from 0). Warm-up rises linearly from 0 and counts into the decays, as
/// in the EfficientNet code.
pub fn learning_rate(
    config: &ScheduleConfig,
    base: f64,
    step: u64,
    steps_per_epoch: u64,
    total_steps: u64,
) -> f64 {
    let warmup_steps = config.warmup_epochs * steps_per_epoch as f64;
    if (step as f64) < warmup_steps {
        return base * step as f64 / warmup_steps;
    }
    let epoch = step as f64 / steps_per_epoch as f64;
    match config.kind {
        ScheduleKind::Exponential => base * config.decay_rate.powf((epoch / config.decay_epochs).floor()),
        ScheduleKind::Step => {
            let passed = config.milestones.iter().filter(|m| **m <= epoch.floor()).count();
            base * config.decay_rate.powi(passed as i32)
        }
        ScheduleKind::Cosine => {
            let progress = step as f64 / total_steps.max(1) as f64;
            0.5 * (1.0 + (std::f64::consts::PI * progress).cos()) * base
        }
        ScheduleKind::Constant => base,
    }
}

/// The EMA decay of the update after step `step` (from 0).
pub fn ema_decay(config: &EmaConfig, step: u64) -> f64 {
    if config.warmup { config.decay.min((1.0 + step as f64) / (10.0 + step as f64)) } else { config.decay }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warm_up_as_long_as_the_run_is_said() {
        let config = ScheduleConfig { warmup_epochs: 2.0, ..ScheduleConfig::default() };
        assert_eq!(warmup_caution(&config, 31, 63), None);
        let said = warmup_caution(&config, 31, 60).expect("62 steps of warm-up");
        assert!(said.contains("60 steps") && said.contains("62") && said.contains("warmup_epochs"), "{said}");
        assert_eq!(warmup_caution(&ScheduleConfig { warmup_epochs: 0.0, ..config }, 31, 0), None);
    }

    #[test]
    fn the_papers_schedule_decays_from_step_zero() {
        let config = ScheduleConfig::default();
        let lr = |step| learning_rate(&config, 0.256, step, 100, 35_000);
        assert_eq!(lr(0), 0.0);
        assert!((lr(250) - 0.128).abs() < 1e-12);
        // Epoch 5 has two decays of 2.4 epochs behind it although warm-up hid them.
        assert!((lr(500) - 0.256 * 0.97_f64.powi(2)).abs() < 1e-12);
        // 350 epochs have 145 decays: 0.256 · 0.97^145.
        assert!((lr(34_999) - 0.00309).abs() < 1e-5);
    }

    #[test]
    fn step_cosine_and_ema() {
        let config = ScheduleConfig {
            kind: ScheduleKind::Step,
            warmup_epochs: 0.0,
            decay_rate: 0.1,
            ..ScheduleConfig::default()
        };
        assert!((learning_rate(&config, 1.0, 899, 10, 3000) - 1.0).abs() < 1e-12);
        assert!((learning_rate(&config, 1.0, 900, 10, 3000) - 0.1).abs() < 1e-12);
        let config = ScheduleConfig { kind: ScheduleKind::Cosine, ..config };
        assert!((learning_rate(&config, 1.0, 50, 10, 100) - 0.5).abs() < 1e-12);
        let ema = EmaConfig::default();
        assert!((ema_decay(&ema, 0) - 0.1).abs() < 1e-12);
        assert!((ema_decay(&ema, 1_000_000) - 0.9999).abs() < 1e-12);
    }
}
