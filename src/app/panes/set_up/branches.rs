//! The method as a list of branches: what a named method consists of, and the user's own list to edit.

use super::fields::is_narrow;
use crate::app::model::form::SetUpForm;
use crate::app::theme::icons::{self, Icon};
use crate::app::theme::tokens::Tokens;
use crate::config::schema::{self, Kind};
use crate::config::{BranchConfig, MAX_BRANCHES};
use crate::training::method;
use egui::{Button, ComboBox, DragValue, Grid, RichText, Ui};
use toml::Value;

/// Room for weight, share, the bin and the gaps between all columns, points.
const NUMBERS_WIDTH: f32 = 168.0;
/// Of a word in a narrow pane, in which a branch has several lines.
const NARROW_WORD: f32 = 64.0;

/// The list below the method's name.
pub fn ui(ui: &mut Ui, form: &mut SetUpForm) {
    let own = !form.config().method.branch.is_empty();
    let listed = if own {
        Some(form.config().method.branch.clone())
    } else {
        method::as_branches(&form.config().method)
    };
    let tokens = Tokens::of(ui);
    let Some(mut branches) = listed else { return };
    let before = branches.clone();
    ui.horizontal_wrapped(|ui| {
        let text = if own { "Own branches take the place of the method" } else { "Its branches" };
        ui.label(RichText::new(text).small().color(tokens.text_weak));
        if own {
            let button = ui.small_button("Use the named method");
            if button.on_hover_text("Drops the list; Method decides again").clicked() {
                branches.clear();
            }
        } else if ui.small_button("Edit").on_hover_text("Makes this list your own method").clicked() {
            set(form, &branches);
        }
        if let Some(fault) = form.fault("method.branch") {
            icons::show(ui, Icon::Warning, tokens.error, "fault").on_hover_text(fault);
        }
    });
    ui.add_enabled_ui(own, |ui| table_ui(ui, &mut branches));
    if own && !branches.is_empty() && branches.len() < MAX_BRANCHES {
        let button = ui.small_button("Add branch").on_hover_text("One more source with its loss");
        if button.clicked() {
            branches.push(BranchConfig::default());
        }
    }
    if own && branches != before {
        set(form, &branches);
    }
}

fn table_ui(ui: &mut Ui, branches: &mut Vec<BranchConfig>) {
    let mut removed = None;
    if is_narrow(ui) {
        for (row, branch) in branches.iter_mut().enumerate() {
            ui.horizontal_wrapped(|ui| {
                if branch_ui(ui, row, NARROW_WORD, branch) {
                    removed = Some(row);
                }
            });
        }
    } else {
        let words = ((ui.available_width() - NUMBERS_WIDTH) / 2.0).clamp(40.0, 76.0);
        Grid::new("branches").num_columns(5).spacing([6.0, 4.0]).show(ui, |ui| {
            for heading in ["Source", "Domain", "Weight", "Share"] {
                ui.label(RichText::new(heading).small().color(Tokens::of(ui).text_weak));
            }
            ui.end_row();
            for (row, branch) in branches.iter_mut().enumerate() {
                if branch_ui(ui, row, words, branch) {
                    removed = Some(row);
                }
                ui.end_row();
            }
        });
    }
    if let Some(row) = removed {
        branches.remove(row);
    }
}

/// The fields of one branch, its words `width` points wide; true when it is to go.
fn branch_ui(ui: &mut Ui, row: usize, width: f32, branch: &mut BranchConfig) -> bool {
    word_ui(ui, row, "source", width, &mut branch.source);
    word_ui(ui, row, "domain", width, &mut branch.domain);
    number_ui(ui, row, "weight", &mut branch.weight, 0.0..=1000.0);
    number_ui(ui, row, "share", &mut branch.share, 0.01..=1.0);
    bin_ui(ui, row)
}

/// The button that takes a branch away; true when it is clicked.
fn bin_ui(ui: &mut Ui, row: usize) -> bool {
    let button = ui.add(Button::new(icons::atom(Icon::Bin, None)).small());
    button.accessible_name(format!("Remove branch {}", row + 1)).clicked()
}

fn help(key: &str) -> &'static str {
    schema::branch_fields().iter().find(|f| f.key() == key).map_or("", |f| f.help)
}

/// A choice among the words that the schema allows for `key`.
fn word_ui<T>(ui: &mut Ui, row: usize, key: &str, width: f32, value: &mut T)
where
    T: serde::Serialize + serde::de::DeserializeOwned,
{
    let field = schema::branch_fields().iter().find(|f| f.key() == key);
    let Some(Kind::Choice(choices)) = field.map(|f| f.kind) else { return };
    let now = Value::try_from(&*value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
    let combo = ComboBox::from_id_salt((key, row)).width(width).selected_text(&now).truncate();
    let response = combo.show_ui(ui, |ui| {
        for &choice in choices {
            if ui.selectable_label(now == choice, choice).clicked()
                && let Ok(chosen) = Value::String(choice.to_owned()).try_into()
            {
                *value = chosen;
            }
        }
    });
    response.response.accessible_name(format!("Branch {} {key}", row + 1)).on_hover_text(help(key));
}

fn number_ui(ui: &mut Ui, row: usize, key: &str, value: &mut f32, range: std::ops::RangeInclusive<f32>) {
    let edit = DragValue::new(value).speed(0.01).range(range).max_decimals(3);
    ui.add(edit).accessible_name(format!("Branch {} {key}", row + 1)).on_hover_text(help(key));
}

fn set(form: &mut SetUpForm, branches: &[BranchConfig]) {
    // By way of text, as everywhere: 0.1f32 stays 0.1.
    let tables = branches.iter().filter_map(|b| toml::to_string(b).ok()?.parse().ok().map(Value::Table));
    form.set("method.branch", Value::Array(tables.collect()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{BranchSource, Domain};

    #[test]
    fn a_list_goes_into_the_form_and_comes_back() {
        let mut form = SetUpForm::default();
        let branches = [
            BranchConfig::default(),
            BranchConfig { source: BranchSource::Cutmix, domain: Domain::Aux, weight: 0.1, share: 0.5 },
        ];
        set(&mut form, &branches);
        assert_eq!(form.config().method.branch, branches);
        assert_eq!(form.fault("method.branch"), None);
        set(&mut form, &[]);
        assert!(form.config().method.branch.is_empty());
    }
}
