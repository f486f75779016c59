//! One file or folder a pane, and the table of all panes. A pane draws what [`Shared`] lends it and keeps
//! only how to draw it: sliders, a chosen layer.

pub mod attention;
pub mod curves;
pub mod domains;
pub mod explained;
pub mod gallery;
pub mod lab;
pub mod log;
pub mod look;
pub mod results;
pub mod robustness;
pub mod runs;
pub mod set_up;

use crate::app::commands::UiCommand;
use crate::app::large_view::{LargeView, SubjectList};
use crate::app::model::augmented::AugmentedView;
use crate::app::model::form::SetUpForm;
use crate::app::model::kinds::RunPhase;
use crate::app::model::preflight::PreflightReport;
use crate::app::model::recents::Recents;
use crate::app::model::run::RunView;
use crate::app::model::runs::Runs;
use crate::app::model::study::Study;
use crate::app::widgets::export::ExportRequest;
use crate::app::widgets::moments::MomentView;
use crate::app::widgets::pictures::Pictures;
use crate::session::inspect::Request;
use egui::{Key, KeyboardShortcut, Modifiers, Rect, Ui};
use explained::Explained;
use runs::RunsRequest;

/// A pane. Its name is kept in saved layouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Pane {
    SetUp,
    Curves,
    Runs,
    Gallery,
    Lab,
    Attention,
    Domains,
    Results,
    Robustness,
    Log,
}

/// All that the window knows of a pane. A new pane is a file that draws it, and a variant of [`Pane`], a row
/// of [`PANES`] and a field of [`PaneViews`] in this one. `layout::STORAGE_KEY` then needs a higher number.
#[derive(Debug)]
pub struct PaneInfo {
    pub pane: Pane,
    /// The words on its tab and in the menu.
    pub title: &'static str,
    /// One sentence for its tooltip.
    pub purpose: &'static str,
    /// The key that shows it together with Ctrl; a pane may have none.
    pub key: Option<Key>,
    pub place: DefaultPlace,
    /// What the pane shows, at length.
    pub explained: &'static Explained,
    /// Draws the pane.
    pub ui: fn(&mut Ui, &mut Shared<'_>, &mut PaneViews),
}

/// Which group of tabs a pane is in before the user moves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultPlace {
    Left,
    /// The upper half of the right side.
    Top,
    /// The lower half of the right side.
    Bottom,
}

/// All panes, in the order of their menu and of the tabs in a group.
pub static PANES: [PaneInfo; 10] = [
    PaneInfo {
        pane: Pane::SetUp,
        title: "Set-up",
        purpose: "Choose what to train and how",
        key: Some(Key::Num1),
        place: DefaultPlace::Left,
        explained: &explained::SET_UP,
        ui: |ui, shared, views| set_up::ui(ui, shared, &mut views.set_up),
    },
    PaneInfo {
        pane: Pane::Curves,
        title: "Curves",
        purpose: "Training loss and validation accuracy over steps",
        key: Some(Key::Num2),
        place: DefaultPlace::Top,
        explained: &explained::CURVES,
        ui: |ui, shared, views| curves::ui(ui, shared, &mut views.curves),
    },
    PaneInfo {
        pane: Pane::Runs,
        title: "Runs",
        purpose: "Compare runs; those that differ in their seed alone as mean and spread",
        key: Some(Key::Num3),
        place: DefaultPlace::Top,
        explained: &explained::RUNS,
        ui: |ui, shared, views| runs::ui(ui, shared, &mut views.runs),
    },
    PaneInfo {
        pane: Pane::Gallery,
        title: "Gallery",
        purpose: "Validation images, their perturbations and the predictions before and after",
        key: Some(Key::Num4),
        place: DefaultPlace::Bottom,
        explained: &explained::GALLERY,
        ui: |ui, shared, views| gallery::ui(ui, shared, &mut views.gallery, &mut views.moments),
    },
    PaneInfo {
        pane: Pane::Lab,
        title: "Lab",
        purpose: "Attack images of your choice and watch what each step does",
        key: Some(Key::Num5),
        place: DefaultPlace::Bottom,
        explained: &explained::LAB,
        ui: |ui, shared, views| lab::ui(ui, shared, &mut views.lab, &mut views.look),
    },
    PaneInfo {
        pane: Pane::Attention,
        title: "Attention",
        purpose: "Where each domain looks: class activation maps on one scale",
        key: Some(Key::Num6),
        place: DefaultPlace::Bottom,
        explained: &explained::ATTENTION,
        ui: |ui, shared, views| {
            attention::ui(ui, shared, &mut views.attention, &mut views.look, &mut views.moments);
        },
    },
    PaneInfo {
        pane: Pane::Domains,
        title: "BN domains",
        purpose: "How far the domains' batch-norm statistics lie apart, layer by layer",
        key: Some(Key::Num7),
        place: DefaultPlace::Bottom,
        explained: &explained::DOMAINS,
        ui: |ui, shared, views| {
            domains::ui(ui, shared, &mut views.domains, &mut views.look, &mut views.moments);
        },
    },
    PaneInfo {
        pane: Pane::Results,
        title: "Results",
        purpose: "Confusion, accuracy by class and the worst images, clean and attacked",
        key: Some(Key::Num8),
        place: DefaultPlace::Bottom,
        explained: &explained::RESULTS,
        ui: |ui, shared, views| results::ui(ui, shared, &mut views.results, &views.look),
    },
    PaneInfo {
        pane: Pane::Robustness,
        title: "Robustness",
        purpose: "Accuracy of clean, attacked and corrupted images, main against the other domains",
        key: None,
        place: DefaultPlace::Bottom,
        explained: &explained::ROBUSTNESS,
        ui: |ui, shared, views| robustness::ui(ui, shared, &mut views.robustness, &views.look),
    },
    PaneInfo {
        pane: Pane::Log,
        title: "Log",
        purpose: "What the run reported",
        key: Some(Key::Num9),
        place: DefaultPlace::Left,
        explained: &explained::LOG,
        ui: |ui, shared, views| log::ui(ui, shared, &mut views.log),
    },
];

impl PaneInfo {
    /// The shortcut that shows the pane, where it has one: there are more panes to come than number keys.
    pub fn shortcut(&self) -> Option<KeyboardShortcut> {
        self.key.map(|key| KeyboardShortcut::new(Modifiers::COMMAND, key))
    }
}

impl Pane {
    /// The pane's row of [`PANES`], which has one for each, in the order of the enum.
    pub fn info(self) -> &'static PaneInfo {
        &PANES[self as usize]
    }

    /// The words on its tab and in the menu.
    pub fn title(self) -> &'static str {
        self.info().title
    }
}

/// What every pane may read, and where its commands and requests go.
pub struct Shared<'a> {
    pub run: &'a RunView,
    pub study: &'a Study,
    pub form: &'a mut SetUpForm,
    pub report: &'a PreflightReport,
    pub augmented: &'a mut AugmentedView,
    pub recents: &'a Recents,
    pub runs: &'a mut Runs,
    pub pictures: &'a mut Pictures,
    pub queue: &'a mut Vec<UiCommand>,
    pub study_requests: &'a mut Vec<Request>,
    pub runs_request: &'a mut Option<RunsRequest>,
    pub exports: &'a mut Vec<ExportRequest>,
    /// The image that was clicked, with its neighbours.
    pub large: &'a mut Option<SubjectList>,
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
    /// The names of the run on screen.
    pub fn of_run(run: &'a RunView) -> Self {
        let of_pictures = run.snapshot.as_ref().map_or(&[][..], |snapshot| &snapshot.classes);
        Self { classes: run.info.as_ref().map_or(of_pictures, |info| &info.classes), domains: &run.domains }
    }

    /// The name of a class; its number where it has none.
    pub fn class(&self, class: usize) -> String {
        self.classes.get(class).cloned().unwrap_or_else(|| format!("class {class}"))
    }

    /// The name of a BN domain; a question mark where it has none.
    pub fn domain(&self, domain: usize) -> &'a str {
        self.domains.get(domain).map_or("?", String::as_str)
    }
}

/// When a pane will have something, or why it has nothing: the last sentence in an empty one. `first` says
/// when a run has the first of it.
fn once_there(run: &RunView, first: &str) -> String {
    match run.phase {
        RunPhase::Idle => "Start a run, or open a run folder.".to_owned(),
        RunPhase::Opened => format!("{first}; this folder has none yet."),
        RunPhase::Ended(_) => "The run ended before it had any.".to_owned(),
        _ => format!("{first}."),
    }
}

/// When a run has its first pictures and statistics.
const FIRST_PICTURES: &str = "A run makes them after its start and writes them when it validates";

/// The views' settings, kept between sessions.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct PaneViews {
    #[serde(skip)]
    pub set_up: set_up::preview::PreviewView,
    pub curves: curves::CurvesView,
    pub look: look::LookView,
    pub lab: lab::LabView,
    pub results: results::ResultsView,
    pub robustness: robustness::RobustnessView,
    pub runs: runs::RunsView,
    pub gallery: gallery::GalleryView,
    pub attention: attention::AttentionView,
    pub domains: domains::DomainsView,
    pub log: log::LogView,
    pub large: LargeView,
    /// What of the run Gallery, Attention and BN domains show.
    #[serde(skip)]
    pub moments: MomentView,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pane_without_a_key_has_no_shortcut() {
        let info = Pane::Log.info();
        assert!(info.shortcut().is_some());
        assert_eq!(PaneInfo { key: None, ..*info }.shortcut(), None);
    }

    #[test]
    fn every_pane_has_its_own_row() {
        for (index, info) in PANES.iter().enumerate() {
            assert_eq!(info.pane as usize, index, "{:?} is not in the order of the enum", info.pane);
            assert_eq!(info.pane.info().title, info.title);
            assert!(info.explained.text.len() > 80, "{:?} explains itself", info.pane);
        }
    }
}
