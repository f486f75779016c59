//! `dualprop models`: the architectures.

use super::common::{print_json, print_line};
use crate::models::registry::ARCHITECTURES;

/// Classes that the figures hold for, ImageNet's.
const CLASSES: usize = 1000;

/// Lists every architecture with its size for 1000 classes at its native input size.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: dualprop models --json")]
pub(super) struct Models {
    /// Print one JSON array
    #[arg(long)]
    json: bool,
}

impl Models {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let models =
            ARCHITECTURES.iter().map(|arch| arch.summary(CLASSES)).collect::<anyhow::Result<Vec<_>>>()?;
        if self.json {
            return print_json(&models);
        }
        let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        print_line(
            "                                                                     training MiB per image",
        )?;
        print_line(
            "architecture            parameters   multiply-adds  input stages      f32  recomp.      f16  recomp.",
        )?;
        for m in models {
            print_line(&format!(
                "{:<22} {:>11} {:>15} {:>6} {:>6} {:>8.1} {:>8.1} {:>8.1} {:>8.1}",
                m.arch,
                m.parameters,
                m.macs,
                m.input_size,
                m.stages,
                mebibytes(m.training_bytes_per_image),
                mebibytes(m.recomputed_bytes_per_image),
                mebibytes(m.training_bytes_per_image_f16),
                mebibytes(m.recomputed_bytes_per_image_f16)
            ))?;
        }
        Ok(())
    }
}
