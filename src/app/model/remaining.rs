//! How long the run on screen still takes: its steps at the pace of the last ones, and its validations.

use super::run::RunView;
use crate::training::events::{Work, validations_after};
use crate::training::schedule;

/// What remains of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Remaining {
    /// Seconds of its steps, and of its validations once one has shown how long they take.
    pub seconds: f64,
    /// Validations that are still to come.
    pub validations: u64,
    /// Whether the seconds hold them.
    pub counts_validations: bool,
}

impl RunView {
    /// What remains at the median pace of the last steps; pauses do not count. `None` before there is a pace.
    pub fn remaining(&self) -> Option<Remaining> {
        let total = self.total_steps()?;
        let done = self.last_step.as_ref()?.step;
        // Steps that were reported together have one time; the pace is that between such groups.
        let mut groups: Vec<(u64, f64)> = Vec::with_capacity(self.recent.len());
        for &(step, elapsed) in &self.recent {
            match groups.last_mut() {
                Some(last) if last.1 == elapsed => last.0 = step,
                _ => groups.push((step, elapsed)),
            }
        }
        let pairs = groups.iter().zip(groups.iter().skip(1));
        let mut pace: Vec<f64> = pairs
            .filter(|(a, b)| b.0 > a.0 && b.1 > a.1)
            .map(|(a, b)| (b.1 - a.1) / (b.0 - a.0) as f64)
            .collect();
        pace.sort_by(f64::total_cmp);
        let median = *pace.get(pace.len() / 2)?;
        let steps_s = median * total.saturating_sub(done) as f64;
        let validations = self.validations_left(done, total);
        Some(match self.validation_s {
            Some(each) => {
                // Of the one at work a part is done.
                let begun = if self.is_validation_due(done, total) { self.work.as_ref() } else { None };
                let behind = f64::from(begun.and_then(Work::share).unwrap_or(0.0));
                let seconds = steps_s + each * (validations as f64 - behind).max(0.0);
                Remaining { seconds, validations, counts_validations: true }
            }
            None => Remaining { seconds: steps_s, validations, counts_validations: validations == 0 },
        })
    }

    /// Steps from one validation to the next; 0: the only one is at the end.
    fn validation_steps(&self) -> u64 {
        match &self.info {
            Some(info) => info.validation_steps,
            None if self.epochs_per_step > 0.0 => schedule::validation_steps(
                self.validation_epochs,
                (1.0 / self.epochs_per_step).round() as u64,
            ),
            None => 0,
        }
    }

    /// Whether the validation behind the last step is still to be made.
    fn is_validation_due(&self, done: u64, total: u64) -> bool {
        let every = self.validation_steps();
        let has_one = done == total || (every > 0 && done.is_multiple_of(every));
        done > 0 && has_one && self.last_eval.as_ref().is_none_or(|eval| eval.step < done)
    }

    fn validations_left(&self, done: u64, total: u64) -> u64 {
        let due = u64::from(self.is_validation_due(done, total));
        validations_after(done, total, self.validation_steps()) + due
    }
}
