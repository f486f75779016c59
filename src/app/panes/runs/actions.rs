//! What can be done with the chosen runs: one menu above the table and the same over a row.

use super::RunsRequest;
use crate::app::model::runs::ListedRun;
use egui::{Button, Ui};
use std::sync::Arc;

/// Draws the items for `runs`.
pub(super) fn items_ui(ui: &mut Ui, runs: &[&Arc<ListedRun>]) -> Option<RunsRequest> {
    let one = if let [one] = runs { Some(one) } else { None };
    let starred = one.is_some_and(|run| run.notes.starred);
    type Item = (&'static str, &'static str, fn(&ListedRun) -> RunsRequest);
    let items: [Item; 5] = [
        ("Open", "Show its curves, pictures and log", |run| RunsRequest::Open(run.dir.clone())),
        ("Rename and notes…", "Give it a name of yours and write what it was for", |run| {
            RunsRequest::Edit(run.dir.clone())
        }),
        (
            if starred { "Unstar" } else { "Star" },
            "A star marks a run; the filter knows starred = yes",
            |run| RunsRequest::Star(run.dir.clone()),
        ),
        (
            "Duplicate as set-up",
            "Put its configuration into the set-up, where the change can be undone; Start then trains it in a new folder",
            |run| RunsRequest::Duplicate(run.dir.clone()),
        ),
        ("Open the folder", "Show its files in the system's file manager", |run| {
            RunsRequest::OpenFolder(run.dir.clone())
        }),
    ];
    let mut request = None;
    for (name, help, asks) in items {
        let not = if runs.is_empty() { "Choose a run in the table first" } else { "Choose one run alone" };
        let response = ui.add_enabled(one.is_some(), Button::new(name));
        if response.on_hover_text(help).on_disabled_hover_text(not).clicked() {
            request = one.map(|run| asks(run));
        }
    }
    ui.separator();
    let at_work = runs.iter().find(|run| run.is_at_work);
    let not = match at_work {
        Some(run) => format!("{} is at work", run.label()),
        None => "Choose runs in the table first".to_owned(),
    };
    let can = !runs.is_empty() && at_work.is_none();
    let response = ui.add_enabled(can, Button::new("Move to the trash…"));
    let help = "Put the whole run folder into the system's trash; asks first";
    if response.on_hover_text(help).on_disabled_hover_text(not).clicked() {
        request = Some(RunsRequest::Trash(runs.iter().map(|run| run.dir.clone()).collect()));
    }
    if request.is_some() {
        ui.close();
    }
    request
}
