//! `dualprop devices`: the adapters that training can run on.

use super::common::{print_json, print_line};
use crate::gpu::{GpuError, adapters};

/// Lists the adapters, best first, with driver, limits and the features that the program uses.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: dualprop devices --json")]
pub(super) struct Devices {
    /// Print one JSON array
    #[arg(long)]
    json: bool,
}

impl Devices {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let adapters = adapters();
        if self.json {
            print_json(&adapters)?;
        }
        if adapters.is_empty() {
            return Err(GpuError::NoAdapter.into());
        }
        if self.json {
            return Ok(());
        }
        for adapter in &adapters {
            print_line(&format!(
                "{}: {} ({}, {}, driver {})",
                adapter.index, adapter.name, adapter.device_type, adapter.backend, adapter.driver
            ))?;
            let features =
                if adapter.features.is_empty() { "none".into() } else { adapter.features.join(", ") };
            print_line(&format!("   kernels: {}; optional features: {features}", adapter.form))?;
            for (name, value) in &adapter.limits {
                print_line(&format!("   {name}: {value}"))?;
            }
        }
        Ok(())
    }
}
