//! How training images reach the GPU: read ahead batch by batch, or put there once where the set is small and
//! the GPU does all that happens to them.

use super::setup::loader_options;
use crate::config::Config;
use crate::data::{Batch, Dataset, EvalReader, Loader, Recipe, Views};
use crate::training::engine::{Engine, RunLength};
use crate::training::events::Idle;
use crate::training::method;
use std::ops::Range;
use std::sync::Arc;

/// Most bytes of images that stay on the GPU.
const MOST_HELD_BYTES: usize = 256 << 20;

/// How often a run must show each image for it to be worth reading all of them first.
const LEAST_SHOWINGS: u64 = 2;

/// Starts the stream of batches from `step` on. `progress` hears (images read, of all) where all are read
/// first.
pub(super) fn start(
    engine: &mut Engine,
    config: &Config,
    set: &Arc<dyn Dataset>,
    length: RunLength,
    step: u64,
    progress: impl FnMut(usize, usize),
) -> anyhow::Result<Loader> {
    let recipe = Recipe::from_config(&config.data);
    let size = config.data.image_size;
    let left = length.total_steps.saturating_sub(step) * config.run.batch_size as u64;
    let worth_it = recipe.only_placed()
        && !method::wants_two_views(&config.method)
        && !method::wants_corrupted(&config.method)
        && set.len() * size * size * 3 <= MOST_HELD_BYTES
        && left >= LEAST_SHOWINGS * set.len() as u64;
    let held = worth_it && hold(engine, set, size, progress)?;
    let mut options = loader_options(config, step);
    if held {
        options.views = Views::Placements;
    }
    Loader::start(Arc::clone(set), options)
}

/// The batches of `steps` once more, for a look at what was trained on.
pub(super) fn again(
    engine: &Engine,
    config: &Config,
    set: &Arc<dyn Dataset>,
    steps: Range<u64>,
) -> anyhow::Result<impl Iterator<Item = anyhow::Result<Batch>> + use<>> {
    let mut options = loader_options(config, steps.start);
    if engine.holds_images() {
        options.views = Views::Placements;
    }
    let mut loader = Loader::start(Arc::clone(set), options)?;
    Ok(steps.map(move |_| loader.next()))
}

/// Reads the whole set and puts it on the GPU; false where it does not fit or an image is damaged.
fn hold(
    engine: &mut Engine,
    set: &Arc<dyn Dataset>,
    size: usize,
    progress: impl FnMut(usize, usize),
) -> anyhow::Result<bool> {
    // A set with damage is read batch by batch, which names and replaces what is damaged.
    let Ok(Some(images)) = EvalReader::read_whole(Arc::clone(set), size, progress) else { return Ok(false) };
    Ok(engine.hold_images(&images)?)
}

/// Weight of the newest step in a mean over some ten steps, as the GPU's times have it.
const NEW_SHARE: f64 = 0.1;

/// How long steps waited for their images.
#[derive(Default)]
pub(super) struct Waited {
    /// Mean seconds a step, over the last ones.
    mean_s: Option<f64>,
    /// Seconds in all.
    pub(super) total_s: f64,
}

impl Waited {
    pub(super) fn push(&mut self, seconds: f64) {
        let mean = self.mean_s.get_or_insert(seconds);
        *mean += (seconds - *mean) * NEW_SHARE;
        self.total_s += seconds;
    }

    /// Shares of a step of `step_s` seconds; `None` before its length is known.
    pub(super) fn idle(&self, step_s: f64, stages: &[(&str, f64)]) -> Option<Idle> {
        if !step_s.is_finite() || step_s <= 0.0 {
            return None;
        }
        let share = |seconds: f64| (seconds / step_s).clamp(0.0, 1.0);
        let busy: f64 = stages.iter().map(|(_, seconds)| seconds).sum();
        Some(Idle {
            data: share(self.mean_s.unwrap_or(0.0)),
            gpu: (!stages.is_empty()).then(|| 1.0 - share(busy)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_shares_are_of_the_step() {
        let mut waited = Waited::default();
        assert_eq!(waited.idle(f64::INFINITY, &[]), None, "before the first speed");
        (0..3).for_each(|_| waited.push(0.02));
        let idle = waited.idle(0.1, &[("forward", 0.03), ("backward", 0.04)]).unwrap();
        assert!((idle.data - 0.2).abs() < 1e-9 && (idle.gpu.unwrap() - 0.3).abs() < 1e-9, "{idle:?}");
        assert!((waited.total_s - 0.06).abs() < 1e-9);
        let idle = waited.idle(0.01, &[]).unwrap();
        assert_eq!((idle.data, idle.gpu), (1.0, None), "no timestamps, and no share above one");
        assert_eq!(waited.idle(0.1, &[("forward", 0.3)]).unwrap().gpu, Some(0.0));
    }
}
