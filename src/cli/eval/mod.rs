//! `dualprop eval`: accuracy and loss on a data set, clean or attacked.

mod data;
mod figures;

pub(super) use data::source;

use super::common::{ModelArgs, UsageError, attack_spec, note, whole};
use super::progress::Progress;
use crate::config::AttackConfig;
use crate::data::ClassesBy;
use crate::evaluation::accuracy::Measurement;
use anyhow::bail;
use data::{DataSpec, classes_by, data_spec, matched, open, source_name};
use figures::Figures;
use std::path::PathBuf;

/// Images at a time.
const BATCH: usize = 64;

/// Measures top-1, top-5 and loss on a data set.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: dualprop eval runs/first/best.safetensors --data shapes:val-stylized --attack pgd:eps=4,step=1,iters=5 --json"
)]
pub(super) struct Eval {
    /// Checkpoint
    #[arg(value_name = "CKPT")]
    checkpoint: PathBuf,
    /// Data set and part: shapes, shapes:val-stylized, cifar10, cifar100:train, folder, …; the part is val
    /// unless given
    #[arg(long, value_name = "SPEC", value_parser = data_spec)]
    data: DataSpec,
    /// Folder of the data set's files; shapes needs none
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
    /// Attack (pgd, ifgsm, mifgsm, gd or fgsm), such as pgd:eps=4,step=1,iters=5, with running statistics and
    /// plain cross-entropy
    #[arg(long, value_name = "SPEC", value_parser = attack_spec)]
    attack: Option<AttackConfig>,
    /// Corruptions: all, or a list of names
    #[arg(long, value_name = "LIST")]
    corruptions: Option<String>,
    /// Which of the checkpoint's classes a label means. By default both must have the same names, in any
    /// order; name: also where they share a part, images of other classes are left out; number: the first
    /// class is the first; FILE: a name of the data set for each class of the checkpoint, one a line, or
    /// lines such as cat=281 of the data set's class and the checkpoint's, with = or a tab
    #[arg(long, value_name = "name|number|FILE", value_parser = classes_by)]
    classes_by: Option<ClassesBy>,
    /// Images used, evenly spread over the set; 0: all
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = whole, allow_negative_numbers = true)]
    limit: usize,
    #[command(flatten)]
    options: ModelArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Eval {
    pub(super) fn run(self) -> anyhow::Result<()> {
        if self.corruptions.is_some() {
            bail!("--corruptions is not in this version yet; expected a clean or attacked evaluation");
        }
        if let Some(path) = self.path.as_ref().filter(|_| !self.data.source.needs_path()) {
            return Err(UsageError(format!(
                "--path is {}; shapes is built in and needs none",
                path.display()
            ))
            .into());
        }
        if let Some(caution) = self.attack.as_ref().and_then(AttackConfig::unit_caution) {
            note(&format!("note: {caution}"));
        }
        let (mut model, domain) = self.options.load(&self.checkpoint, BATCH)?;
        let dataset = open(&self.data, self.path.as_deref(), model.meta())?;
        dataset.notes().iter().for_each(|sentence| note(&format!("note: {sentence}")));
        let by = self.classes_by.unwrap_or_default();
        let matched = matched(dataset, &model.meta().classes, &by)?;
        if let Some(sentence) = &matched.note {
            note(&format!("note: {sentence}"));
        }
        let mut progress = Progress::new("evaluating", "images");
        let attack = self.attack.as_ref();
        let seed = model.config().run.seed;
        let what = Measurement { split: &self.data.part, domain, attack, limit: self.limit, seed };
        let row = model.accuracy(&matched.set, &what, |done, total| progress.update(done, total))?;
        drop(progress);
        let (source, spec) = (source_name(self.data.source), attack.map(AttackConfig::spec));
        let figures = Figures {
            data: &source,
            split: &self.data.part,
            domain: self.options.domain.name(),
            attack: spec.as_deref(),
            classes_by: &by.word(),
            images: row.images,
            left_out: matched.left_out,
            loss: row.loss,
            top1: row.top1,
            top5: row.top5,
        };
        if self.json { figures.print_json() } else { figures.print(by == ClassesBy::SameNames) }
    }
}
