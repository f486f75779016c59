//! The table by keys: a cursor that goes over the rows, and what a key does with the run under it. The table
//! is one stop of Tab; its boxes, stars and names are for the pointer.

use super::table::choose;
use super::{RunsRequest, RunsView};
use crate::app::model::runs::{ListedRun, Runs};
use egui::{Event, EventFilter, Id, Key, Modifiers, Rect, Response, Role, Sense, Ui, WidgetInfo};
use std::path::PathBuf;
use std::sync::Arc;

/// What the keys came to in this frame.
pub(super) struct Cursor {
    pub(super) id: Id,
    /// The table has the keyboard.
    pub(super) has_focus: bool,
    /// The row that has to come into sight.
    pub(super) reveal: Option<usize>,
    pub(super) request: Option<RunsRequest>,
}

/// Takes the keys where the table in `rect` has the keyboard, of which `page` rows are in sight.
pub(super) fn take(
    ui: &Ui,
    (rect, page): (Rect, usize),
    runs: &mut Runs,
    view: &mut RunsView,
    listed: &[Arc<ListedRun>],
) -> Cursor {
    let response = focus_ui(ui, rect);
    // Below a dialog the keys are not for the table.
    let is_free = ui.memory(|memory| memory.allows_interaction(ui.layer_id()));
    let has_focus = response.has_focus() && is_free;
    let mut cursor = Cursor { id: response.id, has_focus, reveal: None, request: None };
    if !cursor.has_focus {
        return cursor;
    }
    let filter = EventFilter { horizontal_arrows: true, vertical_arrows: true, ..EventFilter::default() };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
    if view.cursor_place(listed).is_none() {
        view.cursor = view.rows.shown.first().map(|index| listed[*index].dir.clone());
    }
    if response.gained_focus() {
        cursor.reveal = view.cursor_place(listed);
    }
    let pressed: Vec<(Key, Modifiers)> = ui.input(|input| {
        let key = |event: &Event| match event {
            Event::Key { key, pressed: true, modifiers, .. } => Some((*key, *modifiers)),
            _ => None,
        };
        input.events.iter().filter_map(key).collect()
    });
    for (key, modifiers) in pressed {
        press(&mut cursor, (key, modifiers), page, runs, view, listed);
    }
    cursor
}

/// The stop of Tab. A press beside the table gives the keyboard back to the window's own keys.
fn focus_ui(ui: &Ui, rect: Rect) -> Response {
    let id = ui.scope_id().with("rows");
    let response = ui.interact(rect, id, Sense::focusable_noninteractive());
    response.widget_info(|| WidgetInfo::labeled(Role::Grid, ui.is_enabled(), "Table of runs"));
    let pressed = ui.input(|input| input.pointer.press_origin().filter(|_| input.pointer.any_pressed()));
    if pressed.is_some_and(|at| !rect.contains(at)) {
        response.surrender_focus();
    }
    response
}

fn press(
    cursor: &mut Cursor,
    (key, modifiers): (Key, Modifiers),
    page: usize,
    runs: &mut Runs,
    view: &mut RunsView,
    listed: &[Arc<ListedRun>],
) {
    let (Some(at), Some(last)) = (view.cursor_place(listed), view.rows.shown.len().checked_sub(1)) else {
        return;
    };
    let dir = |view: &RunsView, place: usize| listed[view.rows.shown[place]].dir.clone();
    let to = match key {
        Key::ArrowUp => at.saturating_sub(1),
        Key::ArrowDown => at + 1,
        Key::PageUp => at.saturating_sub(page),
        Key::PageDown => at + page,
        Key::Home => 0,
        Key::End => last,
        Key::Space => {
            let how = if modifiers.shift { Modifiers::SHIFT } else { Modifiers::COMMAND };
            return choose(runs, view, listed, &dir(view, at), how);
        }
        Key::A if modifiers.command => {
            runs.chosen = view.rows.shown.iter().map(|index| listed[*index].dir.clone()).collect();
            return;
        }
        Key::Enter => {
            cursor.request = Some(RunsRequest::Open(dir(view, at)));
            return;
        }
        Key::Delete => {
            let under = dir(view, at);
            let all: Vec<PathBuf> = match runs.chosen.contains(&under) {
                true => runs.chosen.iter().cloned().collect(),
                false => vec![under],
            };
            cursor.request = Some(RunsRequest::Trash(all));
            return;
        }
        _ => return,
    };
    let to = to.min(last);
    if modifiers.shift {
        let from = dir(view, at);
        view.anchor.get_or_insert(from);
        choose(runs, view, listed, &dir(view, to), Modifiers::SHIFT);
    }
    view.cursor = Some(dir(view, to));
    cursor.reveal = Some(to);
}

impl RunsView {
    /// The row that the cursor is on.
    pub(super) fn cursor_place(&self, listed: &[Arc<ListedRun>]) -> Option<usize> {
        let dir = self.cursor.as_ref()?;
        self.rows.shown.iter().position(|index| listed[*index].dir == *dir)
    }
}
