//! `dualprop export`: a model with one BN domain for other programs.

use super::common::{UsageError, WeightsChoice, check_other_file, print_line, test_domain_parser};
use crate::config::Domain;
use crate::evaluation::auto_domain::AUTO;
use crate::training::checkpoint::Checkpoint;
use anyhow::{anyhow, bail};
use std::path::PathBuf;

/// Writes a deployable model with one BN domain, without training state.
///
/// A safetensors file has timm's names and loads into timm.create_model(ARCH) with strict=True where the
/// network is timm's: with model.width or model.depth other than 1, and for preact_resnet, it is not.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: dualprop export runs/first/best.safetensors --to safetensors --out model.safetensors"
)]
pub(super) struct Export {
    /// Checkpoint
    #[arg(value_name = "CKPT")]
    checkpoint: PathBuf,
    /// Format of the file
    #[arg(long, value_enum)]
    to: Format,
    /// File to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// BN domain to keep
    #[arg(long, value_parser = test_domain_parser(), default_value = Domain::Main.name())]
    domain: String,
    /// Last weights, or their moving average; by default the average where there is one
    #[arg(long, value_enum)]
    weights: Option<WeightsChoice>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Safetensors,
    Onnx,
}

impl Export {
    pub(super) fn run(self) -> anyhow::Result<()> {
        if self.to == Format::Onnx {
            bail!("--to onnx is not in this version yet; expected --to safetensors");
        }
        if self.domain == AUTO {
            return Err(UsageError(
                "--domain auto chooses a domain by image, and an exported model has one; expected main, aux, aux2 or aux3"
                    .to_owned(),
            )
            .into());
        }
        check_other_file(&self.checkpoint, &self.out)?;
        let checkpoint = Checkpoint::load(&self.checkpoint)?;
        let domains = &checkpoint.meta.domains;
        let domain = domains.iter().position(|d| *d == self.domain).ok_or_else(|| {
            anyhow!(
                "{} has no domain {}; it has {}",
                self.checkpoint.display(),
                self.domain,
                domains.join(", ")
            )
        })?;
        let ema = match self.weights {
            None => checkpoint.has_ema(),
            Some(WeightsChoice::Raw) => false,
            Some(WeightsChoice::Ema) => true,
        };
        let exported = checkpoint.with_one_domain(domain, ema)?;
        exported.save_atomic(&self.out)?;
        print_line(&format!(
            "{}: {} tensors of {}, domain {}, {} weights",
            self.out.display(),
            exported.tensors.len(),
            exported.meta.arch,
            self.domain,
            if ema { "averaged" } else { "raw" }
        ))
    }
}
