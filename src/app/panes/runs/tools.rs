//! What is above the table: the filter, the choice of columns, of runs and of what is beside the table.

use super::{Beside, RunsRequest, RunsView, actions, chosen, search_ui, table};
use crate::app::format;
use crate::app::model::runs::ListedRun;
use crate::app::model::runs::columns::Column;
use crate::app::panes::Shared;
use crate::app::theme::icons::{self, Icon};
use crate::app::theme::tokens::Tokens;
use crate::app::widgets::export::Menu;
use crate::app::widgets::steady;
use egui::containers::menu::{MenuButton, MenuConfig};
use egui::{Button, PopupCloseBehavior, RichText, ScrollArea, TextEdit, Ui};
use std::sync::Arc;

/// Width of the filter, points.
const FILTER_WIDTH: f32 = 120.0;
/// Height of the list of columns, points, before it scrolls.
const LIST_HEIGHT: f32 = 340.0;

/// Draws the tools.
pub(super) fn ui(
    ui: &mut Ui,
    shared: &mut Shared<'_>,
    view: &mut RunsView,
    listed: &[Arc<ListedRun>],
) -> Option<RunsRequest> {
    let mut request = None;
    ui.horizontal_wrapped(|ui| {
        count_ui(ui, shared, view, listed);
        filter_ui(ui, view);
        columns_ui(ui, view);
        if ui.button("All").on_hover_text("Choose all runs that the table shows").clicked() {
            shared.runs.chosen = view.rows.shown.iter().map(|index| listed[*index].dir.clone()).collect();
        }
        if ui.button("None").on_hover_text("Choose no run: the plot is empty").clicked() {
            shared.runs.chosen.clear();
        }
        let actions = ui.menu_button("Actions", |ui| actions::items_ui(ui, &chosen(shared.runs, listed)));
        request = actions.inner.flatten();
        actions.response.on_hover_text(
            "What can be done with the chosen runs; also with a right click on one, or by keys in the table: Space \
             chooses, Enter opens, Delete asks for the trash, Shift with the arrows chooses a range",
        );
        for (beside, name, help) in [
            (Beside::Curves, "Plot", "The curves of the chosen runs beside the table"),
            (Beside::Differences, "Differences", "What differs between the chosen runs, key by key"),
            (Beside::Nothing, "Table only", "All the room for the table"),
        ] {
            ui.selectable_value(&mut view.beside, beside, name).on_hover_text(help);
        }
        let table = |is_plain| table::of_rows(view, listed, is_plain);
        let (plain, readable) = (|| table(true), || table(false));
        Menu::new("Runs").table(&plain).readable(&readable).seen(shared.area).ui(ui, shared.exports);
        let help = "Read the run folders again now; the list follows them by itself too";
        let again = ui.add_enabled(!shared.runs.searching, Button::new("Search again")).on_hover_text(help);
        if again.clicked() {
            request = Some(RunsRequest::Search);
        }
        search_ui(ui, shared.runs);
    });
    if let Some(fault) = &view.rows.fault {
        ui.horizontal(|ui| {
            let error = Tokens::of(ui).error;
            icons::show(ui, Icon::Warning, error, "fault");
            let sentence = RichText::new(format!("The filter cannot be read: {fault}")).color(error);
            ui.add(egui::Label::new(sentence).truncate());
        });
    }
    request
}

fn count_ui(ui: &mut Ui, shared: &Shared<'_>, view: &RunsView, listed: &[Arc<ListedRun>]) {
    let all = format::counted(listed.len() as u64, "run");
    let text = match view.rows.shown.len() {
        shown if shown == listed.len() => all,
        shown => format!("{} of {all}", format::count(shown as u64)),
    };
    ui.label(RichText::new(text).strong());
    let tokens = Tokens::of(ui);
    let weak = |text: String| RichText::new(text).color(tokens.text_weak);
    if shared.runs.left_out > 0 {
        let left_out = format!("{} older left out", format::count(shared.runs.left_out as u64));
        let help = "The list has the newest runs: as many as it takes, or as were read before Cancel. Search again reads \
                    on";
        ui.label(weak(left_out)).on_hover_text(help);
    }
    // Also of none, so that the first click on a row moves nothing.
    let chosen = format!("{} chosen", format::count(shared.runs.chosen.len() as u64));
    steady::label(ui, "chosen", weak(chosen));
}

fn filter_ui(ui: &mut Ui, view: &mut RunsView) {
    let edit = TextEdit::singleline(&mut view.filter).hint_text("Filter").desired_width(FILTER_WIDTH);
    let help = "Words that a run has in its name, method, network, data, state or attack, and comparisons with = != < \
                <= > >=, of which all must hold:\nmethod = advprop   seed != 1   val > 80   duration < 2h   date >= \
                2026-11-28   state = \"cut off\"   optimizer.lr < 0.1\nThe head of a column says its key.";
    ui.add(edit).accessible_name("Filter runs").on_hover_text(help);
    if !view.filter.is_empty() {
        let clear = ui.button(icons::atom(Icon::Cross, None)).accessible_name("Clear the filter");
        if clear.on_hover_text("Show all runs").clicked() {
            view.filter.clear();
        }
    }
}

fn columns_ui(ui: &mut Ui, view: &mut RunsView) {
    let config = MenuConfig::new().close_behavior(PopupCloseBehavior::CloseOnClickOutside);
    let (response, _) = MenuButton::new("Columns").config(config).ui(ui, |ui| {
        if ui.button("As at first").on_hover_text("Show the columns that are shown at first").clicked() {
            view.columns.clear();
        }
        ui.separator();
        ScrollArea::vertical().max_height(LIST_HEIGHT).show(ui, |ui| {
            let mut was_key = false;
            for column in view.rows.columns.clone() {
                let is_key = matches!(column, Column::Key(_));
                if is_key && !was_key {
                    ui.label(RichText::new("Keys that differ").small().color(Tokens::of(ui).text_weak));
                }
                was_key = is_key;
                let mut on = view.is_shown(&column);
                let response = ui.checkbox(&mut on, column.title()).on_hover_text(column.help());
                if response.accessible_name(format!("Column {}", column.title())).changed() {
                    view.columns.insert(column, on);
                }
            }
        });
    });
    response.on_hover_text("Choose the columns of the table; they stay for the next start");
}
