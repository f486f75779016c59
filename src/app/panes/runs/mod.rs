//! Runs: any number of run folders side by side, in a table to sort, filter and choose from, with the curves
//! of the chosen ones or what differs between them beside it. Sweeps that they belong to stand above.

mod actions;
mod cursor;
mod differences;
mod figure;
mod plot;
mod sweeps;
mod table;
mod tools;

use super::Shared;
use crate::app::commands::UiCommand;
use crate::app::format;
use crate::app::model::kinds::{MAIN_SPLIT, StepAxis};
use crate::app::model::runs::columns::Column;
use crate::app::model::runs::order::{Rows, Wanted};
use crate::app::model::runs::{ListedRun, Runs};
use crate::app::theme::tokens::{self, Tokens};
use crate::app::widgets::command_button::empty_ui;
use differences::Differences;
use egui::{Frame, Margin, Panel, ProgressBar, RichText, Ui};
use plot::Lines;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Width from which the table stands beside the plot.
const ROOM_FOR_TWO: f32 = 760.0;
/// Least width or height that the table and what is beside it keep, points.
const LEAST: f32 = 120.0;
/// Room at both sides of the line between the table and what is beside it, points.
const GAP: i8 = 6;
/// Share of the pane that the table has at first.
const SHARE: f32 = 0.58;
/// Folders to read from which a search shows how far it is.
const MANY: usize = 20;
/// Time between two frames that show how far a search is.
const SEARCH_FRAME: Duration = Duration::from_millis(200);

/// What is drawn of the runs.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct RunsView {
    /// The training loss instead of an accuracy.
    pub loss: bool,
    pub split: String,
    pub domain: usize,
    pub attacked: bool,
    pub axis: StepAxis,
    /// Runs that differ in their seed alone as one line.
    pub grouped: bool,
    pub filter: String,
    /// The column that the table is ordered by.
    pub by: Column,
    pub falling: bool,
    /// The columns that the user has shown or hidden.
    pub columns: BTreeMap<Column, bool>,
    pub beside: Beside,
    #[serde(skip)]
    drawn: Lines,
    #[serde(skip)]
    rows: Rows,
    #[serde(skip)]
    differences: Differences,
    /// The run that was clicked last, from which Shift chooses.
    #[serde(skip)]
    anchor: Option<PathBuf>,
    /// The run that the keys are for.
    #[serde(skip)]
    cursor: Option<PathBuf>,
}

/// What stands beside the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Beside {
    #[default]
    Curves,
    Differences,
    Nothing,
}

impl Default for RunsView {
    fn default() -> Self {
        Self {
            loss: false,
            split: MAIN_SPLIT.to_owned(),
            domain: 0,
            attacked: false,
            axis: StepAxis::Step,
            grouped: true,
            filter: String::new(),
            by: Column::Date,
            falling: true,
            columns: BTreeMap::new(),
            beside: Beside::Curves,
            drawn: Lines::default(),
            rows: Rows::default(),
            differences: Differences::default(),
            anchor: None,
            cursor: None,
        }
    }
}

impl RunsView {
    fn is_shown(&self, column: &Column) -> bool {
        self.columns.get(column).copied().unwrap_or_else(|| column.is_shown_at_first())
    }

    /// The columns of the table but the name, in their order.
    fn shown_columns(&self) -> Vec<Column> {
        self.rows.columns.iter().filter(|column| self.is_shown(column)).cloned().collect()
    }
}

/// What the pane asks of the window.
#[derive(Clone, Debug, PartialEq)]
pub enum RunsRequest {
    Search,
    Open(PathBuf),
    /// Ask for its name and notes.
    Edit(PathBuf),
    /// Give it a star or take it away.
    Star(PathBuf),
    /// Fill the set-up with its configuration.
    Duplicate(PathBuf),
    /// Show the folder in the system's file manager.
    OpenFolder(PathBuf),
    /// Ask whether these may go to the trash.
    Trash(Vec<PathBuf>),
}

/// Draws the pane.
pub fn ui(ui: &mut Ui, shared: &mut Shared<'_>, view: &mut RunsView) {
    // Bars that are seen at rest too: a table that is cut looks like one that ends.
    ui.spacing_mut().scroll = tokens::bars_at_rest();
    let request = contents_ui(ui, shared, view);
    *shared.runs_request = request;
}

fn contents_ui(ui: &mut Ui, shared: &mut Shared<'_>, view: &mut RunsView) -> Option<RunsRequest> {
    let Some(listed) = shared.runs.listed.clone() else {
        ui.horizontal(|ui| {
            ui.spinner();
            ui.label("Looking for run folders…");
            search_ui(ui, shared.runs);
        });
        return (!shared.runs.searching).then_some(RunsRequest::Search);
    };
    let sweeps = shared.runs.sweeps.clone();
    sweeps::ui(ui, &sweeps);
    if listed.is_empty() {
        return none_ui(ui, shared);
    }
    let wanted = Wanted { filter: view.filter.clone(), by: view.by.clone(), falling: view.falling };
    view.rows.refresh(shared.runs, &listed, wanted);
    view.refresh(shared.runs, &listed);
    let mut request = tools::ui(ui, shared, view, &listed);
    let mut table = |ui: &mut Ui, shared: &mut Shared<'_>, view: &mut RunsView| {
        request = request.take().or(table::ui(ui, shared.runs, view, &listed));
    };
    if view.beside == Beside::Nothing {
        table(ui, shared, view);
        return request;
    }
    // One of the two keeps its size while the pane changes its own.
    let is_wide = ui.available_width() > ROOM_FOR_TWO;
    let room = if is_wide { ui.available_width() } else { ui.available_height() };
    let panel = if is_wide { Panel::left("runs beside") } else { Panel::top("runs above") };
    let most = (room - LEAST).max(LEAST);
    let panel = panel.resizable(true).default_size(SHARE * room).size_range(LEAST..=most);
    panel.frame(Frame::new().inner_margin(Margin { right: GAP, ..Margin::ZERO })).show(ui, |ui| {
        table(ui, shared, view);
        ui.take_available_space();
    });
    let apart = Margin { left: if is_wide { GAP } else { 0 }, ..Margin::ZERO };
    Frame::new().inner_margin(apart).show(ui, |ui| match view.beside {
        Beside::Differences => differences::ui(ui, shared, view, &listed),
        _ => plot::ui(ui, shared, view, &listed),
    });
    request
}

/// What to do while there is no run.
fn none_ui(ui: &mut Ui, shared: &mut Shared<'_>) -> Option<RunsRequest> {
    let text = "Every run folder beside the one on screen and among the recent ones can be compared here. None was \
                found yet.";
    empty_ui(ui, "No runs yet", text, shared.run, &[UiCommand::OpenRun], shared.queue);
    let asks = ui.vertical_centered(|ui| ui.button("Search again").clicked()).inner;
    asks.then_some(RunsRequest::Search)
}

/// How far a search is that has much to read, how long it still takes, and its end before that.
fn search_ui(ui: &mut Ui, runs: &Runs) {
    let [done, total] =
        [&runs.progress.done, &runs.progress.total].map(|count| count.load(Ordering::Relaxed));
    if !runs.searching || total < MANY || done == total || runs.progress.is_cancelled() {
        return;
    }
    let left = runs
        .progress
        .remaining_s()
        .map_or_else(String::new, |seconds| format!(", {} left", format::duration(seconds)));
    let text = format!("{} of {} read{left}", format::count(done as u64), format::count(total as u64));
    let tokens = Tokens::of(ui);
    let bar = ProgressBar::new(done as f32 / total as f32).desired_width(220.0).desired_height(16.0);
    let bar = bar.fill(tokens.accent_soft).corner_radius(4);
    ui.add(bar.text(RichText::new(text).small().color(tokens.text_strong)));
    let help = "List what is read by now, which are the newest runs; Search again reads on";
    if ui.button("Cancel").on_hover_text(help).accessible_name("Cancel the search").clicked() {
        runs.progress.cancel();
    }
    ui.ctx().request_repaint_after(SEARCH_FRAME);
}

/// A run's folder among those that are chosen.
fn is_chosen(runs: &Runs, run: &ListedRun) -> bool {
    runs.chosen.contains(&run.dir)
}

/// The chosen runs, in the order of the list.
fn chosen<'a>(runs: &Runs, listed: &'a [Arc<ListedRun>]) -> Vec<&'a Arc<ListedRun>> {
    listed.iter().filter(|run| is_chosen(runs, run)).collect()
}
