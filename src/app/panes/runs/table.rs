//! The table: a head that sorts, the names at the left that stay while the figures scroll, and the rows in
//! sight alone.

use super::{RunsRequest, RunsView, actions, chosen, cursor, is_chosen};
use crate::app::model::kinds::DataKind;
use crate::app::model::runs::columns::Column;
use crate::app::model::runs::order::between;
use crate::app::model::runs::values::{Kind, Value};
use crate::app::model::runs::{ListedRun, Runs};
use crate::app::theme::icons::{self, Icon};
use crate::app::theme::tokens::Tokens;
use crate::app::widgets::legend::{SAMPLE_WIDTH, run_sample};
use crate::app::widgets::table::Table;
use egui::style::ScrollAnimation;
use egui::{
    Align, AsIdSalt, Button, CursorIcon, Event, Id, Label, Layout, Modifiers, Rect, Response, RichText, Role,
    ScrollArea, Sense, StrokeKind, TextWrapMode, Ui, UiBuilder, Vec2, WidgetInfo, pos2, vec2,
};
use std::path::PathBuf;
use std::sync::Arc;

/// Heights of the head and of a row, points.
const HEAD: f32 = 24.0;
const ROW: f32 = 24.0;
/// Room at both sides of a cell, points.
const MARGIN: f32 = 5.0;
/// Points by which room that no column needs widens the names, at most.
const MOST_SPARE: f32 = 220.0;
/// Opacity of the bars behind figures.
const BAR: f32 = 0.22;

/// Draws the table.
pub(super) fn ui(
    ui: &mut Ui,
    runs: &mut Runs,
    view: &mut RunsView,
    listed: &[Arc<ListedRun>],
) -> Option<RunsRequest> {
    if view.rows.shown.is_empty() {
        ui.weak("No run fulfils the filter.");
        return None;
    }
    let columns = view.shown_columns();
    let rect = ui.available_rect_before_wrap();
    let page = ((rect.height() - HEAD) / ROW - 1.0).max(1.0) as usize;
    let cursor = cursor::take(ui, (rect, page), runs, view, listed);
    let shown = view.rows.shown.clone();
    let area = ScrollArea::both().id_salt("runs table").auto_shrink([false, false]);
    let mut request = cursor.request.clone();
    area.show_viewport(ui, |ui, viewport| {
        let origin = ui.max_rect().min;
        let wide = columns.iter().map(Column::width).sum::<f32>() + Column::Name.width();
        let width = wide.max(viewport.width());
        ui.set_min_size(vec2(width, HEAD + ROW * shown.len() as f32));
        let seen = viewport.translate(origin.to_vec2());
        let spare = (viewport.width() - wide).clamp(0.0, MOST_SPARE);
        let name = Column::Name.width() + spare;
        let (keys, clip) = (cursor.id, ui.clip_rect());
        let table = Frame { seen, left: origin.x, width, name, clip, keys, has_keys: cursor.has_focus };
        let rows = (viewport.min.y / ROW).max(0.0) as usize..shown.len();
        for place in rows {
            let top = origin.y + HEAD + ROW * place as f32;
            if top > seen.bottom() {
                break;
            }
            let run = &listed[shown[place]];
            let place = RowPlace { top, is_odd: place % 2 == 1 };
            request = request.take().or(row_ui(ui, &table, place, (&columns, run), runs, view, listed));
        }
        if let Some(place) = cursor.reveal {
            // With what the head covers above it, and all that is left of the columns.
            let corner = pos2(seen.left(), origin.y + ROW * place as f32);
            let row = Rect::from_min_size(corner, vec2(1.0, HEAD + ROW));
            ui.scroll_to_rect_animation(row, None, ScrollAnimation::none());
            ui.ctx().request_repaint();
        }
        head_ui(ui, &table, &columns, view);
    });
    request
}

/// The shown rows and columns as a table for a file: with `is_plain`, figures are for a program.
pub(super) fn of_rows(view: &RunsView, listed: &[Arc<ListedRun>], is_plain: bool) -> Table {
    let mut columns = vec![Column::Name];
    columns.extend(view.shown_columns());
    let attacks = |column: &Column| is_plain && matches!(column, Column::Accuracy(line) if line.attacked);
    let heads = columns.iter().flat_map(|column| {
        let head = if is_plain { column.plain_title() } else { column.title() };
        let attack = attacks(column).then(|| format!("attack of {}", column.title()));
        std::iter::once(head).chain(attack)
    });
    let mut table = Table::new(heads);
    for run in view.rows.shown.iter().map(|index| &listed[*index]) {
        table.row(columns.iter().flat_map(|column| {
            let cell = if is_plain { column.plain_text(run) } else { column.text(run) };
            let attack = attacks(column).then(|| column.attack(run).unwrap_or_default().to_owned());
            std::iter::once(cell).chain(attack)
        }));
    }
    table
}

/// Where the table lies on the window, points.
struct Frame {
    /// What of it is in sight.
    seen: Rect,
    /// Where the scrolled columns begin.
    left: f32,
    width: f32,
    /// Width of the names.
    name: f32,
    clip: Rect,
    /// What takes the keys, and whether it has them.
    keys: Id,
    has_keys: bool,
}

#[derive(Clone, Copy)]
struct RowPlace {
    top: f32,
    is_odd: bool,
}

impl Frame {
    /// The cell of the name, which stays at the left.
    fn name_cell(&self, top: f32) -> Rect {
        Rect::from_min_size(pos2(self.seen.left(), top), vec2(self.name, ROW))
    }

    /// The cells of the other columns that are in sight.
    fn cells<'a>(&self, columns: &'a [Column], top: f32) -> Vec<(&'a Column, Rect)> {
        let mut left = self.left + self.name;
        let placed = columns.iter().map(|column| {
            let rect = Rect::from_min_size(pos2(left, top), vec2(column.width(), ROW));
            left += column.width();
            (column, rect)
        });
        let begin = self.seen.left() + self.name;
        placed.filter(|(_, rect)| rect.right() > begin && rect.left() < self.seen.right()).collect()
    }

    /// Where cells may be drawn: not under the head, and those of figures not under the names.
    fn room(&self, is_head: bool, is_name: bool) -> Rect {
        let top = if is_head { self.seen.top() } else { self.seen.top() + HEAD };
        let left = if is_name { self.seen.left() } else { self.seen.left() + self.name };
        self.clip.intersect(Rect::from_min_max(pos2(left, top), self.seen.max))
    }
}

/// Draws in a cell of its own.
fn cell_ui<R>(ui: &mut Ui, rect: Rect, room: Rect, salt: impl AsIdSalt, add: impl FnOnce(&mut Ui) -> R) -> R {
    let layout = Layout::left_to_right(Align::Center);
    let rect = rect.shrink2(vec2(MARGIN, 0.0));
    let mut cell = ui.new_child(UiBuilder::new().max_rect(rect).layout(layout).id_salt(salt));
    cell.set_clip_rect(room.intersect(rect.expand2(vec2(MARGIN, 0.0))));
    cell.style_mut().wrap_mode = Some(TextWrapMode::Truncate);
    cell.spacing_mut().item_spacing.x = 5.0;
    add(&mut cell)
}

fn head_ui(ui: &mut Ui, table: &Frame, columns: &[Column], view: &mut RunsView) {
    let tokens = Tokens::of(ui);
    let top = table.seen.top();
    let below = top + HEAD - 1.0;
    ui.painter().hline(table.seen.left()..=table.seen.right(), below, (1.0, tokens.line));
    for (column, rect) in table.cells(columns, top) {
        let is_right = matches!(column.kind(), Kind::Number | Kind::Seconds);
        let layout = if is_right { Layout::right_to_left } else { Layout::left_to_right };
        cell_ui(ui, rect, table.room(true, false), ("head", column.key()), |ui| {
            ui.with_layout(layout(Align::Center), |ui| column_head_ui(ui, column, view));
        });
    }
    let rect = table.name_cell(top);
    cell_ui(ui, rect, table.room(true, true), "head of names", |ui| column_head_ui(ui, &Column::Name, view));
}

/// A head, which sorts by its column; a second click turns the order round.
fn column_head_ui(ui: &mut Ui, column: &Column, view: &mut RunsView) {
    let tokens = Tokens::of(ui);
    let is_by = view.by == *column;
    let order = if view.falling { "falling" } else { "rising" };
    let arrow = match (is_by, view.falling) {
        (false, _) => "",
        (true, true) => " ▼",
        (true, false) => " ▲",
    };
    let colour = if is_by { tokens.text_strong } else { tokens.text_weak };
    let text = RichText::new(column.title() + arrow).small().color(colour);
    let now = if is_by { format!(", {order}") } else { String::new() };
    let response =
        ui.add(Button::new(text).frame(false)).accessible_name(format!("Sort by {}{now}", column.title()));
    if response.on_hover_text(format!("{}\nFilter: {}", column.help(), column.key())).clicked() {
        view.falling = if is_by { !view.falling } else { column.falls_first() };
        view.by = column.clone();
    }
}

fn row_ui(
    ui: &mut Ui,
    table: &Frame,
    place: RowPlace,
    (columns, run): (&[Column], &Arc<ListedRun>),
    runs: &mut Runs,
    view: &mut RunsView,
    listed: &[Arc<ListedRun>],
) -> Option<RunsRequest> {
    let tokens = Tokens::of(ui);
    let RowPlace { top, is_odd } = place;
    let rect =
        Rect::from_min_size(pos2(table.seen.left(), top), vec2(table.seen.width().min(table.width), ROW));
    let room = table.room(false, true);
    let ground = match (is_chosen(runs, run), is_odd) {
        (true, _) => Some(tokens.accent_soft),
        (false, true) => Some(tokens.raised),
        (false, false) => None,
    };
    if let Some(ground) = ground {
        ui.painter().with_clip_rect(room).rect_filled(rect, 0.0, ground);
    }
    let row = ui.interact(rect.intersect(room), ui.scope_id().with(("row", &run.dir)), Sense::CLICK);
    let words = || {
        let cells = columns.iter().map(|column| column.text(run));
        std::iter::once(run.label()).chain(cells).collect::<Vec<_>>().join(", ")
    };
    row.widget_info(|| WidgetInfo::selected(Role::Row, ui.is_enabled(), is_chosen(runs, run), words()));
    let has_cursor = |view: &RunsView| table.has_keys && view.cursor.as_ref() == Some(&run.dir);
    if has_cursor(view) {
        let id = row.id.accesskit_id();
        ui.ctx().accesskit_node_builder(table.keys, |node| node.set_active_descendant(id));
    }
    let mut request = None;
    if row.double_clicked() {
        request = Some(RunsRequest::Open(run.dir.clone()));
    } else if row.clicked() {
        let modifiers = click_modifiers(ui);
        choose(runs, view, listed, &run.dir, modifiers);
        ui.memory_mut(|memory| memory.request_focus(table.keys));
    }
    row.context_menu(|ui| {
        let alone = [run];
        let of_row = if is_chosen(runs, run) { chosen(runs, listed) } else { alone.to_vec() };
        request = request.take().or(actions::items_ui(ui, &of_row));
    });
    for (column, rect) in table.cells(columns, top) {
        cell_ui(ui, rect, table.room(false, false), (&run.dir, column.key()), |ui| value_ui(ui, column, run));
    }
    let asked = cell_ui(ui, table.name_cell(top), room, (&run.dir, "name"), |ui| {
        name_ui(ui, run, runs, view, listed)
    });
    if has_cursor(view) {
        let painter = ui.painter().with_clip_rect(room);
        painter.rect_stroke(rect.shrink(0.5), 3.0, (1.5, tokens.accent), StrokeKind::Inside);
    }
    request.or(asked)
}

/// The box, the star, the colour and the name of a run.
fn name_ui(
    ui: &mut Ui,
    run: &ListedRun,
    runs: &mut Runs,
    view: &mut RunsView,
    listed: &[Arc<ListedRun>],
) -> Option<RunsRequest> {
    let (on, label) = (is_chosen(runs, run), run.label());
    let help = "Choose this run: it is drawn, and actions are for it\nCtrl: one more, Shift: all up to here";
    if box_ui(ui, on, &format!("Compare {label}")).on_hover_text(help).clicked() {
        let shift = click_modifiers(ui).shift;
        choose(runs, view, listed, &run.dir, if shift { Modifiers::SHIFT } else { Modifiers::COMMAND });
    }
    let mut request = None;
    let (icon, verb, colour) = match run.notes.starred {
        true => (Icon::StarFilled, "Unstar", Tokens::of(ui).warning),
        false => (Icon::Star, "Star", Tokens::of(ui).text_weak),
    };
    ui.spacing_mut().button_padding.x = 0.0;
    let star = ui.add(Button::new(icons::atom(icon, Some(colour))).frame(false).sense(Sense::CLICK));
    if star.on_hover_text(verb).accessible_name(format!("{verb} {label}")).clicked() {
        request = Some(RunsRequest::Star(run.dir.clone()));
    }
    // There without a line too, so that names stay where they are.
    let (rect, _) = ui.allocate_exact_size(vec2(SAMPLE_WIDTH, 10.0), Sense::hover());
    if let Some((line, is_point)) = view.drawn.of_run(&run.dir).filter(|_| on) {
        run_sample(ui, rect.left_center(), Tokens::of(ui).run(line), is_point);
    }
    if let Some(fault) = &run.notes_fault {
        icons::show(ui, Icon::Warning, Tokens::of(ui).warning, "fault").on_hover_text(fault);
    }
    let notes = if run.notes.notes.is_empty() { String::new() } else { format!("\n{}", run.notes.notes) };
    let help = format!("{}\n{}{notes}\nClick to open it", run.dir.display(), run.arch);
    let name = RichText::new(&run.name).color(Tokens::of(ui).accent);
    let link = ui.add(Button::new(name).frame(false).sense(Sense::CLICK)).accessible_name(label);
    if link.on_hover_text(help).on_hover_cursor(CursorIcon::PointingHand).clicked() {
        request = Some(RunsRequest::Open(run.dir.clone()));
    }
    if !run.place.is_empty() {
        ui.label(RichText::new(&run.place).small().color(Tokens::of(ui).text_weak));
    }
    request
}

/// A check box that is no stop of Tab.
fn box_ui(ui: &mut Ui, on: bool, name: &str) -> Response {
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(ui.spacing().icon_width), Sense::CLICK);
    response.widget_info(|| WidgetInfo::selected(Role::CheckBox, ui.is_enabled(), on, name));
    let tokens = Tokens::of(ui);
    let edge = if response.hovered() || on { tokens.text } else { tokens.text_weak };
    let painter = ui.painter();
    painter.rect(rect, 3.0, tokens.sunken, (1.0, edge), StrokeKind::Inside);
    if on {
        let tick = [(0.22, 0.52), (0.42, 0.72), (0.78, 0.28)];
        let at = |(x, y): (f32, f32)| rect.lerp_inside(vec2(x, y));
        painter.line(tick.map(at).to_vec(), (1.5, tokens.text_strong));
    }
    response
}

/// The keys that were held at the click of this frame. A slow frame has seen them go by its end.
fn click_modifiers(ui: &Ui) -> Modifiers {
    ui.input(|input| {
        let at_click = input.events.iter().rev().find_map(|event| match event {
            Event::PointerButton { pressed: false, modifiers, .. } => Some(*modifiers),
            _ => None,
        });
        at_click.unwrap_or(input.modifiers)
    })
}

/// Chooses as lists do: a click one run, with Ctrl one more or less, with Shift all from the last one on.
pub(super) fn choose(
    runs: &mut Runs,
    view: &mut RunsView,
    listed: &[Arc<ListedRun>],
    dir: &PathBuf,
    modifiers: Modifiers,
) {
    let range = view.anchor.as_ref().filter(|_| modifiers.shift);
    let range = range.and_then(|from| between(listed, &view.rows.shown, [from, dir]));
    if let Some(range) = range {
        if !modifiers.command {
            runs.chosen.clear();
        }
        runs.chosen.extend(range);
        view.cursor = Some(dir.clone());
        return;
    }
    if !modifiers.command {
        runs.chosen.clear();
    }
    if !runs.chosen.remove(dir) {
        runs.chosen.insert(dir.clone());
    }
    view.anchor = Some(dir.clone());
    view.cursor = Some(dir.clone());
}

fn value_ui(ui: &mut Ui, column: &Column, run: &ListedRun) {
    let tokens = Tokens::of(ui);
    let value = column.value(run);
    if let (Kind::Percent, Value::Number(percent)) = (column.kind(), &value) {
        let colour = match column {
            Column::Accuracy(line) if line.attacked => tokens.data(DataKind::Attacked),
            Column::Accuracy(_) => tokens.data(DataKind::Clean),
            _ => tokens.text_weak,
        };
        let mut bar = ui.max_rect().expand2(vec2(2.0, 0.0)).shrink2(vec2(0.0, 3.0));
        bar.set_width(bar.width() * (*percent as f32 / 100.0).clamp(0.0, 1.0));
        ui.painter().rect_filled(bar, 2.0, colour.gamma_multiply(BAR));
    }
    let colour = match (column, run.state()) {
        (Column::State, "failed") => tokens.error,
        (Column::State, "cut off" | "stopped") => tokens.warning,
        (Column::State, "completed") => tokens.good,
        _ if value == Value::Absent => tokens.text_weak,
        _ => tokens.text,
    };
    let label = Label::new(RichText::new(column.text(run)).color(colour)).selectable(false).truncate();
    let response = match column.kind() {
        Kind::Number | Kind::Seconds => {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| ui.add(label)).inner
        }
        _ => ui.add(label),
    };
    let about = column.about(run);
    if !about.is_empty() {
        response.on_hover_text(about);
    }
}
