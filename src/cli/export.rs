//! `dualprop export`: a model for other programs, with its card.

use super::common::{UsageError, WeightsChoice, check_other_file, print_line, weights};
use crate::config::{AUTO, Domain};
use crate::export::{ALL, ExportOptions, Format as FileFormat, export};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use std::path::PathBuf;

/// Writes a model for other programs, without training state, and beside it FILE.md, a card that says what it
/// is.
///
/// An ONNX file (opset 17) computes logits without this program: input image [N, 3, S, S] f32, normalised
/// with the mean and std of its metadata, N of any size, batch norms folded into the convolutions. A
/// safetensors file has timm's names and loads into timm.create_model(ARCH) with strict=True where the
/// network is timm's: with model.width or model.depth other than 1, and for preact_resnet, it is not.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: dualprop export runs/first/best.safetensors --to onnx --out model.onnx --pixels --softmax
         dualprop export runs/first/best.safetensors --to safetensors --out model.safetensors --f16"
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
    /// BN domain to keep; all: every one, in safetensors to be looked into by this program, in ONNX as
    /// outputs logits, logits_aux and so on of one graph, which has the convolutions once for each
    #[arg(long, value_parser = exported_domain_parser(), default_value = Domain::Main.name())]
    domain: String,
    /// Last weights, or their moving average; by default the average where there is one
    #[arg(long, value_enum)]
    weights: Option<WeightsChoice>,
    /// ONNX: an output probabilities beside the logits
    #[arg(long)]
    softmax: bool,
    /// ONNX: the graph normalises by itself; its input is pixels [N, S, S, 3] u8, RGB, already of the input
    /// size
    #[arg(long)]
    pixels: bool,
    /// Store the weights as f16: half of the file, and the cost in digits is printed; everything is computed
    /// in f32
    #[arg(long)]
    f16: bool,
}

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
        check_other_file(&self.checkpoint, &self.out)?;
        let options = ExportOptions {
            checkpoint: self.checkpoint,
            out: self.out,
            format: match self.to {
                Format::Safetensors => FileFormat::Safetensors,
                Format::Onnx => FileFormat::Onnx,
            },
            domain: self.domain,
            weights: weights(self.weights),
            softmax: self.softmax,
            pixels: self.pixels,
            f16: self.f16,
        };
        if let Some(fault) = options.fault() {
            return Err(UsageError(fault).into());
        }
        let exported = export(&options)?;
        print_line(&exported.sentence)?;
        print_line(&format!("{}: its card", exported.card.display()))
    }
}
