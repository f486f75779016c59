//! What `bench` asks of a step that was prepared: its dispatches one by one, and what encoding them costs.

use super::Engine;
use crate::gpu::profile::{DispatchTime, profile};
use crate::gpu::{GpuError, Program};

impl Engine {
    /// Times every dispatch of a step apart, by stage, on the data of the last one. The weights move as they
    /// would in a step. Empty where the adapter has no timestamps.
    pub fn profile(&mut self) -> Result<Vec<(&'static str, DispatchTime)>, GpuError> {
        self.drain()?;
        let mut times = Vec::new();
        for (stage, program, repeats) in self.programs() {
            for _ in 0..repeats {
                let found = profile(&self.gpu.device, program)?.unwrap_or_default();
                times.extend(found.into_iter().map(|time| (stage, time)));
            }
        }
        Ok(times)
    }

    /// Dispatches of a step, and the processor's seconds to encode all of them: the best of a few tries.
    pub fn encode_seconds(&self) -> (usize, f64) {
        const TRIES: usize = 5;
        let programs = self.programs();
        let dispatches = programs.iter().map(|(_, program, repeats)| program.len() * *repeats as usize).sum();
        let once = |(_, program, repeats): &(&str, &Program, u32)| -> f64 {
            (0..*repeats).map(|_| program.encode_seconds(&self.gpu.device)).sum()
        };
        let seconds = (0..TRIES).map(|_| programs.iter().map(once).sum()).fold(f64::INFINITY, f64::min);
        (dispatches, seconds)
    }

    /// The programs of a step in the first phase, by stage, with how often each is played for one
    /// micro-batch.
    fn programs(&self) -> Vec<(&'static str, &Program, u32)> {
        let phase = &self.parts.phases[0];
        let mut programs = vec![("prepare", &self.parts.zero, 1), ("prepare", &phase.prepare, 1)];
        for attack in &phase.attacks {
            programs.push(("attack", &attack.start, 1));
            programs.push(("attack", &attack.iteration, attack.iterations));
        }
        for pass in &phase.passes {
            programs.extend([("forward", &pass.forward, 1), ("backward", &pass.backward, 1)]);
        }
        programs.push(("optimizer", &self.parts.update, 1));
        programs
    }
}
