//! `dualprop export`: a model with one BN domain for other programs.

use super::common::{UsageError, WeightsChoice, check_other_file, print_line};
use crate::config::Domain;
use crate::evaluation::auto_domain::AUTO;
use crate::training::checkpoint::Checkpoint;
use anyhow::{anyhow, bail};
use clap::builder::{PossibleValuesParser, TypedValueParser};
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
    /// BN domain to keep, under the plain names; all keeps every one, to be looked into by this program
    #[arg(long, value_parser = exported_domain_parser(), default_value = Domain::Main.name())]
    domain: String,
    /// Last weights, or their moving average; by default the average where there is one
    #[arg(long, value_enum)]
    weights: Option<WeightsChoice>,
}

/// `--domain` for all BN domains.
const ALL: &str = "all";

/// Reads `--domain`; the choice by image is refused in words of its own.
fn exported_domain_parser() -> impl TypedValueParser<Value = String> {
    PossibleValuesParser::new(Domain::NAMES.into_iter().chain([ALL, AUTO]))
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
                "--domain auto chooses a domain by image, and an exported model has one; expected main, aux, aux2, aux3 or all"
                    .to_owned(),
            )
            .into());
        }
        check_other_file(&self.checkpoint, &self.out)?;
        let checkpoint = Checkpoint::load(&self.checkpoint)?;
        let ema = match self.weights {
            None => checkpoint.has_ema(),
            Some(WeightsChoice::Raw) => false,
            Some(WeightsChoice::Ema) => true,
        };
        let exported = if self.domain == ALL {
            checkpoint.without_training_state(ema)?
        } else {
            let domains = &checkpoint.meta.domains;
            let domain = domains.iter().position(|d| *d == self.domain).ok_or_else(|| {
                anyhow!(
                    "{} has no domain {}; it has {}",
                    self.checkpoint.display(),
                    self.domain,
                    domains.join(", ")
                )
            })?;
            checkpoint.with_one_domain(domain, ema)?
        };
        exported.save_atomic(&self.out)?;
        print_line(&format!(
            "{}: {} tensors of {}, {}, {} weights",
            self.out.display(),
            exported.tensors.len(),
            exported.meta.arch,
            if self.domain == ALL {
                format!("domains {}", exported.meta.domains.join(", "))
            } else {
                format!("domain {}", self.domain)
            },
            if ema { "averaged" } else { "raw" }
        ))
    }
}
