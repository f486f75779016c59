//! `dualprop import`: weights of timm or torchvision as a checkpoint.

use super::common::{UsageError, check_other_file, note, print_line, whole};
use crate::config::path_faults::unreadable_file;
use crate::config::reading;
use crate::config::{Interpolation, schema};
use crate::interop::tensor_file::{Tensor, TensorFile};
use crate::interop::{foreign_names, state_dict};
use crate::models::head::Head;
use crate::models::names::expected;
use crate::models::{ModelOptions, build, registry};
use crate::training::checkpoint::{Checkpoint, Meta};
use crate::training::state_dict_model::{
    Facts, HEADS, architecture, classifier_rows, expects_centred, own_classes,
};
use anyhow::{anyhow, bail};
use std::path::{Path, PathBuf};

/// Makes a checkpoint of a timm or torchvision state dict, names and shapes checked strictly.
///
/// Tensors X.aux_bn.K make further BN domains, for all BN layers or none; num_batches_tracked is dropped.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: dualprop import resnet18.safetensors --arch resnet18 --out resnet18-checkpoint.safetensors --image-size 224"
)]
pub(super) struct Import {
    /// State dict as a safetensors file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Architecture, as `dualprop models` lists them; by default the one whose tensors the file has
    #[arg(long, value_name = "NAME")]
    arch: Option<String>,
    /// Checkpoint to write
    #[arg(long, value_name = "CKPT")]
    out: PathBuf,
    /// Classes, or a text file of their names, one a line in the order of the classifier's rows; by default
    /// as many as it has, called by their numbers. Where the file's classifier is of another size, or there
    /// is none, a fresh one is made, to be trained with run.init
    #[arg(long, value_name = "N|FILE", value_parser = classes, allow_negative_numbers = true)]
    classes: Option<Classes>,
    /// Refuse a file whose classifier has not as many rows as --classes says
    #[arg(long)]
    strict: bool,
    /// Side of the input images in pixels; by default the architecture's own
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u16).range(8..=1024))]
    image_size: Option<u16>,
    /// Mean of the input's channels, of 1; by default ImageNet's, and 0.5 where there are auxiliary domains
    /// or the file's name says AdvProp (ap_in1k, advprop) or the network is a Lite one
    #[arg(long, value_name = "a,b,c", value_parser = channels, requires = "std")]
    mean: Option<Channels>,
    /// Spread of the input's channels, of 1; default as for --mean
    #[arg(long, value_name = "a,b,c", value_parser = channels, requires = "mean")]
    std: Option<Channels>,
    /// Share of the shorter side that the centre square of an image keeps, timm's crop_pct
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = crop_ratio, allow_negative_numbers = true)]
    crop_ratio: f64,
    /// Filter that resizes images; timm's networks mostly expect bicubic
    #[arg(long, value_enum, default_value_t = Filter::Bilinear)]
    interpolation: Filter,
    /// The width factor that the network was made with
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = factor, allow_negative_numbers = true)]
    width: f64,
    /// The depth factor that the network was made with
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = factor, allow_negative_numbers = true)]
    depth: f64,
    /// Stride of the first convolution
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=2))]
    stem_stride: u16,
}

/// The configuration's limit of `model.classes`.
const MAX_CLASSES: usize = 1_000_000;

/// The configuration's limit.
const MAX_FACTOR: f64 = 16.0;

/// As the configuration has `model.width` and `model.depth`.
fn factor(text: &str) -> Result<f64, String> {
    let number = text.trim().parse().ok().filter(|factor| *factor > 0.0 && *factor <= MAX_FACTOR);
    number.ok_or_else(|| format!("expected a number above 0 and at most {MAX_FACTOR}"))
}

/// As the configuration has `data.crop_ratio`.
fn crop_ratio(text: &str) -> Result<f64, String> {
    let number = text.trim().parse().ok().filter(|ratio| (0.1..=1.0).contains(ratio));
    number.ok_or_else(|| "expected a number from 0.1 to 1, such as 0.875".into())
}

/// `--interpolation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Filter {
    Bilinear,
    Bicubic,
}

impl Filter {
    fn engine(self) -> Interpolation {
        match self {
            Self::Bilinear => Interpolation::Bilinear,
            Self::Bicubic => Interpolation::Bicubic,
        }
    }
}

/// `--classes`.
#[derive(Clone, Debug)]
enum Classes {
    Count(usize),
    Names(PathBuf),
}

/// A number is a count, anything else a file.
fn classes(text: &str) -> Result<Classes, String> {
    if text.trim().parse::<f64>().is_ok() {
        let count = whole(text).ok().filter(|count| (1..=MAX_CLASSES).contains(count));
        return count.map(Classes::Count).ok_or(format!("expected 1 to {MAX_CLASSES} classes, or a file"));
    }
    Ok(Classes::Names(text.into()))
}

/// One number a colour channel.
#[derive(Clone, Copy, Debug)]
struct Channels([f32; 3]);

fn channels(text: &str) -> Result<Channels, String> {
    let numbers: Option<Vec<f32>> =
        text.split(',').map(|t| t.trim().parse().ok().filter(|v: &f32| v.is_finite())).collect();
    let three = numbers.and_then(|n| n.try_into().ok()).map(Channels);
    three.ok_or_else(|| "expected three numbers with commas, such as 0.485,0.456,0.406".into())
}

/// Fails with the nearest name where there is no such architecture.
fn known_architecture(arch: &str) -> anyhow::Result<()> {
    let names = registry::names();
    if names.contains(&arch) {
        return Ok(());
    }
    let nearest = schema::nearest_choice(arch, &names);
    let known = names.join(", ");
    Err(UsageError(format!("--arch is \"{arch}\"; expected one of {known}; the nearest is {nearest}")).into())
}

/// The lines of a file of class names.
fn read_names(file: &Path) -> anyhow::Result<Vec<String>> {
    let fault = |what: String| anyhow!("--classes: {}: {what}; expected a name a line", file.display());
    let text = reading::read_text(file, reading::MOST_TEXT)
        .map_err(|e| anyhow!("--classes: {}", unreadable_file(file, &e)))?;
    let names: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    if let Some(at) = names.iter().position(String::is_empty) {
        return Err(fault(format!("line {} is empty", at + 1)));
    }
    Ok(names)
}

impl Import {
    pub(super) fn run(self) -> anyhow::Result<()> {
        if let Some(arch) = &self.arch {
            known_architecture(arch)?;
        }
        check_other_file(&self.file, &self.out)?;
        let mut source = TensorFile::read(&self.file)?;
        let fault = |e: anyhow::Error| anyhow!("{}: {e:#}", self.file.display());
        source.check_values().map_err(fault)?;
        for said in foreign_names::to_timm(&mut source.tensors) {
            note(&format!("note: {said} {}", self.file.display()));
        }
        let domains = state_dict::domains(&source.tensors).map_err(fault)?;
        let arch = self.architecture(&source)?;
        let classes = self.classes(&source, &arch)?;
        self.fit_classifier(&mut source, &arch, classes.len())?;
        let names = expected(&arch, classes.len(), self.width, self.depth, domains)?;
        state_dict::check(&source.tensors, &names, &arch).map_err(fault)?;
        let meta = self.meta(arch, classes, domains)?;
        let count = source.tensors.len();
        let checkpoint = Checkpoint { meta, tensors: source.tensors, loop_state: Default::default() };
        checkpoint.save_atomic(&self.out)?;
        print_line(&format!(
            "{}: {count} tensors of {}, {} classes, domains {}, {} pixels, mean {:?}, std {:?}",
            self.out.display(),
            checkpoint.meta.arch,
            checkpoint.meta.classes.len(),
            checkpoint.meta.domains.join(", "),
            checkpoint.meta.image_size,
            checkpoint.meta.mean,
            checkpoint.meta.std
        ))
    }

    /// `--arch`, or the network whose tensors the file has, which is said.
    fn architecture(&self, source: &TensorFile) -> anyhow::Result<String> {
        if let Some(arch) = &self.arch {
            return Ok(arch.clone());
        }
        let file = self.file.display();
        let Some((arch, others)) = architecture(source, &self.file, [self.width, self.depth])? else {
            bail!(
                "{file} has the tensors of no network that this program has, with its classifier; expected --arch, \
                 which says what differs from one of them"
            );
        };
        if !others.is_empty() {
            let others = others.join(" and ");
            note(&format!(
                "note: {file} was taken for {arch}, and its tensors are {others}'s too: --arch decides"
            ));
        }
        Ok(arch.to_owned())
    }

    /// Names of the classes: those of `--classes`, else those that a file of this program has, else numbers.
    fn classes(&self, source: &TensorFile, arch: &str) -> anyhow::Result<Vec<String>> {
        let numbers = |classes: usize| (0..classes).map(|i| i.to_string()).collect();
        let known = |rows: usize| own_classes(source, rows).unwrap_or_else(|| numbers(rows));
        let rows = classifier_rows(source).map(|(_, rows)| rows);
        match (&self.classes, rows) {
            (Some(Classes::Names(file)), _) => read_names(file),
            (Some(Classes::Count(count)), _) => Ok(known(*count)),
            (None, Some(rows)) => Ok(known(rows)),
            (None, None) => bail!(
                "{} has no {}; expected a state dict of {} with its classifier, or --classes for a fresh one",
                self.file.display(),
                HEADS.join(", "),
                arch
            ),
        }
    }

    /// Gives the file a fresh classifier where it has none for so many `classes`, and says so; fails instead
    /// with `--strict`.
    fn fit_classifier(&self, source: &mut TensorFile, arch: &str, classes: usize) -> anyhow::Result<()> {
        let found = classifier_rows(source);
        if found.is_some_and(|(_, rows)| rows == classes) {
            return Ok(());
        }
        let file = self.file.display();
        let has = match found {
            Some((name, rows)) => format!("{name} in {file} has {rows} rows"),
            None => format!("{file} has no classifier"),
        };
        if self.strict {
            bail!("--classes gives {classes}, but {has}; expected the same number, or no --strict");
        }
        // The weights depend neither on the domains nor on the size of the images.
        let options =
            ModelOptions { width: self.width, depth: self.depth, ..ModelOptions::plain(classes, 64) };
        let network = build(arch, &options)?;
        let head = Head::zeros(&network);
        // Nothing of another architecture's classifier goes unnoticed: the check of all names follows.
        let tensors = head.into_tensors(&network);
        source.tensors.extend(tensors.map(|(name, shape, data)| (name, Tensor { shape, data })));
        note(&format!(
            "note: {has}, so the classifier of {classes} classes is a fresh one of zeros: train it (run.init)"
        ));
        Ok(())
    }

    fn meta(&self, arch: String, classes: Vec<String>, domains: usize) -> anyhow::Result<Meta> {
        let given = self.mean.zip(self.std).map(|(mean, std)| (mean.0, std.0));
        let by_name = expects_centred(&arch, &self.file).then_some(([0.5; 3], [0.5; 3]));
        let facts = Facts {
            arch,
            width: self.width,
            depth: self.depth,
            stem_stride: usize::from(self.stem_stride),
            classes,
            domains,
            image_size: self.image_size.map(usize::from),
            channels: given.or(by_name),
            crop_ratio: self.crop_ratio,
            interpolation: self.interpolation.engine(),
        };
        Ok(facts.meta()?.map_err(|e| UsageError(e.message))?)
    }
}
