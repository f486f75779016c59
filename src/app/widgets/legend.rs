//! The legend of the curves: each entry shows its line as it is drawn (colour and dash), its newest value,
//! and switches the line on and off.

use crate::app::model::kinds::LineKey;
use crate::app::theme::tokens::{self, RunLook, Tokens};
use egui::{
    Align2, Color32, FontId, FontSelection, Pos2, RichText, Role, Sense, Shape, Stroke, TextWrapMode, Ui,
    Vec2, WidgetInfo, WidgetText, pos2, vec2,
};
use egui_plot::LineStyle;

pub const SAMPLE_WIDTH: f32 = 26.0;

/// An entry of the legend: one line of a plot.
pub struct Entry<'a> {
    pub key: LineKey,
    /// Domain and data, such as `main, attacked`.
    pub name: String,
    /// The newest value with its unit.
    pub value: String,
    pub help: &'a str,
}

/// Draws the entries in a row that wraps; a click puts a key into `hidden` or takes it out.
pub fn legend_ui(ui: &mut Ui, entries: &[Entry<'_>], hidden: &mut Vec<LineKey>) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 14.0;
        for entry in entries {
            entry_ui(ui, entry, hidden);
        }
    });
}

fn entry_ui(ui: &mut Ui, entry: &Entry<'_>, hidden: &mut Vec<LineKey>) {
    let tokens = Tokens::of(ui);
    let position = hidden.iter().position(|key| *key == entry.key);
    let shown = position.is_none();
    let (name_colour, value_colour) =
        if shown { (tokens.text, tokens.text_strong) } else { (tokens.text_weak, tokens.text_weak) };
    let layout = |ui: &Ui, text: &str, colour: Color32| {
        let text = WidgetText::from(egui::RichText::new(text).color(colour));
        text.into_galley(ui, Some(egui::TextWrapMode::Extend), f32::INFINITY, FontSelection::Default)
    };
    let name = layout(ui, &entry.name, name_colour);
    let value = layout(ui, &entry.value, value_colour);
    let width = SAMPLE_WIDTH + 6.0 + name.size().x + 6.0 + value.size().x;
    let (rect, response) = ui.allocate_exact_size(vec2(width, name.size().y.max(18.0)), Sense::click());
    if ui.is_rect_visible(rect) {
        let colour = if shown { tokens.data(entry.key.data()) } else { tokens.line };
        let left = pos2(rect.left(), rect.center().y);
        sample(ui, left, tokens::dash(entry.key.domain), colour);
        let at = pos2(rect.left() + SAMPLE_WIDTH + 6.0, rect.center().y - name.size().y / 2.0);
        let value_at = at + vec2(name.size().x + 6.0, 0.0);
        ui.painter().galley(at, name, name_colour);
        ui.painter().galley(value_at, value, value_colour);
        if response.has_focus() || response.hovered() {
            let stroke = Stroke::new(1.0, if response.has_focus() { tokens.accent } else { tokens.line });
            ui.painter().rect_stroke(rect.expand2(vec2(4.0, 1.0)), 4.0, stroke, egui::StrokeKind::Outside);
        }
    }
    let label = format!("Line {}", entry.name);
    response.widget_info(|| WidgetInfo::selected(Role::CheckBox, ui.is_enabled(), shown, &label));
    let response = response.on_hover_text(format!("{}\nClick to show or hide the line.", entry.help));
    if response.clicked() {
        match position {
            Some(index) => drop(hidden.remove(index)),
            None => hidden.push(entry.key),
        }
    }
}

/// A domain's line as its plots draw it, from `left` to the right.
pub fn sample(ui: &Ui, left: egui::Pos2, dash: LineStyle, colour: Color32) {
    let path = [left, left + Vec2::new(SAMPLE_WIDTH, 0.0)];
    let stroke = Stroke::new(tokens::LINE_WIDTH + 0.4, colour);
    match dash {
        LineStyle::Solid => drop(ui.painter().line_segment(path, stroke)),
        LineStyle::Dashed { length } => {
            ui.painter().extend(Shape::dashed_line(&path, stroke, length, length * 0.6));
        }
        LineStyle::Dotted { spacing } => {
            ui.painter().extend(Shape::dotted_line(&path, colour, spacing, stroke.width * 0.8));
        }
    }
}

/// An entry of compared runs: how the line looks, its name and its newest value. A name that is longer than
/// the row is cut, and told on hover.
pub fn run_entry(ui: &mut Ui, (look, is_point): (RunLook, bool), name: &str, value: &str) {
    let tokens = Tokens::of(ui);
    let layout = |ui: &Ui, text: &str, colour: Color32, width: f32| {
        let text = WidgetText::from(RichText::new(text).small().color(colour));
        text.into_galley(ui, Some(TextWrapMode::Truncate), width, FontSelection::Default)
    };
    let value = layout(ui, value, tokens.text_strong, f32::INFINITY);
    let beside = SAMPLE_WIDTH + value.size().x + 2.0 * tokens::GAP_SMALL;
    let name_galley = layout(ui, name, tokens.text, (ui.max_rect().width() - beside).max(40.0));
    let (name_width, height) = (name_galley.size().x, name_galley.size().y.max(14.0));
    let (rect, response) = ui.allocate_exact_size(vec2(beside + name_width, height), Sense::hover());
    if ui.is_rect_visible(rect) {
        let left = rect.left_center();
        run_sample(ui, left, look, is_point);
        let top = |galley: &egui::Galley| left.y - 0.5 * galley.size().y;
        let name_at = pos2(left.x + SAMPLE_WIDTH + tokens::GAP_SMALL, top(&name_galley));
        let value_at = pos2(name_at.x + name_width + tokens::GAP_SMALL, top(&value));
        ui.painter().galley(name_at, name_galley, tokens.text);
        ui.painter().galley(value_at, value.clone(), tokens.text_strong);
    }
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{name} {}", value.text())));
    response.on_hover_text(name);
}

/// A compared run's line as its plot draws it, or its marker where it `is_point`, from `left` to the right.
pub fn run_sample(ui: &Ui, left: Pos2, look: RunLook, is_point: bool) {
    if is_point {
        let at = left + vec2(0.5 * SAMPLE_WIDTH, 0.0);
        ui.painter().text(at, Align2::CENTER_CENTER, look.mark(), FontId::proportional(10.0), look.colour);
    } else {
        sample(ui, left, look.dash(), look.colour);
    }
}
