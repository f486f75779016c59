//! What the images of an evaluation undergo, from the options to the conditions.

use super::Eval;
use super::data::{Source, matched, open, open_corrupted};
use super::resume;
use crate::cli::common::UsageError;
use crate::config::{DataConfig, Domain};
use crate::data::corruptions::{Corruption, Corruptor, ParameterSet};
use crate::data::{ClassesBy, CorruptedFiles, FileCell};
use crate::evaluation::auto_domain::Through;
use crate::evaluation::robustness::condition::Condition;
use crate::evaluation::robustness::mce::{Errors, Mce, SEVERITIES};
use crate::evaluation::robustness::measurement::{Evaluation, Part};
use crate::evaluation::robustness::record::rows_in;
use crate::evaluation::robustness::row::Row;
use crate::training::checkpoint::Meta;
use anyhow::Context as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The word of the baseline that comes with the program.
const ALEXNET: &str = "imagenet-alexnet";

/// Options that have to do with corruptions.
#[derive(Debug, clap::Args)]
pub(super) struct CorruptionArgs {
    /// Corruptions by name, with commas between; all: the 15 main ones of ImageNet-C, extra: its four others.
    /// Of images that are corrupted already all are measured unless given
    #[arg(long, value_name = "all|LIST", value_delimiter = ',')]
    corruptions: Vec<String>,
    /// Severities of the corruptions, with commas between; all five unless given
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = clap::value_parser!(u8).range(1..=5))]
    severity: Vec<u8>,
    /// Strengths of the corruptions: imagenet-c, or cifar-c, which is made for images of 32 pixels and the
    /// default up to 64
    #[arg(long, value_name = "imagenet-c|cifar-c")]
    corruption_set: Option<ParameterSet>,
    /// Folder of the benchmark's pictures of frost; without it they are generated
    #[arg(long, value_name = "DIR")]
    frost: Option<PathBuf>,
    /// What errors under corruptions are divided by: those of AlexNet on ImageNet-C, or those of a run's
    /// evaluation (a folder that --resume filled, or a run with such a folder `evaluation`); without it the
    /// mean error is printed
    #[arg(long, value_name = "RUN|imagenet-alexnet")]
    baseline: Option<String>,
    /// Folder that --resume filled with an evaluation of the clean images of the same checkpoint: with it
    /// images that are corrupted already have a relative mCE too
    #[arg(long, value_name = "DIR")]
    clean: Option<PathBuf>,
}

/// A baseline's name and its errors.
pub(super) type Baseline = (String, Errors);

impl CorruptionArgs {
    /// Fails where options have nothing to act on.
    pub(super) fn check(&self, source: Source) -> anyhow::Result<()> {
        let corrupted = matches!(source, Source::Corrupted(_));
        let made = [
            ("--clean", self.clean.is_some() && !corrupted),
            ("--corruption-set", self.corruption_set.is_some()),
            ("--frost", self.frost.is_some()),
            ("--severity", !self.severity.is_empty() && !corrupted),
            ("--baseline", self.baseline.is_some() && !corrupted),
        ];
        let Some((option, _)) = made.into_iter().find(|(_, given)| *given) else { return Ok(()) };
        let wrong = match source {
            Source::Corrupted(kind) => {
                format!("{option} is for corruptions that are made here, and {} holds its own", kind.name())
            }
            Source::Set(_) if self.clean.is_some() => {
                "--clean is for images that are corrupted already; of others the clean ones are measured too"
                    .to_owned()
            }
            Source::Set(_) if !self.corruptions.is_empty() => return Ok(()),
            Source::Set(_) => format!("{option} needs --corruptions all or a list of names"),
        };
        Err(UsageError(wrong).into())
    }

    /// The folder of the pictures of frost.
    pub(super) fn frost(&self) -> Option<&Path> {
        self.frost.as_deref()
    }

    /// Whether corruptions are made here.
    pub(super) fn generates(&self, source: Source) -> bool {
        matches!(source, Source::Set(_)) && !self.corruptions.is_empty()
    }

    /// The parameters of corruptions that are made here, for images of `size` pixels.
    pub(super) fn parameters(&self, size: usize) -> ParameterSet {
        self.corruption_set.unwrap_or_else(|| ParameterSet::of_size(size))
    }

    /// What makes the corruptions; none where none is made.
    pub(super) fn corruptor(
        &self,
        source: Source,
        size: usize,
        seed: u64,
    ) -> anyhow::Result<Option<Arc<Corruptor>>> {
        if !self.generates(source) {
            return Ok(None);
        }
        let made = Corruptor::new(self.parameters(size), seed);
        let made = match &self.frost {
            Some(folder) => made.with_frost(folder).context("--frost")?,
            None => made,
        };
        Ok(Some(Arc::new(made)))
    }

    /// The severities, ascending.
    pub(super) fn severities(&self) -> Vec<u8> {
        let wanted = |severity: &u8| self.severity.is_empty() || self.severity.contains(severity);
        SEVERITIES.into_iter().filter(wanted).collect()
    }

    /// The corruptions that are made here, each once.
    fn corruptions(&self) -> anyhow::Result<Vec<Corruption>> {
        let mut chosen = Vec::new();
        for word in &self.corruptions {
            match word.as_str() {
                "all" => chosen.extend(Corruption::MAIN),
                "extra" => chosen.extend(Corruption::ALL.into_iter().filter(|c| c.is_extra())),
                name => chosen.push(name.parse().map_err(|text| {
                    UsageError(format!(
                        "--corruptions: {text}; also all (the 15 main ones) and extra (the others)"
                    ))
                })?),
            }
        }
        Ok(Corruption::ALL.into_iter().filter(|corruption| chosen.contains(corruption)).collect())
    }

    /// The corruptions of a folder by name; `None`: all that it has.
    fn stored(&self) -> Option<&[String]> {
        let all = self.corruptions.is_empty() || self.corruptions == ["all"];
        (!all).then_some(&self.corruptions)
    }

    /// Reads the baseline's errors, through the main domain or the only one that it was measured through.
    pub(super) fn baseline(&self) -> anyhow::Result<Option<Baseline>> {
        let Some(name) = &self.baseline else { return Ok(None) };
        if name == ALEXNET {
            return Ok(Some((name.clone(), Errors::of_alexnet())));
        }
        let rows = rows_in(Path::new(name))?;
        let main = Domain::Main.name();
        let domain = match rows.first() {
            Some(first) if !rows.iter().any(|row| row.domain == main) => first.domain.clone(),
            _ => main.to_owned(),
        };
        let errors = Errors::of_rows(&rows, &domain);
        anyhow::ensure!(
            !errors.corrupted.is_empty(),
            "--baseline: the evaluation in {name} has no corrupted images through domain {domain}; expected one \
             with --corruptions"
        );
        Ok(Some((name.clone(), errors)))
    }

    /// The rows of the clean images of a checkpoint, from the folder of --clean.
    pub(super) fn clean(&self, checkpoint: &Path) -> anyhow::Result<Vec<Row>> {
        let Some(dir) = &self.clean else { return Ok(Vec::new()) };
        let rows = rows_in(dir).context("--clean")?;
        resume::check_of_checkpoint(dir, checkpoint).context("--clean")?;
        anyhow::ensure!(
            rows.iter().any(|row| row.attack.is_none() && row.corruption.is_none()),
            "--clean: the evaluation in {} has no clean images",
            dir.display()
        );
        Ok(rows)
    }

    /// The mean corruption errors by domain; none where no corruption was asked for.
    pub(super) fn mce(
        &self,
        source: Source,
        rows: &[Row],
        evaluation: &Evaluation<'_>,
        baseline: Option<&Baseline>,
        clean: &[Row],
    ) -> Vec<Mce> {
        if matches!(source, Source::Set(_)) && self.corruptions.is_empty() {
            return Vec::new();
        }
        let of_domain = |through: &Through| {
            let domain = through.name();
            let mut errors = Errors::of_rows(rows, &domain);
            errors.clean = errors.clean.or(Errors::of_rows(clean, &domain).clean);
            Mce::new(&domain, &errors, baseline.map(|(name, errors)| (name.as_str(), errors)))
        };
        evaluation.domains.iter().map(of_domain).collect()
    }
}

/// The sets of an evaluation with their conditions: one set that was opened, or the corrupted ones of a
/// folder.
pub(super) fn parts<'a>(
    eval: &'a Eval,
    path: Option<&Path>,
    meta: &'a Meta,
    data: &DataConfig,
    by: &'a ClassesBy,
) -> anyhow::Result<Vec<Part<'a>>> {
    let corrupt = &eval.corrupt;
    match eval.data.source {
        Source::Set(source) => {
            let set = matched(open(source, &eval.data.part, path, meta)?, &meta.classes, by)?;
            let cells = corrupt.corruptions()?.into_iter().flat_map(|corruption| {
                corrupt
                    .severities()
                    .into_iter()
                    .map(move |severity| Condition::Corrupted(corruption, severity))
            });
            let with_clean = eval.attacks.wants_clean() || !corrupt.corruptions.is_empty();
            let clean = with_clean.then_some(Condition::Clean);
            let conditions = clean.into_iter().chain(eval.attacks.conditions()).chain(cells).collect();
            Ok(vec![Part { open: Box::new(move || Ok(set.clone())), conditions }])
        }
        Source::Corrupted(kind) => {
            if !eval.attacks.is_empty() {
                let name = kind.name();
                return Err(
                    UsageError(format!("--attack is for clean images; {name} holds corrupted ones")).into()
                );
            }
            let severities = corrupt.severities();
            let dir = path.unwrap_or(Path::new("."));
            let files = CorruptedFiles::find(kind, dir, corrupt.stored(), &severities, data.interpolation)?;
            let files = Arc::new(files);
            let part = |cell: &FileCell| {
                let (files, cell) = (Arc::clone(&files), cell.clone());
                let (corruption, severity) = (cell.corruption.clone(), cell.severity);
                Part {
                    open: Box::new(move || open_corrupted(&files, &cell, &meta.classes, by)),
                    conditions: vec![Condition::Stored { corruption, severity }],
                }
            };
            Ok(files.cells().iter().map(part).collect())
        }
    }
}
