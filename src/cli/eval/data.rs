//! The data set that an evaluation measures: which one is meant, how it is opened, and whose classes its
//! labels are.

use crate::cli::common::UsageError;
use crate::config::{Config, DataConfig, DataSource, schema};
use crate::data::{ClassesBy, Dataset, Framing, Matched, match_classes};
use crate::training::checkpoint::Meta;
use anyhow::{Context as _, anyhow};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

/// `SOURCE[:PART]`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct DataSpec {
    pub(super) source: DataSource,
    pub(super) part: String,
}

/// Opens the wanted part with the input size and, where the checkpoint was trained on the same source, the
/// path and the class list of its run.
pub(super) fn open(spec: &DataSpec, path: Option<&Path>, meta: &Meta) -> anyhow::Result<Arc<dyn Dataset>> {
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
pub(super) fn matched(set: Arc<dyn Dataset>, classes: &[String], by: &ClassesBy) -> anyhow::Result<Matched> {
    let matched = match_classes(set, classes, by);
    if *by != ClassesBy::SameNames {
        return matched;
    }
    matched.context(
        "expected the same classes on both sides, or --classes-by name for those that both have, \
         --classes-by number for the same order, --classes-by FILE for a list of names",
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
    Ok(DataSpec { source: source(name)?, part: part.to_string() })
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

/// The word of a source in the configuration.
pub(super) fn source_name(source: DataSource) -> String {
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
