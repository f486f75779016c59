//! The data set that an evaluation measures: which one is meant, how it is opened, and whose classes its
//! labels are.

use crate::cli::common::UsageError;
use crate::config::{Config, DataConfig, DataSource, schema};
use crate::data::{
    ClassesBy, CorruptedFiles, CorruptedKind, Dataset, FileCell, Framing, Matched, are_numbers, match_classes,
};
use crate::training::checkpoint::Meta;
use anyhow::{Context as _, anyhow};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

/// `SOURCE[:PART]`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct DataSpec {
    pub(super) source: Source,
    pub(super) part: String,
}

/// Where the images come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Source {
    /// A data set that a configuration can name.
    Set(DataSource),
    /// Files of images that are corrupted already.
    Corrupted(CorruptedKind),
}

impl Source {
    /// The word on the command line.
    pub(super) fn name(self) -> String {
        match self {
            Self::Set(source) => source.name(),
            Self::Corrupted(kind) => kind.name().to_owned(),
        }
    }

    /// The folder that `--path` names; fails where the source needs none, or has none.
    pub(super) fn checked_path(self, path: Option<&Path>) -> anyhow::Result<Option<&Path>> {
        match (self, path) {
            (Self::Set(source), Some(path)) if !source.needs_path() => {
                let path = path.display();
                Err(UsageError(format!("--path is {path}; shapes is built in and needs none")).into())
            }
            (Self::Corrupted(_), None) => Err(self.needs_path().into()),
            (_, path) => Ok(path),
        }
    }

    fn needs_path(self) -> UsageError {
        UsageError(format!("--path DIR is needed: the folder of the data set {}", self.name()))
    }
}

/// Opens the wanted part with the input size and, where the checkpoint was trained on the same source, the
/// path and the class list of its run.
pub(super) fn open(
    source: DataSource,
    part: &str,
    path: Option<&Path>,
    meta: &Meta,
) -> anyhow::Result<Arc<dyn Dataset>> {
    let trained = Config::parse(&meta.config, "the checkpoint's configuration", &[]).ok().map(|c| c.data);
    let framing = trained.as_ref().map(Framing::of).unwrap_or_default();
    let known = trained.filter(|data| data.source == source).unwrap_or_default();
    let path = path.map_or(known.path, |p| p.display().to_string());
    if source.needs_path() && path.is_empty() {
        return Err(Source::Set(source).needs_path().into());
    }
    let config = DataConfig {
        source,
        path,
        classes_file: known.classes_file,
        val_share: known.val_share,
        val_seed: known.val_seed,
        image_size: meta.image_size,
        mean: meta.mean,
        std: meta.std,
        crop_ratio: framing.crop_ratio,
        interpolation: framing.interpolation,
        ..DataConfig::default()
    };
    // Here it is an option that names the folder.
    let by_option = |error: anyhow::Error| {
        anyhow!(format!("{error:#}").replace("`data.path`", "--path").replace("`data.source`", "--data"))
    };
    let names = crate::data::parts(&config).map_err(by_option)?;
    if !names.iter().any(|name| name == part) {
        let (source, names) = (source.name(), names.join(", "));
        return Err(UsageError(format!(
            "the data set {source} has no part \"{part}\"; expected one of {names}"
        ))
        .into());
    }
    crate::data::open_part(&config, part).map_err(by_option)
}

/// Opens one of the sets of a folder of corrupted images.
pub(super) fn open_corrupted(
    files: &CorruptedFiles,
    cell: &FileCell,
    classes: &[String],
    by: &ClassesBy,
) -> anyhow::Result<Matched> {
    let set = files.open(cell)?;
    // CIFAR's own files have names only beside them, so a network may know its classes by CIFAR's numbers.
    let numbered = are_numbers(classes) && classes.len() == set.class_names().len();
    let by_number = *by == ClassesBy::SameNames && numbered && files.has_cifars_classes();
    matched(set, classes, if by_number { &ClassesBy::Number } else { by })
}

/// The data set under the checkpoint's labels.
pub(super) fn matched(set: Arc<dyn Dataset>, classes: &[String], by: &ClassesBy) -> anyhow::Result<Matched> {
    let matched = match_classes(set, classes, by);
    if *by != ClassesBy::SameNames {
        return matched;
    }
    matched.context(
        "expected the same classes on both sides, or --classes-by name for those that both have, \
         --classes-by number for the same order, --classes-by FILE for a list of names, --data-classes-only for a \
         set of some of them such as ImageNet-A",
    )
}

/// Reads `--classes-by` for clap.
pub(super) fn classes_by(text: &str) -> Result<ClassesBy, String> {
    match text {
        "" => Err("expected name, number or a file of class names".into()),
        "name" => Ok(ClassesBy::CommonNames),
        "number" => Ok(ClassesBy::Number),
        file => Ok(ClassesBy::File(file.into())),
    }
}

/// Reads `--data` for clap.
pub(super) fn data_spec(text: &str) -> Result<DataSpec, String> {
    let (name, part) = text.split_once(':').unwrap_or((text, "val"));
    if let Some(kind) = CorruptedKind::ALL.into_iter().find(|kind| kind.name() == name) {
        if text.contains(':') {
            return Err(format!("{name} has no parts; --corruptions and --severity choose among its images"));
        }
        return Ok(DataSpec { source: Source::Corrupted(kind), part: part.to_owned() });
    }
    let known = CorruptedKind::ALL.map(CorruptedKind::name).join(", ");
    let source = source(name).map_err(|text| format!("{text}; of corrupted images: {known}"))?;
    Ok(DataSpec { source: Source::Set(source), part: part.to_owned() })
}

/// A data set's name as in the configuration.
pub(in crate::cli) fn source(name: &str) -> Result<DataSource, String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_specs_name_a_source_and_a_part() {
        let spec = data_spec("shapes:val-stylized").expect("valid");
        assert_eq!((spec.source, spec.part.as_str()), (Source::Set(DataSource::Shapes), "val-stylized"));
        assert_eq!(data_spec("cifar100").expect("valid").part, "val");
        assert_eq!(data_spec("cifar10-c").expect("valid").source, Source::Corrupted(CorruptedKind::Cifar10));
        let message = data_spec("cifar_10").expect_err("misspelt");
        assert!(message.contains("nearest is cifar10") && message.contains("folder-c"), "{message}");
        let message = data_spec("folder-c:val").expect_err("no part");
        assert!(message.contains("has no parts"), "{message}");
    }
}
