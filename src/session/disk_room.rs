//! The room that a run needs on its disk, and whether it is there.

use crate::config::Config;
use crate::graph::Network;
use crate::interop::free_space::free_bytes;
use crate::training::engine::RunLength;
use crate::training::{method, optimizer};
use std::path::Path;

/// Checkpoints at a time: the last, the best, and one that is being written.
const CHECKPOINTS: u64 = 3;
/// Bytes of a branch in a step's lines of `metrics.jsonl` and `metrics.csv` and points for TensorBoard.
const BYTES_A_BRANCH: u64 = 650;
/// Bytes of the pictures, in TensorBoard's files too, the log and the BN statistics.
const BESIDES: u64 = 128 << 20;

/// Bytes that a run writes at most.
pub(super) fn needed(config: &Config, network: &Network, length: RunLength) -> u64 {
    let (params, running) = (network.layout.param_len, network.layout.running_len);
    let copies = if config.ema.decay > 0.0 { 2 } else { 1 };
    let states = optimizer::state_buffers(&optimizer::rule(config)).len();
    let checkpoint = 4 * (copies * (params + running) + states * params) as u64;
    let RunLength { steps_per_epoch, total_steps } = length;
    let phases = method::phases(&config.method, config.run.batch_size, steps_per_epoch, total_steps);
    let branches = phases.iter().map(|phase| phase.method.branches.len()).max().unwrap_or(1) as u64;
    CHECKPOINTS * checkpoint + total_steps.saturating_mul(branches * BYTES_A_BRANCH) + BESIDES
}

/// Whether the disk of `out` has room for `needed` bytes: a sentence in both cases.
pub(super) fn check(out: &Path, needed: u64) -> anyhow::Result<String> {
    let sentence = compare(free_bytes(nearest_folder(out)), needed);
    sentence.map_err(|lack| {
        anyhow::anyhow!("{lack} for {}; expected a disk with more, or free some", out.display())
    })
}

fn compare(free: Option<u64>, needed: u64) -> Result<String, String> {
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let wanted = mib(needed);
    match free {
        None => Ok(format!("The run needs up to {wanted} MiB; the system does not tell what is free")),
        Some(free) if free >= needed => {
            Ok(format!("{} MiB are free, the run needs up to {wanted}", mib(free)))
        }
        Some(free) => Err(format!("the disk has {} MiB left and the run needs up to {wanted}", mib(free))),
    }
}

/// The folder itself or the one above it that it would be made in.
pub(super) fn nearest_folder(out: &Path) -> &Path {
    let nearest = out.ancestors().find(|folder| folder.is_dir());
    nearest.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{ModelOptions, build};

    #[test]
    fn a_disk_without_room_is_said_with_both_sizes() {
        let error = compare(Some(5 << 20), 7 << 20).unwrap_err();
        assert!(error.contains("5 MiB left") && error.contains("up to 7"), "{error}");
        assert!(compare(Some(7 << 20), 7 << 20).is_ok() && compare(None, 7 << 20).is_ok());
        #[cfg(unix)]
        assert!(free_bytes(&std::env::temp_dir()).is_some_and(|free| free > 0));
        let sentence = check(&std::env::temp_dir().join("not/there"), u64::MAX).unwrap_err().to_string();
        assert!(!cfg!(unix) || sentence.contains("not/there"), "{sentence}");
    }

    /// ResNet-18 has 11.7 million parameters.
    #[test]
    fn weights_averages_and_optimizer_states_count() {
        let network = build("resnet18", &ModelOptions::plain(1000, 224)).unwrap();
        let length = RunLength { steps_per_epoch: 10, total_steps: 10 };
        let needed = |text: &str| needed(&Config::parse(text, "test", &[]).unwrap(), &network, length);
        let [plain, average] = ["0", "0.9"].map(|decay| {
            let text = format!("[optimizer]\nkind = \"adamw\"\n[ema]\ndecay = {decay}\n");
            needed(&text)
        });
        let values = |bytes: u64| bytes as f64 / 4.0 / 3.0 / 11.7e6;
        // Weights and the two moments of AdamW.
        assert!((2.99..3.3).contains(&values(plain - BESIDES)), "{plain}");
        assert!((0.99..1.05).contains(&values(average - plain)), "{average}");
    }
}
