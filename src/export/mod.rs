//! A checkpoint as a model for other programs: one file and a card beside it. The command and the window's
//! dialog both ask here.

#![warn(missing_docs)]

mod accuracy;
mod card;
mod onnx;
mod usage;

use crate::config::{AUTO, Config};
use crate::evaluation::{Weights, network_of};
use crate::graph::Network;
use crate::interop::atomic::write_atomic;
use crate::interop::rounding::Rounding;
use crate::models::registry::differs_from_timm;
use crate::training::checkpoint::Checkpoint;
use accuracy::Measured;
use anyhow::ensure;
use std::path::{Path, PathBuf};

/// The word for all BN domains, in place of one's name.
pub const ALL: &str = "all";

/// The kinds of files that a model becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Tensors under timm's names; this program reads it too.
    Safetensors,
    /// A graph with its weights, which runs without this program.
    Onnx,
}

impl Format {
    /// Both.
    pub const EACH: [Self; 2] = [Self::Safetensors, Self::Onnx];

    /// The ending of its files' names.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Safetensors => "safetensors",
            Self::Onnx => "onnx",
        }
    }

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Safetensors => "safetensors",
            Self::Onnx => "ONNX",
        }
    }
}

/// What to export, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct ExportOptions {
    /// The checkpoint that is read.
    pub checkpoint: PathBuf,
    /// The file that is written.
    pub out: PathBuf,
    /// Its format.
    pub format: Format,
    /// A BN domain of the checkpoint by name, or [`ALL`].
    pub domain: String,
    /// Which of the checkpoint's weights.
    pub weights: Weights,
    /// ONNX: whether probabilities come out beside the logits.
    pub softmax: bool,
    /// ONNX: whether bytes of images go in, which the graph normalises, instead of normalised images.
    pub pixels: bool,
    /// Whether weights are stored as f16.
    pub f16: bool,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// One sentence on the model's file.
    pub sentence: String,
    /// The card.
    pub card: PathBuf,
}

impl ExportOptions {
    /// What contradicts itself, as one sentence; nothing is read for it.
    pub fn fault(&self) -> Option<String> {
        let other = Format::EACH.into_iter().find(|format| *format != self.format)?;
        let ends_otherwise =
            self.out.extension().is_some_and(|ending| ending.eq_ignore_ascii_case(other.ending()));
        if ends_otherwise {
            return Some(format!(
                "{} would hold {}; expected a name that ends in .{}",
                self.out.display(),
                self.format.name(),
                self.format.ending()
            ));
        }
        if self.domain == AUTO {
            return Some(
                "--domain auto chooses a domain by image, and an exported model has one; expected main, aux, aux2, aux3 \
                 or all"
                    .to_owned(),
            );
        }
        let asked = [("--softmax", self.softmax), ("--pixels", self.pixels)].into_iter().find(|(_, on)| *on);
        asked.filter(|_| self.format == Format::Safetensors).map(|(option, _)| {
            format!("{option} is for --to onnx; a safetensors file holds weights and computes nothing")
        })
    }
}

/// A checkpoint without training state, with the domains that go out.
struct Model {
    /// One domain stands under the main names, whichever it is.
    checkpoint: Checkpoint,
    /// The names of the domains in the checkpoint that it is of.
    domains: Vec<String>,
    /// Whether the weights are the moving average.
    ema: bool,
    network: Network,
    config: Config,
}

impl Model {
    fn of(checkpoint: &Checkpoint, options: &ExportOptions) -> anyhow::Result<Self> {
        let ema = match options.weights {
            Weights::Auto => checkpoint.has_ema(),
            Weights::Raw => false,
            Weights::Ema => true,
        };
        let known = &checkpoint.meta.domains;
        let (checkpoint, domains) = if options.domain == ALL {
            (checkpoint.without_training_state(ema)?, known.clone())
        } else {
            let domain = known.iter().position(|domain| *domain == options.domain);
            let domain = domain.ok_or_else(|| {
                let shown = options.checkpoint.display();
                anyhow::anyhow!("{shown} has no domain {}; it has {}", options.domain, known.join(", "))
            })?;
            (checkpoint.with_one_domain(domain, ema)?, vec![options.domain.clone()])
        };
        let (network, config) = network_of(&checkpoint.meta)?;
        Ok(Self { checkpoint, domains, ema, network, config })
    }

    /// The domains and the weights, in words.
    fn parts(&self) -> String {
        let domains = match &self.domains[..] {
            [one] => format!("domain {one}"),
            several => format!("domains {}", several.join(", ")),
        };
        format!("{domains}, {} weights", if self.ema { "averaged" } else { "raw" })
    }
}

/// Writes the model and its card, each whole or not at all. Fails with one sentence, before anything is
/// written where that can be told.
pub fn export(options: &ExportOptions) -> anyhow::Result<Exported> {
    if let Some(fault) = options.fault() {
        anyhow::bail!(fault);
    }
    let same = options.checkpoint.canonicalize().ok().zip(options.out.canonicalize().ok());
    ensure!(
        same.is_none_or(|(from, to)| from != to),
        "{} is the file that is read; expected another to write",
        options.out.display()
    );
    let checkpoint = Checkpoint::load(&options.checkpoint)?;
    let model = Model::of(&checkpoint, options)?;
    let rounding = match options.format {
        Format::Onnx => onnx::write(&model, options)?,
        Format::Safetensors if options.f16 => Some(model.checkpoint.save_atomic_f16(&options.out)?),
        Format::Safetensors => {
            model.checkpoint.save_atomic(&options.out)?;
            None
        }
    };
    let card = card_of(&options.out);
    let has_ema = checkpoint.has_ema();
    let measured = Measured::of(&options.checkpoint, checkpoint.meta.step, model.ema, has_ema);
    let text = card::text(&model, options, rounding.as_ref(), &measured, has_ema);
    write_atomic(&card, |out| out.write_all(text.as_bytes()))?;
    Ok(Exported { sentence: sentence(&model, options, rounding.as_ref()), card })
}

/// The card beside a model's file: `FILE.md`.
pub fn card_of(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".md");
    name.into()
}

fn sentence(model: &Model, options: &ExportOptions, rounding: Option<&Rounding>) -> String {
    let (shown, arch) = (options.out.display(), &model.checkpoint.meta.arch);
    let what = match options.format {
        Format::Safetensors => format!("{} tensors of {arch}", model.checkpoint.tensors.len()),
        Format::Onnx => format!("{arch} as ONNX, {}", onnx::ends(model, options)),
    };
    let timm = differs_from_timm(&model.config.model).filter(|_| options.format == Format::Safetensors);
    let cost = rounding.map(|rounding| format!("; {}", cost(rounding))).unwrap_or_default();
    let timm = timm.map(|text| format!("; {text}")).unwrap_or_default();
    format!("{shown}: {what}, {}{cost}{timm}", model.parts())
}

/// What storing weights as f16 cost, in words.
fn cost(rounding: &Rounding) -> String {
    let vanished = match rounding.vanished {
        0 => "none became 0".to_owned(),
        some => format!("{some} became 0"),
    };
    format!(
        "the {} weights as f16 are off by {:.4} % (root mean square), {vanished}",
        rounding.values,
        100.0 * rounding.relative_error()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_contradicts_itself_is_said_before_anything_is_read() {
        let good = ExportOptions {
            checkpoint: "none.safetensors".into(),
            out: "model.onnx".into(),
            format: Format::Onnx,
            domain: "main".into(),
            weights: Weights::Auto,
            softmax: true,
            pixels: true,
            f16: true,
        };
        assert_eq!(good.fault(), None);
        let plain = ExportOptions { softmax: false, pixels: false, ..good.clone() };
        let fault = |options: ExportOptions| options.fault().expect("a contradiction");
        let out: PathBuf = "model.Safetensors".into();
        assert!(fault(ExportOptions { out: out.clone(), ..good.clone() }).contains("ends in .onnx"));
        let other = ExportOptions { format: Format::Safetensors, ..plain.clone() };
        assert!(fault(other.clone()).contains("ends in .safetensors"));
        let other = ExportOptions { out, ..other };
        assert_eq!(other.fault(), None);
        for (options, word) in [
            (ExportOptions { softmax: true, ..other.clone() }, "--softmax"),
            (ExportOptions { pixels: true, ..other }, "--pixels"),
            (ExportOptions { domain: AUTO.into(), ..good }, "--domain auto"),
        ] {
            assert!(fault(options).starts_with(word));
        }
    }
}
