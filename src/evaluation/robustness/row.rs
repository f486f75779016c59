//! One measured row: the form that every command prints, keeps in files and reads back.

use crate::evaluation::activation_map::CamMethod;
use crate::evaluation::localisation::{BOX_THRESHOLD, Localisation};
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
    /// How well the maps of the true class find the object, where that was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub localisation: Option<RowLocalisation>,
}

/// Means over the images of a row; see [`Localisation`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RowLocalisation {
    /// How the maps are made: `cam` or `gradcam`.
    pub method: String,
    /// The class whose maps they are: always `label`, the true one.
    pub class: String,
    /// Share of the positive values that lies on the object, 0..1.
    #[serde(deserialize_with = "figure")]
    pub energy: f32,
    /// Intersection over union of the map's box with the object's, 0..1.
    #[serde(deserialize_with = "figure")]
    pub box_iou: f32,
    /// Share of the map's maximum from which a pixel belongs to its box.
    pub box_threshold: f32,
    /// Share of images whose map has its maximum on the object, 0..1.
    #[serde(deserialize_with = "figure")]
    pub pointing: f32,
}

impl RowLocalisation {
    /// The figures of maps that were made by `method`.
    pub fn new(method: CamMethod, mean: Localisation) -> Self {
        Self {
            method: method.name().to_owned(),
            class: "label".to_owned(),
            energy: mean.energy as f32,
            box_iou: mean.box_iou as f32,
            box_threshold: BOX_THRESHOLD,
            pointing: mean.pointing as f32,
        }
    }
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
