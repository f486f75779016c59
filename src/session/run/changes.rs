//! What a resumed run does otherwise than the one that it goes on with would have done: its length may
//! change, and with that the schedule and the turn of a method's phases.

use crate::config::Config;
use crate::training::engine::RunLength;
use crate::training::{method, schedule};

/// A sentence on what another length changes from `step` finished steps on; `None` where the length is the
/// same.
pub(super) fn of_length(began: &Config, config: &Config, length: RunLength, step: u64) -> Option<String> {
    let RunLength { steps_per_epoch, total_steps: now } = length;
    let before = schedule::total_steps(&began.run, steps_per_epoch);
    if before == now {
        return None;
    }
    let mut sentence = format!("the run is now {now} steps long instead of {before}");
    let rate = |at: u64, total| {
        let (schedule, base) = (&config.schedule, config.optimizer.lr);
        schedule::learning_rate(schedule, base, at, steps_per_epoch, total)
    };
    let kind = config.get("schedule.kind").map_or_else(String::new, |kind| kind.to_string().replace('"', ""));
    if step > 0 && step < now && rate(step, before) != rate(step, now) {
        sentence += &format!(
            ": its {kind} schedule spans the new length, so the learning rate goes from {} at step {step} to {} at \
             step {}; resume with the length of before to keep the schedule",
            figure(rate(step - 1, before)),
            figure(rate(step, now)),
            step + 1
        );
    } else {
        sentence += &format!("; its {kind} schedule stays as it was");
    }
    let turn = |total| {
        let phases = method::phases(&config.method, config.run.batch_size, steps_per_epoch, total);
        phases.last().map_or(0, |phase| phase.first_step)
    };
    if turn(before) != turn(now) {
        sentence += &format!(
            "; its second phase begins behind step {} instead of {} (method.adversarial_epochs fixes it)",
            turn(now),
            turn(before)
        );
    }
    Some(sentence)
}

/// Three digits of a rate.
fn figure(rate: f64) -> String {
    let rounded: f64 = format!("{rate:.2e}").parse().unwrap_or(rate);
    format!("{rounded}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(sets: &[&str], now: u64, step: u64) -> Option<String> {
        let config = |steps: u64| {
            let sets = sets.iter().map(|set| (*set).to_owned()).chain([format!("run.steps={steps}")]);
            let text = "[optimizer]\nlr = 0.003\n[schedule]\nwarmup_epochs = 0\n";
            Config::parse(text, "test", &sets.collect::<Vec<_>>()).unwrap()
        };
        let length = RunLength { steps_per_epoch: 10, total_steps: now };
        of_length(&config(100), &config(now), length, step)
    }

    #[test]
    fn another_length_is_said_with_the_learning_rate_that_it_gives() {
        let cosine = ["schedule.kind=cosine"];
        assert_eq!(changed(&cosine, 100, 40), None);
        let longer = changed(&cosine, 200, 100).unwrap();
        for part in
            ["200 steps long instead of 100", "cosine", "from 0.00000074 at step 100 to 0.0015 at step 101"]
        {
            assert!(longer.contains(part), "{longer}");
        }
        assert!(changed(&cosine, 50, 40).unwrap().contains("to 0.000286 at step 41"));
        let constant = changed(&["schedule.kind=constant"], 200, 100).unwrap();
        assert!(constant.contains("200 steps long") && constant.contains("stays as it was"), "{constant}");
    }

    #[test]
    fn another_length_moves_the_turn_of_fine_tuning() {
        let sets = ["schedule.kind=constant", "method.kind=adversarial_finetune"];
        let longer = changed(&sets, 200, 100).unwrap();
        assert!(longer.contains("begins behind step 100 instead of 50"), "{longer}");
        let fixed = changed(&[&sets[..], &["method.adversarial_epochs=5"]].concat(), 200, 100).unwrap();
        assert!(!fixed.contains("phase"), "{fixed}");
    }
}
