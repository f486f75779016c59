//! One file a pane. A pane draws what [`Shared`] lends it and keeps only how to draw it: sliders, a chosen layer.

pub mod attention;
pub mod curves;
pub mod domains;
pub mod gallery;
pub mod lab;
pub mod log;
pub mod look;
pub mod results;
pub mod runs;
pub mod set_up;

use crate::app::commands::UiCommand;
use crate::app::model::kinds::Phase;
use crate::app::model::run::RunView;
use crate::app::model::study::{Study, Wishes};
use crate::app::widgets::export::Export;
use crate::app::widgets::pictures::Pictures;
use egui::Rect;

/// What every pane may read, and where its commands and wishes go.
pub struct Shared<'a> {
    pub run: &'a RunView,
    pub study: &'a Study,
    pub pictures: &'a mut Pictures,
    pub queue: &'a mut Vec<UiCommand>,
    pub wishes: &'a mut Wishes,
    pub exports: &'a mut Vec<Export>,
    /// Where the pane lies on the window, points.
    pub area: Rect,
}

/// Names of classes and BN domains, of a run or of an opened model.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    pub classes: &'a [String],
    pub domains: &'a [String],
}

impl<'a> Names<'a> {
    pub fn of_run(run: &'a RunView) -> Self {
        let of_pictures = run.snapshot.as_ref().map_or(&[][..], |snapshot| &snapshot.classes);
        Self { classes: run.info.as_ref().map_or(of_pictures, |info| &info.classes), domains: &run.domains }
    }

    pub fn class(&self, class: usize) -> String {
        self.classes.get(class).cloned().unwrap_or_else(|| format!("class {class}"))
    }

    pub fn domain(&self, domain: usize) -> &'a str {
        self.domains.get(domain).map_or("?", String::as_str)
    }
}

/// When pictures and statistics will be here: the end of the sentence in an empty pane.
fn once_there(run: &RunView) -> &'static str {
    match run.phase {
        Phase::Opened => "A run writes them when it validates; this folder has none yet.",
        _ => "The run makes the first ones soon after its start.",
    }
}

/// The views' settings, kept between sessions.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Views {
    pub curves: curves::CurvesView,
    pub look: look::LookView,
    pub lab: lab::LabView,
    pub results: results::ResultsView,
    pub runs: runs::RunsView,
    pub gallery: gallery::GalleryView,
    pub attention: attention::AttentionView,
    pub domains: domains::DomainsView,
    pub log: log::LogView,
}
