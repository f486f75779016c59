//! Which columns of a Parquet file hold the images and the labels, and what the classes are called: by the
//! features that the `datasets` package writes into the file's notes, else by the columns' names.

use super::footer::{Column, ColumnType, Footer};
use crate::data::labels::{IMAGE_COLUMNS, LABEL_COLUMNS, column};
use anyhow::anyhow;
use serde_json::Value;

/// Where the images and the labels of a file are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    /// Number of the column of image bytes among the footer's columns.
    pub(super) image: usize,
    /// Number of the column of labels.
    pub(super) label: usize,
    /// Class names by number, of labels that are numbers.
    pub(super) names: Option<Vec<String>>,
}

impl Columns {
    /// Finds them. Fails with a sentence on which there are.
    pub(super) fn of(footer: &Footer) -> anyhow::Result<Self> {
        let features = features(footer);
        let all = &footer.columns;
        let name = |place: usize| all[place].path.first().map_or("", String::as_str);
        // By its name among those that fit and that are called so by the features, else among all that fit;
        // or as the only one of the features.
        let choose = |fits: fn(&Column) -> bool, wanted: &[&str], feature: &str| -> Option<usize> {
            let fitting: Vec<usize> =
                (0..all.len()).filter(|place| !all[*place].is_repeated && fits(&all[*place])).collect();
            let is_feature = |place: &usize| features[name(*place)]["_type"] == feature;
            let of_feature: Vec<usize> = fitting.iter().copied().filter(is_feature).collect();
            let named = |places: &[usize]| {
                let names: Vec<&str> = places.iter().map(|place| name(*place)).collect();
                Some(places[column(&names, wanted)?])
            };
            let only = if let [only] = of_feature[..] { Some(only) } else { None };
            named(&of_feature).or(only).or_else(|| named(&fitting))
        };
        let image =
            choose(is_image, &IMAGE_COLUMNS, "Image").or_else(|| choose(is_bytes, &IMAGE_COLUMNS, "Image"));
        let mut names: Vec<&str> = (0..all.len()).map(name).collect();
        names.dedup();
        let missing =
            |what: &str| anyhow!("it has no column of {what} among its columns {}", names.join(", "));
        let image =
            image.ok_or_else(|| missing("images, called image or img, with {bytes, path} or bytes,"))?;
        let label = choose(is_label, &LABEL_COLUMNS, "ClassLabel").ok_or_else(|| {
            missing("labels, called label, labels, fine_label or class, with numbers or texts,")
        })?;
        let names = features[name(label)]["names"].as_array().and_then(|names| {
            names.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<Vec<String>>>()
        });
        let is_number = all[label].of_type != ColumnType::Bytes;
        let names = names.filter(|names| is_number && !names.is_empty());
        Ok(Self { image, label, names })
    }
}

/// The features by column, as the `datasets` package writes them: `{"info": {"features": {"image": {"_type":
/// "Image"}, "label": {"names": […], "_type": "ClassLabel"}}}}`; null where there are none.
fn features(footer: &Footer) -> Value {
    let text = footer.notes.iter().find(|(key, _)| key == "huggingface").map(|(_, text)| text);
    let whole: Value = text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    whole["info"]["features"].clone()
}

/// The bytes in a struct of an image's bytes and its path.
fn is_image(column: &Column) -> bool {
    column.of_type == ColumnType::Bytes && matches!(&column.path[..], [_, last] if last == "bytes")
}

/// A column of bytes that are no text.
fn is_bytes(column: &Column) -> bool {
    column.of_type == ColumnType::Bytes && column.path.len() == 1 && !column.is_text
}

/// A column of numbers or texts.
fn is_label(column: &Column) -> bool {
    column.path.len() == 1
        && match column.of_type {
            ColumnType::Int32 | ColumnType::Int64 => true,
            ColumnType::Bytes => column.is_text,
            ColumnType::Other => false,
        }
}
