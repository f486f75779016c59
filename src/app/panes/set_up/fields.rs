//! The controls of the form: one row a key of the schema, made from its kind.

use super::methods;
use crate::app::model::form::{RUN_DIR, SetUpForm};
use crate::app::theme::icons::{self, Icon};
use crate::app::theme::tokens::Tokens;
use crate::config::schema::{self, Field, Kind, fields};
use egui::{
    Align, Align2, Button, ComboBox, Layout, Rect, Response, RichText, Stroke, StrokeKind, TextEdit, Ui,
    UiBuilder, pos2, vec2,
};
use std::collections::BTreeMap;
use std::sync::LazyLock;
use toml::Value;

/// The label's share of a row, and its largest width.
const LABEL_SHARE: f32 = 0.33;
const LABEL_WIDTH: f32 = 118.0;
const UNIT_WIDTH: f32 = 74.0;
const NARROW: f32 = 240.0;
/// What opens the system's dialog beside a path.
const BROWSE: &str = "Browse…";
const ROW_HEIGHT: f32 = 26.0;
/// The words before the field of the run folder.
pub const RUN_DIR_LABEL: &str = "Run folder";
/// What an absent optional key shows.
const AUTOMATIC: &str = "automatic";

/// A label and a control on one line; the control is named by the label.
pub fn labelled(ui: &mut Ui, label: &str, help: &str, control: impl FnOnce(&mut Ui) -> Response) -> Response {
    marked(ui, label, help, false, control).0
}

/// As [`labelled`]; a changed one is marked by a button that resets it, whose click is told.
fn marked(
    ui: &mut Ui,
    label: &str,
    help: &str,
    is_changed: bool,
    control: impl FnOnce(&mut Ui) -> Response,
) -> (Response, bool) {
    let tokens = Tokens::of(ui);
    let is_narrow = is_narrow(ui);
    let row = |ui: &mut Ui| {
        let mut is_reset = false;
        let width = if is_narrow { ui.available_width() } else { label_width(ui) };
        let size = vec2(width, ROW_HEIGHT);
        ui.allocate_ui_with_layout(size, Layout::left_to_right(Align::Center), |ui| {
            ui.set_min_size(size);
            if is_changed {
                let button =
                    ui.add(Button::new(RichText::new("×").color(tokens.accent)).small().frame(false));
                let button = button.accessible_name(format!("Reset {label}"));
                is_reset = button.on_hover_text("Changed; a click gives it its value back").clicked();
            }
            let text = RichText::new(label).color(if is_changed { tokens.accent } else { tokens.text });
            ui.add(egui::Label::new(text).truncate()).on_hover_text(help);
        });
        let named =
            |ui: &mut Ui| control(ui).accessible_name(label).on_hover_text(help).on_disabled_hover_text(help);
        // A control with its unit is one line, below its label too.
        let response = if is_narrow { ui.horizontal(named).inner } else { named(ui) };
        (response, is_reset)
    };
    if is_narrow { ui.vertical(row).inner } else { ui.horizontal(row).inner }
}

/// Whether labels stand above their fields: beside them, neither would have room.
pub(super) fn is_narrow(ui: &Ui) -> bool {
    ui.available_width() < NARROW
}

fn label_width(ui: &Ui) -> f32 {
    (LABEL_SHARE * ui.available_width()).min(LABEL_WIDTH)
}

/// The row of one key.
pub fn row_ui(ui: &mut Ui, form: &mut SetUpForm, field: &'static Field) {
    let help = HELP.get(field.path).map_or(field.help, String::as_str);
    let name = label(field);
    let is_changed = form.is_changed(field.path);
    let (response, is_reset) = marked(ui, &name, help, is_changed, |ui| match field.kind {
        Kind::Flag => flag_ui(ui, form, field),
        Kind::Choice(_) if field.path == "method.kind" => methods::choice_ui(ui, form),
        Kind::Choice(choices) => choice_ui(ui, form, field, choices),
        Kind::ChoiceList(choices) => list_ui(ui, form, field, choices),
        _ => text_ui(ui, form, field),
    });
    fault_ui(ui, form, field.path, &response);
    if is_reset {
        form.reset(field.path);
    }
}

/// Marks the field of a key that something is wrong with. The sentence is on hover, and with those of the
/// other fields over the corner of the window: a line below the field would move the form under the pointer.
pub fn fault_ui(ui: &mut Ui, form: &SetUpForm, path: &str, field: &Response) {
    if form.jump.as_deref() == Some(path) {
        field.scroll_to_me(Some(Align::Center));
        field.request_focus();
    }
    if let Some(fault) = form.fault(path) {
        let error = Tokens::of(ui).error;
        let stroke = Stroke::new(1.5, error);
        ui.painter().rect_stroke(field.rect.expand(1.0), 4.0, stroke, StrokeKind::Outside);
        let side = ui.text_style_height(&egui::TextStyle::Body);
        let place = pos2(field.rect.left() - side - 4.0, field.rect.center().y - 0.5 * ROW_HEIGHT);
        let place = Rect::from_min_size(place, vec2(side, ROW_HEIGHT));
        // A child of its own takes no room in the form.
        let layout = Layout::left_to_right(Align::Center);
        let mut mark = ui.new_child(UiBuilder::new().max_rect(place).layout(layout));
        icons::show(&mut mark, Icon::Warning, error, "fault").on_hover_text(fault);
        field.clone().on_hover_text(RichText::new(fault).color(error));
    }
}

/// What the field of a key is called in the form.
pub fn label_of(path: &str) -> String {
    match schema::field(path) {
        Some(field) => label(field),
        None if path == RUN_DIR => RUN_DIR_LABEL.to_owned(),
        None => path.to_owned(),
    }
}

/// The words before the field. Keys of one name in several sections are told apart by their section's
/// heading.
fn label(field: &Field) -> String {
    let known = match field.path {
        "method.kind" => "Method",
        "method.attack.epsilon" => "Attack ε",
        "data.source" => "Data",
        "data.path" => "Data folder",
        "model.arch" => "Network",
        "optimizer.lr" => "Learning rate",
        "run.name" => "Name",
        "eval.attack" => "Test attack",
        _ => "",
    };
    if !known.is_empty() {
        return known.to_owned();
    }
    let words = field.key().replace('_', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The tooltips, made once: a default value costs a pass through the whole configuration.
static HELP: LazyLock<BTreeMap<&'static str, String>> =
    LazyLock::new(|| fields().iter().map(|field| (field.path, help(field))).collect());

fn help(field: &Field) -> String {
    let default = field.default_value().map_or("absent".to_owned(), |value| value.to_string());
    let unit = if field.unit.is_empty() { String::new() } else { format!("Unit: {}\n", field.unit) };
    format!(
        "{}\n{unit}Expected: {}\nDefault: {default}\nSource: {}\nKey: {}",
        field.help, field.kind, field.source, field.path
    )
}

fn flag_ui(ui: &mut Ui, form: &mut SetUpForm, field: &'static Field) -> Response {
    let mut on = form.value(field.path).and_then(Value::as_bool).unwrap_or(false);
    let response = ui.checkbox(&mut on, "");
    if response.changed() {
        form.set(field.path, Value::Boolean(on));
    }
    response
}

fn choice_ui(ui: &mut Ui, form: &mut SetUpForm, field: &'static Field, choices: &[&str]) -> Response {
    let now = form.value(field.path).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (mut chosen, mut cleared) = (None, false);
    let width = ui.available_width();
    let shown = if now.is_empty() { AUTOMATIC } else { &now };
    let combo = ComboBox::from_id_salt(field.path).width(width).selected_text(shown).truncate();
    let response = combo.show_ui(ui, |ui| {
        if field.optional && ui.selectable_label(now.is_empty(), AUTOMATIC).clicked() {
            cleared = true;
        }
        for &choice in choices {
            if ui.selectable_label(now == choice, choice).clicked() {
                chosen = Some(choice);
            }
        }
    });
    if cleared {
        form.clear(field.path);
    }
    if let Some(choice) = chosen {
        form.set(field.path, Value::String(choice.into()));
    }
    response.response
}

fn list_ui(ui: &mut Ui, form: &mut SetUpForm, field: &'static Field, choices: &[&str]) -> Response {
    let array = form.value(field.path).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut chosen: Vec<String> = array.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let before = chosen.clone();
    let text = if chosen.is_empty() { "none".to_owned() } else { chosen.join(", ") };
    let combo = ComboBox::from_id_salt(field.path).width(ui.available_width()).selected_text(text).truncate();
    let combo = combo.close_behavior(egui::PopupCloseBehavior::CloseOnClickOutside);
    let response = combo.show_ui(ui, |ui| {
        for &choice in choices {
            let mut on = chosen.iter().any(|c| c == choice);
            if ui.checkbox(&mut on, choice).changed() {
                chosen.retain(|c| c != choice);
                if on {
                    chosen.push(choice.to_owned());
                }
            }
        }
    });
    if chosen != before {
        form.set(field.path, Value::Array(chosen.into_iter().map(Value::String).collect()));
    }
    response.response
}

fn text_ui(ui: &mut Ui, form: &mut SetUpForm, field: &'static Field) -> Response {
    let is_number = matches!(field.kind, Kind::Integer { .. } | Kind::Number(_));
    let is_path = matches!(field.kind, Kind::Path);
    let unit_width = if field.unit.is_empty() && !is_number && !is_path { 0.0 } else { UNIT_WIDTH };
    let gap = if unit_width > 0.0 { ui.spacing().item_spacing.x } else { 0.0 };
    let width = ui.available_width() - unit_width - gap;
    let text = form.text_mut(field);
    let mut edit = TextEdit::singleline(text).desired_width(width).align(Align2::LEFT_CENTER);
    edit = edit.min_size(vec2(0.0, ROW_HEIGHT - 2.0));
    if field.optional {
        edit = edit.hint_text(AUTOMATIC);
    }
    if is_number {
        edit = edit.align(Align2::RIGHT_CENTER);
    }
    let response = ui.add(edit);
    if is_path {
        browse_ui(ui, form, field.path, &label(field));
    } else if unit_width > 0.0 {
        unit_ui(ui, form, field);
    }
    if response.lost_focus() {
        form.commit_text(field);
    }
    response
}

/// The button beside a path; `label` is the field's.
pub fn browse_ui(ui: &mut Ui, form: &mut SetUpForm, path: &'static str, label: &str) {
    let button = ui.add(Button::new(RichText::new(BROWSE).small()).min_size(vec2(UNIT_WIDTH, 0.0)));
    let button = button.accessible_name(format!("Browse for {label}"));
    if button.on_hover_text("Choose it in the system's dialog").clicked() {
        form.browse = Some(path);
    }
}

/// Room for a path beside its [`browse_ui`].
pub fn path_width(ui: &Ui) -> f32 {
    ui.available_width() - UNIT_WIDTH - ui.spacing().item_spacing.x
}

/// The unit; pixel quantities show the share of the whole range too, so that 8/255 is never read as 8.
fn unit_text(form: &SetUpForm, field: &Field) -> String {
    // Of what stands in the field, valid or not.
    let value = form.text(field.path).trim().parse::<f64>();
    match (field.unit, value) {
        ("1/255", Ok(value)) => format!("/255 = {:.3}", value / 255.0),
        (unit, _) => unit.to_owned(),
    }
}

fn unit_ui(ui: &mut Ui, form: &SetUpForm, field: &Field) {
    let text = unit_text(form, field);
    let (rect, _) = ui.allocate_exact_size(vec2(UNIT_WIDTH, ROW_HEIGHT), egui::Sense::hover());
    let font = egui::TextStyle::Small.resolve(ui.style());
    let colour = Tokens::of(ui).text_weak;
    ui.painter().with_clip_rect(rect).text(rect.left_center(), Align2::LEFT_CENTER, text, font, colour);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::schema;

    #[test]
    fn the_share_is_of_what_stands_in_the_field() {
        let mut form = SetUpForm::default();
        let epsilon = schema::field("method.attack.epsilon").expect("a key");
        for (text, shown) in [("2", "/255 = 0.008"), ("9999", "/255 = 39.212"), ("two", "1/255")] {
            *form.text_mut(epsilon) = text.into();
            form.commit_text(epsilon);
            assert_eq!(unit_text(&form, epsilon), shown);
        }
    }
}
