//! One file a pane. A pane draws what [`Shared`] lends it and keeps only how to draw it: sliders, a chosen layer.

pub mod attention;
pub mod branches;
pub mod curves;
pub mod domains;
pub mod fields;
pub mod gallery;
pub mod legend;
pub mod log;
pub mod plots;
pub mod set_up;

use super::commands::UiCommand;
use super::model::{Phase, RunView};
use super::pictures::Pictures;

/// What every pane may read, and where its commands go.
pub struct Shared<'a> {
    pub run: &'a RunView,
    pub pictures: &'a mut Pictures,
    pub queue: &'a mut Vec<UiCommand>,
}

/// When pictures and statistics will be here: the end of the sentence in an empty pane.
fn once_there(run: &RunView) -> &'static str {
    match run.phase {
        Phase::Opened => "Run folders hold no pictures; resume the run to see them live.",
        _ => "The run makes the first ones soon after its start.",
    }
}

/// The views' settings, kept between sessions.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Views {
    pub curves: curves::CurvesView,
    pub gallery: gallery::GalleryView,
    pub attention: attention::AttentionView,
    pub domains: domains::DomainsView,
    pub log: log::LogView,
}
