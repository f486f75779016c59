//! One measured row: the form that every command prints, keeps in files and reads back.

use serde::{Deserialize, Deserializer, Serialize};

/// The accuracy of one set of images through one BN domain under one condition. The order of the fields is
/// that of the files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The data set's word, such as `shapes` or `folder-c`.
    pub data: String,
    /// The part of it, such as `val`.
    pub split: String,
    /// The BN domain.
    pub domain: String,
    /// What batch norms normalise by: always `running`, a domain's running statistics.
    pub statistics: String,
    /// The attack's SPEC; none of clean and corrupted images.
    pub attack: Option<String>,
    /// The corruption's name; none of clean and attacked images.
    pub corruption: Option<String>,
    /// The corruption's severity, 1 to 5.
    pub severity: Option<u8>,
    /// Images that were measured.
    pub images: usize,
    /// Images that were not: of classes that the checkpoint lacks, and those whose files are damaged.
    pub left_out: usize,
    /// Mean cross-entropy without label smoothing, nats; NaN, which files hold as null, where weights are no
    /// numbers.
    #[serde(deserialize_with = "figure")]
    pub loss: f32,
    /// Share of images whose most probable class is the true one, 0..1.
    pub top1: f32,
    /// Share of images whose true class is among the five most probable, 0..1.
    pub top5: f32,
}

/// The one value of [`Row::statistics`].
pub const RUNNING: &str = "running";

impl Row {
    /// Whether both are of the same images through the same domain under the same condition, whatever came
    /// out.
    pub fn is_of_same_cell(&self, other: &Self) -> bool {
        let cell = |row: &Self| {
            (
                row.data.clone(),
                row.split.clone(),
                row.domain.clone(),
                row.attack.clone(),
                row.corruption.clone(),
                row.severity,
            )
        };
        cell(self) == cell(other)
    }

    /// Share of images whose most probable class is a wrong one, 0..1.
    pub fn error(&self) -> f64 {
        1.0 - f64::from(self.top1)
    }
}

/// Reads a figure; JSON has no NaN.
fn figure<'de, D: Deserializer<'de>>(from: D) -> Result<f32, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(f32::NAN))
}
