//! `dualprop eval`: accuracy and loss on a data set, clean, attacked or corrupted.

mod attacks;
mod conditions;
mod data;
mod figures;
mod resume;
mod table;

pub(super) use data::source;

use super::cam::Method;
use super::common::{DeviceOption, WeightsChoice, asked_domain, load_model, note, whole};
use super::progress::Progress;
use crate::config::{AUTO, Domain};
use crate::data::ClassesBy;
use crate::evaluation::Model;
use crate::evaluation::auto_domain::Through;
use crate::evaluation::robustness::figures::Figures;
use crate::evaluation::robustness::measurement::{Evaluation, Heard};
use attacks::AttackArgs;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args as _, FromArgMatches as _};
use conditions::CorruptionArgs;
use data::{DataSpec, classes_by, data_spec};
use figures::Printed;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Images at a time.
const BATCH: usize = 64;

/// Time between two records of how far an evaluation has come: what a kill costs at most, beside a batch.
const KEEP_EVERY: Duration = Duration::from_secs(5);

/// Measures top-1, top-5 and loss on a data set, clean, attacked, or under corruptions.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: dualprop eval runs/first/best.safetensors --data shapes:val-stylized --attack pgd:eps=4,step=1,iters=5 --json
Example: dualprop eval runs/first/best.safetensors --data shapes --domain all --corruptions all --resume runs/first/evaluation
Example: dualprop eval net.safetensors --data shapes --attack apgd:iters=50 --attack square:queries=500 --epsilons 0,2,4,8
Example: dualprop eval net.safetensors --data folder-c --path imagenet-c --baseline imagenet-alexnet"
)]
pub(super) struct Eval {
    /// Checkpoint
    #[arg(value_name = "CKPT")]
    checkpoint: PathBuf,
    /// Data set and part: shapes, shapes:val-stylized, cifar10, cifar100:train, folder, csv, webdataset,
    /// parquet:test, …; the part is val unless given. Images that are corrupted already: folder-c
    /// (DIR/CORRUPTION/SEVERITY/CLASS/image, such as ImageNet-C), cifar10-c, cifar100-c
    #[arg(long, value_name = "SPEC", value_parser = data_spec)]
    data: DataSpec,
    /// Folder of the data set's files; shapes needs none
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
    #[command(flatten)]
    attacks: AttackArgs,
    #[command(flatten)]
    corrupt: CorruptionArgs,
    /// Which of the checkpoint's classes a label means. By default both must have the same names, in any
    /// order; name: also where they share a part, images of other classes are left out; number: the first
    /// class is the first; FILE: a name of the data set for each class of the checkpoint, one a line, or
    /// lines such as cat=281 of the data set's class and the checkpoint's, with = or a tab
    #[arg(long, value_name = "name|number|FILE", value_parser = classes_by)]
    classes_by: Option<ClassesBy>,
    /// Only classes that the data set has images of count as answers, as ImageNet-A and ImageNet-R are
    /// measured
    #[arg(long)]
    data_classes_only: bool,
    /// Images used, evenly spread over the set; 0: all
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = whole, allow_negative_numbers = true)]
    limit: usize,
    /// BN domain that the images go through; auto: each image through main, or the one whose running
    /// statistics of the first BN layer describe it clearly better (under an attack: attacked through each
    /// domain, and the worst of these images counts); all: each, and auto where there are several, side by
    /// side
    #[arg(long, value_parser = domains_parser(), default_value = Domain::Main.name())]
    domain: Domains,
    /// Last weights, or their moving average; by default the average where there is one
    #[arg(long, value_enum)]
    weights: Option<WeightsChoice>,
    #[command(flatten)]
    device: DeviceOption,
    /// Measure too how well the class activation maps of the true class find the object, on data that says
    /// which pixels show it (shapes): the share of the positive values on it (energy), the overlap of the
    /// boxes around it and around the map from 20% of its maximum (IoU), how often the maximum lies on it
    /// (pointing)
    #[arg(long, value_enum, value_name = "METHOD")]
    localise: Option<Method>,
    /// Folder that keeps what is measured: the same command goes on there after it was ended in any way
    #[arg(long, value_name = "DIR")]
    resume: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// `--domain`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Domains {
    One(String),
    All,
}

impl Domains {
    /// What images go through, of a model.
    pub(super) fn of(&self, model: &Model) -> anyhow::Result<Vec<Through>> {
        match self {
            Self::One(name) => Ok(vec![asked_domain(model, name)?]),
            Self::All => Ok(Through::all(model.meta().domains.len())),
        }
    }
}

pub(super) fn domains_parser() -> impl TypedValueParser<Value = Domains> {
    PossibleValuesParser::new(Domain::NAMES.into_iter().chain([AUTO, "all"])).map(|name| {
        match name.as_str() {
            "all" => Domains::All,
            _ => Domains::One(name),
        }
    })
}

impl Eval {
    /// The evaluation that the words of a command line behind `dualprop eval` ask for, on `device`, of the
    /// clean images too.
    pub(super) fn asked(words: Vec<String>, device: DeviceOption) -> anyhow::Result<Self> {
        let command = Self::augment_args(clap::Command::new("eval").no_binary_name(true));
        let mut eval = Self::from_arg_matches(&command.try_get_matches_from(words)?)?;
        eval.attacks.with_clean = true;
        Ok(Self { device, ..eval })
    }

    pub(super) fn run(self) -> anyhow::Result<()> {
        let stop = resume::listen(self.resume.as_deref())?;
        self.measure(&|| stop.load(Ordering::Relaxed))
    }

    /// Measures and prints; fails where `is_stopped` says so, and keeps what is measured.
    pub(super) fn measure(self, is_stopped: &dyn Fn() -> bool) -> anyhow::Result<()> {
        let path = self.data.source.checked_path(self.path.as_deref())?;
        self.corrupt.check(self.data.source)?;
        let baseline = self.corrupt.baseline()?;
        let clean = self.corrupt.clean(&self.checkpoint)?;
        self.attacks.check()?;
        let mut model = load_model(&self.checkpoint, self.weights, &self.device, BATCH)?;
        self.attacks.check_classes(model.meta().classes.len())?;
        let domains = self.domain.of(&model)?;
        let by = match self.classes_by.clone().unwrap_or_default() {
            ClassesBy::SameNames if self.data_classes_only => ClassesBy::CommonNames,
            by => by,
        };
        let (meta, seed) = (model.meta().clone(), model.config().run.seed);
        let set = self.corrupt.parameters(meta.image_size);
        let parts = conditions::parts(&self, path, &meta, &model.config().data, &by)?;
        let generated = self.corrupt.generates(self.data.source);
        let evaluation = Evaluation {
            data: &self.data.source.name(),
            split: &self.data.part,
            domains: &domains,
            parts,
            corruptor: self.corrupt.corruptor(self.data.source, meta.image_size, seed)?,
            limit: self.limit,
            seed,
            only_its_classes: self.data_classes_only,
            localise: self.localise.map(Method::engine),
            keep_every: KEEP_EVERY,
        };
        let mut record = resume::record(&self, &evaluation, &meta, &by)?;
        let mut progress = Progress::new("evaluating", "images");
        let end = evaluation.run(&mut model, &mut record, |heard| {
            match heard {
                Heard::Measured(done, total) => progress.update(done, total),
                Heard::Note(sentence) => progress.aside(|| note(&format!("note: {sentence}"))),
                Heard::SoFar(_) | Heard::Block => {}
            }
            !is_stopped()
        })?;
        drop(progress);
        if !end.finished {
            anyhow::bail!("stopped; the same command goes on where it was");
        }
        if generated {
            let share = 100.0 * end.waited.as_secs_f64() / end.took.as_secs_f64().max(1e-9);
            note(&format!("note: the network waited {share:.0}% of the time for images to be corrupted"));
        }
        for sentence in self.attacks.hidden_gradients(record.rows()) {
            note(&format!("note: {sentence}"));
        }
        let generator = generated.then(|| (set.name(), seed));
        let (by_word, plain_classes) = (by.word(), by == ClassesBy::SameNames);
        let mce = self.corrupt.mce(self.data.source, record.rows(), &evaluation, baseline.as_ref(), &clean);
        let figures = Figures { rows: record.rows(), classes_by: &by_word, generator, mce };
        let printed = Printed { figures, plain_classes };
        if self.json { printed.print_json() } else { printed.print() }
    }
}
