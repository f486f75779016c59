//! Set-up: a preset, the options that matter first, and all others behind a search. Each shows its unit;
//! range, default and source are in the tooltip. A field is checked when it is left, and all of them at
//! Start.

mod augmented;
pub mod branches;
pub mod fields;
mod methods;
mod presets;
pub mod preview;

use super::Shared;
use crate::app::commands::UiCommand;
use crate::app::format;
use crate::app::model::form::{ESSENTIAL, RUN_DIR, SetUpForm, is_idle};
use crate::app::theme::icons::{self, Icon};
use crate::app::theme::tokens::{self, Tokens};
use crate::app::widgets::command_button::{ButtonStyle, command_button};
use crate::config::schema::{self, Field};
use crate::gpu::DeviceChoice;
use egui::{Align, ComboBox, Layout, Rect, RichText, ScrollArea, TextEdit, Ui, UiBuilder, pos2};
use std::path::Path;

/// Draws the pane.
pub fn ui(ui: &mut Ui, shared: &mut Shared<'_>, view: &mut preview::PreviewView) {
    let active = shared.run.phase.is_active();
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        // Room for the scroll bar, so that it never lies over a field.
        ui.set_max_width(ui.available_width() - 10.0);
        if active {
            let text = "Locked while the run is at work: every option is part of its results.";
            ui.label(RichText::new(text).color(Tokens::of(ui).text_weak));
            ui.add_space(tokens::GAP_SMALL);
        }
        ui.add_enabled_ui(!active, |ui| {
            presets::ui(ui, shared.form, shared.recents);
            let beside = heading(ui, "Essentials");
            changes_ui(ui, beside, shared);
            for path in ESSENTIAL {
                if let Some(field) = schema::field(path).filter(|_| !is_idle(shared.form, path)) {
                    fields::row_ui(ui, shared.form, field);
                }
                if path == "optimizer.lr" {
                    preview::schedule_ui(ui, shared, &mut view.schedule);
                }
                if path == "method.kind" {
                    methods::about_ui(ui, &shared.form.config().method);
                    branches::ui(ui, shared.form);
                }
            }
            run_dir_ui(ui, shared.form, shared.run.dir.as_deref().filter(|_| active));
            device_ui(ui, shared.form);
            augmented::ui(ui, shared);
            all_ui(ui, shared.form);
            ui.add_space(tokens::GAP);
            start_ui(ui, shared);
            ui.add_space(tokens::GAP_SMALL);
            preview::preflight_ui(ui, shared, &mut view.mixing);
        });
    });
    shared.form.jump = None;
}

/// Draws a heading; what is free beside it is returned.
fn heading(ui: &mut Ui, text: &str) -> Rect {
    ui.add_space(tokens::GAP);
    let rect = ui.label(RichText::new(text).strong().color(Tokens::of(ui).text_strong)).rect;
    Rect::from_min_max(rect.right_top(), pos2(ui.max_rect().right(), rect.bottom()))
}

/// How much of the preset or file was changed, with the ways back; in `area`, so that no field moves.
fn changes_ui(ui: &mut Ui, area: Rect, shared: &mut Shared<'_>) {
    let changes = shared.form.changes();
    if changes == 0 {
        return;
    }
    let layout = Layout::right_to_left(Align::Center);
    let ui = &mut ui.new_child(UiBuilder::new().max_rect(area).layout(layout));
    let tooltip = UiCommand::UndoSetUp.tooltip(ui.ctx(), shared.run);
    if ui.small_button("Undo").on_hover_text(tooltip).clicked() {
        shared.queue.push(UiCommand::UndoSetUp);
    }
    if ui.small_button("Reset all").on_hover_text("Back to what the form was filled with").clicked() {
        shared.form.reset_all();
    }
    let text = format!("{} changed", format::counted(changes as u64, "option"));
    ui.add(egui::Label::new(RichText::new(text).small().color(Tokens::of(ui).accent)).truncate());
}

/// `running`: the folder of the run at work, which is what a locked form shows.
fn run_dir_ui(ui: &mut Ui, form: &mut SetUpForm, running: Option<&Path>) {
    let help =
        "Where the run writes its checkpoints, curves and log. Empty: a new folder named after the run";
    let hint = form.out_dir().display().to_string();
    let response = fields::labelled(ui, fields::RUN_DIR_LABEL, help, |ui| {
        let mut shown = running.map(|dir| dir.display().to_string());
        let width = fields::path_width(ui);
        let text = shown.as_mut().unwrap_or(&mut form.run_dir);
        let response = ui.add(TextEdit::singleline(text).hint_text(hint).desired_width(width));
        fields::browse_ui(ui, form, RUN_DIR, fields::RUN_DIR_LABEL);
        response
    });
    fields::fault_ui(ui, form, RUN_DIR, &response);
}

fn device_ui(ui: &mut Ui, form: &mut SetUpForm) {
    let help = "The adapter that trains. Automatic: discrete before integrated before software";
    fields::labelled(ui, "Device", help, |ui| {
        let name = |choice: &DeviceChoice| match choice {
            DeviceChoice::Auto => "Automatic".to_owned(),
            DeviceChoice::Cpu => "Software (CPU)".to_owned(),
            other => {
                let item = form.devices.iter().find(|item| item.choice == *other);
                item.map_or_else(|| other.to_string(), |item| item.label.clone())
            }
        };
        let offered = [DeviceChoice::Auto, DeviceChoice::Cpu].into_iter();
        let offered: Vec<DeviceChoice> =
            offered.chain(form.devices.iter().map(|item| item.choice.clone())).collect();
        let names: Vec<String> = offered.iter().map(name).collect();
        let selected = name(&form.device);
        let combo = ComboBox::from_id_salt("device").width(ui.available_width()).selected_text(selected);
        let response = combo.truncate().show_ui(ui, |ui| {
            for (choice, name) in offered.into_iter().zip(names) {
                ui.selectable_value(&mut form.device, choice, name);
            }
        });
        response.response
    });
}

/// The other options, section by section, or those that the search finds.
fn all_ui(ui: &mut Ui, form: &mut SetUpForm) {
    ui.add_space(tokens::GAP);
    ui.horizontal(|ui| {
        let arrow = icons::atom(if form.show_all { Icon::Down } else { Icon::Right }, None);
        let text = RichText::new("All options").strong();
        if ui.add(egui::Button::new((arrow, text)).frame(false)).accessible_name("All options").clicked() {
            form.show_all = !form.show_all;
        }
        let edit = TextEdit::singleline(&mut form.search).hint_text("Search options");
        let response = ui.add(edit.desired_width(f32::INFINITY)).accessible_name("Search options");
        if response.changed() {
            form.show_all = true;
        }
    });
    if !form.show_all {
        return;
    }
    let wanted = form.search.trim().to_lowercase();
    let matches = |field: &Field| {
        let texts = [field.path, field.help, field.source];
        wanted.is_empty() || texts.iter().any(|text| text.to_lowercase().contains(&wanted))
    };
    let mut section = "";
    let mut found = false;
    for field in schema::fields().iter().filter(|field| matches(field)) {
        // The list of branches stands below the method.
        if field.kind == schema::Kind::Branches {
            continue;
        }
        // A key that is shown above is not shown twice, except when it is searched for.
        if wanted.is_empty() && ESSENTIAL.contains(&field.path) && !is_idle(form, field.path) {
            continue;
        }
        found = true;
        if field.section() != section {
            section = field.section();
            heading(ui, section);
        }
        // The essentials above own this key's widget id.
        ui.push_id("all", |ui| fields::row_ui(ui, form, field));
    }
    if !found {
        ui.weak(format!("No option speaks of “{}”", form.search.trim()));
    }
}

fn start_ui(ui: &mut Ui, shared: &mut Shared<'_>) {
    ui.horizontal_wrapped(|ui| {
        command_button(ui, UiCommand::Start, shared.run, shared.queue, ButtonStyle::Primary);
        command_button(ui, UiCommand::Preflight, shared.run, shared.queue, ButtonStyle::Plain);
        command_button(ui, UiCommand::OpenConfig, shared.run, shared.queue, ButtonStyle::Plain);
    });
}
