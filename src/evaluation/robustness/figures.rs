//! Everything that an evaluation measured, in the form that `eval --json` prints and the window exports.

use super::mce::Mce;
use super::row::Row;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// The rows of an evaluation with what they mean. As JSON it is the single row where there is one and no
/// corruption, else an object of all rows and the mean corruption error.
#[derive(Clone, Debug)]
pub struct Figures<'a> {
    /// The rows.
    pub rows: &'a [Row],
    /// How labels were matched with the model's classes: `name`, `number` or a file.
    pub classes_by: &'a str,
    /// The parameter set and the seed of corruptions that were made here.
    pub generator: Option<(&'static str, u64)>,
    /// By domain; empty where no corruption was asked for.
    pub mce: Vec<Mce>,
}

/// A single row, and how classes were matched.
#[derive(Serialize)]
struct SingleRow<'a> {
    #[serde(flatten)]
    row: &'a Row,
    classes_by: &'a str,
}

/// Several rows.
#[derive(Serialize)]
struct SeveralRows<'a> {
    data: &'a str,
    split: &'a str,
    classes_by: &'a str,
    /// `imagenet-c` or `cifar-c`; null where no corruption was made.
    corruption_set: Option<&'a str>,
    /// Seed of the corruptions that were made.
    corruption_seed: Option<u64>,
    rows: &'a [Row],
    /// Of the first domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    mce: Option<&'a Mce>,
    /// Of each domain by its name, where there are several.
    #[serde(skip_serializing_if = "Map::is_empty")]
    mce_by_domain: Map<String, Value>,
}

/// No row at all.
#[derive(Serialize)]
struct NoRows {
    rows: [(); 0],
}

impl Serialize for Figures<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Some(first) = self.rows.first() else { return NoRows { rows: [] }.serialize(to) };
        if self.rows.len() == 1 && self.mce.is_empty() {
            return SingleRow { row: first, classes_by: self.classes_by }.serialize(to);
        }
        let mut mce_by_domain = Map::new();
        if self.mce.len() > 1 {
            for mce in &self.mce {
                let value = serde_json::to_value(mce).map_err(serde::ser::Error::custom)?;
                mce_by_domain.insert(mce.domain.clone(), value);
            }
        }
        let several = SeveralRows {
            data: &first.data,
            split: &first.split,
            classes_by: self.classes_by,
            corruption_set: self.generator.map(|(set, _)| set),
            corruption_seed: self.generator.map(|(_, seed)| seed),
            rows: self.rows,
            mce: self.mce.first(),
            mce_by_domain,
        };
        several.serialize(to)
    }
}
