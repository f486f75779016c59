//! What several commands share: their common options, and how results are printed.

use super::progress::Progress;
use crate::config::{AUTO, Domain, EvaluationAttack};
use crate::data::Framing;
use crate::evaluation::auto_domain::Through;
use crate::evaluation::softmax::top_classes;
use crate::evaluation::{Model, Weights};
use crate::gpu::DeviceChoice;
use crate::words::{counted, one_line};
use anyhow::{Context, anyhow};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::Serialize;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// A fault of the command line that only showed after it was read; exits 2 like the others.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct UsageError(pub String);

/// A whole number from 0, for `allow_negative_numbers`: clap takes `-1` for an option otherwise.
pub(super) fn whole(text: &str) -> Result<usize, String> {
    text.trim().parse().map_err(|_| "expected a whole number, 0 or more".into())
}

/// Fails where `out` is the file that is read: what it holds besides would be lost.
pub(super) fn check_other_file(input: &Path, out: &Path) -> anyhow::Result<()> {
    let same = input.canonicalize().ok().zip(out.canonicalize().ok()).is_some_and(|(a, b)| a == b);
    if same {
        return Err(UsageError(format!(
            "--out is {}, the file that is read; expected another",
            out.display()
        ))
        .into());
    }
    Ok(())
}

/// `--device`, everywhere.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct DeviceOption {
    /// Adapter: auto (discrete, then integrated, then software), cpu, its number in `dualprop devices`, or a
    /// part of its name
    #[arg(long, value_name = "DEVICE", default_value = "auto", value_parser = device)]
    pub device: DeviceChoice,
}

fn device(text: &str) -> Result<DeviceChoice, String> {
    if text.trim().is_empty() {
        return Err("expected auto, cpu, a number or a part of a name".into());
    }
    text.parse().map_err(|e| format!("{e}"))
}

/// Which parts of a checkpoint are used.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct ModelArgs {
    /// BN domain that the images go through; auto: each image through main, or the one whose running
    /// statistics of the first BN layer describe it clearly better
    #[arg(long, value_parser = test_domain_parser(), default_value = Domain::Main.name())]
    pub domain: String,
    /// Last weights, or their moving average; by default the average where there is one
    #[arg(long, value_enum)]
    pub weights: Option<WeightsChoice>,
    #[command(flatten)]
    pub device: DeviceOption,
}

impl ModelArgs {
    /// Loads a checkpoint for at most `batch` images at a time; the second value is what they go through.
    pub(super) fn load(&self, checkpoint: &Path, batch: usize) -> anyhow::Result<(Model, Through)> {
        let model = load_model(checkpoint, self.weights, &self.device, batch)?;
        let through = asked_domain(&model, &self.domain)?;
        Ok((model, through))
    }
}

/// Loads a checkpoint for at most `batch` images at a time, and shows how its shaders are compiled.
pub(super) fn load_model(
    checkpoint: &Path,
    choice: Option<WeightsChoice>,
    device: &DeviceOption,
    batch: usize,
) -> anyhow::Result<Model> {
    let mut compiling = Progress::new("compiling shaders", "pipelines");
    let model = Model::load(checkpoint, weights(choice), &device.device, batch, |done, total| {
        compiling.update(done, total)
    })?;
    if let Some(sentence) = model.taken_for() {
        note(&format!("note: {sentence}"));
    }
    Ok(model)
}

/// What `--domain NAME` means for a model, which is said where it is not what the word promises.
pub(super) fn asked_domain(model: &Model, name: &str) -> anyhow::Result<Through> {
    let through = model.through(name)?;
    if name == AUTO && through != Through::Auto {
        note("note: this checkpoint has one BN domain, so --domain auto is main");
    }
    Ok(through)
}

/// Reads `--domain` of a command that images go through a model in.
pub(super) fn test_domain_parser() -> impl TypedValueParser<Value = String> {
    PossibleValuesParser::new(Domain::NAMES.into_iter().chain([AUTO]))
}

/// `--weights`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum WeightsChoice {
    Raw,
    Ema,
}

pub(super) fn weights(choice: Option<WeightsChoice>) -> Weights {
    match choice {
        None => Weights::Auto,
        Some(WeightsChoice::Raw) => Weights::Raw,
        Some(WeightsChoice::Ema) => Weights::Ema,
    }
}

/// Reads the SPEC of an attack that measures for clap.
pub(super) fn evaluation_attack(text: &str) -> Result<EvaluationAttack, String> {
    EvaluationAttack::parse_spec(text)
}

/// A class by number and name with its probability, 0..1: an entry of the lists in `--json`.
#[derive(Clone, Debug, Serialize)]
pub(super) struct NamedGuess {
    pub index: usize,
    pub class: String,
    pub p: f64,
}

/// The `count` most probable classes with their names; a class without one is called by its number.
pub(super) fn named_guesses(logits: &[f32], classes: &[String], count: usize) -> Vec<NamedGuess> {
    let name = |index: usize| classes.get(index).cloned().unwrap_or_else(|| index.to_string());
    let top = top_classes(logits, count).into_iter();
    top.map(|(index, p)| NamedGuess { index, class: name(index), p }).collect()
}

/// Checks a class number that the user gave.
pub(super) fn check_class(option: &str, class: usize, classes: &[String]) -> anyhow::Result<()> {
    if class < classes.len() {
        return Ok(());
    }
    Err(UsageError(format!(
        "{option} is {class}; expected 0 to {} (the checkpoint has {} classes)",
        classes.len() - 1,
        classes.len()
    ))
    .into())
}

/// An image file as the network sees it.
#[derive(Debug)]
pub(super) struct InputPicture {
    /// Its place among all images of the command.
    pub index: usize,
    pub path: PathBuf,
    /// `[size, size, 3]` RGB.
    pub bytes: Vec<u8>,
}

/// The image files of a command, some at a time. One that cannot be used is named on stderr at once and left
/// out, so that the others have their results.
pub(super) struct InputFiles<'a> {
    paths: &'a [PathBuf],
    /// Most images at a time.
    batch: usize,
    /// Files that were looked at.
    done: usize,
    left_out: usize,
    /// The fault of the only file there is.
    fault: Option<anyhow::Error>,
}

impl<'a> InputFiles<'a> {
    pub(super) fn new(paths: &'a [PathBuf], batch: usize) -> Self {
        Self { paths, batch, done: 0, left_out: 0, fault: None }
    }

    /// The next images, at least one; `None` behind the last.
    pub(super) fn next_batch(&mut self, model: &Model, progress: &Progress) -> Option<Vec<InputPicture>> {
        let framing = Framing::of(&model.config().data);
        let mut pictures = Vec::new();
        while let Some(path) = self.paths.get(self.done).filter(|_| pictures.len() < self.batch) {
            match crate::data::load_image_file(path, model.meta().image_size, framing) {
                Ok(bytes) => pictures.push(InputPicture { index: self.done, path: path.clone(), bytes }),
                Err(error) if self.paths.len() == 1 => self.fault = Some(error),
                Err(error) => {
                    self.left_out += 1;
                    progress.aside(|| note(&format!("{error:#}")));
                }
            }
            self.done += 1;
        }
        (!pictures.is_empty()).then_some(pictures)
    }

    /// Files that were looked at so far.
    pub(super) fn done(&self) -> usize {
        self.done
    }

    /// Fails where an image was left out.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        match (self.fault, self.left_out) {
            (Some(fault), _) => Err(fault),
            (None, 0) => Ok(()),
            (None, left_out) => {
                let images = counted(self.paths.len(), "image");
                Err(anyhow!("{left_out} of {images} could not be used, as said above"))
            }
        }
    }
}

/// The pixels of several pictures, `[n, size, size, 3]`, 0..255.
pub(super) fn pixels(pictures: &[InputPicture]) -> Vec<f32> {
    pictures.iter().flat_map(|p| p.bytes.iter().map(|b| f32::from(*b))).collect()
}

/// Prints a line to stdout. A reader that closed the pipe early, such as `head`, is no fault of the work.
pub(super) fn print_line(line: &str) -> anyhow::Result<()> {
    match writeln!(std::io::stdout(), "{line}") {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write to stdout"),
    }
}

/// Prints a sentence to stderr as one line. Work goes on where nobody can read it, such as after the terminal
/// was closed.
pub(super) fn note(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", one_line(line));
}

/// Prints one JSON value on a line.
pub(super) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    print_line(&serde_json::to_string(value)?)
}
