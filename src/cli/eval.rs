//! `dualprop eval`: accuracy and loss on a data set, clean or attacked.

use super::common::{ModelArgs, UsageError, attack_spec, note, print_json, print_line, whole};
use super::progress::Progress;
use crate::config::{AttackConfig, Config, DataConfig, DataSource, schema};
use crate::data::{ClassesBy, Dataset, Framing, Matched, match_classes};
use crate::evaluation::accuracy::Measurement;
use crate::evaluation::interval;
use crate::training::checkpoint::Meta;
use anyhow::{Context as _, anyhow, bail};
use serde::Serialize;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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

/// `SOURCE[:PART]`.
#[derive(Clone, Debug, PartialEq)]
struct DataSpec {
    source: DataSource,
    part: String,
}

/// What `--json` prints. Fractions are 0..1.
#[derive(Serialize)]
struct Figures<'a> {
    data: &'a str,
    split: &'a str,
    domain: &'a str,
    attack: Option<&'a str>,
    /// How labels were matched with the checkpoint's classes: `name`, `number` or a file.
    classes_by: &'a str,
    /// Images that were measured.
    images: usize,
    /// Images of classes that the checkpoint lacks.
    left_out: usize,
    loss: f32,
    top1: f32,
    top5: f32,
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
        let source = source_name(self.data.source);
        let (domain, attack) = (self.options.domain.name(), attack.map(AttackConfig::spec));
        if self.json {
            return print_json(&Figures {
                data: &source,
                split: &self.data.part,
                domain,
                attack: attack.as_deref(),
                classes_by: &by.word(),
                images: row.images,
                left_out: matched.left_out,
                loss: row.loss,
                top1: row.top1,
                top5: row.top5,
            });
        }
        let under = attack.map(|spec| format!(" under {spec}")).unwrap_or_default();
        let classes = match &by {
            ClassesBy::SameNames => String::new(),
            by => format!(", classes by {}", by.word()),
        };
        print_line(&format!(
            "{source} {}, domain {domain}{under}: top-1 {:.2}%{}, top-5 {:.2}%{}, loss {:.4} on {} images{classes}",
            self.data.part,
            100.0 * row.top1,
            interval::words(row.top1, row.images),
            100.0 * row.top5,
            interval::words(row.top5, row.images),
            row.loss,
            row.images
        ))
    }
}

/// Opens the wanted part with the input size and, where the checkpoint was trained on the same source, the
/// path and the class list of its run.
fn open(spec: &DataSpec, path: Option<&Path>, meta: &Meta) -> anyhow::Result<Arc<dyn Dataset>> {
    let trained = Config::parse(&meta.config, "the checkpoint's configuration", &[]).ok().map(|c| c.data);
    let framing = trained.as_ref().map(Framing::of).unwrap_or_default();
    let known = trained.filter(|data| data.source == spec.source).unwrap_or_default();
    let path = path.map_or(known.path, |p| p.display().to_string());
    if spec.source.needs_path() && path.is_empty() {
        let name = source_name(spec.source);
        return Err(UsageError(format!("--path DIR is needed: the folder of the data set {name}")).into());
    }
    let config = DataConfig {
        source: spec.source,
        path,
        classes_file: known.classes_file,
        image_size: meta.image_size,
        mean: meta.mean,
        std: meta.std,
        crop_ratio: framing.crop_ratio,
        interpolation: framing.interpolation,
        ..DataConfig::default()
    };
    // Here it is an option that names the folder.
    let by_option = |error: anyhow::Error| anyhow!(format!("{error:#}").replace("`data.path`", "--path"));
    let names = crate::data::parts(&config).map_err(by_option)?;
    if !names.contains(&spec.part) {
        let source = source_name(spec.source);
        let (part, names) = (&spec.part, names.join(", "));
        return Err(UsageError(format!(
            "the data set {source} has no part \"{part}\"; expected one of {names}"
        ))
        .into());
    }
    crate::data::open_part(&config, &spec.part).map_err(by_option)
}

/// The data set under the checkpoint's labels.
fn matched(set: Arc<dyn Dataset>, classes: &[String], by: &ClassesBy) -> anyhow::Result<Matched> {
    let matched = match_classes(set, classes, by);
    if *by != ClassesBy::SameNames {
        return matched;
    }
    matched.context(
        "expected the same classes on both sides, or --classes-by name for those that both have, \
         --classes-by number for the same order, --classes-by FILE for a list of names",
    )
}

fn classes_by(text: &str) -> Result<ClassesBy, String> {
    match text {
        "" => Err("expected name, number or a file of class names".into()),
        "name" => Ok(ClassesBy::CommonNames),
        "number" => Ok(ClassesBy::Number),
        file => Ok(ClassesBy::File(file.into())),
    }
}

fn data_spec(text: &str) -> Result<DataSpec, String> {
    let (name, part) = text.split_once(':').unwrap_or((text, "val"));
    Ok(DataSpec { source: source(name)?, part: part.to_string() })
}

/// A data set's name as in the configuration.
pub(super) fn source(name: &str) -> Result<DataSource, String> {
    let parsed: Result<DataSource, _> = serde_json::from_value(json!(name));
    parsed.map_err(|_| {
        let names = source_names();
        let nearest = schema::nearest_choice(name, names);
        format!("expected one of {}; the nearest is {nearest}", names.join(", "))
    })
}

fn source_names() -> &'static [&'static str] {
    match schema::field("data.source").map(|f| f.kind) {
        Some(schema::Kind::Choice(names)) => names,
        _ => &[],
    }
}

fn source_name(source: DataSource) -> String {
    serde_json::to_value(source).ok().and_then(|v| v.as_str().map(String::from)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_specs_name_a_source_and_a_part() {
        let spec = data_spec("shapes:val-stylized").expect("valid");
        assert_eq!((spec.source, spec.part.as_str()), (DataSource::Shapes, "val-stylized"));
        assert_eq!(data_spec("cifar100").expect("valid").part, "val");
        let message = data_spec("cifar_10").expect_err("misspelt");
        assert!(message.contains("nearest is cifar10"), "{message}");
    }
}
